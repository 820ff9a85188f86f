/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only a box has that a runtime makes: runtimes that cannot be had, that are bad, and that are
 * killed at their work. As root and as an unprivileged user.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 60000

static void
describe(const struct box_rig *r, struct box_spec *s, const char *runtime)
{
	box_rig_spec(r, s, "true", NULL);
	mem_set(&s->runtime, runtime);
	s->net = true;
	assert_int_equal(box_spec_check(s, NULL), 0);
}

/* It fails there, for this reason, and leaves nothing. */
static void
assert_fails(const struct box_rig *r, const char *runtime, int code, const char *text)
{
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;
	struct err e = { 0 };
	int fds;

	sandbox_warm();
	describe(r, &s, runtime);
	fds = box_rig_fds();
	int rc = box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e);
	if (rc != code || b.stage != BOX_STAGE_RUNTIME || !strstr(e.text, text))
		fail_msg("%s: %d at stage %d: %s", runtime, rc, (int)b.stage, e.text);
	box_finish(&b);
	assert_int_equal(box_rig_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
what_cannot_make_boxes_is_refused(void **state)
{
	const struct box_rig *r = *state;
	static const struct {
		const char *runtime;
		int code;
		const char *text;
		const char *mend;
	} rows[] = {
		{ "bubblewrap", ERR_INVALID, "no runtime that is known", "crun or runc" },
		{ "runsc", ERR_DENIED, "cannot be handed out", "crun or runc" },
		{ "/usr/bin/runsc", ERR_DENIED, "cannot be handed out", "crun or runc" },
		{ "kata", ERR_DENIED, "cannot be handed out", "crun or runc" },
		{ "kata-runtime", ERR_DENIED, "cannot be handed out", "crun or runc" },
		{ "/nowhere/crun", ERR_MISSING, "no program is there", "install it" },
		{ "/nowhere/other", ERR_MISSING, "not installed", "install it" },
		{ "runc", ERR_DENIED, "needs a root in the box", "crun or runc" },
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < n; i++) {
		struct sandbox_probe p;
		bool found = false;

		/* With a 0 to give, runc makes boxes like any other; without, another one might. */
		if ((r->is_root && str_eq(rows[i].runtime, "runc")) ||
			(!r->is_root && str_eq(rows[i].runtime, "/nowhere/other")))
			continue;
		assert_fails(r, rows[i].runtime, rows[i].code, rows[i].text);
		sandbox_probe(r->dir, NULL, rows[i].runtime, &p);
		for (size_t k = 0; k < p.n; k++) {
			if (!str_eq(p.v[k].name, "runtime"))
				continue;
			found = true;
			assert_false(p.v[k].ok);
			assert_non_null(strstr(p.v[k].text, rows[i].text));
			assert_non_null(strstr(p.v[k].mend, rows[i].mend));
		}
		assert_true(found);
		assert_true(p.tier < TIER_LEAST); /* never without */
		sandbox_probe_finish(&p);
	}
}

/* By its path, which may end in a name that is known. */
static void
a_path_will_do(void **state)
{
	const struct box_rig *r = *state;
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	describe(r, &s, "/usr/bin/crun");
	box_rig_run(&s, &run);
	assert_int_equal(run.exit_code, 0);
	assert_int_equal(run.report, 0);
}

/* Named like crun, for only that one may be had without rights. */
static char *
bad_runtime(const struct box_rig *r, const char *what)
{
	auto_free char *program = box_rig_path(r, "tools/runtime");
	auto_free char *dir = mem_fmt("%s/bad-%s", r->dir, what);
	char *path = mem_fmt("%s/crun", dir);
	auto_free char *real = mem_fmt("%s/%s", dir, what);

	assert_int_equal(fs_mkdirs(dir, 0755, NULL), 0);
	assert_int_equal(link(program, real), 0);
	assert_int_equal(symlink(what, path), 0);
	return path;
}

static void
what_it_says_is_passed_on(void **state)
{
	auto_free char *fail = bad_runtime(*state, "fail");
	auto_free char *nothing = bad_runtime(*state, "nothing");
	auto_free char *leave = bad_runtime(*state, "leave");

	assert_fails(*state, fail, ERR_SYSTEM, "crun: no box today");
	assert_fails(*state, nothing, ERR_SYSTEM, "crun has made no box");
	/* Those that it leaves have everything open that it had. */
	assert_fails(*state, leave, ERR_SYSTEM, "crun: no box today");
}

/* ---- killed at their work ---- */

/* The process whose parent is that one; waits until there is one. */
static pid_t
child_of(pid_t parent)
{
	for (int i = 0; i < WAIT_MS; i++) {
		auto_free char *path = mem_fmt("/proc/%d/task/%d/children", parent, parent);
		auto_buf struct buf text = BUF_INIT(4096);

		if (fs_read(path, &text, NULL) == 0 && text.len > 0)
			return (pid_t)strtol(text.data, NULL, 10);
		(void)poll(NULL, 0, 1); /* no event says it */
	}
	fail_msg("%d starts nobody", (int)parent);
	return -1;
}

static bool
is_called(pid_t pid, const char *name)
{
	auto_free char *path = mem_fmt("/proc/%d/comm", pid);
	auto_buf struct buf text = BUF_INIT(64);

	return fs_read(path, &text, NULL) == 0 && str_starts(buf_str(&text), name);
}

static void
wait_for_name(pid_t pid, const char *name)
{
	for (int i = 0; i < WAIT_MS && !is_called(pid, name); i++)
		(void)poll(NULL, 0, 1);
	assert_true(is_called(pid, name));
}

/* Everybody that it has started, and those who were started by them, ends. */
static void
assert_no_children(void)
{
	for (int i = 0; i < WAIT_MS; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == 0)
			(void)poll(NULL, 0, 1);
	}
	fail_msg("somebody lives on");
}

enum victim { VICTIM_STARTER, VICTIM_REAPER, VICTIM_RUNTIME };

static void
kill_one(const struct box_rig *r, const char *runtime, enum victim who)
{
	int status = 0;
	pid_t starter = fork();

	assert_true(starter >= 0);
	if (starter == 0) {
		auto_box_spec struct box_spec s;
		struct box b = BOX_INIT;
		struct err e = { 0 };

		describe(r, &s, runtime);
		int rc = box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e);
		box_finish(&b);
		_exit(rc < 0 && e.text[0] ? 0 : 1);
	}
	pid_t reaper = child_of(starter);
	pid_t victims[] = { starter, reaper, child_of(reaper) };
	wait_for_name(victims[VICTIM_RUNTIME], "hang");
	assert_int_equal(kill(victims[who], SIGKILL), 0);
	assert_int_equal(waitpid(starter, &status, 0), starter);
	assert_true(who == VICTIM_STARTER ? WIFSIGNALED(status) : status == 0);
	assert_no_children();
}

static void
whoever_is_killed_nothing_is_left(void **state)
{
	auto_free char *hang = bad_runtime(*state, "hang");

	/* Orphans come to us, so that we see them all. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	kill_one(*state, hang, VICTIM_STARTER);
	kill_one(*state, hang, VICTIM_REAPER);
	kill_one(*state, hang, VICTIM_RUNTIME);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_true(sandbox_sweep(60000));
}

/* At any moment of a start by the real one. */
static void
a_starter_may_die_at_any_moment(void **state)
{
	const struct box_rig *r = *state;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (int i = 0; i < 40; i++) {
		pid_t starter = fork();

		assert_true(starter >= 0);
		if (starter == 0) {
			auto_box_spec struct box_spec s;
			struct box b = BOX_INIT;

			describe(r, &s, "crun");
			(void)box_start(&s, &(struct box_io)BOX_IO_INIT, &b, NULL);
			for (;;)
				(void)pause();
		}
		(void)poll(NULL, 0, i * 3 / 2);
		assert_int_equal(kill(starter, SIGKILL), 0);
		assert_int_equal(waitpid(starter, NULL, 0), starter);
		assert_no_children();
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_true(sandbox_sweep(60000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_make_boxes_is_refused),
		cmocka_unit_test(a_path_will_do),
		cmocka_unit_test(what_it_says_is_passed_on),
		cmocka_unit_test(whoever_is_killed_nothing_is_left),
		cmocka_unit_test(a_starter_may_die_at_any_moment),
	};

	return box_rig_main_native(tests, sizeof(tests) / sizeof(tests[0]));
}
