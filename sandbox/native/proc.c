/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc - /proc of the box's own processes, without what tells about the host.
 *
 * Files are covered with a /dev/null that was opened before anything of the box existed, never with
 * one found by path: a tree with a link in the place of /dev/null once turned masks into holes
 * (CVE-2025-31133).
 */
#include "sandbox/native/native.h"

#include "base/clean.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const NATIVE_PROC_COVERED[] = { "bootconfig", "cmdline", "config.gz", "consoles",
	"devices", "diskstats", "interrupts", "iomem", "ioports", "kallsyms", "kcore", "key-users",
	"keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "locks",
	"modules", "mtrr", "pagetypeinfo", "partitions", "sched_debug", "schedstat", "slabinfo",
	"softirqs", "swaps", "sysrq-trigger", "timer_list", "timer_stats", "vmallocinfo",
	"zoneinfo", NULL };
const char *const NATIVE_PROC_EMPTIED[] = { "acpi", "asound", "bus", "driver", "dynamic_debug",
	"fs", "irq", "scsi", "tty", NULL };

/* Most of them are root's alone on most machines: a file that others may neither read nor write
 * needs no cover, unless the box's own user is root outside. */
static int
cover(const struct native *n, int proc, const char *name, struct err *e)
{
	auto_fd int null = -1;
	struct stat st;

	if (fstatat(proc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "/proc/%s", name);
	if (!S_ISREG(st.st_mode) ||
		(!(st.st_mode & S_IRWXO) && st.st_uid != BOX_UID && st.st_gid != BOX_UID))
		return 0;
	null = open_tree(n->null_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (null < 0)
		return err_sys(e, "open_tree /dev/null");
	if (move_mount(null, "", proc, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "cover /proc/%s", name);
	return 0;
}

/* With an empty directory of the new root. */
static int
empty(const struct native *n, int proc, const char *name, struct err *e)
{
	auto_fd int fd = -1;
	struct stat st;
	int rc;

	if (fstatat(proc, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	rc = native_mount_copy(n->root_fd, "run", NATIVE_RO, &fd, e);
	if (rc < 0)
		return rc;
	if (move_mount(fd, "", proc, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "empty /proc/%s", name);
	return 0;
}

/* The limit of zero holds for this user namespace: nobody in the box can make another, filter or
 * not. */
static int
forbid_namespaces(int proc, struct err *e)
{
	auto_fd int fd = openat(proc, "sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0\n", 2) != 2)
		return err_sys(e, "max_user_namespaces");
	return 0;
}

int
native_proc(struct native *n, struct err *e)
{
	int rc = native_mount_new(n, "proc", "/proc", 0, NULL, e);

	if (rc < 0)
		return rc;
	auto_fd int proc = openat(n->root_fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return err_sys(e, "open /proc in the box");
	rc = forbid_namespaces(proc, e);
	if (rc < 0)
		return rc;
	auto_fd int sys = -1;
	rc = native_mount_copy(proc, "sys", NATIVE_RO, &sys, e);
	if (rc == 0)
		rc = native_mount_put(n, sys, "/proc/sys", true, e);
	for (size_t i = 0; rc == 0 && NATIVE_PROC_COVERED[i]; i++)
		rc = cover(n, proc, NATIVE_PROC_COVERED[i], e);
	for (size_t i = 0; rc == 0 && NATIVE_PROC_EMPTIED[i]; i++)
		rc = empty(n, proc, NATIVE_PROC_EMPTIED[i], e);
	/* All of it at once: covers came as the machine has them. */
	return rc < 0 ? rc : native_mount_flags(proc, NATIVE_DEV | NATIVE_REC, e);
}
