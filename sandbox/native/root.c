/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root - the root of the box: an empty tmpfs with the system's programs bound into it, then the
 * host's tree is let go.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Directories of a Linux system that hold programs. On a merged system all but /usr are links,
 * which are copied as links. */
static const char *const SYSTEM[] = { "/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32",
	"/sbin" };

/* Any directory that exists everywhere will do to hang the new root on. */
static const char *const HOOKS[] = { "/tmp", "/run", "/mnt", "/dev" };

static bool
is_system(const char *path)
{
	for (size_t i = 0; i < sizeof(SYSTEM) / sizeof(SYSTEM[0]); i++) {
		size_t len = strlen(SYSTEM[i]);

		if (strncmp(path, SYSTEM[i], len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return true;
	}
	return false;
}

/* As root they were opened outside; what was not there then is passed over. */
static int
open_tools(struct native *n, struct err *e)
{
	for (size_t i = 0; !n->has_slots && i < n->spec->tools.n; i++) {
		const char *path = n->spec->tools.v[i];
		int rc;

		if (is_system(path))
			continue;
		rc = native_mount_copy(
			AT_FDCWD, path, NATIVE_RO | NATIVE_EXEC | NATIVE_REC, &n->tool_fds[i], e);
		if (rc < 0 && rc != ERR_MISSING)
			return err_wrap(e, rc, "tools");
	}
	return 0;
}

int
native_sources(struct native *n, struct err *e)
{
	int rc;

	/* What we mount must not show outside, what is mounted outside must not show in here. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make / private");
	n->null_fd = open("/dev/null", O_PATH | O_CLOEXEC);
	if (n->null_fd < 0)
		return err_sys(e, "open /dev/null");
	rc = open_tools(n, e);
	if (rc == 0 && n->rootfs_mount < 0)
		rc = native_rootfs_open(n, e);
	for (size_t i = 0; rc == 0 && i < n->spec->layers.n; i++) {
		n->source_fds[i] = n->layer_fds[i];
		if (n->source_fds[i] < 0)
			rc = native_layer_open(n, i, &n->source_fds[i], e);
	}
	return rc;
}

static int
bind_system(struct native *n, const char *path, struct err *e)
{
	char target[PATH_MAX];
	auto_fd int fd = -1;
	struct stat st;
	ssize_t len;
	int rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", path);
	if (S_ISLNK(st.st_mode)) {
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			return err_sys(e, "readlink %s", path);
		target[len] = '\0';
		return symlinkat(target, n->root_fd, path + 1) < 0 ? err_sys(e, "symlink %s", path)
								   : 0;
	}
	rc = native_mount_copy(AT_FDCWD, path, NATIVE_RO | NATIVE_EXEC | NATIVE_REC, &fd, e);
	return rc < 0 ? rc : native_mount_put(n, fd, path, true, e);
}

static int
new_tmpfs(const char *size, const char *inodes, int *out_fd, struct err *e)
{
	auto_fd int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_sys(e, "fsopen tmpfs");
	if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "mode", "755", 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "create tmpfs");
	*out_fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return *out_fd < 0 ? err_sys(e, "fsmount tmpfs") : 0;
}

static int
hang(struct native *n, struct err *e)
{
	for (size_t i = 0; i < sizeof(HOOKS) / sizeof(HOOKS[0]); i++) {
		n->stage_path = HOOKS[i];
		if (move_mount(n->stage_fd, "", AT_FDCWD, HOOKS[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
			return 0;
	}
	return err_sys(e, "mount the stage");
}

/* Two: the stage in the host's tree, and the root on it. What else lies on the stage (layers, for
 * their overlays to be mounted) goes away with the host's tree, in the one unmount that must be.
 * Each unmount waits for all processors. */
int
native_hang(struct native *n, struct err *e)
{
	int rc = new_tmpfs("4m", "256", &n->stage_fd, e);

	if (rc == 0)
		rc = hang(n, e);
	if (rc == 0)
		rc = new_tmpfs("32m", "8192", &n->root_fd, e);
	if (rc < 0)
		return rc;
	if (mkdirat(n->stage_fd, "root", 0755) < 0 ||
		move_mount(n->root_fd, "", n->stage_fd, "root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "mount the new root");
	return 0;
}

static int
put_tools(struct native *n, struct err *e)
{
	for (size_t i = 0; i < n->spec->tools.n; i++) {
		int rc;

		if (n->tool_fds[i] < 0)
			continue;
		rc = native_mount_put(n, n->tool_fds[i], n->spec->tools.v[i], true, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The home directory is a tmpfs unless the spec brings layers for it. */
static bool
has_home(const struct box_spec *s)
{
	const struct box_layer *l = s->layers.v;
	bool found = false;

	for (size_t i = 0; i < s->layers.n; i++)
		found |= str_eq(l[i].at, BOX_HOME);
	return found;
}

/* Temporary files and the home: memory with a ceiling. No links among them, because tools may be
 * shown below each. */
static int
put_tmpfs(struct native *n, struct err *e)
{
	auto_free char *size = mem_fmt("size=%lld,nr_inodes=%lld",
		(long long)n->spec->tmp_bytes_max, (long long)n->spec->tmp_inodes_max);
	auto_free char *tmp = mem_fmt("%s,mode=1777", size);
	auto_free char *home = mem_fmt("%s,mode=755", size);
	int rc = native_mount_new(n, "tmpfs", "/tmp", NATIVE_EXEC, tmp, e);

	if (rc == 0)
		rc = native_mount_new(n, "tmpfs", "/var/tmp", NATIVE_EXEC, tmp, e);
	if (rc == 0 && !has_home(n->spec))
		rc = native_mount_new(n, "tmpfs", BOX_HOME, NATIVE_EXEC, home, e);
	return rc;
}

int
native_system(struct native *n, struct err *e)
{
	int rc = 0;

	if (rc == 0 && n->spec->rootfs)
		rc = native_rootfs_system(n, e);
	for (size_t i = 0; rc == 0 && !n->spec->rootfs && i < sizeof(SYSTEM) / sizeof(SYSTEM[0]);
		i++)
		rc = bind_system(n, SYSTEM[i], e);
	return rc < 0 ? rc : native_mkdirs(n, "/run", e);
}

int
native_root(struct native *n, struct err *e)
{
	int rc = native_hang(n, e);

	if (rc == 0)
		rc = native_system(n, e);
	if (rc == 0)
		rc = put_tmpfs(n, e);
	return rc < 0 ? rc : put_tools(n, e);
}

/* The host's tree ends up under the new root at the same place and is unmounted there; after that
 * no path leads to it. */
int
native_pivot(struct native *n, struct err *e)
{
	struct mount_attr ro = { .attr_set =
					 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

	if (fchdir(n->root_fd) < 0)
		return err_sys(e, "enter the new root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, "unmount the host's tree");
	if (chdir("/") < 0)
		return err_sys(e, "enter /");
	if (mount_setattr(AT_FDCWD, "/", 0, &ro, sizeof(ro)) < 0)
		return err_sys(e, "make / read-only");
	return 0;
}
