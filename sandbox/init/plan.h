/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what PID 1 of the box is told, and what it tells back.
 *
 * The starter writes one sealed memfd: this struct, then its strings and the syscall filter. PID 1
 * thus needs neither arguments nor an environment, where anything in the box could read them. Both
 * sides are built from the same tree, so there are no versions; the size is checked.
 */
#ifndef SANDBOX_INIT_PLAN_H
#define SANDBOX_INIT_PLAN_H

#include <stdint.h>

/* Descriptors of PID 1 at its exec; 0 is the workload's, 1 too if has_stdout. */
#define INIT_FD_REPORT 3 /* SEQPACKET to the starter: one byte in = go; struct init_report out */
#define INIT_FD_PLAN   4
#define INIT_FD_TTY    5 /* once it has made the terminal */

#define INIT_MAGIC    0x54494e4eU
#define INIT_NS_COUNT 7 /* user mnt pid net ipc uts cgroup */
#define INIT_STRINGS  4096

enum init_limit {
	INIT_LIMIT_CORE,
	INIT_LIMIT_CPU, /* seconds */
	INIT_LIMIT_DATA,
	INIT_LIMIT_FILES,
	INIT_LIMIT_FILE_BYTES,
	INIT_LIMIT_LOCKED,
	INIT_LIMIT_PROCS,
	INIT_LIMIT_COUNT,
};

struct init_plan {
	uint32_t magic;
	uint32_t size;   /* of everything */
	uint32_t n_argv; /* strings, each with its NUL, one behind another from offset argv */
	uint32_t argv;
	uint32_t n_env;
	uint32_t env;
	uint32_t cwd;
	uint32_t n_writable; /* strings: directories besides those that every box may write */
	uint32_t writable;
	uint32_t n_files; /* to write first: path, mode in octal and text, three strings each */
	uint32_t files;
	uint32_t uid;
	uint32_t has_stdout; /* otherwise 1 is the terminal */
	uint32_t port;       /* to listen on at 127.0.0.1; 0 = none */
	uint32_t nice;       /* what its priority is lowered by */
	uint32_t n_filter;   /* struct sock_filter, at an offset that is a multiple of 8 */
	uint32_t filter;
	uint16_t rows; /* of the terminal */
	uint16_t columns;
	uint64_t ns[INIT_NS_COUNT];        /* inode numbers outside: those inside must differ */
	uint64_t limits[INIT_LIMIT_COUNT]; /* UINT64_MAX = keep */
};

/* stage 0: the box is built, descriptors come along. Otherwise what failed; the text leaves out
 * what the errno means. */
struct init_report {
	int32_t stage; /* enum box_stage */
	int32_t sys;
	char text[512];
};

#endif
