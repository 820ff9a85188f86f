/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners that are killed again and again at any moment, and runners, shims and sweepers that are
 * killed at those between an agent's last word and the last trace of its attempt: each attempt is
 * done once, what its boxes said is the same as ever, and nobody is left.
 */
#include "base/clean.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "tests/unit/bot/cast_case.h"
#include "tests/unit/bot/runner_rig.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROUNDS 6
#define KILLS  3
#define SETUP  "== setup: echo sets up\nsets up\n== setup: echo and more\nand more\n"

/* Killed again and again, wherever that finds it. */
static void
at_any_moment(void **state)
{
	struct runner_rig r;
	unsigned seed = 20261122;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho works\necho x >y\n", "");
	strs_add(&r.settings.setup, "echo sets up");
	strs_add(&r.settings.setup, "echo and more");
	r.settings.gate_test = mem_str("echo tests; cat y");
	runner_rig_harvest_file(&r, "y", "x\n");
	for (int64_t task = 1; task <= ROUNDS; task++) {
		int before = r.n_done;

		runner_rig_start(&r, task, 1);
		runner_rig_until_alive(&r, 1);
		for (int i = 0; i < KILLS && r.n_done == before; i++) {
			for (int n = rand_r(&seed) % 20; n > 0 && r.n_done == before; n--)
				role_case_wait(&r.c);
			runner_rig_again(&r, SIGKILL);
		}
		while (r.n_done == before)
			runner_rig_until_done(&r);
		assert_int_equal(r.done.task, task);
		assert_string_equal(r.done.reason, "the tests passed");
		assert_int_equal(r.done.fence, 1);
		assert_string_equal(r.text, SETUP "== agent: mine\nworks\n" SETUP
						  "== tests: echo tests; cat y\ntests\nx\n");
		runner_rig_until_alive(&r, 0);
	}
	runner_rig_finish(&r);
}

/* ---- at the end ---- */

#define OF_AGENT "== agent: mine\nworks\n"
#define OF_TESTS "== tests: echo tests; cat y\ntests\nx\n"

#define ENDED "== the process that watched the box ended: what came last may be missing\n"

static bool
packs(const struct runner_rig *r, int64_t task)
{
	auto_free char *told = mem_fmt("%" PRId64 " harvest", task);

	return runner_rig_was_told(r, told);
}

static bool
has_packed(const struct runner_rig *r, int64_t task)
{
	auto_free char *dir = runner_rig_dir(r, 0, task, 1);
	auto_free char *bundle = mem_fmt("%s/bundle", dir);
	struct stat st;

	return stat(bundle, &st) == 0 && st.st_size > 0;
}

static bool
has_asked(const struct runner_rig *r, int64_t task)
{
	(void)task;
	return r->n_muted > 0;
}

static bool
has_told(const struct runner_rig *r, int64_t task)
{
	return r->n_done > 0 && r->done.task == task;
}

/* Where it is found, and who does not answer meanwhile, so that it stays there. */
struct moment {
	const char *name;
	bool (*is_there)(const struct runner_rig *r, int64_t task);
	uint16_t mute;
	bool is_decided;  /* how it ended, so that nobody's death changes it */
	const char *said; /* by then, of which a killed shim takes nothing with it */
};

static const struct moment MOMENTS[] = {
	{ "its changes are packed", packs, WIRE_HARVEST, false, OF_AGENT ENDED },
	{ "they are", has_packed, WIRE_HARVEST, false, OF_AGENT ENDED },
	{ "the courier has them", has_asked, WIRE_HARVEST, false, OF_AGENT ENDED },
	{ "the gateway is asked for the account", has_asked, WIRE_BOX_CLOSE, true,
		OF_AGENT OF_TESTS ENDED },
	{ "it is told", has_told, WIRE_DONE, true, OF_AGENT OF_TESTS },
};

static void
until_moment(struct runner_rig *r, const struct moment *m, int64_t task)
{
	bool found = false;

	r->n_muted = 0;
	r->mute = m->mute;
	r->takes_nothing = m->mute == WIRE_DONE;
	runner_rig_start(r, task, 1);
	for (int i = 0; i < 12000 && !found; i++) {
		role_case_wait(&r->c);
		found = m->is_there(r, task);
	}
	if (!found)
		fail_msg("never: %s", m->name);
	r->mute = 0;
	r->takes_nothing = false;
}

/* A shim that removes what is left is nowhere at its door any more. */
static void
kill_shim(const struct runner_rig *r, int64_t task)
{
	auto_free char *dir = runner_rig_dir(r, 0, task, 1);
	pid_t pid = runner_rig_find(dir, SHIM_NAME, 0);

	if (pid > 0)
		assert_int_equal(kill(pid, SIGKILL), 0);
}

/* Peers that did not answer are asked again by who lives on. */
static void
kill_there(struct runner_rig *r, int64_t task, bool is_runner, bool is_shim)
{
	if (is_runner)
		runner_rig_kill(r, SIGKILL);
	if (is_shim)
		kill_shim(r, task);
	if (is_runner) {
		runner_rig_begin(r);
		return;
	}
	runner_rig_new_gateway(r);
	runner_rig_new_queue(r);
}

/* The recording shows the same, but for what a terminal makes of it. */
static void
assert_text(const struct runner_rig *r, const char *text)
{
	auto_free char *played = cast_case_play(r->cast);

	assert_string_equal(r->text, text);
	assert_int_equal(strstr(played, "== the process") != NULL, strstr(text, ENDED) != NULL);
}

static void
at_the_end(void **state)
{
	struct runner_rig r;
	int64_t task = 0;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho works\necho x >y\n", "");
	r.settings.gate_test = mem_str("echo tests; cat y");
	runner_rig_harvest_file(&r, "y", "x\n");
	for (size_t i = 0; i < 3 * sizeof(MOMENTS) / sizeof(MOMENTS[0]); i++) {
		const struct moment *m = &MOMENTS[i / 3];
		bool is_runner = i % 3 != 1, is_shim = i % 3 != 0;
		bool is_whole = m->is_decided || !is_shim;

		until_moment(&r, m, ++task);
		kill_there(&r, task, is_runner, is_shim);
		runner_rig_until_done(&r);
		assert_int_equal(r.done.task, task);
		assert_int_equal(r.done.fence, 1);
		assert_string_equal(r.done.reason,
			is_whole ? "the tests passed" : "the process that watched the box ended");
		assert_int_equal(r.done.outcome, is_whole ? OUTCOME_GREEN : OUTCOME_INFRA);
		assert_text(&r, is_shim ? m->said : OF_AGENT OF_TESTS);
		runner_rig_until_clean(&r);
	}
	runner_rig_until_free(&r, 2);
	runner_rig_finish(&r);
}

/* ---- who cleans up ---- */

#define SWEEPERS 3

static pid_t
until_sweeper(struct runner_rig *r, const char *dir, pid_t but)
{
	pid_t pid = 0;

	for (int i = 0; i < 12000 && pid == 0; i++) {
		role_case_wait(&r->c);
		pid = runner_rig_find(dir, SHIM_SWEEP, but);
	}
	assert_true(pid > 0);
	return pid;
}

/* However many are killed, nobody gets the slot before one has seen to the end of the box; and
 * those of two runners do not disturb each other. */
static void
who_cleans_up(void **state)
{
	struct runner_rig r;
	pid_t pid = 0;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho works\nexec sleep 3600\n", "");
	auto_free char *dir = runner_rig_dir(&r, 0, 1, 1);
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "works");
	r.takes_nothing = true;
	kill_shim(&r, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_INFRA);
	auto_fd int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	r.takes_nothing = false;
	runner_rig_new_queue(&r);
	runner_rig_until_done(&r);
	for (int i = 0; i < SWEEPERS; i++) {
		pid = until_sweeper(&r, dir, pid);
		assert_int_equal(kill(pid, SIGKILL), 0);
	}
	pid = until_sweeper(&r, dir, pid);
	runner_rig_until_alive(&r, 0);
	assert_int_equal(r.claim.free_slots, 1);
	runner_rig_again(&r, SIGKILL);
	(void)until_sweeper(&r, dir, pid);
	assert_int_equal(kill(pid, 0), 0); /* the other one waits, too */
	assert_int_equal(flock(lock, LOCK_UN), 0);
	runner_rig_until_clean(&r);
	runner_rig_until_free(&r, 2);
	assert_int_equal(r.n_done, 2);
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_any_moment),
		cmocka_unit_test(at_the_end),
		cmocka_unit_test(who_cleans_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
