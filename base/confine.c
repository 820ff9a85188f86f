/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine - a role gives up what it does not need, for good.
 *
 * What can be lost on the way is set again: a change of user clears the parent-death signal and
 * makes the process dumpable as fs.suid_dumpable says.
 */
#include "base/confine.h"

#include "base/clean.h"
#include "base/confine_syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2; Debian 12's headers are 6.1 */
#endif

/* ---- resources ---- */

static int
limit_resources(const struct confine *c, struct err *e)
{
	struct rlimit core = { 0, 0 };
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return err_sys(e, "RLIMIT_CORE");
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(e, "RLIMIT_NOFILE");
	if (c->files_max <= 0)
		return 0;
	if (files.rlim_max > (rlim_t)c->files_max)
		files.rlim_max = (rlim_t)c->files_max;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) < 0 ? err_sys(e, "RLIMIT_NOFILE") : 0;
}

/* ---- files: Landlock ---- */

#define FILE_RIGHTS                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define READ_RIGHTS                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* All rights that this kernel's Landlock knows; 0: it has none. */
static uint64_t
landlock_rights(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return 0;
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return rights;
}

static int
allow_paths(int ruleset, const char *const *paths, uint64_t rights, struct err *e)
{
	for (; paths && *paths; paths++) {
		auto_fd int fd = open(*paths, O_PATH | O_CLOEXEC);
		struct stat st;

		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys(e, "%s", *paths);
		struct landlock_path_beneath_attr rule = {
			.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & FILE_RIGHTS,
			.parent_fd = fd,
		};
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) <
			0)
			return err_sys(e, "Landlock rule for %s", *paths);
	}
	return 0;
}

/* *ruleset stays -1 where there is no Landlock. Opened early, while the paths can still be reached.
 */
static int
landlock_open(const struct confine *c, int *ruleset, struct err *e)
{
	uint64_t all = landlock_rights();
	struct landlock_ruleset_attr attr = { .handled_access_fs = all };

	if (c->files_all || all == 0)
		return 0;
	auto_fd int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return err_sys(e, "Landlock");
	uint64_t reading =
		c->may_exec ? READ_RIGHTS : READ_RIGHTS & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
	int rc = allow_paths(fd, c->read_paths, reading, e);
	if (rc == 0)
		rc = allow_paths(fd, c->write_paths,
			c->may_exec ? all : all & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, e);
	if (rc < 0)
		return rc;
	*ruleset = steal_fd(&fd);
	return 0;
}

/* ---- user and capabilities ---- */

/* EINVAL ends the list of capabilities that this kernel has; EPERM: we hold none, so there is
 * nothing to drop. */
static int
drop_bounding_set(struct err *e)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
			return err_sys(e, "capability bounding set");
	}
	return 0;
}

static int
drop_capabilities(struct err *e)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(e, "ambient capabilities");
	return syscall(SYS_capset, &header, none) < 0 ? err_sys(e, "capset") : 0;
}

static int
change_user(const struct confine *c, struct confine_done *done, struct err *e)
{
	if (c->uid == 0 || geteuid() != 0)
		return 0;
	if (c->gid == 0)
		return err_set(e, ERR_INVALID, "user %u in root's group", (unsigned)c->uid);
	if (setgroups(0, NULL) < 0)
		return err_sys(e, "setgroups");
	if (setresgid(c->gid, c->gid, c->gid) < 0)
		return err_sys(e, "setresgid %u", (unsigned)c->gid);
	if (setresuid(c->uid, c->uid, c->uid) < 0)
		return err_sys(e, "setresuid %u", (unsigned)c->uid);
	done->uid = true;
	return 0;
}

static int
drop_privileges(const struct confine *c, struct confine_done *done, struct err *e)
{
	int death_signal = 0;
	int rc = 0;

	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	if (!c->may_mount)
		rc = drop_bounding_set(e);
	if (rc == 0)
		rc = change_user(c, done, e);
	if (rc == 0 && !c->may_mount)
		rc = drop_capabilities(e);
	if (rc < 0)
		return rc;
	if (death_signal && prctl(PR_SET_PDEATHSIG, death_signal) < 0)
		return err_sys(e, "parent-death signal");
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? err_sys(e, "PR_SET_DUMPABLE") : 0;
}

int
confine_apply(const struct confine *c, struct confine_done *done, struct err *e)
{
	struct confine_done d = { 0 };
	auto_fd int ruleset = -1;
	int rc;

	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "PR_SET_DUMPABLE");
	rc = limit_resources(c, e);
	if (rc == 0)
		rc = landlock_open(c, &ruleset, e);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "PR_SET_NO_NEW_PRIVS");
	if (ruleset >= 0) {
		if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
			return err_sys(e, "Landlock");
		d.files = true;
	}
	rc = drop_privileges(c, &d, e);
	if (rc == 0)
		rc = confine_syscalls(c, e);
	if (rc < 0)
		return rc;
	d.syscalls = true;
	if (done)
		*done = d;
	return 0;
}
