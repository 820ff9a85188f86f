/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim - the process that owns one attempt: its boxes, their terminal, the transcript.
 *
 * A small program of its own (shim_main.c), because every attempt starts one; the bot carries it
 * inside. The runner starts it with an empty environment, in the attempt's own directory, with one
 * descriptor besides stderr: 3, a msg link. It runs one step after another:
 *
 *	NET          the network of the box to come, made ahead; a box without makes its own
 *	DISK         before them, if there can be: for what its boxes write, at disk/
 *	STEP         a box spec; descriptors: stdin, and stdout if it is not the terminal
 *	STEP_LISTEN  the box is built; with its listener, if it has one
 *	STEP_GO      the box may begin
 *	STEP_DONE    it ended, however
 *
 * SHIM_STOP ends the step under way; without one, or said twice, it ends the shim. So do the end of
 * file on the link and SIGTERM. It then kills the box, completes the transcript, closes the link,
 * removes everything else in its directory, and ends.
 */
#ifndef BOT_SHIM_H
#define BOT_SHIM_H

#define SHIM_CAST    "task.cast"
#define SHIM_TEXT    "task.txt"
#define SHIM_SUMMARY "summary.txt" /* the agent's last message, if it sent one */
#define SHIM_DISK    "disk"        /* what its boxes write; only the shim sees what is in it */
#define SHIM_TRACE   "box"         /* which box runs, for whoever comes after a killed shim */

/* Runs the role to its end; returns the exit code. */
int shim_main(void);

/* What else the program can be, by the last word of its command line: a maker of what the runner
 * wants to have ahead, which answers each NET_MAKE with a NET, each DISK_MAKE with a DISK until the
 * runner is gone. To make one may take long on a busy machine, and the runner has no time to spare.
 * Disks have their files in its working directory. */
#define SHIM_NETS  "nets"
#define SHIM_DISKS "disks"
int shim_maker_main(const char *name);

#endif
