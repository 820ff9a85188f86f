/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strike - follows one process by ptrace, counts its system calls, and at a given one kills it or
 * lets the call fail.
 */
#ifndef TESTS_FAULT_STRIKE_H
#define TESTS_FAULT_STRIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STRIKE_CALLS_MAX 64

struct strike {
	pid_t pid;         /* whom; with child, whose child */
	const char *child; /* NULL, or: the next child that is started with "--role CHILD" */
	int64_t at;        /* which of the calls; 0: count only */
	bool is_ever;      /* all later calls of the same kind fail, too */
	struct {
		int call;
		int error;         /* what it answers; 0: it kills */
	} calls[STRIKE_CALLS_MAX]; /* which count; none: all do, and kill */
	size_t n_calls;
};

/* What one thread is about to do, and the two ways to make a call fail: it is not made, and its
 * answer is ours. 0, or -1: the thread is gone. */
int strike_call(pid_t tid, int *call);
int strike_prevent(pid_t tid);
int strike_answer(pid_t tid, int error);

#endif
