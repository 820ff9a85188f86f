/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master_dirs - the directories of the roles, each belonging to the one role that writes there.
 */
#include "bot/master_state.h"

#include "base/clean.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opened first and changed through the descriptor: nothing below a directory that a role owns is
 * ever resolved by name with our rights. */
static int
give_dir(const char *path, const struct role_user *user, struct err *e)
{
	struct stat st;
	int rc = fs_mkdirs(path, 0700, e);

	if (rc < 0)
		return rc;
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (user->uid == 0 || (st.st_uid == user->uid && st.st_gid == user->gid))
		return 0;
	return fchown(fd, user->uid, user->gid) < 0 ? err_sys(e, "chown %s", path) : 0;
}

static int
role_dirs(const struct role_spec *spec, const struct config *c, struct err *e)
{
	struct role_user user;
	int rc = role_user(spec, c, &user, e);

	for (const char *const *name = spec->writes; rc == 0 && name && *name; name++) {
		auto_free char *path = role_path(c, *name);

		rc = give_dir(path, &user, e);
	}
	return rc;
}

/* The names of the roles' directories must survive a power cut, and the roles may not sync them. */
static int
sync_dir(const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? err_sys(e, "sync %s", path) : 0;
}

static int
take_lock(const struct config *c, int *lock_fd, struct err *e)
{
	auto_free char *path = role_path(c, "lock");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_BUSY, "another nightshift works in %s", c->state_dir);
		return err_sys(e, "lock %s", path);
	}
	*lock_fd = steal_fd(&fd);
	return 0;
}

int
master_dirs(const struct config *c, int *lock_fd, struct err *e)
{
	/* Roles with users of their own must be able to pass, not to look. */
	int rc = fs_mkdirs(c->state_dir, geteuid() == 0 ? 0711 : 0700, e);

	if (rc == 0)
		rc = take_lock(c, lock_fd, e);
	for (int i = 0; rc == 0 && i < ROLE_COUNT; i++) {
		if (ROLES[i])
			rc = role_dirs(ROLES[i], c, e);
	}
	return rc < 0 ? rc : sync_dir(c->state_dir, e);
}
