/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init - PID 1 of a box, the parts of it. No allocation, no C library (libc.c), no configuration
 * but the plan.
 */
#ifndef SANDBOX_INIT_INIT_H
#define SANDBOX_INIT_INIT_H

#include "sandbox/init/plan.h"

#include <stddef.h>
#include <string.h>
#include <sys/types.h>

/* Numbers of enum box_stage that are reported from in here. */
enum init_stage {
	INIT_STAGE_FILES = 17,
	INIT_STAGE_NET = 19,
	INIT_STAGE_PTY = 20,
	INIT_STAGE_HELLO = 22,
	INIT_STAGE_PLAN = 30,
	INIT_STAGE_POSTURE = 31,
	INIT_STAGE_SECCOMP = 32,
	INIT_STAGE_FORK = 33,
	INIT_STAGE_SESSION = 50,
	INIT_STAGE_LIMITS = 51,
	INIT_STAGE_CWD = 52,
	INIT_STAGE_SELF_CHECK = 53,
	INIT_STAGE_EXEC = 54,
	INIT_STAGE_LANDLOCK = 55,
};

/* Sends the report and ends this process. sys 0: not an errno matter. */
_Noreturn void init_fail(int stage, int sys, const char *what, const char *more);

/* Writes the files of the plan. */
void init_files(const struct init_plan *p);

/* Makes the terminal and the listener and hands their outer ends to the starter: the word that the
 * box is built. */
void init_doors(const struct init_plan *p);

/* Ends the box with a report if anything that should hold does not: no capability, no new
 * privileges, own namespaces, no further user namespace, read-only root. Before the filter, which
 * would answer some of these questions itself. */
void init_check_posture(const struct init_plan *p);

/* Ends the box with a report if something is mounted in it that may hold devices or set-id
 * programs, or that may be written to and is no place for it. */
void init_check_mounts(const struct init_plan *p);

/* The same for the workload's process, last before exec: who it is and which descriptors it has. */
void init_check_workload(const struct init_plan *p);

/* Lets the calling process write only where the plan says; ends it with a report if that does not
 * hold. Nothing where the kernel has no Landlock. */
void init_landlock(const struct init_plan *p);

/* ---- libc.c and strings.c: what the C library has under another name or not at all ---- */

long init_failed(long answer); /* of a system call: keeps errno, returns -1 */
int init_prctl(int option, unsigned long value);
void *init_map(int fd, size_t len); /* private and writable, or MAP_FAILED */
ssize_t getdents64(int fd, void *data, size_t len);

/* Puts as much of s as fits at out[at], and a NUL; returns where the next one goes. */
size_t init_join(char *out, size_t size, size_t at, const char *s, size_t len);

unsigned init_number(const char *digits, unsigned base); /* up to the first that is none */

/* Turns the calling process into the workload. argv and envp are NULL-terminated. */
_Noreturn void init_exec(const struct init_plan *p, char **argv, char **envp);

#endif
