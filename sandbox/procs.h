/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procs - a box's processes, seen from outside through the box's own /proc: where no cgroup counts
 * for us, we do.
 */
#ifndef SANDBOX_PROCS_H
#define SANDBOX_PROCS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* By the pid of its first process, which need not be 1 inside. The descriptor is the caller's. */
int procs_open(pid_t init, int *out_fd, struct err *e);

struct procs {
	int64_t threads;
	int64_t cpu_us;  /* with those that have ended and were waited for */
	int64_t rss_max; /* of all, shared pages counted for each: no less than what they take */
};

/* Cheap. */
void procs_count(int proc_fd, struct procs *out);

/* What they take of the machine's memory: private pages and their part of shared ones, files
 * without a name that they have open, System V's, what lies in the box's own filesystems of memory.
 * What is mapped and open counts twice. Page cache does not count, for the kernel takes it back. */
int64_t procs_memory(int proc_fd, pid_t init);

/* No less than that, and cheaper: nothing is looked at page by page. */
int64_t procs_memory_max(int proc_fd, pid_t init);

/* When it was started, in the kernel's ticks since the boot: with its number that is one process
 * for as long as the machine runs. 0: there is none, or it has ended and waits to be asked for. */
uint64_t procs_started(pid_t pid);

/* Sent over the box's loopback since its start, which is how it talks to the gateway. */
int64_t procs_net_bytes(pid_t init);

#endif
