/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posture - PID 1 asks the kernel what really holds, and refuses to go on if it is less than
 * planned.
 *
 * Every step before this one reported success. This looks at the result instead: a kernel that
 * ignored a flag, a step that moved, a container that stood in the way are found here, before
 * hostile code runs and not after.
 */
#include "sandbox/init/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *const NAMESPACES[INIT_NS_COUNT] = { "user", "mnt", "pid", "net", "ipc", "uts",
	"cgroup" };

static void
check_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int has;

	if (syscall(SYS_capget, &head, data) < 0)
		init_fail(INIT_STAGE_POSTURE, errno, "capget", "");
	for (int i = 0; i < 2; i++) {
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			init_fail(INIT_STAGE_POSTURE, 0, "capabilities are left", "");
	}
	/* Nothing permitted, so nothing ambient either. */
	for (unsigned long cap = 0; (has = init_prctl(PR_CAPBSET_READ, cap)) >= 0; cap++) {
		if (has)
			init_fail(INIT_STAGE_POSTURE, 0, "the bounding set is not empty", "");
	}
}

static void
check_namespaces(const struct init_plan *p)
{
	for (int i = 0; i < INIT_NS_COUNT; i++) {
		char path[64];
		struct stat st;

		size_t at = init_join(path, sizeof(path), 0, "/proc/self/ns/", 14);
		(void)init_join(path, sizeof(path), at, NAMESPACES[i], strlen(NAMESPACES[i]));
		if (stat(path, &st) < 0)
			init_fail(INIT_STAGE_POSTURE, errno, path, "");
		if (p->ns[i] != 0 && st.st_ino == p->ns[i])
			init_fail(INIT_STAGE_POSTURE, 0,
				"not a namespace of its own: ", NAMESPACES[i]);
	}
}

/* The limit of zero inside is a second lock beside the filter. Success would change us, but it is
 * our end anyway. */
static void
check_no_more_namespaces(void)
{
	if (unshare(CLONE_NEWUSER) == 0)
		init_fail(INIT_STAGE_POSTURE, 0, "a further user namespace can be made", "");
}

void
init_check_posture(const struct init_plan *p)
{
	struct statfs root;
	struct stat mask;

	if (getpid() != 1)
		init_fail(INIT_STAGE_POSTURE, 0, "not PID 1", "");
	if (init_prctl(PR_GET_NO_NEW_PRIVS, 0) != 1)
		init_fail(INIT_STAGE_POSTURE, 0, "no_new_privs is not set", "");
	if (init_prctl(PR_GET_DUMPABLE, 0) != 0)
		init_fail(INIT_STAGE_POSTURE, 0, "PID 1 is dumpable", "");
	check_capabilities();
	check_namespaces(p);
	check_no_more_namespaces();
	if (statfs("/", &root) < 0 || !(root.f_flags & ST_RDONLY))
		init_fail(INIT_STAGE_POSTURE, 0, "the root is writable", "");
	if (stat("/proc/kallsyms", &mask) == 0 && S_ISREG(mask.st_mode) && (mask.st_mode & S_IRWXO))
		init_fail(INIT_STAGE_POSTURE, 0, "/proc is not masked", "");
	if (access("/proc/sysrq-trigger", W_OK) == 0 && stat("/proc/sysrq-trigger", &mask) == 0 &&
		S_ISREG(mask.st_mode))
		init_fail(INIT_STAGE_POSTURE, 0, "/proc/sysrq-trigger is writable", "");
	init_check_mounts(p);
	if (statfs("/proc/sys", &root) < 0 || !(root.f_flags & ST_RDONLY))
		init_fail(INIT_STAGE_POSTURE, 0, "/proc/sys is writable", "");
}

/* 0, 1, 2, the report and the directory that we read; nothing else. */
static void
check_descriptors(void)
{
	_Alignas(struct dirent64) char list[2048];
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t len;

	while ((len = getdents64(dir, list, sizeof(list))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct dirent64 *de = (const void *)(list + at);
			unsigned fd = init_number(de->d_name, 10);

			if (de->d_name[0] != '.' && fd > INIT_FD_REPORT && fd != (unsigned)dir)
				init_fail(INIT_STAGE_SELF_CHECK, 0,
					"a descriptor is open: ", de->d_name);
			at += de->d_reclen;
		}
	}
	if (len < 0)
		init_fail(INIT_STAGE_SELF_CHECK, errno, "/proc/self/fd", "");
	(void)close(dir);
}

void
init_check_workload(const struct init_plan *p)
{
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) < 0 || r != p->uid || e != p->uid || s != p->uid)
		init_fail(INIT_STAGE_SELF_CHECK, 0, "not the box's user", "");
	/* Unprivileged starters cannot drop their supplementary groups; those are unmapped in here
	 * and show as 65534. */
	if (getgid() != p->uid || getegid() != p->uid)
		init_fail(INIT_STAGE_SELF_CHECK, 0, "not the box's group", "");
	if (init_prctl(PR_GET_SECCOMP, 0) != 2)
		init_fail(INIT_STAGE_SELF_CHECK, 0, "no syscall filter", "");
	check_descriptors();
}
