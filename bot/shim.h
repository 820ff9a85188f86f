/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim - the process that owns one attempt: its boxes, their terminal, the transcript.
 *
 * A small program of its own (shim_main.c), because every attempt starts one; the bot carries it
 * inside. A runner starts it in the attempt's own directory, in a session of its own and with an
 * empty environment. It outlives that runner and every other process of the bot: each runner comes
 * through the same door, and the newest one is the one that counts.
 *
 * Descriptors besides stderr: 3, a listening socket, which is the door; 4, the table of redact.h or
 * nothing. What it is told runs over a msg link; it runs one step after another:
 *
 *	SHIM_STATE   said to each runner that comes, before anything else
 *	NET          the network of the box to come, made ahead; a box without makes its own
 *	DISK         before them, if there can be: for what its boxes write, at disk/
 *	STEP         a box spec
 *	STEP_LISTEN  the box is built; with its listener, if it has one. Said again to each runner
 *	STEP_GO      the box may begin; with a pipe whose other end the gateway holds. When that
 *	             end closes and 30 s later no other GO has come, the step is over; and so it
 *	             is when nothing comes through it for that long after something did
 *	STEP_SPENT   its budget is used up: it has a second to end by itself, as agents do that are
 *	             refused more
 *	STEP_DONE    it ended, however. Said again to each runner until the next step
 *
 * SHIM_STOP ends the step under way; without one, or said twice, it ends the shim. So do SIGTERM
 * and a time without a runner that each STEP sets. It then kills the box, completes the transcript,
 * closes the link, removes everything else in its directory but what is the runner's, and ends.
 */
#ifndef BOT_SHIM_H
#define BOT_SHIM_H

#include <stdint.h>

#define SHIM_CAST    "task.cast"
#define SHIM_TEXT    "task.txt"
#define SHIM_SUMMARY "summary.txt" /* the agent's last message, if it sent one */
#define SHIM_DISK    "disk"        /* what its boxes write; only the shim sees what is in it */
#define SHIM_TRACE   "box"         /* which box runs, for whoever comes after a killed shim */
#define SHIM_DOOR    "door"
#define SHIM_STATE   "state" /* what the runner knows of the attempt (runner_state.c) */

/* Raise it when what is said keeps its form and changes its meaning. */
#define SHIM_PROTOCOL 2

/* One number for the language that shims and runners speak, so that a runner does not talk to the
 * shim of another version. SIGTERM is understood by all. */
int64_t shim_words(void);

/* Runs the role to its end; returns the exit code. */
int shim_main(void);

/* As which it is known among the processes, from its begin on: by it a runner knows who listens. */
#define SHIM_NAME "shim"

/* What else the program can be, by the last word of its command line: who cleans up behind a shim
 * that died. It waits until no shim works in its directory, and then does what each does at its
 * end. Nobody needs to tell it anything: its runner may be killed at once. */
#define SHIM_SWEEP "sweep"
int shim_sweep_main(void);

/* Or who makes the transcript of a killed shim whole, which the runner waits for before it tells
 * it. SHIM_HALF is there from the transcript's beginning to its end. */
#define SHIM_MEND "mend"
#define SHIM_HALF "half"
int shim_mend_main(void);

/* Or a maker of what the runner wants to have ahead, which answers each NET_MAKE with a NET, each
 * DISK_MAKE with a DISK until the runner is gone. To make one may take long on a busy machine, and
 * the runner has no time to spare. Disks have their files in its working directory. */
#define SHIM_NETS  "nets"
#define SHIM_DISKS "disks"
int shim_maker_main(const char *name);

#endif
