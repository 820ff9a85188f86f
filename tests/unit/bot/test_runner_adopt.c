/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One runner after another: attempts go on where they were, in each phase, and each is told once.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Works until the file is there, which lies among the tools. */
#define WAIT_FOR(file) "while test ! -e \"${0%/*}/" file "\"; do sleep 0.05; done\n"

static void
let_go(struct runner_rig *r, const char *file)
{
	auto_free char *path = mem_fmt("%s/tools/%s", r->c.dir, file);

	assert_int_equal(fs_write_atomic(path, "", 0, 0644, NULL), 0);
}

static void
assert_green(const struct runner_rig *r)
{
	assert_string_equal(r->done.reason, "the tests passed");
	assert_int_equal(r->done.outcome, OUTCOME_GREEN);
	assert_int_equal(r->done.fence, 1);
}

/* The word is in the transcript of the first slot's first task. */
static void
until_written(struct runner_rig *r, const char *word)
{
	auto_free char *file = mem_fmt("%s/state/boxes/run/0.1.4/" SHIM_CAST, r->c.dir);
	int found = 0;

	for (int i = 0; i < 12000 && !found; i++) {
		auto_buf struct buf text = BUF_INIT(1 << 20);

		role_case_wait(&r->c);
		found = fs_read(file, &text, NULL) == 0 && strstr(buf_str(&text), word);
	}
	assert_true(found);
}

static void
in_every_phase(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho begins\n" WAIT_FOR("go") "echo ends\necho x >y\n", "");
	auto_free char *gate = mem_fmt("echo tests; while test ! -e %s/tools/green; do sleep 0.05; "
				       "done; cat y",
		r.c.dir);
	auto_free char *setup =
		mem_fmt("echo sets up; while test ! -e %s/tools/set; do sleep 0.05; "
			"done; echo was set",
			r.c.dir);
	strs_add(&r.settings.setup, setup);
	strs_add(&r.settings.setup_key, "README");
	r.settings.gate_test = mem_str(gate);
	runner_rig_harvest_file(&r, "y", "x\n");
	/* The courier prepares, and does not come to an end. */
	r.is_dumb = true;
	runner_rig_start(&r, 7, 1);
	role_case_until(&r.c, &r.n_prepares);
	r.is_dumb = false;
	runner_rig_again(&r, SIGKILL);
	runner_rig_until_tail(&r, "sets up");
	runner_rig_again(&r, SIGKILL);
	runner_rig_until_alive(&r, 1);
	let_go(&r, "set");
	runner_rig_until_tail(&r, "begins");
	/* Twice, and once as one that is told to end; then while nobody is there. */
	runner_rig_again(&r, SIGKILL);
	runner_rig_until_alive(&r, 1);
	runner_rig_again(&r, SIGTERM);
	runner_rig_kill(&r, SIGKILL);
	let_go(&r, "go");
	runner_rig_begin(&r);
	runner_rig_until_tail(&r, "tests");
	runner_rig_again(&r, SIGKILL);
	r.takes_nothing = true;
	let_go(&r, "green");
	runner_rig_until_done(&r);
	/* It is told until somebody takes it. */
	runner_rig_again(&r, SIGKILL);
	r.takes_nothing = false;
	runner_rig_until_done(&r);
	assert_green(&r);
	auto_free char *want = mem_fmt("== setup: %s\nsets up\nwas set\n== agent: mine\nbegins\n"
				       "ends\n== tests: %s\ntests\nx\n",
		setup, gate);
	assert_string_equal(r.text, want);
	assert_true(r.n_prepares == 2);
	runner_rig_until_clean(&r);
	/* The setup was kept, by another one than began it. */
	auto_free char *layers = mem_fmt("%s/state/boxes/layers", r.c.dir);
	assert_int_equal(rmdir(layers), -1);
	runner_rig_finish(&r);
}

/* A stop that was said to one is not forgotten by the next. */
static void
a_stop_is_not_forgotten(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\ntrap '' TERM\necho deaf\nwhile :; do sleep 1; done\n", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "deaf");
	r.takes_nothing = true; /* it may be over before we have seen that it lives */
	runner_rig_stop(&r, 1, 1);
	runner_rig_until_alive(&r, 1);
	runner_rig_again(&r, SIGKILL);
	r.takes_nothing = false;
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	assert_non_null(strstr(r.text, "deaf"));
	runner_rig_until_clean(&r);
	runner_rig_finish(&r);
}

/* What it had said by then is told, and who it was. */
static void
after_the_shim_nothing_goes_on(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho begins\nexec sleep 3600\n", "");
	runner_rig_start(&r, 1, 4);
	until_written(&r, "begins");
	runner_rig_kill(&r, SIGKILL);
	assert_int_equal(runner_rig_kill_shims(&r), 1);
	runner_rig_begin(&r);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_INFRA);
	assert_int_equal(r.done.fence, 4);
	assert_string_equal(r.text,
		"== agent: mine\nbegins\n== the process that watched the box ended: "
		"what came last may be missing\n");
	assert_non_null(strstr(r.cast, "begins"));
	runner_rig_until_clean(&r);
	runner_rig_finish(&r);
}

/* A state that this version does not understand: its shim ends, and the attempt is nobody's. */
static void
another_version_is_ended(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho begins\nexec sleep 3600\n", "");
	auto_free char *file = mem_fmt("%s/state/boxes/run/0.1.1/" SHIM_STATE, r.c.dir);
	auto_buf struct buf data = BUF_INIT(1 << 20);
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "begins");
	runner_rig_kill(&r, SIGTERM);
	assert_int_equal(fs_read(file, &data, NULL), 0);
	data.data[0] ^= 1;
	assert_int_equal(fs_write_whole(file, data.data, data.len, 0600, NULL), 0);
	runner_rig_begin(&r);
	runner_rig_until_clean(&r);
	assert_int_equal(r.n_done, 0);
	runner_rig_finish(&r);
}

static void
half_a_state_is_none(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho begins\nexec sleep 3600\n", "");
	auto_free char *file = mem_fmt("%s/state/boxes/run/0.1.1/" SHIM_STATE, r.c.dir);
	auto_buf struct buf data = BUF_INIT(1 << 20);
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "begins");
	assert_int_equal(fs_read(file, &data, NULL), 0);
	for (size_t len = 0; len < data.len; len += data.len / 3) {
		runner_rig_kill(&r, SIGKILL);
		(void)runner_rig_kill_shims(&r);
		auto_free char *dir = mem_strn(file, strlen(file) - strlen("/" SHIM_STATE));
		assert_int_equal(fs_mkdirs(dir, 0700, NULL), 0);
		assert_int_equal(fs_write_whole(file, data.data, len, 0600, NULL), 0);
		runner_rig_begin(&r);
		runner_rig_until_clean(&r);
	}
	assert_int_equal(r.n_done, 0);
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_every_phase),
		cmocka_unit_test(a_stop_is_not_forgotten),
		cmocka_unit_test(after_the_shim_nothing_goes_on),
		cmocka_unit_test(another_version_is_ended),
		cmocka_unit_test(half_a_state_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
