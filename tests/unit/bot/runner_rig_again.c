/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_rig_again - one runner after another, see runner_rig.h.
 */
#include "tests/unit/bot/runner_rig.h"

#include "base/clean.h"
#include "base/mem.h"
#include "bot/runner.h"
#include "bot/shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/file.h>
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

/* Calls back for each directory of an attempt. */
static void
each_dir(struct runner_rig *r, void (*cb)(const char *dir, size_t *n), size_t *n)
{
	auto_free char *run = mem_fmt("%s/state/boxes/run", r->c.dir);
	auto_dir DIR *d = opendir(run);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_free char *dir = mem_fmt("%s/%s", run, de->d_name);

		if (de->d_name[0] != '.')
			cb(dir, n);
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
kill_one(const char *dir, size_t *n)
{
	auto_fd int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int link = -1;
	pid_t pid = 0;

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
end_one(const char *dir, size_t *n)
{
	(void)shim_dismiss(dir);
	wait_for_end(dir);
	(*n)++;
}

void
runner_rig_end_shims(struct runner_rig *r)
{
	size_t n = 0;

	each_dir(r, end_one, &n);
}
