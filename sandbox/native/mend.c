/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mend - what a person does about a box that cannot be built: the walls that are known from the
 * field, by the step that ran into them, what the kernel said there, and what else is so on this
 * machine. The first row that fits.
 *
 * Each row but those that need another kernel or distribution is brought about for real in
 * tests/contract/test_probe.c.
 */
#include "sandbox/native/native.h"

#include "base/buf.h"
#include "base/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number in a file of /proc/sys, -1 if there is none. */
static long
sysctl(const char *path)
{
	auto_buf struct buf text = BUF_INIT(64);

	return fs_read(path, &text, NULL) < 0 ? -1 : strtol(buf_str(&text), NULL, 10);
}

static bool
no_user_namespaces(void)
{
	return sysctl("/proc/sys/user/max_user_namespaces") == 0;
}

static bool
no_other_namespaces(void)
{
	return sysctl("/proc/sys/user/max_mnt_namespaces") == 0 ||
	       sysctl("/proc/sys/user/max_pid_namespaces") == 0 ||
	       sysctl("/proc/sys/user/max_net_namespaces") == 0 ||
	       sysctl("/proc/sys/user/max_ipc_namespaces") == 0 ||
	       sysctl("/proc/sys/user/max_uts_namespaces") == 0 ||
	       sysctl("/proc/sys/user/max_cgroup_namespaces") == 0;
}

/* A patch of Debian and its children. */
static bool
is_for_root(void)
{
	return geteuid() != 0 && sysctl("/proc/sys/kernel/unprivileged_userns_clone") == 0;
}

/* Ubuntu from 23.10 on: the namespace is made, and nothing may be done in it. */
static bool
is_restricted(void)
{
	return geteuid() != 0 &&
	       sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
}

static bool
no_memfd_exec(void)
{
	return sysctl("/proc/sys/vm/memfd_noexec") == 2;
}

#define IN_CONTAINER(what, docker) "in a container: " what " (Docker: --security-opt " docker ")"
#define MOUNTS                                                                                     \
	IN_CONTAINER("let the bot mount in namespaces of its own",                                 \
		"apparmor=unconfined --security-opt seccomp=unconfined")
#define ANY_STAGE BOX_STAGE_NONE
#define REFUSED   (-1) /* EPERM or EACCES */

static const struct {
	enum box_stage stage;
	int sys; /* 0: any */
	bool (*when)(void);
	const char *mend;
} MENDS[] = {
	{ BOX_STAGE_CLONE, 0, no_user_namespaces,
		"set the sysctl user.max_user_namespaces to at least 1000" },
	{ BOX_STAGE_CLONE, ENOSPC, no_other_namespaces,
		"set those of the sysctls user.max_*_namespaces that are 0 to at least 1000" },
	{ BOX_STAGE_CLONE, ENOSPC, NULL,
		"raise the sysctl user.max_user_namespaces; or run the bot in fewer containers "
		"within each other" },
	{ BOX_STAGE_CLONE, 0, is_for_root,
		"set the sysctl kernel.unprivileged_userns_clone=1, or start the bot as root" },
	{ ANY_STAGE, REFUSED, is_restricted,
		"AppArmor forbids it to unprivileged programs: start the bot as root, or set the "
		"sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give the program an "
		"AppArmor profile with the rule userns" },
	{ BOX_STAGE_CLONE, EINVAL, NULL, "use a kernel with user namespaces (CONFIG_USER_NS)" },
	{ BOX_STAGE_CLONE, 0, NULL,
		IN_CONTAINER("allow clone3, clone, unshare and mount in its seccomp profile",
			"seccomp=unconfined") },
	{ ANY_STAGE, ENOSYS, NULL,
		"use Linux 6.1 or newer; or " IN_CONTAINER(
			"allow the calls that mount in its seccomp profile",
			"seccomp=unconfined") },
	{ BOX_STAGE_LAYERS, REFUSED, NULL,
		"in a container: give the bot CAP_SYS_PTRACE, which opens the user namespaces that "
		"shift owners (Docker: --cap-add SYS_PTRACE)" },
	{ BOX_STAGE_LAYERS, 0, NULL,
		"put state_dir on a filesystem with idmapped mounts: ext4, xfs, btrfs or tmpfs" },
	{ BOX_STAGE_FILTER, 0, no_memfd_exec, "set the sysctl vm.memfd_noexec to 1 or 0" },
	{ BOX_STAGE_IDENTITY, 0, NULL, MOUNTS },
	{ BOX_STAGE_SOURCES, 0, NULL, MOUNTS },
	{ BOX_STAGE_ROOT, REFUSED, NULL, MOUNTS },
	{ BOX_STAGE_DEV, ENOENT, NULL,
		"give the container the usual device nodes: null, zero, full, random, urandom, "
		"tty" },
	{ BOX_STAGE_DEV, 0, NULL, MOUNTS },
	{ BOX_STAGE_PROC, REFUSED, NULL,
		"the container hides parts of /proc, so the kernel refuses a new one (Docker: "
		"--security-opt systempaths=unconfined; Kubernetes: procMount: Unmasked)" },
	{ BOX_STAGE_TREES, ENODEV, NULL, "load the kernel's module overlay" },
	{ BOX_STAGE_TREES, 0, NULL,
		"put state_dir on a filesystem that can be an overlay's upper layer: ext4, xfs, "
		"btrfs or tmpfs, not overlay or NFS" },
	{ BOX_STAGE_NET, REFUSED, NULL,
		IN_CONTAINER("let the bot set up the loopback of a network of its own",
			"apparmor=unconfined --security-opt seccomp=unconfined") },
	{ BOX_STAGE_RUNTIME, 0, NULL,
		"leave sandbox.runtime out, and the boxes are made without one; or see to it that "
		"the "
		"runtime can do this" },
	{ BOX_STAGE_INIT, REFUSED, NULL, "set the sysctl vm.memfd_noexec to 1 or 0" },
};

const char *
native_mend(enum box_stage stage, int sys)
{
	bool is_refused = sys == EPERM || sys == EACCES;

	for (size_t i = 0; i < sizeof(MENDS) / sizeof(MENDS[0]); i++) {
		if (MENDS[i].stage != ANY_STAGE && MENDS[i].stage != stage)
			continue;
		if (MENDS[i].sys == REFUSED ? !is_refused : MENDS[i].sys && MENDS[i].sys != sys)
			continue;
		if (!MENDS[i].when || MENDS[i].when())
			return MENDS[i].mend;
	}
	return NULL;
}
