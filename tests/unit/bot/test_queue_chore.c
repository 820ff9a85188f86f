/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_chore - each nominal time of a chore is a task at most once, and what was missed is
 * made up for once, however the clock is set and however often the queue begins anew.
 */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, chore_setup, chore_teardown)
#define HOUR INT64_C(3600000)
#define YEAR (365 * 24 * HOUR)

static struct config_chore chore;

static bool
is_known(struct rig *r)
{
	return r->q->chores != NULL;
}

static int
chore_setup(void **state)
{
	if (rig_setup(state) < 0)
		return -1;

	struct rig *r = *state;
	chore = (struct config_chore){
		.name = mem_str("deps"),
		.schedule = mem_str("@hourly"),
		.zone = mem_str("UTC"),
		.prompt = mem_str("Renew\nwhat is old"),
	};
	strs_add(&chore.repos, "acme/*");
	strs_add(&r->forge_conf.repos, "acme/widget");
	/* Half past: far from what is due. */
	rig_clock_set(HOUR + HOUR / 2 - clock_wall_ms() % HOUR);
	r->config.chores = (struct row_list){ &chore, 1 };
	rig_restart(r);
	rig_until(r, is_known);
	assert_int_equal(rig_state(r), -1);
	return 0;
}

static int
chore_teardown(void **state)
{
	free(chore.name);
	free(chore.schedule);
	free(chore.zone);
	free(chore.prompt);
	strs_finish(&chore.repos);
	return rig_teardown(state);
}

static int64_t wanted;

static bool
has_wanted(struct rig *r)
{
	if (rig_state(r) < 0)
		return wanted == 0;

	struct task t = rig_task(r);
	bool holds = t.id == wanted && rig_is_quiet(r);
	task_finish(&t);
	return holds;
}

/* The clock goes by that much, and there are so many tasks in all, no more. */
static void
expect(struct rig *r, int64_t by_ms, int64_t tasks)
{
	wanted = tasks;
	rig_clock_set(by_ms);
	rig_until(r, has_wanted);
	rig_run(r, 200);
	assert_true(has_wanted(r));
}

static void
what_was_missed_is_made_up_for_once(void **state)
{
	struct rig *r = *state;

	expect(r, 5 * HOUR, 1);

	struct task t = rig_task(r);
	assert_int_equal(t.verb, VERB_CHORE);
	assert_int_equal(t.number, 0);
	assert_string_equal(t.actor, "deps");
	assert_string_equal(t.title, "Renew");
	assert_int_equal(t.state, TASK_SUCCEEDED);
	task_finish(&t);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->n_comments, 0);
	assert_int_equal(rig_count(r, "+agent:running"), 0);
}

static void
an_open_pull_request_is_added_to(void **state)
{
	struct rig *r = *state;

	expect(r, 2 * HOUR, 1);
	expect(r, 2 * HOUR, 2);

	struct task t = rig_task(r);
	assert_true(t.is_pull);
	assert_int_equal(t.number, 900);
	task_finish(&t);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->pushes, 2);
	assert_int_equal(r->n_comments, 1);
	r->pull_is_closed = true;
	expect(r, 2 * HOUR, 3);
	assert_int_equal(r->n_pulls, 2);
}

static void
nothing_is_said_when_nothing_changed(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_EMPTY;
	expect(r, 2 * HOUR, 1);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	r->outcome = OUTCOME_RED;
	expect(r, 2 * HOUR, 2);
	assert_int_equal(rig_state(r), TASK_FAILED);
	assert_int_equal(r->n_pulls, 0);
	assert_int_equal(r->n_comments, 0);
	assert_int_equal(r->pushes, 0);
	assert_string_equal(r->log, "");
}

static void
a_clock_that_is_set_back_repeats_nothing(void **state)
{
	struct rig *r = *state;

	expect(r, 2 * HOUR, 1);
	expect(r, -2 * HOUR, 1);
	expect(r, 2 * HOUR, 1);
	expect(r, 2 * HOUR, 2);
}

static void
a_clock_that_was_ahead_drops_nothing(void **state)
{
	struct rig *r = *state;

	expect(r, 10 * YEAR, 1);
	expect(r, -10 * YEAR, 1);
	expect(r, 2 * HOUR, 1); /* the time that was made up for */
	expect(r, 2 * HOUR, 2);
	expect(r, 2 * HOUR, 3);
}

static void
a_restart_changes_nothing(void **state)
{
	struct rig *r = *state;

	rig_restart(r);
	rig_until(r, is_known);
	expect(r, 2 * HOUR, 1);
	rig_restart(r);
	rig_until(r, is_known);
	expect(r, 0, 1);
	expect(r, 2 * HOUR, 2);
}

static bool
is_running(struct rig *r)
{
	return rig_state(r) == TASK_RUNNING;
}

static void
there_are_never_two_of_a_chore(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE; /* it goes on */
	rig_clock_set(2 * HOUR);
	rig_until(r, is_running);
	rig_clock_set(2 * HOUR);
	rig_run(r, 200);

	struct task t = rig_task(r);
	assert_int_equal(t.id, 1);
	task_finish(&t);
}

static bool
has_pushed_in_vain(struct rig *r)
{
	return r->pushes > 0;
}

/* Its order is the configuration, asked again before the push. */
static void
who_is_taken_out_hands_over_nothing(void **state)
{
	struct rig *r = *state;

	r->push_code = ERR_BUSY;
	rig_clock_set(2 * HOUR);
	rig_until(r, has_pushed_in_vain);
	r->config.chores.n = 0;
	r->push_code = 0;
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->n_pulls, 0);
	assert_int_equal(rig_state(r), TASK_WAITING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_was_missed_is_made_up_for_once),
		T(an_open_pull_request_is_added_to),
		T(nothing_is_said_when_nothing_changed),
		T(a_clock_that_is_set_back_repeats_nothing),
		T(a_clock_that_was_ahead_drops_nothing),
		T(a_restart_changes_nothing),
		T(there_are_never_two_of_a_chore),
		T(who_is_taken_out_hands_over_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
