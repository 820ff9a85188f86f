/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_rig_again - one runner after another, see runner_rig.h.
 */
#include "tests/unit/bot/runner_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "bot/runner.h"
#include "bot/shim.h"
#include "sandbox/redact.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

void
runner_rig_kill(struct runner_rig *r, int signo)
{
	assert_int_equal(kill(r->c.pid, signo), 0);
	assert_int_equal(waitpid(r->c.pid, NULL, 0), r->c.pid);
	r->c.pid = 0;
	r->c.is_ready = false;
	msg_link_destroy(r->queue);
	msg_link_destroy(r->courier);
	msg_link_destroy(r->keeper);
	msg_link_destroy(r->gateway);
	msg_link_destroy(r->c.peer);
	msg_link_destroy(r->c.master);
	r->queue = r->courier = r->keeper = r->gateway = r->c.peer = r->c.master = NULL;
	r->unanswered = 0;
}

void
runner_rig_again(struct runner_rig *r, int signo)
{
	runner_rig_kill(r, signo);
	runner_rig_begin(r);
}

/* ---- the keeper ---- */

/* One secret is known, and the runner is told how to find it. */
static void
on_keeper(void *ctx, struct msg_link *link, struct msg *m)
{
	struct runner_rig *r = ctx;
	struct redact_maker *maker = redact_maker_create();
	struct buf table = BUF_INIT(REDACT_TABLE_BYTES);
	struct wire_verdict yes = { .ok = true };

	assert_int_equal(m->type, WIRE_REDACT);
	redact_maker_add(maker, r->secret, strlen(r->secret));
	assert_int_equal(redact_maker_end(maker, &table, NULL), 0);
	assert_int_equal(msg_reply(link, m->id,
				 &(struct msg_out){ .type = WIRE_REDACTIONS,
					 .obj = &yes,
					 .blob = table.data,
					 .blob_len = table.len },
				 NULL),
		0);
	redact_maker_destroy(maker);
	buf_finish(&table);
	r->n_redacts++;
}

void
runner_rig_new_keeper(struct runner_rig *r)
{
	msg_link_destroy(r->keeper);
	r->keeper = role_case_add_peer(&r->c, ROLE_KEEPER, on_keeper, r);
}

/* ---- who works where ---- */

char *
runner_rig_dir(const struct runner_rig *r, int slot, int64_t task, int64_t fence)
{
	return mem_fmt("%s/state/boxes/run/%d.%" PRId64 ".%" PRId64, r->c.dir, slot, task, fence);
}

static bool
is_named(pid_t pid, const char *name)
{
	auto_free char *path = mem_fmt("/proc/%d/comm", (int)pid);
	auto_free char *line = mem_fmt("%s\n", name);
	auto_buf struct buf comm = BUF_INIT(64);

	return fs_read(path, &comm, NULL) == 0 && str_eq(buf_str(&comm), line);
}

/* Of a line of /proc/locks: "1: -> FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF". */
static pid_t
locker(char *line, ino_t ino)
{
	char *rest = strstr(line, "FLOCK ");
	int64_t pid = 0, found = 0;
	const char *word;

	for (int n = 0; (word = strsep(&rest, " "));) {
		if (n == 3)
			(void)str_i64(word, 0, INT32_MAX, &pid, NULL);
		else if (n == 4 && strrchr(word, ':'))
			(void)str_i64(strrchr(word, ':') + 1, 0, INT64_MAX, &found, NULL);
		n += *word != '\0';
	}
	return found == (int64_t)ino ? (pid_t)pid : 0;
}

pid_t
runner_rig_find(const char *dir, const char *name, pid_t but)
{
	auto_buf struct buf locks = BUF_INIT(1 << 20);
	struct stat st;
	char *rest, *line;

	if (stat(dir, &st) < 0)
		return 0;
	assert_int_equal(fs_read("/proc/locks", &locks, NULL), 0);
	(void)buf_str(&locks);
	for (rest = locks.data; (line = strsep(&rest, "\n"));) {
		pid_t pid = locker(line, st.st_ino);

		if (pid > 0 && pid != but && is_named(pid, name))
			return pid;
	}
	return 0;
}

void
runner_rig_until_clean(struct runner_rig *r)
{
	auto_free char *run = mem_fmt("%s/state/boxes/run", r->c.dir);
	int gone = 0;

	runner_rig_until_alive(r, 0);
	for (int i = 0; i < 12000 && !gone; i++) {
		role_case_wait(&r->c);
		gone = rmdir(run) == 0;
	}
	assert_true(gone);
	assert_int_equal(mkdir(run, 0700), 0);
}

/* ---- shims ---- */

/* Calls back for each directory of an attempt. */
static void
each_dir(struct runner_rig *r, void (*cb)(struct runner_rig *r, const char *dir, size_t *n),
	size_t *n)
{
	auto_free char *run = mem_fmt("%s/state/boxes/run", r->c.dir);
	auto_dir DIR *d = opendir(run);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_free char *dir = mem_fmt("%s/%s", run, de->d_name);

		if (de->d_name[0] != '.')
			cb(r, dir, n);
	}
}

/* A living one has its directory locked. */
static void
wait_for_end(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd < 0 || flock(fd, LOCK_EX) == 0);
}

static void
kill_one(struct runner_rig *r, const char *dir, size_t *n)
{
	auto_fd int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int link = -1;
	pid_t pid = 0;

	(void)r;
	if (msg_connect(at, SHIM_DOOR, &link, &pid, NULL) < 0)
		return;
	assert_int_equal(kill(pid, SIGKILL), 0);
	wait_for_end(dir);
	(*n)++;
}

size_t
runner_rig_kill_shims(struct runner_rig *r)
{
	size_t n = 0;

	each_dir(r, kill_one, &n);
	return n;
}

static void
end_one(struct runner_rig *r, const char *dir, size_t *n)
{
	(void)shim_dismiss(r->c.loop, dir);
	wait_for_end(dir);
	(*n)++;
}

void
runner_rig_end_shims(struct runner_rig *r)
{
	size_t n = 0;

	each_dir(r, end_one, &n);
}
