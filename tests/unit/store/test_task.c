/* SPDX-License-Identifier: Apache-2.0 */
/* test_task - the table of task states has no holes and no dead ends. */
#include "store/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int64_t
next_of(int64_t state, enum task_event ev)
{
	int64_t next = -100;

	return task_state_next(state, ev, &next, NULL) == 0 ? next : -1;
}

static void
the_way_of_a_good_task(void **state)
{
	static const struct {
		enum task_event ev;
		int64_t to;
	} way[] = {
		{ TASK_EV_CLAIMED, TASK_PREPARING },
		{ TASK_EV_PREPARED, TASK_RUNNING },
		{ TASK_EV_HARVESTING, TASK_GATING },
		{ TASK_EV_PUBLISH, TASK_PUBLISHING },
		{ TASK_EV_PUBLISHED_OK, TASK_SUCCEEDED },
	};
	int64_t s = TASK_QUEUED;

	(void)state;
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		s = next_of(s, way[i].ev);
		assert_int_equal(s, way[i].to);
	}
	assert_true(task_state_is_final(s));
}

static void
a_lost_attempt_queues_again_whoever_held_it(void **state)
{
	(void)state;
	for (int s = 0; s < TASK_STATE_COUNT; s++) {
		bool is_runners = TASK_STATES[s].owner == OWNER_RUNNER;
		/* A publication is lost when its node is, with work that nobody else has. */
		bool is_lost = is_runners || s == TASK_PUBLISHING;

		assert_int_equal(next_of(s, TASK_EV_LOST), is_lost ? TASK_QUEUED : -1);
		assert_int_equal(next_of(s, TASK_EV_STOP) == s, is_runners);
	}
}

static void
only_a_queued_task_is_claimed(void **state)
{
	(void)state;
	for (int s = 0; s < TASK_STATE_COUNT; s++)
		assert_int_equal(
			next_of(s, TASK_EV_CLAIMED), s == TASK_QUEUED ? TASK_PREPARING : -1);
}

static void
final_states_take_nothing_but_retry(void **state)
{
	(void)state;
	for (int s = 0; s < TASK_STATE_COUNT; s++) {
		if (!task_state_is_final(s))
			continue;
		assert_int_equal(TASK_STATES[s].owner, OWNER_NOBODY);
		for (int ev = 0; ev < TASK_EV_COUNT; ev++) {
			bool may = ev == TASK_EV_RETRY && s != TASK_SUCCEEDED;

			assert_int_equal(next_of(s, (enum task_event)ev), may ? TASK_QUEUED : -1);
		}
	}
}

static void
every_live_state_has_a_way_out_and_a_way_in(void **state)
{
	(void)state;
	for (int s = 0; s < TASK_STATE_COUNT; s++) {
		int outs = 0, ins = 0;

		for (int ev = 0; ev < TASK_EV_COUNT; ev++) {
			outs += next_of(s, (enum task_event)ev) != -1 ? 1 : 0;
			for (int from = 0; from < TASK_STATE_COUNT; from++)
				ins += from != s && next_of(from, (enum task_event)ev) == s ? 1 : 0;
		}
		assert_true(ins > 0);
		assert_true(outs > 0 || s == TASK_SUCCEEDED);
		assert_non_null(TASK_STATES[s].name);
	}
}

static void
what_a_runner_or_the_queue_holds_has_a_deadline(void **state)
{
	(void)state;
	for (int s = 0; s < TASK_STATE_COUNT; s++) {
		if (TASK_STATES[s].owner == OWNER_RUNNER || s == TASK_PUBLISHING)
			assert_true(TASK_STATES[s].deadline_ms > 0);
	}
}

static void
numbers_from_outside_are_refused(void **state)
{
	struct err e;
	int64_t next = 77;

	(void)state;
	assert_int_equal(task_state_next(-1, TASK_EV_STOP, &next, &e), ERR_INVALID);
	assert_int_equal(task_state_next(TASK_STATE_COUNT, TASK_EV_STOP, &next, &e), ERR_INVALID);
	assert_int_equal(task_state_next(TASK_QUEUED, TASK_EV_LOST, &next, &e), ERR_CONFLICT);
	assert_string_equal(e.text, "a queued task cannot take \"lost\"");
	assert_int_equal(next, 77);
	assert_string_equal(task_state_name(99), "unknown");
	assert_string_equal(task_outcome_name(-3), "unknown");
	assert_false(task_state_is_final(99));
	for (int o = 0; o < OUTCOME_COUNT; o++)
		assert_string_not_equal(task_outcome_name(o), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_of_a_good_task),
		cmocka_unit_test(a_lost_attempt_queues_again_whoever_held_it),
		cmocka_unit_test(only_a_queued_task_is_claimed),
		cmocka_unit_test(final_states_take_nothing_but_retry),
		cmocka_unit_test(every_live_state_has_a_way_out_and_a_way_in),
		cmocka_unit_test(what_a_runner_or_the_queue_holds_has_a_deadline),
		cmocka_unit_test(numbers_from_outside_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
