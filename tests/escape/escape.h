/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape - ways out of a box, one row each, and how each is shown to be a way where there is no
 * box.
 *
 * The same program tries all rows in a box and, before that, outside. A refusal in the box proves
 * something only if the same function gets through out here: that is the row's control. What the
 * host would refuse too, or what would harm it, has a control that shows it by other means.
 */
#ifndef TESTS_ESCAPE_ESCAPE_H
#define TESTS_ESCAPE_ESCAPE_H

#include <stdbool.h>
#include <sys/types.h>

enum control {
	CONTROL_PLAIN, /* gets through for whoever runs it outside */
	CONTROL_OWN,   /* gets through for the root of namespaces of its own */
	CONTROL_ROOT,  /* gets through for root; elsewhere it is shown that the path is there */
	CONTROL_ARGS,  /* gets through, or as far as its arguments, which are wrong, for whoever
			  runs it or for the root of namespaces of its own; where neither may make
			  the call, as below */
	CONTROL_CALL,  /* makes the system call in question, which is answered before the kernel
			  sees it: it would do harm, or not every kernel has it */
};

struct attempt {
	int number; /* of the list of attempts in tests/escape/README.md */
	const char *name;
	int (*run)(const struct attempt *a); /* 0: through; otherwise an errno */
	const char *box; /* outcomes that are refusals, with | between; after a semicolon those
			    of a box with a 0 in it (runc's), where they are others */
	enum control control;
	long call;        /* CONTROL_ARGS, CONTROL_CALL: its number */
	const char *path; /* for those that are about one */
	long arg;
};

/* Where we are. */
struct world {
	bool is_box;
	bool has_root;      /* there is a 0 in the box */
	pid_t host_pid;     /* a process outside, of the box's own user, that holds the canary */
	pid_t target;       /* PID 1 in a box; the same process outside */
	int host_port;      /* the host's loopback listens there */
	const char *canary; /* in the environment of everything outside, spelt backwards here */
	const char *dir;    /* of the host; holds `secret`, `socket` and `tools` */
};
extern struct world world;

/* Each ends with a row of number 0. */
extern const struct attempt ESCAPE_CALLS[], ESCAPE_FILES[], ESCAPE_NET[], ESCAPE_PROCS[];

/* 0, or errno of a call that answered -1. */
int outcome(long rc);

#endif
