/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls - the kernel's own doors: mounts, namespaces, identities, keys, and interfaces with a long
 * history of holes.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* With arguments that are wrong for every call: a filter never looks at them, and where there is
 * none they do no harm. */
static int
raw(const struct attempt *a)
{
	return outcome(syscall(a->call, -1L, -1L, -1L, -1L, -1L, -1L));
}

#define RAW(n, name)                                                                               \
	{                                                                                          \
		n, #name, raw, "EPERM", CONTROL_ARGS, SYS_##name, NULL, 0                          \
	}

/* ---- mounts ---- */

static int
mount_tmpfs(const struct attempt *a)
{
	(void)a;
	return outcome(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static int
remount_writable(const struct attempt *a)
{
	(void)a;
	if (!world.is_box && mount("/usr", "/usr", NULL, MS_BIND, NULL) < 0)
		return errno;
	return outcome(
		mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL));
}

static int
new_fs(const struct attempt *a)
{
	(void)a;
	return outcome(fsopen("tmpfs", FSOPEN_CLOEXEC));
}

/* With all below it: what others mount there meanwhile may not be left out. */
static int
clone_tree(const struct attempt *a)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;

	(void)a;
	return outcome(open_tree(AT_FDCWD, "/tmp", flags));
}

static int
change_root(const struct attempt *a)
{
	(void)a;
	return outcome(chroot("/tmp"));
}

/* ---- namespaces ---- */

static int
leave(const struct attempt *a)
{
	return outcome(unshare((int)a->arg));
}

static int
old_clone(const struct attempt *a)
{
	long pid = syscall(SYS_clone, (unsigned long)a->arg | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int
new_clone(const struct attempt *a)
{
	struct clone_args c = { .flags = (uint64_t)a->arg, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &c, sizeof(c));

	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int
enter(const struct attempt *a)
{
	int fd = open(a->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : outcome(setns(fd, 0));
}

/* Where a namespace can be made, its maps can be written. */
static int
map_ids(const struct attempt *a)
{
	char map[64];
	uid_t uid = geteuid();
	int fd;

	(void)a;
	(void)unshare(CLONE_NEWUSER);
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int n = snprintf(map, sizeof(map), "0 %u 1\n", uid);
	return outcome(write(fd, map, (size_t)n));
}

static int
become_root(const struct attempt *a)
{
	(void)a;
	return outcome(setresuid(0, 0, 0));
}

static int
drop_groups(const struct attempt *a)
{
	(void)a;
	return outcome(syscall(SYS_setgroups, 0, NULL));
}

static int
may_gain_privileges(const struct attempt *a)
{
	(void)a;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : EPERM;
}

static int
has_capabilities(const struct attempt *a)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	bool any;

	(void)a;
	if (syscall(SYS_capget, &head, d) < 0)
		return ENOTRECOVERABLE;
	any = d[0].effective | d[0].permitted | d[0].inheritable | d[1].effective | d[1].permitted |
	      d[1].inheritable;
	for (int cap = 0; cap < 64; cap++)
		any |= prctl(PR_CAPBSET_READ, cap) == 1;
	return any ? 0 : EPERM;
}

/* ---- what an ordinary program may do outside ---- */

static int
uring(const struct attempt *a)
{
	struct io_uring_params p = { 0 };

	(void)a;
	return outcome(syscall(SYS_io_uring_setup, 1, &p));
}

static int
key(const struct attempt *a)
{
	(void)a;
	return outcome(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 0));
}

static int
handle(const struct attempt *a)
{
	struct {
		struct file_handle h;
		char room[128];
	} f = { .h.handle_bytes = 128 };
	int mount_id;

	(void)a;
	return outcome(name_to_handle_at(AT_FDCWD, "/tmp", &f.h, &mount_id, 0));
}

static int
read_memory(const struct attempt *a)
{
	char from = 0, to = 0;
	struct iovec local = { &to, 1 }, remote = { &from, 1 };

	(void)a;
	return outcome(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

/* On a terminal of our own, so that the control is the same everywhere. */
static int
terminal(const struct attempt *a)
{
	int line = 0;
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return ENOTRECOVERABLE;
	return outcome(syscall(SYS_ioctl, fd, a->arg, &line));
}

#if defined(__x86_64__)
/* getpid in the way of 32 bits. */
static int
foreign(const struct attempt *a)
{
	long rc = 20;

	(void)a;
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
	return rc > 0 ? 0 : ENOSYS;
}
#endif

#define HIGH (1L << 32)

const struct attempt ESCAPE_CALLS[] = {
	{ 7, "mount", mount_tmpfs, "EPERM", CONTROL_OWN, 0, NULL, 0 },
	{ 7, "remount_writable", remount_writable, "EPERM", CONTROL_OWN, 0, NULL, 0 },
	{ 7, "fsopen", new_fs, "EPERM", CONTROL_OWN, 0, NULL, 0 },
	{ 7, "open_tree", clone_tree, "EPERM", CONTROL_OWN, 0, NULL, 0 },
	{ 7, "chroot", change_root, "EPERM", CONTROL_OWN, 0, NULL, 0 },
	RAW(7, umount2),
	RAW(7, pivot_root),
	RAW(7, move_mount),
	RAW(7, fsconfig),
	RAW(7, fsmount),
	RAW(7, fspick),
	RAW(7, mount_setattr),

	{ 8, "unshare_user", leave, "EPERM", CONTROL_PLAIN, 0, NULL, CLONE_NEWUSER },
	{ 8, "unshare_net", leave, "EPERM", CONTROL_OWN, 0, NULL, CLONE_NEWNET },
	{ 8, "unshare_mount", leave, "EPERM", CONTROL_OWN, 0, NULL, CLONE_NEWNS },
	{ 8, "clone_user", old_clone, "EPERM", CONTROL_PLAIN, 0, NULL, CLONE_NEWUSER },
	{ 8, "clone_user_high", old_clone, "EPERM", CONTROL_PLAIN, 0, NULL, CLONE_NEWUSER | HIGH },
	{ 8, "clone_pid", old_clone, "EPERM", CONTROL_OWN, 0, NULL, CLONE_NEWPID },
	{ 8, "clone3_user", new_clone, "ENOSYS", CONTROL_PLAIN, 0, NULL, CLONE_NEWUSER },
	{ 10, "setns_uts", enter, "EPERM", CONTROL_OWN, 0, "/proc/self/ns/uts", 0 },
	{ 10, "setns_mnt", enter, "EPERM", CONTROL_OWN, 0, "/proc/self/ns/mnt", 0 },
	{ 11, "uid_map", map_ids, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	/* Where there is a 0, it is another's. */
	{ 11, "setuid", become_root, "EINVAL;EPERM", CONTROL_OWN, 0, NULL, 0 },
	{ 11, "setgroups", drop_groups, "EPERM", CONTROL_ARGS, SYS_setgroups, NULL, 0 },
	{ 12, "new_privileges", may_gain_privileges, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	{ 12, "capabilities", has_capabilities, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },

	{ 13, "keyctl", key, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	RAW(13, add_key),
	RAW(13, request_key),
	{ 14, "io_uring", uring, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	RAW(14, io_uring_enter),
	RAW(14, io_uring_register),
	RAW(15, bpf),
	RAW(15, perf_event_open),
	RAW(15, userfaultfd),
	RAW(15, fanotify_init),
	{ 2, "vm_read", read_memory, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	RAW(2, process_vm_writev),
	RAW(2, process_madvise),
	RAW(2, pidfd_getfd),
	RAW(2, kcmp),
	RAW(2, move_pages),

	RAW(16, kexec_load),
	RAW(16, init_module),
	RAW(16, finit_module),
	RAW(16, delete_module),
	RAW(16, reboot),
	RAW(16, swapon),
	RAW(16, swapoff),
	RAW(16, settimeofday),
	RAW(16, clock_settime),
	RAW(16, clock_adjtime),
	RAW(16, quotactl),
	RAW(16, quotactl_fd),
	RAW(16, syslog),
	RAW(16, acct),
	RAW(16, open_by_handle_at),
	/* It takes none. */
	{ 16, "vhangup", raw, "EPERM", CONTROL_CALL, SYS_vhangup, NULL, 0 },
	{ 16, "name_to_handle", handle, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	{ 16, "statmount", raw, "ENOSYS", CONTROL_ARGS, 457, NULL, 0 },
	{ 16, "open_tree_attr", raw, "ENOSYS", CONTROL_CALL, 467, NULL, 0 },
	{ 16, "of_tomorrow", raw, "ENOSYS", CONTROL_CALL, 4000, NULL, 0 },

	{ 17, "tiocsti", terminal, "EPERM", CONTROL_CALL, SYS_ioctl, NULL, TIOCSTI },
	{ 17, "tiocsti_high", terminal, "EPERM", CONTROL_CALL, SYS_ioctl, NULL, TIOCSTI | HIGH },
	{ 17, "tioclinux", terminal, "EPERM", CONTROL_CALL, SYS_ioctl, NULL, TIOCLINUX },
	{ 17, "line_discipline", terminal, "EPERM", CONTROL_PLAIN, 0, NULL, TIOCSETD },
#if defined(__x86_64__)
	RAW(16, iopl),
	RAW(16, ioperm),
	RAW(16, kexec_file_load),
	RAW(16, modify_ldt),
	{ 16, "call_of_32_bits", foreign, "SYS", CONTROL_PLAIN, 0, NULL, 0 },
	{ 16, "call_of_x32", raw, "SYS", CONTROL_CALL, 0x40000000L | SYS_getpid, NULL, 0 },
#endif
	{ 0 },
};
