/* SPDX-License-Identifier: Apache-2.0 */
/*
 * freezer - see freezer.h.
 */
#include "freezer.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MACHINES "/sys/fs/cgroup/freezer"
#define OURS     "/mnt/freezer"

struct freezer {
	char *above; /* a group, and the one in it that boxes are put into */
	char *group;
};

/* In a namespace of mounts that nobody else sees. */
static void
mount_ours(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/mnt", "tmpfs", 0, NULL) < 0 || mkdir(OURS, 0700) < 0 ||
		mount("freezer", OURS, "cgroup", 0, "freezer") < 0)
		fail_msg("no freezer of cgroup v1 (errno %d): use a kernel with "
			 "CONFIG_CGROUP_FREEZER",
			errno);
}

struct freezer *
freezer_make(void)
{
	struct freezer *f;
	const char *at = MACHINES;

	if (geteuid() != 0)
		return NULL;
	if (access(MACHINES "/tasks", F_OK) < 0) {
		at = OURS;
		if (access(OURS "/tasks", F_OK) < 0)
			mount_ours();
	}
	f = mem_zero(sizeof(*f));
	f->above = mem_fmt("%s/nightshift-test-%d", at, getpid());
	f->group = mem_fmt("%s/box", f->above);
	assert_int_equal(mkdir(f->above, 0700), 0);
	assert_int_equal(mkdir(f->group, 0700), 0);
	return f;
}

static void
put(const char *dir, const char *name, const char *text)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

void
freezer_freeze(struct freezer *f, const char *trace, bool from_above)
{
	auto_free char *path =
		mem_fmt("%s/%s/cgroup.procs", cgroup_world()->v[0].base, strrchr(trace, ' ') + 1);
	auto_buf struct buf procs = BUF_INIT(KIB(64));
	char *pid, *rest;

	assert_int_equal(fs_read(path, &procs, NULL), 0);
	assert_true(procs.len > 0);
	rest = procs.data;
	while ((pid = strsep(&rest, "\n"))) {
		if (*pid)
			put(f->group, "cgroup.procs", pid);
	}
	put(from_above ? f->above : f->group, "freezer.state", "FROZEN");
}

void
freezer_thaw(struct freezer *f)
{
	put(f->above, "freezer.state", "THAWED");
	put(f->group, "freezer.state", "THAWED");
}

void
freezer_remove(struct freezer *f)
{
	if (!f)
		return;
	for (int i = 0; i < 500 && rmdir(f->group) < 0 && errno == EBUSY; i++)
		(void)poll(NULL, 0, 10); /* the last one is going */
	assert_int_equal(rmdir(f->above), 0);
	free(f->above);
	free(f->group);
	free(f);
}
