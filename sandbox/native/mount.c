/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount - the mount calls of the box, by descriptor.
 *
 * What is bound is opened while the host is still visible; where it goes is a path below a root
 * that we made ourselves moments ago. No path is ever resolved inside a tree that an agent has
 * written.
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

static const char *
relative(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

static unsigned
attributes(unsigned flags)
{
	return MOUNT_ATTR_NOSUID | (flags & NATIVE_RO ? MOUNT_ATTR_RDONLY : 0u) |
	       (flags & NATIVE_EXEC ? 0u : MOUNT_ATTR_NOEXEC) |
	       (flags & NATIVE_DEV ? 0u : MOUNT_ATTR_NODEV);
}

int
native_mount_flags(int fd, unsigned flags, struct err *e)
{
	struct mount_attr a = { .attr_set = attributes(flags) };
	unsigned at = AT_EMPTY_PATH | (flags & NATIVE_REC ? AT_RECURSIVE : 0u);

	if (mount_setattr(fd, "", at, &a, sizeof(a)) < 0)
		return err_sys(e, "mount_setattr");
	return 0;
}

int
native_mount_copy(int dir_fd, const char *path, unsigned flags, int *out_fd, struct err *e)
{
	unsigned how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
		       (flags & NATIVE_REC ? AT_RECURSIVE : 0u) |
		       (flags & NATIVE_HERE ? AT_SYMLINK_NOFOLLOW : 0u);
	auto_fd int fd = open_tree(dir_fd, path, how);

	if (fd < 0)
		return err_sys(e, "open_tree %s", path);
	int rc = native_mount_flags(fd, flags, e);
	if (rc < 0)
		return err_wrap(e, rc, "%s", path);
	*out_fd = steal_fd(&fd);
	return 0;
}

/* Part by part, for the few that lack parents. */
static int
make_each(const struct native *n, const char *path, struct err *e)
{
	auto_free char *part = mem_str(path);

	for (char *end = part; *end;) {
		char was;

		end += strcspn(end, "/");
		was = *end;
		*end = '\0';
		if (mkdirat(n->root_fd, part, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "mkdir %s in the box", part);
		*end = was;
		end += was == '/';
	}
	return 0;
}

int
native_mkdirs(const struct native *n, const char *path, struct err *e)
{
	if (mkdirat(n->root_fd, relative(path), 0755) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "mkdir %s in the box", path);
	return make_each(n, relative(path), e);
}

/* Opens below the new root without following a link or leaving a mount's reach. */
static int
open_in_root(const struct native *n, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, n->root_fd, relative(path), &how, sizeof(how));
}

static int
make_parent(const struct native *n, const char *path, struct err *e)
{
	const char *last = strrchr(relative(path), '/');
	auto_free char *dir = NULL;

	if (!last)
		return 0;
	dir = mem_strn(relative(path), (size_t)(last - relative(path)));
	return native_mkdirs(n, dir, e);
}

static int
create(const struct native *n, const char *path, mode_t mode, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC;
	int fd = open_in_root(n, path, flags, mode);

	if (fd < 0 && errno == ENOENT) {
		int rc = make_parent(n, path, e);

		if (rc < 0)
			return rc;
		fd = open_in_root(n, path, flags, mode);
	}
	return fd < 0 ? err_sys(e, "create %s in the box", path) : fd;
}

int
native_write(const struct native *n, const char *path, mode_t mode, const void *data, size_t len,
	struct err *e)
{
	const char *p = data;
	auto_fd int fd = create(n, path, mode, e);

	if (fd < 0)
		return fd;
	while (len > 0) {
		ssize_t done = write(fd, p, len);

		if (done < 0)
			return err_sys(e, "write %s in the box", path);
		p += done;
		len -= (size_t)done;
	}
	return 0;
}

/* The way there was made by us moments ago and is no link; a link at its end is not followed. */
int
native_mount_put(const struct native *n, int fd, const char *path, bool is_dir, struct err *e)
{
	int rc = is_dir ? native_mkdirs(n, path, e) : native_write(n, path, 0444, "", 0, e);

	if (rc < 0)
		return rc;
	if (move_mount(fd, "", n->root_fd, relative(path), MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "mount on %s in the box", path);
	return 0;
}

/* options: "name=value,name=value,flag" */
static int
configure(int fs, const char *type, const char *options, struct err *e)
{
	auto_free char *copy = mem_str(options ? options : "");
	char *rest = copy;
	char *option;

	while ((option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');
		int rc;

		if (!*option)
			continue;
		if (value)
			*value++ = '\0';
		rc = fsconfig(
			fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value, 0);
		if (rc < 0)
			return err_sys(e, "%s option %s", type, option);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "create %s", type);
	return 0;
}

int
native_mount_new(const struct native *n, const char *type, const char *path, unsigned flags,
	const char *options, struct err *e)
{
	auto_fd int fs = fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_sys(e, "fsopen %s", type);
	int rc = configure(fs, type, options, e);
	if (rc < 0)
		return rc;
	auto_fd int mnt = fsmount(fs, FSMOUNT_CLOEXEC, attributes(flags));
	if (mnt < 0)
		return err_sys(e, "fsmount %s", type);
	return native_mount_put(n, mnt, path, true, e);
}
