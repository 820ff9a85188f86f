/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How boxes end, as root and as an unprivileged user: whole, whatever was in them, and with a
 * reason.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE_VARIABLE 140000 /* the kernel takes 128 KiB in one string */

/* Processes anywhere on the machine with this word as an argument. */
static int
count(const char *word)
{
	auto_dir DIR *d = opendir("/proc");
	const struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d))) {
		auto_buf struct buf line = BUF_INIT(65536);
		auto_free char *path = mem_fmt("/proc/%s/cmdline", de->d_name);

		if (de->d_name[0] < '0' || de->d_name[0] > '9' || fs_read(path, &line, NULL) < 0)
			continue;
		n += line.len > 0 && memmem(line.data, line.len, word, strlen(word)) != NULL;
	}
	return n;
}

static void
start_storm(const struct box_rig *r, const char *word, struct box *b)
{
	auto_box_spec struct box_spec s;
	struct err e = { 0 };

	box_rig_spec(r, &s, "inside", "storm", word, NULL);
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_int_equal(box_start(&s, &(struct box_io)BOX_IO_INIT, b, &e), 0);
	assert_int_equal(box_go(b, NULL), 0);
	box_rig_wait_for(b->pty_fd, "storm");
	assert_true(count(word) > 20);
}

static void
killing_it_leaves_nothing(void **state)
{
	auto_free char *word = mem_fmt("storm-%d", getpid());
	struct box b = BOX_INIT;

	start_storm(*state, word, &b);
	auto_free char *cgroup = mem_str(cgroup_dir(b.cgroup));
	box_terminate(&b); /* they ignore it */
	box_kill(&b);
	assert_int_equal(box_rig_reap(&b), 137);
	assert_int_equal(count(word), 0);
	box_finish(&b);
	if (((const struct box_rig *)*state)->is_root)
		assert_non_null(cgroup);
	if (cgroup)
		assert_int_equal(access(cgroup, F_OK), -1);
}

static void
its_end_is_the_end_of_all(void **state)
{
	auto_free char *word = mem_fmt("77%d", getpid());
	auto_free char *command =
		mem_fmt("setsid sleep %s & (setsid sleep %s &) ; sleep 0; exit 5", word, word);
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(*state, &s, "sh", "-c", command, NULL);
	box_rig_run(&s, &run);
	assert_int_equal(run.exit_code, 5);
	assert_int_equal(count(word), 0);
}

static void
kill_all_from_inside_ends_the_workload_only(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(*state, &s, "sh", "-c",
		"trap 'echo told; exit 9' TERM; kill -STOP 1; kill -KILL 1; kill -TERM 1; sleep 60 "
		"& wait",
		NULL);
	box_rig_run(&s, &run);
	/* PID 1 hears TERM and passes it on; nothing else moves it. */
	assert_string_equal(buf_str(&run.out), "told\n");
	assert_int_equal(run.exit_code, 9);
}

static void
term_reaches_the_workload(void **state)
{
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;
	struct err e = { 0 };

	box_rig_spec(*state, &s, "sh", "-c",
		"trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done", NULL);
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_int_equal(box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e), 0);
	assert_int_equal(box_go(&b, NULL), 0);
	box_rig_wait_for(b.pty_fd, "ready");
	box_terminate(&b);
	assert_int_equal(box_rig_reap(&b), 7);
	box_finish(&b);
}

static void
zombies_are_reaped(void **state)
{
	box_rig_expect(*state,
		"for i in $(seq 100); do (sh -c 'exit 0' &) ; done; "
		"until test $(echo /proc/[0-9]* | wc -w) -lt 10; do sleep 0.1; done; echo few",
		"few\n");
}

/* The starter is killed; its box must not live on, before GO or after. */
static void
it_dies_with_its_starter(void **state)
{
	for (int go = 0; go < 2; go++) {
		int ends[2];
		pid_t init = 0;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			auto_box_spec struct box_spec s;
			struct box b = BOX_INIT;

			box_rig_spec(*state, &s, "sleep", "3600", NULL);
			if (box_spec_check(&s, NULL) < 0 ||
				box_start(&s, &(struct box_io)BOX_IO_INIT, &b, NULL) < 0 ||
				(go && box_go(&b, NULL) < 0))
				_exit(1);
			(void)!write(ends[1], &b.pid, sizeof(b.pid));
			for (;;)
				(void)pause();
		}
		assert_int_equal(read(ends[0], &init, sizeof(init)), sizeof(init));
		auto_fd int pidfd = pidfd_open(init, 0);
		assert_true(pidfd >= 0);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, 60000), 1);
		(void)close(ends[0]);
		(void)close(ends[1]);
	}
	assert_true(sandbox_sweep(60000));
}

/* ---- what goes wrong is said ---- */

static void
a_program_that_cannot_start_says_why(void **state)
{
	static const struct {
		const char *program;
		int code;
		const char *word;
	} rows[] = {
		{ "no-such-program", ERR_MISSING, "exec no-such-program: No such file" },
		{ "/etc/passwd", ERR_DENIED, "exec /etc/passwd: Permission denied" },
		{ "/usr/share", ERR_DENIED, "exec /usr/share" },
		{ "no-format", ERR_SYSTEM, "exec no-format: Exec format error" },
		{ "true", ERR_SYSTEM, "exec true: Argument list too long" },
	};
	auto_free char *program = box_rig_path(*state, "tools/no-format");
	auto_free char *large = mem_zero(LARGE_VARIABLE + 1);

	box_rig_write(*state, "tools/no-format", "no program\n");
	assert_int_equal(chmod(program, 0755), 0);
	memset(large, 'x', LARGE_VARIABLE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_box_spec struct box_spec s;
		auto_box_run struct box_run run;

		box_rig_spec(*state, &s, rows[i].program, NULL);
		if (str_eq(rows[i].program, "true"))
			strs_addf(&s.env, "LARGE=%s", large);
		box_rig_run(&s, &run);
		assert_int_equal(run.report, rows[i].code);
		assert_int_equal(run.stage, BOX_STAGE_EXEC);
		assert_non_null(strstr(run.e.text, rows[i].word));
		assert_int_equal(run.exit_code, 125);
	}
}

static void
a_box_that_cannot_be_built_leaves_nothing(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *absent = box_rig_path(r, "absent");
	auto_free char *up = box_rig_path(r, "lonely");
	auto_free char *file = box_rig_path(r, "afile");
	static const enum box_stage stages[2][4] = {
		{ BOX_STAGE_SOURCES, BOX_STAGE_LAYERS, BOX_STAGE_TREES, BOX_STAGE_CWD },
		{ BOX_STAGE_LAYERS, BOX_STAGE_LAYERS, BOX_STAGE_TREES, BOX_STAGE_CWD },
	};

	box_rig_mkdir(r, "lonely");
	box_rig_write(r, "afile", "x");
	for (int i = 0; i < 4; i++) {
		auto_box_spec struct box_spec s;
		struct box b = BOX_INIT;
		struct err e = { 0 };

		box_rig_spec(r, &s, "true", NULL);
		if (i == 0)
			box_spec_layer(&s, BOX_WORKSPACE, absent, 0, false);
		else if (i == 1)
			box_spec_layer(&s, BOX_WORKSPACE, file, 0, true);
		else if (i == 2) /* an overlay needs something below */
			box_spec_layer(&s, BOX_WORKSPACE, up, 0, true);
		else
			s.cwd = mem_str("/nowhere");
		assert_int_equal(box_spec_check(&s, NULL), 0);
		int rc = box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e);
		if (i == 3) {
			assert_int_equal(rc, 0);
			assert_int_equal(box_go(&b, NULL), 0);
			assert_int_equal(box_rig_reap(&b), 125);
			rc = box_report(&b, &e);
		}
		assert_true(rc < 0);
		assert_true(e.text[0]);
		assert_int_equal(b.stage, stages[r->is_root][i]);
		box_finish(&b);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
}

static int
lines(const char *path)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);
	int n = 0;

	assert_int_equal(fs_read(path, &text, NULL), 0);
	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == '\n';
	return n;
}

/* The mounts that are counted are ours; others may come and go on the machine meanwhile. One that
 * was there goes here, too, when somebody removes what it lay on. Who is not root mounts nothing
 * out here. */
static void
have_own_mounts(const struct box_rig *r)
{
	if (!r->is_root)
		return;
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

static void
fifty_boxes_later_nothing_has_grown(void **state)
{
	const struct box_rig *r = *state;

	have_own_mounts(r);
	box_rig_expect(*state, "true", ""); /* what is cached for ever is cached now */
	int fds = box_rig_fds();
	int mounts = r->is_root ? lines("/proc/self/mountinfo") : 0;

	for (int i = 0; i < 50; i++)
		box_rig_expect(*state, "true", "");
	assert_int_equal(box_rig_fds(), fds);
	assert_true(!r->is_root || lines("/proc/self/mountinfo") <= mounts);
}

static void
the_probe_says_that_this_machine_can(void **state)
{
	const struct box_rig *r = *state;
	struct sandbox_probe p;
	auto_buf struct buf line = BUF_INIT(1024);

	sandbox_probe(r->dir, NULL, r->runtime, &p);
	for (size_t i = 0; i < p.n; i++) {
		if (p.v[i].is_needed && !p.v[i].ok)
			print_error("%s: %s\n", p.v[i].name, p.v[i].text);
		assert_non_null(p.v[i].text);
	}
	assert_int_equal(p.tier, r->is_root ? TIER_SLOTS : TIER_USERNS);
	sandbox_describe(&p, &line);
	assert_true(str_starts(buf_str(&line), r->is_root ? "slots: " : "userns: "));
	sandbox_probe_finish(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killing_it_leaves_nothing),
		cmocka_unit_test(its_end_is_the_end_of_all),
		cmocka_unit_test(kill_all_from_inside_ends_the_workload_only),
		cmocka_unit_test(term_reaches_the_workload),
		cmocka_unit_test(zombies_are_reaped),
		cmocka_unit_test(it_dies_with_its_starter),
		cmocka_unit_test(a_program_that_cannot_start_says_why),
		cmocka_unit_test(a_box_that_cannot_be_built_leaves_nothing),
		cmocka_unit_test(fifty_boxes_later_nothing_has_grown),
		cmocka_unit_test(the_probe_says_that_this_machine_can),
	};

	return box_rig_main(tests, sizeof(tests) / sizeof(tests[0]));
}
