/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After many tasks everything is as it was before: processes, descriptors, mounts, loop devices,
 * groups, names on the disk. Some of their shims are killed in the middle.
 *
 * Twenty-four tasks, or as many as NIGHTSHIFT_TASKS says: `NIGHTSHIFT_TASKS=500
 * build/dev/test_bot_runner_counts`, as root and then by somebody without rights.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"
#include "tests/unit/bot/runner_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER  65534
#define TASKS     24
#define KILL_EACH 8 /* of so many one is killed */
#define PROCS_MAX 65536
#define BOXES     "boxes: 6\n"
/* What outlives its parents, what fills a disk, and what takes its time. */
#define AGENT                                                                                      \
	"#!/bin/sh\nmkdir -p a/b/c; echo x >a/b/c/d; head -c 3000000 /dev/zero >big\n"             \
	"(setsid sleep 600 &)\nsleep 0.2\n"

struct counts {
	int procs;
	int fds;
	int mounts;
	int loops;
	int groups;
	int names;
};

/* ---- our own groups, so that nobody else's are in them ---- */

static struct strs groups; /* directories */

static void
enter_groups(void)
{
	struct cgroup_world w = { 0 };
	auto_buf struct buf mounts = BUF_INIT(MIB(4));
	auto_buf struct buf own = BUF_INIT(KIB(64));

	assert_int_equal(fs_read("/proc/self/mountinfo", &mounts, NULL), 0);
	assert_int_equal(fs_read("/proc/self/cgroup", &own, NULL), 0);
	cgroup_world_read(buf_str(&mounts), buf_str(&own), &w);
	for (size_t i = 0; i < w.n; i++) {
		auto_free char *dir = mem_fmt("%s/counts-%d", w.v[i].base, getpid());
		auto_free char *path = mem_fmt("%s/cgroup.procs", dir);

		if (mkdir(dir, 0755) < 0)
			continue;
		auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "0", 1) == 1)
			strs_add(&groups, dir);
	}
	cgroup_world_finish(&w);
}

static void
leave_groups(void)
{
	for (size_t i = 0; i < groups.n; i++) {
		auto_free char *path = mem_fmt("%s/../cgroup.procs", groups.v[i]);
		auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

		assert_int_equal(write(fd, "0", 1), 1);
		assert_int_equal(rmdir(groups.v[i]), 0);
	}
	strs_finish(&groups);
}

/* ---- counting ---- */

static int
count_entries(const char *path, bool only_dirs)
{
	auto_dir DIR *d = opendir(path);
	const struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d)))
		n += de->d_name[0] != '.' && (!only_dirs || de->d_type == DT_DIR);
	return n;
}

static void
list(const char *path)
{
	auto_dir DIR *d = opendir(path);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		if (de->d_type == DT_DIR && de->d_name[0] != '.')
			print_message("  left: %s/%s\n", path, de->d_name);
	}
}

static pid_t
parent_of(pid_t pid)
{
	auto_free char *path = mem_fmt("/proc/%d/stat", pid);
	auto_buf struct buf text = BUF_INIT(4096);
	const char *p;

	if (fs_read(path, &text, NULL) < 0 || !(p = strrchr(text.data, ')')) || strlen(p) < 5)
		return 0;
	return (pid_t)strtol(p + 4, NULL, 10);
}

static bool
is_ours(pid_t pid)
{
	for (int i = 0; pid > 1 && i < 32; i++) {
		pid = parent_of(pid);
		if (pid == getpid())
			return true;
	}
	return false;
}

/* Who may not look into the table of another process is still told how long it is. */
static int
count_fds(pid_t pid)
{
	auto_free char *path = mem_fmt("/proc/%d/fd", pid);
	struct stat st;

	if (geteuid() == 0)
		return count_entries(path, false);
	return stat(path, &st) == 0 ? (int)st.st_size : 0;
}

static void
count_procs(const struct runner_rig *r, struct counts *c)
{
	auto_dir DIR *d = opendir("/proc");
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		pid_t pid = (pid_t)strtol(de->d_name, NULL, 10);

		if (pid <= 0 || !is_ours(pid))
			continue;
		/* The first process of a killed shim's box: ours to bury, as the machine's init's.
		 */
		if (pid != r->c.pid && waitpid(pid, NULL, WNOHANG) == pid)
			continue;
		c->procs++;
		c->fds += count_fds(pid);
	}
}

static int
count_loops(const char *below)
{
	auto_dir DIR *d = opendir("/sys/block");
	const struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d))) {
		auto_free char *path = mem_fmt("/sys/block/%s/loop/backing_file", de->d_name);
		auto_buf struct buf text = BUF_INIT(4096);

		if (str_starts(de->d_name, "loop") && fs_read(path, &text, NULL) == 0)
			n += strstr(buf_str(&text), below) != NULL;
	}
	return n;
}

static struct counts
count(const struct runner_rig *r)
{
	struct counts c = { 0 };
	struct fs_size size = { 0 };
	auto_free char *boxes = mem_fmt("%s/state/boxes", r->c.dir);
	auto_buf struct buf mounts = BUF_INIT(MIB(4));

	count_procs(r, &c);
	c.loops = count_loops(boxes);
	for (size_t i = 0; i < groups.n; i++)
		c.groups += count_entries(groups.v[i], true);
	assert_int_equal(fs_read("/proc/self/mountinfo", &mounts, NULL), 0);
	/* Others mount things meanwhile; what is ours has our directory in its line. */
	for (const char *p = buf_str(&mounts); (p = strstr(p, r->c.dir)); p++)
		c.mounts++;
	(void)fs_measure(boxes, PROCS_MAX, &size, NULL);
	c.names = (int)size.entries;
	return c;
}

static void
say(const char *when, const struct counts *c)
{
	print_message("  %s: %d processes, %d descriptors, %d mounts, %d loop devices, %d groups, "
		      "%d names\n",
		when, c->procs, c->fds, c->mounts, c->loops, c->groups, c->names);
}

/* What is made ahead is there again, and nothing changes any more. */
static struct counts
settled(struct runner_rig *r)
{
	struct counts last = count(r);

	for (int same = 0, i = 0; same < 100 && i < 20000; i++) {
		struct counts now;

		role_case_wait(&r->c);
		now = count(r);
		same = memcmp(&now, &last, sizeof(now)) == 0 ? same + 1 : 0;
		last = now;
	}
	return last;
}

/* ---- many tasks ---- */

/* One that has begun to work. */
static void
kill_a_shim(const struct runner_rig *r)
{
	auto_dir DIR *d = opendir("/proc");
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		pid_t pid = (pid_t)strtol(de->d_name, NULL, 10);
		auto_free char *path = mem_fmt("/proc/%s/comm", de->d_name);
		auto_buf struct buf name = BUF_INIT(64);

		if (pid <= 0 || parent_of(pid) != r->c.pid || fs_read(path, &name, NULL) < 0 ||
			!str_starts(buf_str(&name), "shim"))
			continue;
		assert_int_equal(kill(pid, SIGKILL), 0);
		return;
	}
}

static void
run_tasks(struct runner_rig *r, int64_t first, int n)
{
	int until = r->n_done + n;
	int claims = r->n_claims;

	for (int started = 0, i = 0; r->n_done < until; i++) {
		assert_true(i < 200 * 1000);
		role_case_wait(&r->c);
		/* A CLAIM that was under way is one task behind. */
		if (started == n || r->n_claims == claims || r->claim.free_slots < 2)
			continue;
		claims = r->n_claims;
		runner_rig_start(r, first + started++, 1);
		if (started % KILL_EACH == 0)
			kill_a_shim(r);
	}
}

/* What is kept for ever is kept by the first tasks. What is made ahead may come late on a busy
 * machine, so it is counted until it was the same twice. */
static struct counts
first_counts(struct runner_rig *r)
{
	struct counts last = { 0 }, now = { 0 };

	for (int i = 0; i < 5 && (i == 0 || memcmp(&now, &last, sizeof(now)) != 0); i++) {
		last = now;
		run_tasks(r, 1 + 2 * i, 2);
		now = settled(r);
	}
	return now;
}

static void
everything_is_as_it_was(void **state)
{
	const char *tasks = getenv("NIGHTSHIFT_TASKS");
	struct runner_rig r;
	struct counts before, after;

	(void)state;
	enter_groups();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	runner_rig_init(&r, AGENT, BOXES);
	r.settings.gate_test = mem_str("true");
	runner_rig_harvest_file(&r, "x", "x\n");
	before = first_counts(&r);
	say("before", &before);
	run_tasks(&r, 1000, tasks ? (int)strtol(tasks, NULL, 10) : TASKS);
	after = settled(&r);
	for (int i = 0; i < 2000 && memcmp(&after, &before, sizeof(after)) != 0; i++) {
		role_case_wait(&r.c);
		after = count(&r);
	}
	say("after", &after);
	for (size_t i = 0; i < groups.n && after.groups != before.groups; i++)
		list(groups.v[i]);
	assert_memory_equal(&after, &before, sizeof(after));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* nobody's child became ours */
	runner_rig_finish(&r);
	leave_groups();
}

/* ---- main ---- */

static const struct CMUnitTest TESTS[] = {
	cmocka_unit_test(everything_is_as_it_was),
};

static int
run_as_stranger(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(STRANGER, STRANGER, STRANGER) < 0 ||
			setresuid(STRANGER, STRANGER, STRANGER) < 0 ||
			prctl(PR_SET_DUMPABLE, 1) < 0)
			exit(99);
		exit(cmocka_run_group_tests_name("as an unprivileged user", TESTS, NULL, NULL));
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

int
main(void)
{
	int failed = cmocka_run_group_tests_name("as who runs the tests", TESTS, NULL, NULL);

	if (geteuid() != 0)
		print_error("as root: not tried; run this as root\n");
	return failed + (geteuid() == 0 ? run_as_stranger() : 1);
}
