/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox - the box of one step: what goes in, how it starts, how it ends, what this machine can
 * do.
 *
 * A box is described as data (struct box_spec, which also travels from the runner to the shim) and
 * started by a driver. It is held before its first instruction until box_go, so that the gateway
 * can listen first. It ends with its first process, whatever that left running.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/err.h"
#include "base/row.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BOX_UID       1000   /* `agent`, inside */
#define BOX_HOST_UID  100000 /* + slot, outside, when the bot is root */
#define BOX_SLOTS_MAX 1000
#define BOX_HOME      "/home/agent"
#define BOX_WORKSPACE "/workspace"
#define BOX_PORT      3128
#define BOX_GATEWAY   "http://127.0.0.1:3128"
#define BOX_COLUMNS   120
#define BOX_ROWS      40

/* ---- What goes in ---- */

/* A file made in the box, owned by its user. The path is absolute and not below /workspace. */
struct box_file {
	char *path;
	int64_t mode;
	char *text;
};

/*
 * A layer of a directory tree in the box. Layers with the same `at` make one tree, listed top
 * first; the first may be writable: then `path` is a directory that belongs to this box (made if it
 * is not there), and what is written lies in its sub-directory `data` (made at the start, with
 * `work` beside it), in overlayfs's own form: a deleted name is a character device 0:0, a directory
 * that hides the one below has the attribute user.overlay.opaque=y. That sub-directory can be a
 * lower layer of a later box, and a layer made by hand in the same form can be one too. Lower
 * layers must not change while a box uses them. owner_uid is the one owner of the files in a lower
 * layer, seen from outside: in the box they belong to its user.
 */
struct box_layer {
	char *at;
	char *path;
	int64_t owner_uid;
	bool is_writable;
};

struct box_spec {
	char *name;       /* of the step: "setup", "agent", ... */
	char *title;      /* what the transcript calls it; NULL = nothing is said */
	struct strs argv; /* argv[0] is looked up in env's PATH inside if it has no slash */
	struct strs env;  /* "NAME=value": all of it */
	char *cwd;        /* NULL = /workspace */
	struct row_list
		layers; /* struct box_layer; may be empty: /workspace is then an empty tmpfs */
	struct row_list files; /* struct box_file */
	char *rootfs; /* directory whose programs are shown instead of the machine's; or NULL */
	struct strs tools; /* directories shown read-only at their own path; absent ones are passed
			      over */
	bool net; /* true: the gateway's listener on 127.0.0.1:3128; false: loopback and nothing
		     else */
	char *runtime; /* who makes it: NULL = we; crun, runc, or the path of another OCI runtime */
	bool is_measured; /* at its end, what its writable layers hold is counted */
	bool is_quiet;    /* output goes only to the tail, not to the transcript */
	char *events; /* how to read its output: an agent of sandbox/agent.h, or NULL for plain text
		       */
	int64_t slot; /* 0 .. BOX_SLOTS_MAX-1: the uid outside; no two boxes at a time share one */
	int64_t wall_ms;        /* 0 = default */
	int64_t idle_ms;        /* without output; 0 = none */
	int64_t log_bytes_max;  /* of the transcript, all steps together; the first step's counts */
	int64_t file_bytes_max; /* of each file written; 0 = default, as all below */
	int64_t tmp_bytes_max;  /* of /tmp, and of the home directory */
	int64_t tmp_inodes_max;
	int64_t procs_max;
	int64_t files_max;      /* descriptors of a process */
	int64_t data_bytes_max; /* RLIMIT_DATA of a process */
	/* Of all its processes together; 0 = no limit. */
	int64_t memory_bytes_max;
	int64_t cpu_milli_max;    /* thousandths of one processor */
	int64_t disk_bytes_max;   /* of what its writable layers hold */
	int64_t output_bytes_max; /* of what it may say on its terminal */
};
extern const struct row BOX_SPEC_ROWS[];

/* Conveniences for builders of a spec. All copy. */
void box_spec_layer(
	struct box_spec *s, const char *at, const char *path, int64_t owner_uid, bool is_writable);
void box_spec_file(struct box_spec *s, const char *path, int64_t mode, const char *text);
void box_spec_finish(struct box_spec *s);

static inline void
clean_box_spec(struct box_spec *s)
{
	box_spec_finish(s);
}

#define auto_box_spec auto_cleanup(clean_box_spec)

/* Checks paths, limits and names: everything that can be refused without the kernel. Fills in
 * defaults. ERR_INVALID. */
int box_spec_check(struct box_spec *s, struct err *e);

/* ---- Start and end ---- */

/* Where a start stands; the numbers are told to people. 1-9 outside, 10-29 while the box is built
 * (the terminal and the listener by PID 1), 30-49 in PID 1, 50- in the workload. */
enum box_stage {
	BOX_STAGE_NONE = 0,
	BOX_STAGE_SPEC = 1,
	BOX_STAGE_LAYERS = 2,
	BOX_STAGE_CGROUP = 3,
	BOX_STAGE_FILTER = 4,
	BOX_STAGE_CLONE = 5,
	BOX_STAGE_ID_MAP = 6,
	BOX_STAGE_GO = 8,
	BOX_STAGE_JOIN = 9, /* inside already, but still with our eyes */

	BOX_STAGE_IDENTITY = 10,
	BOX_STAGE_SOURCES = 11,
	BOX_STAGE_ROOT = 12,
	BOX_STAGE_ETC = 13,
	BOX_STAGE_DEV = 14,
	BOX_STAGE_PROC = 15,
	BOX_STAGE_TREES = 16,
	BOX_STAGE_FILES = 17,
	BOX_STAGE_PIVOT = 18,
	BOX_STAGE_NET = 19,
	BOX_STAGE_PTY = 20,
	BOX_STAGE_LOCKS = 21,
	BOX_STAGE_INIT = 22,
	BOX_STAGE_RUNTIME = 23,

	BOX_STAGE_PLAN = 30,
	BOX_STAGE_POSTURE = 31,
	BOX_STAGE_SECCOMP = 32,
	BOX_STAGE_FORK = 33,

	BOX_STAGE_SESSION = 50,
	BOX_STAGE_LIMITS = 51,
	BOX_STAGE_CWD = 52,
	BOX_STAGE_SELF_CHECK = 53,
	BOX_STAGE_EXEC = 54,
	BOX_STAGE_LANDLOCK = 55,
};

/* Why a box ended. */
enum box_end {
	BOX_END_ITSELF, /* its first process ended; the exit code is its own */
	BOX_END_WALL,
	BOX_END_IDLE,
	BOX_END_STOP,  /* a person, or the runner went away */
	BOX_END_START, /* it never ran: stage and text say why */
	BOX_END_INFRA,
	BOX_END_MEMORY,
	BOX_END_DISK,
	BOX_END_OUTPUT,
	BOX_END_BUDGET,
	BOX_END_COUNT,
};
const char *box_end_name(int64_t end);

/* A running box; owned by who started it. The descriptors may be taken with steal_fd. */
struct box {
	pid_t pid; /* of its PID 1, as seen from here */
	int pidfd;
	int pty_fd;            /* master */
	int listen_fd;         /* 127.0.0.1:3128 inside, or -1 */
	int report_fd;         /* readable once: box_report */
	struct cgroup *cgroup; /* NULL: this machine has none for it (cgroup.h) */
	enum box_stage stage;  /* of a start that failed */
};

#define BOX_INIT                                                                                   \
	{                                                                                          \
		.pidfd = -1, .pty_fd = -1, .listen_fd = -1, .report_fd = -1                        \
	}

/* What a box gets besides its spec; none of it is taken. */
struct box_io {
	int stdin_fd;  /* a regular file; -1 = /dev/null */
	int stdout_fd; /* -1 = the terminal */
	int net_fd;    /* of sandbox_net_make, for this box alone; -1 = it makes one itself */
};

#define BOX_IO_INIT                                                                                \
	{                                                                                          \
		.stdin_fd = -1, .stdout_fd = -1, .net_fd = -1                                      \
	}

/* The uid that files which boxes of this slot have written have outside. */
uid_t box_owner(int64_t slot);

/* Builds the box up to the last step before the workload. Blocks for milliseconds, bounded. On
 * failure nothing is left and b->stage tells where. */
struct sandbox_driver {
	const char *name;
	int (*start)(
		const struct box_spec *s, const struct box_io *io, struct box *b, struct err *e);
};
extern const struct sandbox_driver SANDBOX_NATIVE, SANDBOX_OCI;

/* A network namespace in which nobody is, its loopback up: half of what a start costs, done ahead.
 * It belongs to our user namespace, so nobody in the box has a right over it. It is for one box
 * only: what the kernel counts in it would tell the next one about the last. Only as root; blocks
 * for milliseconds, for seconds where many are made and unmade at once. */
int sandbox_net_make(int *out_fd, struct err *e);

/* With the driver that the spec asks for. */
int box_start(const struct box_spec *s, const struct box_io *io, struct box *b, struct err *e);

/* Does ahead what does not depend on a spec (filter, image of PID 1). Best effort: the start itself
 * reports errors. */
void sandbox_warm(void);

/* Lets the workload begin. */
int box_go(struct box *b, struct err *e);

/* Reads what came of the start when report_fd is readable: 0: the workload runs (end of file), else
 * its error, and b->stage is set. ERR_BUSY: nothing yet. */
int box_report(struct box *b, struct err *e);

/* TERM to the workload, which may tidy up. */
void box_terminate(const struct box *b);

/* Ends every process in it at once. The caller then reaps pid. */
void box_kill(const struct box *b);

/* It was killed and does not end: undoes what may hold it still, and kills again. */
void box_thaw(const struct box *b);

/* Writes down which box this is, for a process that comes after its starter. */
int box_trace_leave(const struct box *b, const char *path, struct err *e);

/* Ends the box of a trace, if it has not ended yet, and removes the trace. ERR_BUSY: it does not
 * end within that time; ask again. No trace: 0. */
int box_trace_end(const char *path, int wait_ms, struct err *e);

/* After pid was reaped: removes the cgroup, closes what was not taken. Accepts BOX_INIT. */
void box_finish(struct box *b);

/* ---- What this machine can do ---- */

enum sandbox_tier {
	TIER_NONE,
	TIER_LANDLOCK, /* no user namespaces: not enough, no box is built */
	TIER_USERNS,   /* all namespaces, one uid for all boxes */
	TIER_SLOTS,    /* started as root: a host uid for each box, idmapped layers */
	TIER_VM,       /* a kernel of its own: no runtime of that kind hands out what a box needs */
	TIER_COUNT,
};
#define TIER_LEAST TIER_USERNS /* below it nothing runs, whatever anybody asks for */
const char *sandbox_tier_name(int64_t tier);
int sandbox_tier_parse(const char *name); /* -1 if unknown */

struct sandbox_feature {
	const char *name; /* "user namespaces" */
	bool ok;
	bool is_needed;   /* no box without it */
	char *text;       /* what was found */
	const char *mend; /* what a person does about it, or NULL */
};

#define SANDBOX_FEATURES_MAX 16

struct sandbox_probe {
	enum sandbox_tier tier;
	struct sandbox_feature v[SANDBOX_FEATURES_MAX];
	size_t n;
};

/* Tries everything for real, a whole box at last; below 100 ms. dir is where the layers of boxes
 * will be (a writable directory; NULL = /tmp): not every filesystem can carry them; rootfs
 * and runtime as in struct box_spec. Needs no privilege; the answer is for the caller's own uid. */
void sandbox_probe(
	const char *dir, const char *rootfs, const char *runtime, struct sandbox_probe *p);
void sandbox_probe_finish(struct sandbox_probe *p);

/* Runs a box to its end, at most 10 s; 0 if its program ended well. *mend: what a person does about
 * it otherwise, or NULL. */
int sandbox_try(struct box_spec *s, int stdout_fd, const char **mend, struct err *e);

/* "slots: own host uid for each box, cgroup2 kill, Landlock ABI 7, seccomp": one line for the pull
 * request. */
void sandbox_describe(const struct sandbox_probe *p, struct buf *out);

/* "T1 landlock: yes (no box, so nothing runs in it), T2 userns: yes, T3 slots: no, T4 vm: no" */
void sandbox_tiers(const struct sandbox_probe *p, struct buf *out);

/* Ends what is left of boxes of an earlier life, and removes their cgroups. False: something has
 * not ended yet, and it is to be called again. */
bool sandbox_sweep(int wait_ms);

#endif
