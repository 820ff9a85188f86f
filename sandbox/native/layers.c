/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers - the trees of a box: overlays of frozen layers, and at most one writable layer on each.
 *
 * The overlay is mounted inside the user namespace, so that a flaw in it is met by a process
 * without rights outside. Started as root, the layers belong to other uids than the box's; an
 * idmapped mount then shows them as the box's own, so that copying up works and nothing on disk
 * changes hands. Unprivileged, everything has our own uid anyway.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAYER_FLAGS(l) (NATIVE_EXEC | NATIVE_HERE | ((l)->is_writable ? 0u : (unsigned)NATIVE_RO))

static const struct box_layer *
layer(const struct native *n, size_t i)
{
	return (const struct box_layer *)n->spec->layers.v + i;
}

static void
reap(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Until whoever started it closes the other end, by dying if need be. */
static int
wait_for_end(void *ctx)
{
	const int *ends = ctx;
	char byte;

	(void)close(ends[1]);
	return (int)read(ends[0], &byte, 1);
}

/* A user namespace that says "owner on disk is seen as the box's uid". It lives as long as its
 * descriptor. Somebody must be in it to begin with; he borrows our memory, for to copy it is what a
 * fork costs. */
static int
shift_namespace(const struct native *n, unsigned owner, int *out_fd, struct err *e)
{
	static _Alignas(16) char stack[4096];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_fd int end = ends[0];
	auto_fd int other_end = ends[1];
	const int both[] = { end, other_end };
	pid_t pid = clone(wait_for_end, stack + sizeof(stack), CLONE_NEWUSER | CLONE_VM | SIGCHLD,
		(void *)(uintptr_t)both);
	const char *const files[] = { "uid_map", "gid_map" };
	const unsigned to[] = { n->uid, n->gid };
	char path[64], map[64];
	int rc = 0;

	if (pid < 0)
		return err_sys(e, "user namespace for layers");
	for (int i = 0; i < 2 && rc == 0; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		(void)snprintf(map, sizeof(map), "%u %u 1\n", owner, to[i]);
		auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, map, strlen(map)) < 0)
			rc = err_sys(e, "write %s", path);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	auto_fd int ns = rc < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (rc == 0 && ns < 0)
		rc = err_sys(e, "open %s", path);
	reap(pid);
	if (rc == 0)
		*out_fd = steal_fd(&ns);
	return rc;
}

/* The last one is kept: the boxes of an attempt have the same uid, and their layers the same
 * owners. */
static int
shift_owner(const struct native *n, int fd, unsigned owner, struct err *e)
{
	static struct {
		unsigned owner;
		uid_t uid;
		int ns;
	} kept = { .ns = -1 };
	struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP };

	if (kept.ns < 0 || kept.owner != owner || kept.uid != n->uid) {
		int ns = -1;
		int rc = shift_namespace(n, owner, &ns, e);

		if (rc < 0)
			return rc;
		clean_fd(&kept.ns);
		kept.ns = ns;
		kept.owner = owner;
		kept.uid = n->uid;
	}
	a.userns_fd = (unsigned)kept.ns;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)
		return err_sys(e, "idmapped mount");
	return 0;
}

/* data and work, the two halves of a writable layer: on one mount, owned by the box. */
static int
make_writable(const struct native *n, const char *path, struct err *e)
{
	static const char *const halves[] = { "data", "work" };
	auto_free char *work = mem_fmt("%s/work", path);
	int rc = fs_mkdirs(path, 0700, e);

	if (rc < 0)
		return rc;
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "open %s", path);
	/* The box mounts the overlay itself, so the way to the halves must be open to it. */
	if (n->has_slots && fchown(dir, n->uid, n->gid) < 0)
		return err_sys(e, "chown %s", path);
	/* An earlier box on the same layer left a mark in it that refuses a second mount
	 * (volatile). */
	rc = fs_remove_tree(work, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 2; i++) {
		if (mkdirat(dir, halves[i], 0755) < 0 && errno != EEXIST)
			return err_sys(e, "mkdir %s/%s", path, halves[i]);
		if (n->has_slots &&
			fchownat(dir, halves[i], n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "chown %s/%s", path, halves[i]);
	}
	return 0;
}

int
native_layer_open(const struct native *n, size_t i, int *out_fd, struct err *e)
{
	const struct box_layer *l = layer(n, i);

	return native_mount_copy(AT_FDCWD, l->path, LAYER_FLAGS(l), out_fd, e);
}

/* Outside. Unprivileged, only the directories of writable layers are made: a mount copy needs the
 * child's rights. */
int
native_layers_open(struct native *n, struct err *e)
{
	for (size_t i = 0; i < n->spec->layers.n; i++) {
		const struct box_layer *l = layer(n, i);
		int rc = l->is_writable ? make_writable(n, l->path, e) : 0;

		if (rc == 0 && n->has_slots)
			rc = native_layer_open(n, i, &n->layer_fds[i], e);
		if (rc == 0 && n->has_slots && !l->is_writable && l->owner_uid != (int64_t)n->uid)
			rc = shift_owner(n, n->layer_fds[i], (unsigned)l->owner_uid, e);
		if (rc < 0)
			return err_wrap(e, rc, "layer %s", l->path);
	}
	return 0;
}

/* Puts the layers of one tree side by side on the stage, each under its number, and returns how
 * many lie below. */
static int
stage_tree(struct native *n, size_t first, struct buf *options, struct err *e)
{
	const char *at = layer(n, first)->at;
	int count = 0;

	for (size_t i = first; i < n->spec->layers.n; i++) {
		char name[24];

		if (!str_eq(layer(n, i)->at, at))
			continue;
		(void)snprintf(name, sizeof(name), "%zu", i);
		if (mkdirat(n->stage_fd, name, 0755) < 0 ||
			move_mount(n->source_fds[i], "", n->stage_fd, name,
				MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return err_sys(e, "stage layer %s", layer(n, i)->path);
		if (!layer(n, i)->is_writable)
			(void)buf_addf(options, "%s%zu", count++ ? ":" : "lowerdir=", i);
	}
	return count;
}

/* Relative names, because mount(2) takes one page of options. volatile: what a box wrote is not
 * worth an fsync, a box that did not outlive a crash is repeated. */
static int
mount_overlay(struct native *n, size_t first, struct err *e)
{
	const struct box_layer *top = layer(n, first);
	auto_free char *target = mem_fmt("root%s", top->at);
	auto_buf struct buf options = BUF_INIT(2048);
	int count = stage_tree(n, first, &options, e);
	int rc;

	if (count < 0)
		return count;
	if (count == 0)
		return err_set(e, ERR_INVALID, "%s has no lower layer", top->at);
	if (top->is_writable)
		(void)buf_addf(
			&options, ",upperdir=%zu/data,workdir=%zu/work,volatile", first, first);
	(void)buf_adds(&options, ",userxattr");
	rc = native_mkdirs(n, top->at, e);
	if (rc < 0)
		return rc;
	if (fchdir(n->stage_fd) < 0 ||
		mount("overlay", target, "overlay",
			MS_NOSUID | MS_NODEV | (top->is_writable ? 0 : MS_RDONLY),
			options.data) < 0)
		return err_sys(e, "overlay on %s", top->at);
	return 0;
}

static int
mount_tree(struct native *n, size_t first, struct err *e)
{
	size_t count = 0;

	for (size_t i = 0; i < n->spec->layers.n; i++) {
		if (!str_eq(layer(n, i)->at, layer(n, first)->at))
			continue;
		if (i < first)
			return 0; /* done with its first layer */
		count++;
	}
	if (count == 1 && !layer(n, first)->is_writable)
		return native_mount_put(n, n->source_fds[first], layer(n, first)->at, true, e);
	return mount_overlay(n, first, e);
}

int
native_trees(struct native *n, struct err *e)
{
	bool has_workspace = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n->spec->layers.n; i++) {
		rc = mount_tree(n, i, e);
		has_workspace |= str_eq(layer(n, i)->at, BOX_WORKSPACE);
	}
	if (rc < 0 || has_workspace)
		return rc;
	return native_mount_new(
		n, "tmpfs", BOX_WORKSPACE, NATIVE_EXEC, "size=64m,nr_inodes=16384,mode=755", e);
}
