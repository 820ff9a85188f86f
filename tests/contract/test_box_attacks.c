/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that mean harm (tests/hostile), each in a box of its own: what they do outside they
 * cannot do in here, and when the box ends they have ended.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS     20000
#define END_MS_MAX  5000
#define FLOOD_BYTES 4000000
#define MEMORY_MAX  (48 << 20)
#define SURVIVORS   20

/* Processes anywhere on the machine with this word as an argument: all of them are of this test.
 * -> how many; each gets the signal. */
static int
signal_all(const char *word, int signo)
{
	auto_dir DIR *d = opendir("/proc");
	const struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d))) {
		auto_buf struct buf line = BUF_INIT(65536);
		auto_free char *path = mem_fmt("/proc/%s/cmdline", de->d_name);

		if (de->d_name[0] < '0' || de->d_name[0] > '9' || fs_read(path, &line, NULL) < 0 ||
			line.len == 0 || !memmem(line.data, line.len, word, strlen(word)))
			continue;
		(void)kill((pid_t)strtol(de->d_name, NULL, 10), signo);
		n++;
	}
	return n;
}

/* What was killed has ended. */
static void
until_gone(const char *word)
{
	for (int i = 0; i < WAIT_MS && signal_all(word, SIGKILL) > 0; i++)
		(void)poll(NULL, 0, 1); /* they are not our children: no event says it */
	assert_int_equal(signal_all(word, 0), 0);
}

static void
start(const struct box_spec *spec, struct box *b)
{
	struct box_spec s = *spec;
	struct err e = { 0 };

	assert_int_equal(box_spec_check(&s, NULL), 0);
	if (box_start(&s, &(struct box_io)BOX_IO_INIT, b, &e) < 0)
		fail_msg("stage %d: %s", (int)b->stage, e.text);
	if (s.cwd != spec->cwd)
		free(s.cwd);
	assert_int_equal(box_go(b, NULL), 0);
}

/* ---- who wants to stay ---- */

static void
run_outside(const struct box_rig *r, const char *attack, const char *word)
{
	auto_free char *program = box_rig_path(r, "tools/hostile");
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setpgid(0, 0) < 0 || chdir(r->dir) < 0)
			_exit(1);
		(void)execl(program, program, attack, word, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)kill(-pid, SIGKILL); /* the end of the whole group, as a shell would do it */
}

static void
who_left_its_group_ends_with_the_box(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *word = mem_fmt("survivors-%d", getpid());
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	run_outside(r, "survivors", word);
	assert_int_equal(signal_all(word, SIGTERM), SURVIVORS);
	assert_int_equal(signal_all(word, SIGKILL), SURVIVORS);
	until_gone(word);
	box_rig_spec(r, &s, "hostile", "survivors", word, NULL);
	box_rig_run(&s, &run);
	assert_non_null(strstr(buf_str(&run.out), "20 survivors"));
	assert_int_equal(run.exit_code, 0);
	assert_int_equal(signal_all(word, 0), 0);
}

/* They fork for as long as they live, and what is killed comes back. */
static void
a_storm_under_way_ends_at_one_stroke(void **state)
{
	auto_free char *word = mem_fmt("phoenix-%d", getpid());
	auto_box_spec struct box_spec s;

	box_rig_spec(*state, &s, "hostile", "phoenix", word, NULL);
	for (int i = 0; i < 5; i++) {
		struct box b = BOX_INIT;

		start(&s, &b);
		box_rig_wait_for(b.pty_fd, "that come back");
		assert_true(signal_all(word, SIGTERM) > 0);
		int64_t began = clock_boot_ms();
		box_kill(&b);
		assert_int_equal(box_rig_reap(&b), 137);
		assert_int_equal(signal_all(word, 0), 0);
		assert_true(clock_boot_ms() - began < END_MS_MAX);
		box_finish(&b);
	}
}

/* First of a parent that never waits for them, then of nobody. */
static void
dead_children_are_reaped(void **state)
{
	static const char *const attacks[] = { "zombies", "orphans" };

	for (size_t i = 0; i < 2; i++) {
		auto_free char *command = mem_fmt(
			"cd; hostile %s; while set -- /proc/[0-9]*; [ $# -gt 2 ]; do :; done; "
			"echo left $#",
			attacks[i]);
		auto_box_spec struct box_spec s;
		auto_box_run struct box_run run;

		box_rig_spec(*state, &s, "sh", "-c", command, NULL);
		strs_add(&s.env, "HOME=/home/agent");
		s.procs_max = 1500;
		box_rig_run(&s, &run);
		const char *made = strstr(buf_str(&run.out), "begins\n");
		/* The shell and PID 1. */
		assert_non_null(strstr(buf_str(&run.out), "left 2\n"));
		assert_non_null(made);
		made = strstr(made, ": ");
		assert_non_null(made);
		assert_true(strtol(made + 2, NULL, 10) >= 1000);
	}
}

static void
everything_stopped_is_still_killed(void **state)
{
	auto_free char *word = mem_fmt("stopped-%d", getpid());
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;

	box_rig_spec(*state, &s, "hostile", "stop-all", word, NULL);
	start(&s, &b);
	box_rig_wait_for(b.pty_fd, "everything stops");
	box_terminate(&b); /* nobody is there to hear it */
	box_kill(&b);
	assert_int_equal(box_rig_reap(&b), 137);
	assert_int_equal(signal_all(word, 0), 0);
	box_finish(&b);
}

/* Into a group that was killed once, some kernels start nothing any more. */
static void
a_group_is_used_once(void **state)
{
	const struct box_rig *r = *state;
	auto_strs struct strs seen = { 0 };
	auto_box_spec struct box_spec s;

	box_rig_spec(r, &s, "sleep", "3600", NULL);
	for (int i = 0; i < 5; i++) {
		struct box b = BOX_INIT;

		start(&s, &b);
		const char *dir = cgroup_dir(b.cgroup);
		if (dir) {
			assert_false(strs_has(&seen, dir));
			strs_add(&seen, dir);
		}
		box_kill(&b);
		assert_int_equal(box_rig_reap(&b), 137);
		box_finish(&b);
		if (seen.n > 0)
			assert_int_equal(access(seen.v[seen.n - 1], F_OK), -1);
	}
	assert_true(!r->is_root || seen.n == 5);
}

/* ---- who talks ---- */

/* Nobody reads: it waits, it does not fill the machine. */
static void
who_is_not_heard_waits(void **state)
{
	auto_free char *command =
		mem_fmt("head -c %d /dev/zero | tr '\\0' x; echo end", FLOOD_BYTES);
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;
	struct box b = BOX_INIT;

	box_rig_spec(*state, &s, "sh", "-c", command, NULL);
	box_rig_run(&s, &run); /* with somebody who reads it comes to its end */
	assert_int_equal(run.exit_code, 0);
	assert_true(run.out.len > FLOOD_BYTES);

	start(&s, &b);
	struct pollfd p = { .fd = b.pidfd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 500), 0);
	box_kill(&b);
	assert_int_equal(box_rig_reap(&b), 137);
	size_t left = 0;
	char data[4096];
	for (ssize_t n; (n = read(b.pty_fd, data, sizeof(data))) > 0;)
		left += (size_t)n;
	assert_true(left < FLOOD_BYTES / 10);
	box_finish(&b);
}

/* ---- who takes ---- */

/* Whatever kind of memory it is: the box is charged for it. */
static void
memory_of_any_kind_is_the_boxs_own(void **state)
{
	static const char *const kinds[] = { "heap", "heaps", "shared", "memfds", "sysv", "tmpfs",
		"sockets" };
	const struct box_rig *r = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		auto_box_spec struct box_spec s;
		struct cgroup_facts facts = { 0 };
		struct box b = BOX_INIT;

		box_rig_spec(r, &s, "hostile", kinds[i], NULL);
		s.memory_bytes_max = MEMORY_MAX;
		s.tmp_bytes_max = 4L * MEMORY_MAX;
		start(&s, &b);
		unsigned keeps = cgroup_keeps(b.cgroup);
		if (!(keeps & CGROUP_MEMORY)) {
			/* Somebody else looks: tests/unit/sandbox, tests/unit/bot. */
			assert_false(r->is_root);
			box_kill(&b);
			(void)box_rig_reap(&b);
			box_finish(&b);
			continue;
		}
		char data[4096];
		while (read(b.pty_fd, data, sizeof(data)) > 0)
			continue;
		(void)box_rig_reap(&b);
		cgroup_look(b.cgroup, &facts);
		if (facts.oom_kills == 0)
			fail_msg("%s: nobody was ended for memory", kinds[i]);
		box_finish(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_left_its_group_ends_with_the_box),
		cmocka_unit_test(a_storm_under_way_ends_at_one_stroke),
		cmocka_unit_test(dead_children_are_reaped),
		cmocka_unit_test(everything_stopped_is_still_killed),
		cmocka_unit_test(a_group_is_used_once),
		cmocka_unit_test(who_is_not_heard_waits),
		cmocka_unit_test(memory_of_any_kind_is_the_boxs_own),
	};

	return box_rig_main(tests, sizeof(tests) / sizeof(tests[0]));
}
