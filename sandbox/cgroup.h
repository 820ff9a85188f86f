/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - a fresh control group for each box: its limits, its end, what it took.
 *
 * Machines have one of four worlds: everything in one tree (v2), a tree for each controller (v1),
 * some of each, or nothing that we may write. So a group here is a directory of the same name in
 * each tree that is of use, and says itself which limits it keeps; for the others the box has
 * limits of each process, and somebody who looks (procs.h).
 *
 * A group is never used again: on some kernels, whoever is cloned into one that was killed dies.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_MEMORY 0x1u
#define CGROUP_PROCS  0x2u
#define CGROUP_CPU    0x4u
#define CGROUP_ALL    (CGROUP_MEMORY | CGROUP_PROCS | CGROUP_CPU)
#define CGROUP_KINDS  3

#define CGROUP_TREES_MAX 4
#define CGROUP_REMOVE_MS 1000 /* the end of a process that was killed */

/* ---- Where groups may be made ---- */

struct cgroup_tree {
	char *base;     /* the directory for them */
	unsigned keeps; /* CGROUP_*: what a group in it can limit */
	bool is_v2;
};

struct cgroup_world {
	struct cgroup_tree v[CGROUP_TREES_MAX];
	size_t n;
};

/* From the texts of /proc/self/mountinfo and /proc/self/cgroup: at most one v2 tree, and it is the
 * first; each limit in one tree only. */
void cgroup_world_read(const char *mountinfo, const char *own, struct cgroup_world *out);
void cgroup_world_finish(struct cgroup_world *w);

/* This process's; looked up once. */
const struct cgroup_world *cgroup_world(void);

/* In v2 a group either has processes or passes controllers on, so ours cannot stay in the one that
 * was given to us: the caller moves into a leaf of it, with all that it will start, and the
 * controllers are switched on for boxes. To be called once, first thing. Nothing to do: 0;
 * moved: 1. Then nobody can be started in the given group again while there is one of ours left in
 * it. */
int cgroup_claim(struct err *e);

/* The same in a directory, for the process that writes "0". */
int cgroup_claim_in(const char *dir, struct err *e);

/* Kills every other process in our group, and with them their boxes. */
void cgroup_end_others(void);

/* Groups of earlier lives in all trees, with what is left in them. Those of living processes stay.
 * False: in one of them something has not ended within that time, and it is to be swept again. */
bool cgroup_sweep(const struct cgroup_world *w, int wait_ms);

/* ---- A group ---- */

/* 0 = no limit. */
struct cgroup_limits {
	int64_t memory_bytes_max;
	int64_t procs_max; /* threads count */
	int64_t cpu_milli_max;
};

struct cgroup;

/* NULL: this machine lets us make none. */
struct cgroup *cgroup_create(const struct cgroup_world *w, const struct cgroup_limits *l);

unsigned cgroup_keeps(const struct cgroup *g); /* CGROUP_* of the limits that hold; g may be NULL */

/* The directory in the v2 tree, for CLONE_INTO_CGROUP, and its name; -1 and NULL: there is none. */
int cgroup_fd(const struct cgroup *g);
const char *cgroup_dir(const struct cgroup *g);

/* Puts the calling process into it. One thread only, and before it has taken what should count. One
 * that was cloned into the v2 directory is there already. */
int cgroup_enter(const struct cgroup *g, bool is_in_v2, struct err *e);

/* From now on it has a quarter of the weight of one process of ours, however many it has itself.
 * Not from the beginning: people wait for starts. */
void cgroup_yield(const struct cgroup *g);

/* Ends everything in it where the kernel can do that at once; the end of PID 1 does it everywhere.
 */
void cgroup_kill(const struct cgroup *g);

/* The name that it has in each tree; NULL if g is. */
const char *cgroup_name(const struct cgroup *g);

/* What was killed and does not end may have been frozen: thaws it, wherever that was done. Kills
 * again what is in the v2 tree. */
void cgroup_thaw(const struct cgroup_world *w, const char *name);

struct cgroup_facts {
	int64_t oom_kills;     /* processes ended for memory */
	int64_t procs_refused; /* forks */
	int64_t cpu_us;        /* -1: not known */
};
void cgroup_look(const struct cgroup *g, struct cgroup_facts *out); /* g may be NULL */

/* Removes the directories; what still has a process stays for the sweep. NULL is fine. */
void cgroup_destroy(struct cgroup *g);

/* "memory, processes, CPU limited by cgroup v1": what keeps them on this machine, tried. */
unsigned cgroup_try(struct buf *text);

#endif
