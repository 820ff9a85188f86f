/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - a fresh cgroup for each box, for killing it whole.
 *
 * Even a unified hierarchy without any controller has cgroup.kill. A group that was killed once is
 * never used again: on some kernels every later clone into it dies. Where there is none (not
 * delegated, no cgroup2) the end of PID 1 kills the box just as surely, only a little later under a
 * fork storm.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270
#define PREFIX        "nightshift-"

static const char *const MOUNTS[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

/* The directory below which we may make groups: our own group, or the root of the hierarchy if that
 * is where we are. */
static char *
base_dir(void)
{
	char line[512];
	const char *mount = NULL;

	for (size_t i = 0; i < sizeof(MOUNTS) / sizeof(MOUNTS[0]); i++) {
		struct statfs s;

		if (statfs(MOUNTS[i], &s) == 0 && s.f_type == CGROUP2_MAGIC)
			mount = MOUNTS[i];
	}
	auto_file FILE *f = mount ? fopen("/proc/self/cgroup", "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0)
			return mem_fmt("%s%s", mount, line[4] ? line + 3 : "");
	}
	return NULL;
}

void
native_cgroup_create(char **path, int *fd)
{
	static unsigned serial;
	auto_free char *base = base_dir();
	auto_free char *dir = NULL;

	if (!base)
		return;
	dir = mem_fmt("%s/" PREFIX "%d-%u", base, getpid(), ++serial);
	if (mkdir(dir, 0755) < 0)
		return;
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0) {
		(void)rmdir(dir);
		return;
	}
	*path = steal_ptr(&dir);
}

bool
native_cgroup_available(struct buf *text)
{
	char *path = NULL;
	int fd = -1;

	native_cgroup_create(&path, &fd);
	auto_free char *owned = path;
	auto_fd int group = fd;
	if (group < 0) {
		(void)buf_adds(text, "no cgroup2 directory that we may write");
		return false;
	}
	(void)rmdir(owned);
	(void)buf_adds(text, "a fresh cgroup2 for each box, killed whole");
	return true;
}

/* Named after the process that made them: whoever is still alive keeps its own. */
void
sandbox_sweep(void)
{
	auto_free char *base = base_dir();
	auto_dir DIR *d = base ? opendir(base) : NULL;
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		size_t skip = strlen(PREFIX);

		if (strncmp(de->d_name, PREFIX, skip) != 0)
			continue;
		pid_t pid = (pid_t)strtol(de->d_name + skip, NULL, 10);
		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			(void)unlinkat(
				dirfd(d), de->d_name, AT_REMOVEDIR); /* EBUSY: not empty yet */
	}
}
