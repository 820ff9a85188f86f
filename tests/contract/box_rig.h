/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box_rig - a directory to keep layers in, and boxes that are run to their end.
 */
#ifndef TESTS_CONTRACT_BOX_RIG_H
#define TESTS_CONTRACT_BOX_RIG_H

#include "base/buf.h"
#include "sandbox/sandbox.h"

struct box_rig {
	char dir[64]; /* ours, and open to everybody like a state directory's parents */
	char *inside; /* the program of tests/tools/inside.c */
	bool is_root;
	const char *runtime; /* who makes the boxes: box_spec.runtime */
	bool has_root;       /* in the boxes there is a 0, which is nobody's */
};

struct CMUnitTest;

/* main of a group: each test gets a rig as its state. All are run with each driver that can be
 * there, as root and then by somebody without rights. A runtime that is missing fails, and so does
 * who is not root and cannot try the first half. */
int box_rig_main(const struct CMUnitTest *tests, size_t n);

/* The same for what only the native driver has, or chooses a driver itself. */
int box_rig_main_native(const struct CMUnitTest *tests, size_t n);

/* And for those whose names ("crun, as root") begin with one of these, until NULL. */
int box_rig_main_by(const struct CMUnitTest *tests, size_t n, const char *const *names);

/* A path in the rig's directory; the caller's to free. */
char *box_rig_path(const struct box_rig *r, const char *name);
void box_rig_mkdir(const struct box_rig *r, const char *name);
void box_rig_write(const struct box_rig *r, const char *name, const char *text);

/* Gives everything below to another uid where that is possible (root); returns the owner there is
 * then. */
int64_t box_rig_give(const struct box_rig *r, const char *name);

/* A spec with a PATH and the inside program in view; words up to NULL are its argv. */
void box_rig_spec(const struct box_rig *r, struct box_spec *s, ...) __attribute__((sentinel));

struct box_run {
	int exit_code; /* 128 + signal */
	int report;    /* of box_report */
	enum box_stage stage;
	struct err e;
	struct buf out; /* the terminal's, "\r\n" turned into "\n" */
};

/* Starts, lets go, reads to the end, reaps. Fails the test if the start fails or it takes over
 * two minutes. */
void box_rig_run(const struct box_spec *s, struct box_run *run);
void box_run_finish(struct box_run *run);

#define auto_box_run auto_cleanup(box_run_finish)

/* Runs a shell command in a fresh box and expects this output and exit code 0. */
void box_rig_expect(const struct box_rig *r, const char *command, const char *out);

/* Runs the program outside with the words; its output is the caller's to free. */
char *box_rig_outside(const struct box_rig *r, const char *const *words);

/* Reads the terminal until it has shown the word; fails the test after two minutes. */
void box_rig_wait_for(int pty_fd, const char *word);

/* Waits for the end of the box, at most two minutes; exit code as shells write it. */
int box_rig_reap(struct box *b);

/* As root: from here on we see no /proc but the machine's own. One that somebody else has mounted
 * may lie where a stranger cannot go to lay something over it. */
int box_rig_leave_procs(void);

/* How many descriptors we have, more or less: to be compared, not to be known. */
int box_rig_fds(void);

#endif
