/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_rig - starts of boxes to which the kernel says something else.
 *
 * It does so by order: a filter of the starter, which its box inherits, answers one system call, or
 * leaves the answer to us. What the start then came to is compared with what it must say.
 */
#ifndef TESTS_CONTRACT_FAULT_RIG_H
#define TESTS_CONTRACT_FAULT_RIG_H

#include "box_rig.h"

struct seccomp_notif;

#define FAULT_NO_CALL (-1)
#define NO_MEND                                                                                    \
	{                                                                                          \
		NULL, NULL                                                                         \
	}

enum fault_detail {
	FAULT_PLAIN,
	FAULT_NET,
	FAULT_LAYERS,
	FAULT_FILE, /* below a file */
	FAULT_CWD,  /* not there */
};

/* By who started it: root, and somebody without rights. */
struct fault {
	enum box_stage stage[2];
	long call; /* FAULT_NO_CALL: the box itself is at fault */
	unsigned arg;
	unsigned mask; /* 0: whatever the arguments are */
	unsigned value[2];
	int sys; /* 0: the call says that it did what it did not do */
	enum fault_detail detail;
	const char *text;    /* what is told of it begins so, or has it behind ": " */
	const char *mend[2]; /* what a person is told to do has this in it; NULL: nothing */
	long also;           /* another call with the same answer; 0: none */
};

/* A starter of its own, which ends with its box. listener: the calls are held, and it answers them
 * (seccomp_unotify(2)); NULL: they are answered as the fault has it. The room must have the
 * directories low and up. */
struct fault_start {
	pid_t pid;
	int told; /* what it came to */
};
struct fault_start fault_begin(const struct box_rig *r, const struct fault *f, int *listener);

/* The next call that is held, within that time. One whose caller was stopped meanwhile is made
 * again, and held again. */
bool fault_next(int listener, int wait_ms, struct seccomp_notif *call);

/* Fails the test unless the start failed as the fault has it, and left nothing. */
void fault_end(const struct box_rig *r, const struct fault *f, struct fault_start *s);

/* Control groups that a starter has left. */
size_t fault_cgroups(pid_t pid);

#endif
