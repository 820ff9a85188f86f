/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs - a box's programs from a directory instead of the machine's own.
 *
 * Whoever packed that tree may have wanted to reach the host with it: a link in the place of /dev
 * or /proc has led runtimes out of their container more than once (CVE-2025-31133, CVE-2026-47766).
 * So the box's root stays the empty one that we make, with our own /dev, /proc and /etc; of the
 * tree only directories of programs are bound into it. They are looked up below the tree's
 * descriptor, no link is followed on the way, and what is no root of a system is refused.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where a link in their place is somebody's trick: no system has one there. */
static const char *const REAL[] = { "dev", "etc", "proc", "sys", "usr" };

/* Directories, or the links of a merged system. */
static const char *const SYSTEM[] = { "usr", "bin", "lib", "lib32", "lib64", "libx32", "sbin" };

static bool
is_system(const char *name)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(SYSTEM) / sizeof(SYSTEM[0]); i++)
		found |= strcmp(SYSTEM[i], name) == 0;
	return found;
}

static int
look(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

	while (*path == '/')
		path++;
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int
native_rootfs_open(struct native *n, struct err *e)
{
	int rc;

	if (!n->spec->rootfs)
		return 0;
	rc = native_mount_copy(AT_FDCWD, n->spec->rootfs, NATIVE_RO | NATIVE_EXEC | NATIVE_REC,
		&n->rootfs_mount, e);
	return rc < 0 ? err_wrap(e, rc, "rootfs") : 0;
}

static int
check_real(const struct native *n, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(n->rootfs_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && strcmp(name, "usr") != 0
			       ? 0
			       : err_sys(e, "rootfs %s: /%s", n->spec->rootfs, name);
	if (S_ISDIR(st.st_mode))
		return 0;
	return err_set(e, ERR_DENIED, "rootfs %s: /%s is %s, not a directory", n->spec->rootfs,
		name, S_ISLNK(st.st_mode) ? "a link" : "a file");
}

static int
stage(struct native *n, struct err *e)
{
	int rc = 0;

	if (mkdirat(n->stage_fd, "rootfs", 0755) < 0 ||
		move_mount(n->rootfs_mount, "", n->stage_fd, "rootfs", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "stage the rootfs");
	n->rootfs_fd = look(
		n->stage_fd, "rootfs", O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (n->rootfs_fd < 0)
		return err_sys(e, "open the rootfs");
	for (size_t i = 0; rc == 0 && i < sizeof(REAL) / sizeof(REAL[0]); i++)
		rc = check_real(n, REAL[i], e);
	return rc;
}

/* "usr/lib" or "lib", from the root or not: what merged systems have. */
static bool
is_merged(const char *target)
{
	while (*target == '/')
		target++;
	if (strncmp(target, "usr/", 4) == 0)
		return is_system(target + 4);
	return is_system(target);
}

static int
put_link(const struct native *n, const char *name, struct err *e)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(n->rootfs_fd, name, target, sizeof(target) - 1);

	if (len < 0)
		return err_sys(e, "rootfs %s: /%s", n->spec->rootfs, name);
	target[len] = '\0';
	if (!is_merged(target))
		return err_set(e, ERR_DENIED, "rootfs %s: /%s is a link to %s", n->spec->rootfs,
			name, target);
	return symlinkat(target, n->root_fd, name) < 0 ? err_sys(e, "symlink /%s", name) : 0;
}

static int
put(const struct native *n, const char *name, struct err *e)
{
	auto_fd int fd = -1;
	bool is_dir = false;
	struct stat st;
	int rc;

	if (fstatat(n->rootfs_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "rootfs %s: /%s", n->spec->rootfs, name);
	if (S_ISLNK(st.st_mode))
		return put_link(n, name, e);
	rc = native_rootfs_copy(n, name, &is_dir, &fd, e);
	if (rc == 0 && !is_dir)
		rc = err_set(
			e, ERR_DENIED, "rootfs %s: /%s is not a directory", n->spec->rootfs, name);
	return rc < 0 ? rc : native_mount_put(n, fd, name, true, e);
}

/* Something of the spec's own is to lie there, and the tree is not ours to make a place in. */
static bool
has_opt(const struct box_spec *s)
{
	const struct box_layer *l = s->layers.v;
	const struct box_file *f = s->files.v;
	bool found = false;

	for (size_t i = 0; i < s->tools.n; i++)
		found |= str_starts(s->tools.v[i], "/opt/") || str_eq(s->tools.v[i], "/opt");
	for (size_t i = 0; i < s->layers.n; i++)
		found |= str_starts(l[i].at, "/opt/") || str_eq(l[i].at, "/opt");
	for (size_t i = 0; i < s->files.n; i++)
		found |= str_starts(f[i].path, "/opt/");
	return found;
}

int
native_rootfs_system(struct native *n, struct err *e)
{
	auto_fd int opt = -1;
	bool is_dir = false;
	int rc = stage(n, e);

	for (size_t i = 0; rc == 0 && i < sizeof(SYSTEM) / sizeof(SYSTEM[0]); i++)
		rc = put(n, SYSTEM[i], e);
	if (rc < 0 || has_opt(n->spec) || native_rootfs_copy(n, "opt", &is_dir, &opt, NULL) < 0)
		return rc;
	return is_dir ? native_mount_put(n, opt, "opt", true, e) : 0;
}

int
native_rootfs_copy(
	const struct native *n, const char *path, bool *is_dir, int *out_fd, struct err *e)
{
	auto_fd int fd = look(n->rootfs_fd, path, O_PATH | O_NOFOLLOW,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_MISSING, "rootfs: %s is behind a link", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "rootfs: %s", path);
	*is_dir = S_ISDIR(st.st_mode);
	if (!*is_dir && !S_ISREG(st.st_mode))
		return err_set(e, ERR_MISSING, "rootfs: %s is no file or directory", path);
	/* As the whole tree's: read-only, no set-id programs, no devices. */
	*out_fd = open_tree(fd, "",
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			(*is_dir ? (unsigned)AT_RECURSIVE : 0u));
	return *out_fd < 0 ? err_sys(e, "rootfs: %s", path) : 0;
}

int
native_rootfs_dir(const struct native *n, const char *path)
{
	return look(n->rootfs_fd, path, O_RDONLY | O_DIRECTORY,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int
native_rootfs_read(const struct native *n, const char *path, struct buf *out, struct err *e)
{
	auto_fd int fd = look(n->rootfs_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
		RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	char piece[4096];
	struct stat st;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "rootfs: %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_MISSING, "rootfs: %s is no file", path);
	while ((len = read(fd, piece, sizeof(piece))) > 0) {
		if (buf_add(out, piece, (size_t)len) < 0)
			return err_set(e, ERR_LIMIT, "rootfs: %s is too large", path);
	}
	return len < 0 ? err_sys(e, "rootfs: %s", path) : 0;
}
