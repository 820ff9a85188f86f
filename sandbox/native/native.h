/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native - the parts of the driver that asks the kernel itself, without a runtime.
 *
 * start.c is the outside, child.c the order of steps inside; each other file knows one kernel
 * thing. "Child" is the process between clone and the exec of PID 1: a copy of the shim, which
 * holds nothing worth reading.
 */
#ifndef SANDBOX_NATIVE_NATIVE_H
#define SANDBOX_NATIVE_NATIVE_H

#include "base/buf.h"
#include "sandbox/init/plan.h"
#include "sandbox/sandbox.h"

#include <sched.h>
#include <stddef.h>

#define NATIVE_LAYERS_MAX 32
#define NATIVE_TOOLS_MAX  32

/* Everything of one start. Descriptors are -1 when absent. */
struct native {
	const struct box_spec *spec;
	uid_t uid; /* outside */
	gid_t gid;
	bool has_slots; /* we may map any uid and shift layers: started as root */
	int stdin_fd;   /* not owned */
	int stdout_fd;  /* not owned; -1 = terminal */
	int net_fd;     /* not owned; -1 = a network namespace is made with the others */
	int stderr_fd;  /* not owned; of who builds the box, -1 = none */
	int init_fd;    /* not owned: image of PID 1 */
	int plan_fd;
	struct cgroup *cgroup;
	int report;                       /* our end */
	int child_report;                 /* the child's end */
	pid_t sender;                     /* who said hello, if the kernel was asked to tell */
	int layer_fds[NATIVE_LAYERS_MAX]; /* detached mounts made outside, by index of spec->layers
					   */
	int rootfs_mount;                 /* a detached mount of it */
	enum box_stage stage;             /* under way, for the error */

	/* Inside only. */
	int source_fds[NATIVE_LAYERS_MAX];
	int tool_fds[NATIVE_TOOLS_MAX];
	int stage_fd; /* a place outside the new root, gone with the host's tree; holds "root" */
	const char *stage_path;
	int root_fd;   /* the new root */
	int rootfs_fd; /* the spec's rootfs, on the stage; -1: none */
	int null_fd;   /* our own /dev/null, for masking */
};

/* ---- outside ---- */

/* True if we are root enough to give each box a host uid and to shift the owner of layers. */
bool native_has_slots(void);

/* start.c: the halves of a start around the clone, for whoever builds the box. */
void native_begin(struct native *n, const struct box_spec *spec, const struct box_io *io);
int native_prepare(struct native *n, struct err *e);
void native_finish(struct native *n);

/* hello.c: waits until the box says that it is built, at most this long. Fills in what came along,
 * on failure too: the box is the caller's to undo. */
#define NATIVE_BUILD_MS_MAX 30000
int native_hello(struct native *n, struct box *b, struct err *e);
void native_tell(const struct native *n, enum box_stage stage, const struct err *e); /* inside */

/* Five of the seven: the network's comes with them or was made ahead, the cgroup's after it was
 * entered. */
#define NATIVE_NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

/* ns.c: clone3; 0 in the child. net_fd: the network to be born into, or -1 for none but those of
 * namespaces. */
pid_t native_clone(uint64_t namespaces, int cgroup_fd, int net_fd, int *pidfd);
/* The seventh, whose root is the group that one is in at the moment. */
int native_unshare_cgroup(struct err *e);
int native_write_maps(const struct native *n, pid_t pid, struct err *e);
int native_map_self(const struct native *n, unsigned inside, struct err *e);
void native_namespaces(uint64_t out[INIT_NS_COUNT]); /* inode numbers of ours, 0 = unknown */

/* layers.c */
int native_layers_open(struct native *n, struct err *e);
int native_layer_open(
	const struct native *n, size_t i, int *out_fd, struct err *e); /* inside, unprivileged */

/* etc.c: what /etc of this machine has for boxes; once for the process. */
void native_etc_look(void);

/* rules.c: calls back for each rule until one answers other than 0: what is called thus, with
 * arguments thus, is answered with this errno. */
struct scmp_arg_cmp;
typedef int native_rule_cb(
	void *ctx, const char *call, int sys, unsigned n, const struct scmp_arg_cmp *args);
int native_rules(native_rule_cb *cb, void *ctx);

/* filter.c: the compiled syscall filter, cached for the process. */
int native_filter(const void **program, size_t *n_instructions, struct err *e);

/* mend.c: what a person does about a start that failed there, or NULL. */
const char *native_mend(enum box_stage stage, int sys);

/* plan.c */
int native_plan_create(const struct native *n, int *out_fd, struct err *e);
int native_init_image(int *out_fd, struct err *e); /* cached, not the caller's to close */
void native_init_program(const void **program, size_t *len);
/* Below something that belongs to the box and not to its root. */
bool native_is_writable(const struct box_spec *s, const char *path);

/* ---- inside, in this order ---- */

struct native_step {
	enum box_stage stage;
	int (*run)(struct native *n, struct err *e);
};

/* child.c: one after the other; the last one does not return. A failure is told. */
_Noreturn void native_run(struct native *n, const struct native_step *steps, size_t count);
_Noreturn void native_child(struct native *n);
int native_wait(const struct native *n, struct err *e); /* for the word from outside */
/* Turns into the program, with descriptors 0 to 4 as PID 1 expects them and no others, and without
 * an environment. Returns on failure. */
int native_become(struct native *n, int program, const char *const *argv, struct err *e);

int native_join(struct native *n, struct err *e);     /* child.c: its cgroup */
int native_identity(struct native *n, struct err *e); /* child.c */
int native_sources(struct native *n,
	struct err *e); /* root.c: open what will be bound, while the host is visible */
int native_root(struct native *n, struct err *e);   /* root.c */
int native_hang(struct native *n, struct err *e);   /* root.c, part of it: stage and empty root */
int native_system(struct native *n, struct err *e); /* root.c, part of it: the programs in it */
int native_etc(struct native *n, struct err *e);    /* etc.c */
int native_dev(struct native *n, struct err *e);    /* dev.c */
int native_proc(struct native *n, struct err *e);   /* proc.c */
extern const char *const NATIVE_PROC_COVERED[];     /* files of /proc, until NULL */
extern const char *const NATIVE_PROC_EMPTIED[];     /* directories */
int native_trees(struct native *n, struct err *e);  /* layers.c: overlays */
int native_files(struct native *n, struct err *e);  /* etc.c: files of the spec */
int native_pivot(struct native *n, struct err *e);  /* root.c */
int native_net(struct native *n, struct err *e);    /* net.c */
int native_locks(struct native *n, struct err *e);  /* locks.c */
int native_exec(struct native *n, struct err *e);   /* child.c: does not return on success */

/* ---- rootfs.c: a tree that strangers made. What is in it is looked up by the kernel below the
 * tree's own descriptor and never by a path that its links could lead elsewhere. ---- */

int native_rootfs_open(struct native *n, struct err *e); /* outside as root, else inside */

/* The system's directories and links, or a refusal: it is no root of a system. */
int native_rootfs_system(struct native *n, struct err *e);

/* A detached mount of a directory or a regular file; ERR_MISSING: there is none, or a link is on
 * the way to it. */
int native_rootfs_copy(
	const struct native *n, const char *path, bool *is_dir, int *out_fd, struct err *e);

/* Descriptor of a directory, to list it; -1: there is none. */
int native_rootfs_dir(const struct native *n, const char *path);

/* The text of a regular file; links lead to where they would if the tree were the root. */
int native_rootfs_read(const struct native *n, const char *path, struct buf *out, struct err *e);

/* ---- mount.c: the mount calls, by descriptor and relative to the new root ---- */

#define NATIVE_RO   0x1u
#define NATIVE_EXEC 0x2u /* without it: noexec */
#define NATIVE_DEV  0x4u
#define NATIVE_REC  0x8u
#define NATIVE_HERE 0x10u /* a link at the end of the path is not followed */

/* A detached copy of the mount at path with the flags set on it (nosuid always). ERR_MISSING if
 * absent. */
int native_mount_copy(int dir_fd, const char *path, unsigned flags, int *out_fd, struct err *e);
int native_mount_flags(int fd, unsigned flags, struct err *e);

/* Puts a detached mount at a relative path below the new root; makes the path (a directory, or a
 * file) if needed. */
int native_mount_put(const struct native *n, int fd, const char *path, bool is_dir, struct err *e);

/* A new filesystem there. */
int native_mount_new(const struct native *n, const char *type, const char *path, unsigned flags,
	const char *options, struct err *e);

/* mkdir -p below the new root, 0755. Paths may be absolute: they mean the new root. */
int native_mkdirs(const struct native *n, const char *path, struct err *e);

/* A file with contents below the new root; the umask is 0. */
int native_write(const struct native *n, const char *path, mode_t mode, const void *data,
	size_t len, struct err *e);

#endif
