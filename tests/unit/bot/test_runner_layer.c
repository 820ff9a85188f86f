/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the setup layer: of many who want the same at once one makes it, and whoever must
 * not write it does not.
 *
 * A setup waits for a file in a directory that all boxes see, so what happens meanwhile happens
 * because we waited for it, not because it was quick.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/bot/runner_rig.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define AGENT "#!/bin/sh\necho agent sees $(cat made)\n"

static void
start(struct runner_rig *r, const char *setup, const char *more)
{
	auto_free char *yaml = mem_fmt("boxes: 6\n%s", more);

	runner_rig_init(r, AGENT, yaml);
	strs_addf(&r->settings.setup, "until test -e %s/tools/go; do sleep 0.05; done; %s",
		r->c.dir, setup);
	strs_add(&r->settings.setup_key, "README");
}

static void
let_go(const struct runner_rig *r)
{
	auto_free char *path = mem_fmt("%s/tools/go", r->c.dir);

	assert_int_equal(fs_write_atomic(path, "", 0, 0644, NULL), 0);
}

/* Until so many attempts have ended. */
static void
until(struct runner_rig *r, int n)
{
	while (r->n_done < n)
		runner_rig_until_done(r);
}

static int
setups(const struct runner_rig *r)
{
	int n = 0;

	for (size_t i = 0; i < r->steps.n; i++)
		n += str_starts(r->steps.v[i], "setup ");
	return n;
}

static bool
was_told(const struct runner_rig *r, int task, const char *what)
{
	auto_free char *text = mem_fmt("%d %s", task, what);

	return runner_rig_was_told(r, text);
}

static void
of_many_one_makes_it(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	for (int64_t task = 1; task <= 5; task++)
		runner_rig_start(&r, task, 1);
	runner_rig_until_alive(&r, 5);
	for (int task = 2; task <= 5; task++) {
		auto_free char *prepared = mem_fmt("%d prepare 0", task);

		runner_rig_until_told(&r, prepared);
	}
	let_go(&r);
	until(&r, 5);
	assert_int_equal(setups(&r), 1);
	assert_non_null(strstr(r.text, "agent sees set up\n"));
	for (int task = 1; task <= 5; task++)
		assert_true(was_told(&r, task, "agent 0"));
	runner_rig_finish(&r);
}

/* The one that all wait for is stopped: the next one makes it, and that is enough. */
static void
the_next_one_takes_over(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 setup");
	for (int64_t task = 2; task <= 4; task++)
		runner_rig_start(&r, task, 1);
	runner_rig_until_told(&r, "2 prepare 0");
	runner_rig_until_told(&r, "3 prepare 0");
	runner_rig_until_told(&r, "4 prepare 0");
	for (int task = 2; task <= 4; task++)
		assert_false(was_told(&r, task, "setup"));
	runner_rig_stop(&r, 1, 1);
	until(&r, 1);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	let_go(&r);
	until(&r, 4);
	assert_int_equal(setups(&r), 2); /* one of them stopped */
	for (int task = 2; task <= 4; task++)
		assert_true(was_told(&r, task, "agent 0"));
	runner_rig_finish(&r);
}

/* One fails for each: nobody waits for what never comes. */
static void
a_failing_setup_fails_for_all(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "exit 3", "");
	for (int64_t task = 1; task <= 3; task++)
		runner_rig_start(&r, task, 1);
	runner_rig_until_alive(&r, 3);
	let_go(&r);
	until(&r, 3);
	assert_int_equal(setups(&r), 3);
	assert_int_equal(r.done.outcome, OUTCOME_SETUP);
	runner_rig_finish(&r);
}

static void
nobody_waits_for_ever(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "limits: { setup: 2s }\n");
	/* As if it were slow: the wait is over, and the setup's own time is, too. */
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 setup");
	runner_rig_start(&r, 2, 1);
	runner_rig_until_told(&r, "2 setup");
	let_go(&r);
	until(&r, 2);
	runner_rig_finish(&r);
}

static void
who_waits_can_be_stopped(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 setup");
	runner_rig_start(&r, 2, 1);
	runner_rig_until_told(&r, "2 prepare 0");
	runner_rig_stop(&r, 2, 1);
	until(&r, 1);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	let_go(&r);
	until(&r, 2);
	assert_int_equal(setups(&r), 1);
	/* And the role can end while somebody waits. */
	runner_rig_finish(&r);
}

/* A pull request's branch has its own say in what a setup does: it uses what the default branch
 * made, and what its own setup writes is gone with it. */
static void
other_branches_use_and_do_not_write(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	let_go(&r);
	for (int64_t task = 1; task <= 2; task++) {
		r.pull_ref = "feature";
		runner_rig_start(&r, task, 1);
		until(&r, (int)task);
		assert_int_equal(setups(&r), (int)task);
	}
	r.pull_ref = NULL;
	runner_rig_start(&r, 3, 1);
	until(&r, 3);
	assert_int_equal(setups(&r), 3);
	r.pull_ref = "feature";
	runner_rig_start(&r, 4, 1);
	until(&r, 4);
	assert_int_equal(setups(&r), 3);
	assert_non_null(strstr(r.text, "agent sees set up\n"));
	runner_rig_finish(&r);
}

static void
other_branches_wait_as_well(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 setup");
	r.pull_ref = "feature";
	runner_rig_start(&r, 2, 1);
	runner_rig_until_told(&r, "2 prepare 0");
	let_go(&r);
	until(&r, 2);
	assert_int_equal(setups(&r), 1);
	runner_rig_finish(&r);
}

static void
what_is_too_large_is_not_kept(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "head -c 3000000 /dev/urandom >large; echo set up >made",
		"caches: { layers: 1MiB }\n");
	let_go(&r);
	for (int64_t task = 1; task <= 2; task++) {
		runner_rig_start(&r, task, 1);
		until(&r, (int)task);
		assert_int_equal(setups(&r), (int)task);
		assert_non_null(strstr(r.text, "agent sees set up\n"));
	}
	runner_rig_finish(&r);
}

/* Names in the store: whole ones, or what is being made and removed. */
static int
count(const struct runner_rig *r, bool is_whole)
{
	auto_free char *path = mem_fmt("%s/state/boxes/layers", r->c.dir);
	auto_dir DIR *d = opendir(path);
	const struct dirent *de;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.' && is_whole == (strlen(de->d_name) == 64);
	return n;
}

/* The runner dies while one makes it and others wait: the shim works on, the next runner knows
 * whose work it is, and who waited waits again. */
static void
a_dead_runner_costs_no_setup(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 setup");
	for (int64_t task = 2; task <= 3; task++)
		runner_rig_start(&r, task, 1);
	runner_rig_until_told(&r, "2 prepare 0");
	runner_rig_until_told(&r, "3 prepare 0");
	runner_rig_again(&r, SIGKILL);
	runner_rig_until_alive(&r, 3);
	assert_int_equal(count(&r, true), 0);
	assert_int_equal(count(&r, false), 1);
	let_go(&r);
	until(&r, 3);
	assert_int_equal(setups(&r), 1);
	assert_int_equal(count(&r, true), 1);
	assert_int_equal(count(&r, false), 0);
	for (int task = 1; task <= 3; task++)
		assert_true(was_told(&r, task, "agent 0"));
	runner_rig_finish(&r);
}

/* All of us die: what was being made is found by nobody, and soon it is gone. */
static void
a_half_made_one_is_never_found(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 setup");
	assert_int_equal(count(&r, false), 1);
	runner_rig_kill(&r, SIGKILL);
	assert_true(runner_rig_kill_shims(&r) > 0);
	assert_int_equal(count(&r, false), 1);
	runner_rig_begin(&r);
	until(&r, 1);
	assert_int_equal(r.done.outcome, OUTCOME_INFRA);
	let_go(&r);
	runner_rig_start(&r, 2, 1);
	until(&r, 2);
	assert_true(was_told(&r, 2, "setup 0"));
	assert_int_equal(count(&r, true), 1);
	for (int i = 0; i < 12000 && count(&r, false) > 0; i++)
		role_case_wait(&r.c);
	assert_int_equal(count(&r, false), 0);
	runner_rig_finish(&r);
}

/* A frozen checkout does not change, so what is in its lock files is asked once. Here it does: that
 * is how it can be seen. */
static void
lock_files_are_read_once_for_a_commit(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, "echo set up >made", "");
	let_go(&r);
	runner_rig_start(&r, 1, 1);
	until(&r, 1);
	auto_free char *file = mem_fmt("%s/README", r.checkout);
	assert_int_equal(fs_write_atomic(file, "other\n", 6, 0644, NULL), 0);
	runner_rig_start(&r, 2, 1);
	until(&r, 2);
	assert_int_equal(setups(&r), 1);
	/* Another commit is another question. */
	auto_free char *elsewhere = mem_fmt("%s.2", r.checkout);
	assert_int_equal(rename(r.checkout, elsewhere), 0);
	mem_set(&r.checkout, elsewhere);
	runner_rig_start(&r, 3, 1);
	until(&r, 3);
	assert_int_equal(setups(&r), 2);
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_many_one_makes_it),
		cmocka_unit_test(the_next_one_takes_over),
		cmocka_unit_test(a_failing_setup_fails_for_all),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(who_waits_can_be_stopped),
		cmocka_unit_test(other_branches_use_and_do_not_write),
		cmocka_unit_test(other_branches_wait_as_well),
		cmocka_unit_test(what_is_too_large_is_not_kept),
		cmocka_unit_test(a_dead_runner_costs_no_setup),
		cmocka_unit_test(a_half_made_one_is_never_found),
		cmocka_unit_test(lock_files_are_read_once_for_a_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
