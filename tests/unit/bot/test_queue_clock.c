/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_clock - the clock is set, by a second or by ten years, forwards and backwards, while
 * the queue works and between two of its lives: nothing is late, nothing is early, nothing is old.
 */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)
#define YEAR (365 * DAY)

/* A second is moved by nobody, and need not be. */
static const int64_t STEPS[] = { 1000, -1000, HOUR, -HOUR, 30 * HOUR, -30 * HOUR, 10 * YEAR,
	-10 * YEAR };
#define N_STEPS (sizeof(STEPS) / sizeof(STEPS[0]))

static bool
is_running(struct rig *r)
{
	return rig_state(r) == TASK_RUNNING;
}

static bool
was_swept(struct rig *r)
{
	return r->q->ticks % 60 == 1;
}

static bool
is_about_to_be_swept(struct rig *r)
{
	return r->q->ticks % 60 == 59;
}

/* A deadline is hours away, however the clock stands. */
static void
a_running_task_is_not_late(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE; /* it goes on */
	rig_label(r, "g1", 1);
	rig_until(r, is_running);
	for (size_t i = 0; i < N_STEPS; i++) {
		rig_until(r, is_about_to_be_swept);
		rig_clock_set(STEPS[i]);
		rig_until(r, was_swept);
		assert_int_equal(rig_state(r), TASK_RUNNING);
		assert_int_equal(r->stops, 0);
	}
}

static bool
waits_again(struct rig *r)
{
	return r->fail_times == 0 && r->q->n_flights == 0;
}

/* An effect that the forge refused for the moment is repeated after its pause, not after ten years,
 * by the same queue and by the next. */
static void
an_effect_is_repeated_in_time(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < 2 * N_STEPS; i++) {
		auto_free char *guid = mem_fmt("g%zu", i);

		r->fail_kind = OP_PULL_CREATE;
		r->fail_code = ERR_BUSY;
		r->fail_times = 1;
		r->label_event++;
		rig_label(r, guid, (int64_t)i + 1);
		rig_until(r, waits_again);
		rig_clock_set(STEPS[i % N_STEPS]);
		if (i >= N_STEPS)
			rig_restart(r);
		rig_until(r, rig_is_quiet);
		assert_int_equal(r->n_pulls, i + 1);
		assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	}
}

/* Not thrown away because a clock went ahead; and as ever when after a day it still says so. */
static void
nothing_is_old_before_its_time(void **state)
{
	struct rig *r = *state;
	struct err e = { 0 };
	struct delivery d;

	r->config.keep_deliveries_ms = DAY;
	r->config.keep_transcripts_ms = DAY;
	rig_label(r, "g1", 1);
	rig_until(r, rig_is_quiet);
	rig_clock_set(10 * YEAR);
	rig_restart(r);
	assert_int_equal(queue_care_sweep(r->q, &e), 0);
	assert_int_equal(r->q->db->delivery_get(r->q->store, 1, &d, NULL), 0);
	delivery_finish(&d);
	assert_true(r->q->keep_until_ms - clock_wall_ms() > DAY - HOUR);
	rig_restart(r);
	assert_true(r->q->keep_until_ms - clock_wall_ms() > DAY - HOUR);
	r->q->keep_until_ms = clock_wall_ms();
	assert_int_equal(queue_care_sweep(r->q, &e), 0);
	assert_int_equal(r->q->db->delivery_get(r->q->store, 1, &d, NULL), ERR_MISSING);
}

/* Another boot, whose clock says a time before the last that we knew, or one long after. */
static void
a_new_boot_with_another_clock(void **state)
{
	struct rig *r = *state;
	int64_t now_ms = clock_wall_ms(), at_ms = 0;
	struct err e = { 0 };

	rig_command(r, "g1", 1, 9, "fix");
	rig_until(r, rig_is_quiet);
	struct task t = rig_task(r);
	struct effect f = { .task = t.id,
		.purpose = mem_str("later"),
		.op = mem_str("{}"),
		.lane = mem_str("x"),
		.scope = mem_str("x"),
		.digest = mem_str("x"),
		.not_before_ms = now_ms + YEAR + HOUR };
	assert_int_equal(r->q->db->effect_add(r->q->store, &f, &e), 0);
	auto_free char *later = mem_fmt("0-0 5 %" PRId64 " 0", now_ms + YEAR);
	assert_int_equal(r->q->db->kv_put(r->q->store, "clock", later, &e), 0);
	assert_int_equal(queue_clock_start(r->q, &e), 0);
	assert_int_equal(r->q->keep_until_ms, 0);
	assert_int_equal(r->q->db->effect_next_ms(r->q->store, &at_ms, &e), 0);
	assert_true(at_ms > now_ms && at_ms < now_ms + 2 * HOUR);
	auto_free char *before = mem_fmt("0-0 5 %" PRId64 " 0", now_ms - YEAR);
	assert_int_equal(r->q->db->kv_put(r->q->store, "clock", before, &e), 0);
	assert_int_equal(queue_clock_start(r->q, &e), 0);
	assert_true(r->q->keep_until_ms > now_ms + DAY - HOUR);
	effect_finish(&f);
	task_finish(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_running_task_is_not_late),
		T(an_effect_is_repeated_in_time),
		T(nothing_is_old_before_its_time),
		T(a_new_boot_with_another_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
