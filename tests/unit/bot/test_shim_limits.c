/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of a box, kept by cgroups where we may make them and by the shim where not: so all
 * tests run as root and then as somebody without rights.
 */
#include "bot/shim.h"
#include "shim_rig.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup.h"
#include "tests/tree.gen.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER   20001
#define PROGRAM_FD 200 /* tests/hostile, opened while we may */
#define MEMORY     MIB(192)

static void
copy_program(const char *path)
{
	auto_fd int from = fcntl(PROGRAM_FD, F_DUPFD_CLOEXEC, 3);
	auto_fd int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char data[65536];
	ssize_t n;

	assert_true(from >= 0 && to >= 0 && lseek(from, 0, SEEK_SET) == 0);
	while ((n = read(from, data, sizeof(data))) > 0)
		assert_int_equal(write(to, data, (size_t)n), n);
}

/* A step of a shell command that finds the program in its PATH. */
static void
harm(const struct shim_rig *c, struct box_spec *s, const char *command)
{
	auto_free char *tools = mem_fmt("%s/tools", c->dir);
	auto_free char *program = mem_fmt("%s/hostile", tools);

	assert_int_equal(chmod(c->dir, 0755), 0);
	if (mkdir(tools, 0755) == 0)
		copy_program(program);
	shim_rig_shell(s, "agent", command);
	strs_finish(&s->env);
	strs_add(&s->tools, tools);
	strs_addf(&s->env, "PATH=%s:/usr/bin:/bin", tools);
	s->wall_ms = 60000;
}

static bool
says(const struct shim_rig *c, const char *word)
{
	return c->tail && strstr(c->tail, word);
}

/* ---- memory ---- */

static void
too_much_memory_ends_it(void **state)
{
	/* The last one only the kernel sees. */
	static const char *const kinds[] = { "heap", "heaps", "shared", "memfds", "tmpfs", "sysv",
		"sockets" };
	size_t n = geteuid() == 0 ? 7 : 6;
	struct shim_rig *c = *state;

	for (size_t i = 0; i < n; i++) {
		/* Without rights it is refused to the process, which goes on without. */
		bool may_go_on = geteuid() != 0 && str_eq(kinds[i], "heap");
		auto_free char *command =
			mem_fmt("hostile %s%s", kinds[i], may_go_on ? "" : "; sleep 20");
		auto_box_spec struct box_spec s;

		harm(c, &s, command);
		s.memory_bytes_max = MEMORY;
		s.tmp_bytes_max = 4L * MEMORY;
		shim_rig_run(c, &s);
		if (may_go_on && c->done.ended_by == BOX_END_ITSELF)
			assert_true(says(c, "then ENOMEM"));
		else if (c->done.ended_by != BOX_END_MEMORY)
			fail_msg("%s: ended by %s: %s", kinds[i], box_end_name(c->done.ended_by),
				c->tail);
	}
}

static void
memory_below_the_limit_is_had(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	harm(c, &s, "head -c 100m /dev/zero >/tmp/x; sleep 1; wc -c </tmp/x");
	s.memory_bytes_max = MEMORY;
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_true(says(c, "104857600"));
}

/* One that died for want of memory among many that live. */
static void
the_rest_goes_too(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	harm(c, &s, "sleep 3600 & hostile heaps; wait; echo lived");
	s.memory_bytes_max = MEMORY;
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_MEMORY);
	assert_false(says(c, "lived"));
}

/* When the machine itself has none left, the kernel looks at this. */
static void
boxes_go_first(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	harm(c, &s, "cat /proc/self/oom_score_adj /proc/1/oom_score_adj");
	shim_rig_run(c, &s);
	assert_true(says(c, "1000\n1000\n"));
}

/* ---- processes ---- */

static void
processes_and_threads_are_counted(void **state)
{
	/* The second is over in no time: who only looks now and then does not see it. */
	static const char *const kinds[] = { "forks", "threads" };
	struct shim_rig *c = *state;
	int seconds = 3;

	for (size_t i = 0; i < (geteuid() == 0 ? 2 : 1);) {
		auto_free char *command =
			mem_fmt("hostile %s & sleep %d; kill -9 -1; exit 3", kinds[i], seconds);
		auto_box_spec struct box_spec s;

		harm(c, &s, command);
		s.procs_max = 64;
		shim_rig_run(c, &s);
		assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
		if (c->done.procs_met == 64)
			i++;
		else if ((seconds *= 2) > 24) /* what a busy machine may need */
			fail_msg("%s: not met: %s", kinds[i], c->tail);
	}
}

static void
who_stays_below_has_met_nothing(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	harm(c, &s, "for i in 1 2 3 4 5 6 7 8; do sleep 1.5 & done; wait; exit 3");
	s.procs_max = 64;
	shim_rig_run(c, &s);
	assert_int_equal(c->done.exit_code, 3);
	assert_int_equal(c->done.procs_met, 0);
}

/* ---- processors ---- */

/* On a busy machine a box gets little anyway, so it is the kernel that says how often it held the
 * box back. -1: no group says so.
 */
static int64_t
throttled(const struct shim_rig *c)
{
	const struct cgroup_world *w = cgroup_world();
	auto_free char *prefix = mem_fmt("nightshift-%d-", c->pid);
	int64_t n = -1;

	for (size_t i = 0; i < w->n; i++) {
		auto_dir DIR *d = opendir(w->v[i].base);
		const struct dirent *de;

		while (d && (w->v[i].keeps & CGROUP_CPU) && (de = readdir(d))) {
			auto_free char *path = mem_fmt("%s/%s/cpu.stat", w->v[i].base, de->d_name);
			auto_buf struct buf text = BUF_INIT(KIB(4));

			if (!str_starts(de->d_name, prefix) || fs_read(path, &text, NULL) < 0)
				continue;
			const char *at = strstr(buf_str(&text), "nr_throttled ");
			n = at ? strtoll(at + 13, NULL, 10) : -1;
		}
	}
	return n;
}

#define SPIN(n) "nice; i=0; while [ $i -lt " n " ]; do i=$((i+1)); done; echo spun; sleep 3600"

static void
start_spinning(struct shim_rig *c, const char *command, int64_t cpu_milli)
{
	auto_box_spec struct box_spec s;

	harm(c, &s, command);
	s.cpu_milli_max = cpu_milli;
	shim_rig_send(c, &s);
}

static void
stop(struct shim_rig *c)
{
	int before = c->n_done;

	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_SHIM_STOP }, NULL), 0);
	shim_rig_until(c, &c->n_done, before + 1);
	assert_int_equal(c->done.ended_by, BOX_END_STOP);
}

static void
who_may_have_all_is_not_held_back(void **state)
{
	struct shim_rig *c = *state;

	start_spinning(c, SPIN("300000"), 0);
	shim_rig_until_tail(c, "spun");
	assert_int_equal(throttled(c), geteuid() == 0 ? 0 : -1);
	stop(c);
}

/* Where there is no quota there is at least a low priority. */
static void
processors_are_shared(void **state)
{
	struct shim_rig *c = *state;

	start_spinning(c, geteuid() == 0 ? SPIN("1000000000") : SPIN("1"), 10);
	if (geteuid() == 0) {
		for (int i = 0; i < 12000 && throttled(c) <= 0; i++)
			shim_rig_wait(c, 5);
		assert_true(throttled(c) > 0);
	} else {
		shim_rig_until_tail(c, "spun");
		assert_int_equal(throttled(c), -1);
		assert_true(says(c, "\n10\n"));
	}
	stop(c);
}

/* ---- silence ---- */

/* What works for longer than the limit lives. A busy machine may give it less than work is, or may
 * take as long to pass on what is sent: then all takes twice the time, and again.
 */
#define SCALES 5

static void
work_is_a_sign_of_life(void **state)
{
	struct shim_rig *c = *state;

	for (int i = 0; i < SCALES; i++) {
		auto_box_spec struct box_spec s;

		harm(c, &s, "while :; do :; done");
		s.idle_ms = 500 << i;
		s.wall_ms = 1500 << i;
		shim_rig_run(c, &s);
		if (c->done.ended_by == BOX_END_WALL)
			break;
	}
	assert_int_equal(c->done.ended_by, BOX_END_WALL);
	auto_box_spec struct box_spec s;
	harm(c, &s, "sleep 60");
	s.idle_ms = 500;
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_IDLE);
}

/* A box that hears something from the gateway for three times as long as it may be silent, and then
 * no more. True: it heard all. */
static bool
hears_all(struct shim_rig *c, int64_t idle_ms)
{
	auto_box_spec struct box_spec s;
	int listens = c->n_listens, done = c->n_done;

	harm(c, &s, "exec 3<>/dev/tcp/127.0.0.1/3128; while read -r x <&3; do :; done; sleep 60");
	free(s.argv.v[0]);
	s.argv.v[0] = mem_str("/bin/bash");
	s.net = true;
	s.idle_ms = idle_ms;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_listens, listens + 1);
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_STEP_GO }, NULL), 0);
	struct pollfd p = { .fd = c->listen_fd, .events = POLLIN };
	if (poll(&p, 1, (int)idle_ms) != 1) {
		shim_rig_until(c, &c->n_done, done + 1);
		return false;
	}
	auto_fd int conn = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn >= 0);
	int64_t began = clock_boot_ms();
	while (c->n_done == done && clock_boot_ms() - began < 3 * idle_ms) {
		(void)!send(conn, "x\n", 2, MSG_NOSIGNAL);
		shim_rig_wait(c, idle_ms / 6);
	}
	bool is_alive = c->n_done == done;
	shim_rig_until(c, &c->n_done, done + 1);
	assert_int_equal(c->done.ended_by, BOX_END_IDLE);
	return is_alive;
}

/* As long as something comes from the gateway. */
static void
traffic_is_a_sign_of_life(void **state)
{
	bool heard = false;

	for (int i = 0; i < SCALES && !heard; i++)
		heard = hears_all(*state, 600 << i);
	assert_true(heard);
}

/* ---- output ---- */

static void
too_many_words_end_it(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	harm(c, &s, "yes");
	s.output_bytes_max = MIB(3);
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_OUTPUT);
	assert_int_equal(c->done.limit, MIB(3));
	box_spec_finish(&s);
	harm(c, &s, "head -c 2m /dev/zero | tr '\\0' x; echo; echo the end");
	s.output_bytes_max = MIB(3);
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_true(says(c, "the end"));
}

/* 8 MiB at once, from then on one in a second: it waits, and nothing is lost. */
static void
who_talks_fast_waits(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	int64_t began = clock_boot_ms();

	harm(c, &s, "head -c 10m /dev/zero | tr '\\0' x; echo; echo the end");
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_true(says(c, "the end"));
	assert_true(clock_boot_ms() - began > 1000);
}

/* It is stopped like any other while it waits. */
static void
who_waits_can_be_ended(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	harm(c, &s, "yes | tr -d '\\n'");
	s.wall_ms = 1500;
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_WALL);
}

#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, shim_rig_setup, shim_rig_teardown)

static int
run_all(const char *who)
{
	const struct CMUnitTest tests[] = {
		LIMIT_TEST(too_much_memory_ends_it),
		LIMIT_TEST(memory_below_the_limit_is_had),
		LIMIT_TEST(the_rest_goes_too),
		LIMIT_TEST(boxes_go_first),
		LIMIT_TEST(processes_and_threads_are_counted),
		LIMIT_TEST(who_stays_below_has_met_nothing),
		LIMIT_TEST(who_may_have_all_is_not_held_back),
		LIMIT_TEST(processors_are_shared),
		LIMIT_TEST(work_is_a_sign_of_life),
		LIMIT_TEST(traffic_is_a_sign_of_life),
		LIMIT_TEST(too_many_words_end_it),
		LIMIT_TEST(who_talks_fast_waits),
		LIMIT_TEST(who_waits_can_be_ended),
	};

	return _cmocka_run_group_tests(who, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}

int
main(int argc, char **argv)
{
	bool is_root = geteuid() == 0;
	int status = 0;

	if (argc == 3 && str_eq(argv[2], "shim"))
		return shim_main();
	auto_fd int program = open(NS_BINARY_DIR "/hostile", O_RDONLY | O_CLOEXEC);
	if (program < 0 || dup3(program, PROGRAM_FD, O_CLOEXEC) < 0)
		return 99;
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	int failed = run_all(is_root ? "as root" : "as the user who runs the tests");
	if (!is_root) {
		print_error("as root: not tried; run this as root\n");
		return failed + 1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(STRANGER, STRANGER, STRANGER) < 0 ||
			setresuid(STRANGER, STRANGER, STRANGER) < 0 ||
			prctl(PR_SET_DUMPABLE, 1) < 0)
			exit(99);
		exit(run_all("as an unprivileged user"));
	}
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	return failed + (WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}
