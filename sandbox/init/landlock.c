/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock - writing only where the plan says, asked of the kernel a second time.
 *
 * The mounts say the same. This holds if one of them should ever not: a layer that came writable, a
 * device node in it, a mount that somebody found a way to make. Reading is what the mounts show.
 * Kernels before 5.19 have no Landlock that lets files move between directories; there the mounts
 * are alone.
 */
#include "sandbox/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers are of 6.1. */
#define TRUNCATE       (1ULL << 14) /* ABI 3 */
#define IOCTL_DEV      (1ULL << 15) /* ABI 5 */
#define SCOPE_ABSTRACT (1ULL << 0)  /* ABI 6 */
#define ABI_MIN        2

#define NODES   (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define CONTENT (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)
#define ENTRIES                                                                                    \
	(LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
		LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)

/* linux/landlock.h's, as of ABI 6. What an older kernel does not know must be zero. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static const struct {
	const char *path;
	uint64_t rights;
} PLACES[] = {
	{ "/dev", CONTENT | IOCTL_DEV },
	{ "/dev/shm", CONTENT | ENTRIES },
	{ "/home/agent", CONTENT | ENTRIES },
	{ "/proc", CONTENT },
	{ "/tmp", CONTENT | ENTRIES },
	{ "/var/tmp", CONTENT | ENTRIES },
	{ "/workspace", CONTENT | ENTRIES },
};

static void
allow(int ruleset, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = fd };

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		init_fail(INIT_STAGE_LANDLOCK, errno, "Landlock rule for ", path);
	(void)close(fd);
}

/* A node that is none (0:0) may be made by anybody: only Landlock is against it. */
static void
check(void)
{
	static const char path[] = "/tmp/.nightshift-node";

	if (mknod(path, S_IFCHR | 0600, 0) == 0)
		init_fail(INIT_STAGE_LANDLOCK, 0, "Landlock does not hold", "");
	if (errno != EACCES)
		init_fail(INIT_STAGE_LANDLOCK, errno, "Landlock's trial", "");
}

void
init_landlock(const struct init_plan *p)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t all = NODES | ENTRIES | CONTENT | IOCTL_DEV;
	struct ruleset r = { .scoped = abi >= 6 ? SCOPE_ABSTRACT : 0 };
	const char *path = (const char *)p + p->writable;

	if (abi < ABI_MIN)
		return;
	if (abi < 3)
		all &= ~TRUNCATE;
	if (abi < 5)
		all &= ~IOCTL_DEV;
	r.fs = all;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof(r), 0);
	if (fd < 0)
		init_fail(INIT_STAGE_LANDLOCK, errno, "Landlock", "");
	for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++)
		allow(fd, PLACES[i].path, PLACES[i].rights & all);
	for (uint32_t i = 0; i < p->n_writable; i++, path += strlen(path) + 1)
		allow(fd, path, (CONTENT | ENTRIES) & all);
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		init_fail(INIT_STAGE_LANDLOCK, errno, "Landlock", "");
	(void)close(fd);
	check();
}
