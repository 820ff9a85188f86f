/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of runner_door: who made a door is no shim, whoever it is, and one that has not begun
 * hears all the same that it is to end.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "bot/shim.h"
#include "bot/wire.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 60000

/* A runner to come, in a process of its own. Ends with 0 if it found somebody to dismiss. */
static pid_t
start_dismisser(void)
{
	pid_t pid = fork();
	struct loop *l = NULL;

	if (pid != 0)
		return pid;
	if (loop_create(&l, NULL) < 0)
		_exit(99);
	_exit(shim_dismiss(l, scratch_dir) ? 0 : 1);
}

static int
code_of(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until the next one has been here, and what it left. */
static int
until_visit(int door)
{
	struct pollfd p = { .fd = door, .events = POLLIN };
	int visit = -1;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(msg_accept(door, &visit, NULL), 0);
	return visit;
}

/* The shim to come, which begins now. It ends with 0 as it was told to. */
static pid_t
begin_shim(int door)
{
	sigset_t term;
	pid_t pid;
	int signo = 0;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, NULL); /* ours, too: nobody sends us one */
	pid = fork();
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_NAME, SHIM_NAME);
	if (msg_listen_here(door, NULL) < 0)
		_exit(99);
	_exit(sigwait(&term, &signo) == 0 ? 0 : 99);
}

static void
assert_unharmed(void)
{
	sigset_t pending;

	assert_int_equal(sigpending(&pending), 0);
	assert_false(sigismember(&pending, SIGTERM));
}

/* We are the runner that made the door, and live. */
static void
the_shim_is_awaited(void **state)
{
	auto_fd int door = -1;
	auto_fd int link = -1;

	(void)state;
	assert_int_equal(door_open(scratch_dir, &door, &link, NULL), 0);
	(void)close(until_visit(door)); /* our own */
	pid_t next = start_dismisser();
	auto_fd int visit = until_visit(door);
	assert_true(visit >= 0);
	pid_t shim = begin_shim(door);
	assert_int_equal(code_of(next), 0);
	assert_int_equal(code_of(shim), 0);
	assert_unharmed();
}

static void
one_that_never_begins_is_left_a_word(void **state)
{
	auto_fd int door = -1;
	auto_fd int link = -1;
	char frame[4096];
	ssize_t len = 0;
	int n = 0;

	(void)state;
	assert_int_equal(door_open(scratch_dir, &door, &link, NULL), 0);
	(void)close(until_visit(door));
	pid_t next = start_dismisser();
	assert_int_equal(code_of(next), 0);
	/* Nobody stayed; the last one left something. */
	struct pollfd more = { .fd = door, .events = POLLIN };
	for (; poll(&more, 1, 0) == 1; n++) {
		auto_fd int visit = until_visit(door);

		assert_int_equal(len, 0);
		len = recv(visit, frame, sizeof(frame), 0);
	}
	assert_true(n > 1);
	assert_true(len > 0);
	assert_int_equal(*(const uint16_t *)(const void *)frame, WIRE_SHIM_STOP);
	assert_unharmed();
}

static void
behind_no_door_is_nobody(void **state)
{
	struct loop *l = NULL;
	int door = -1, link = -1;

	(void)state;
	assert_int_equal(loop_create(&l, NULL), 0);
	assert_false(shim_dismiss(l, scratch_dir));
	assert_int_equal(door_open(scratch_dir, &door, &link, NULL), 0);
	(void)close(door);
	(void)close(link);
	assert_false(shim_dismiss(l, scratch_dir));
	loop_destroy(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(the_shim_is_awaited),
		SCRATCH_TEST(one_that_never_begins_is_left_a_word),
		SCRATCH_TEST(behind_no_door_is_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
