/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_hold - while an attempt is about to begin, nothing is told to a forge; for a moment
 * only.
 *
 * The queue's waits take their full time here, as the rig's clock goes: a machine that stands still
 * does not use them up.
 */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f)     cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
#define QUIET_MS 1000 /* the longest */

static int
setup(void **state)
{
	int rc = rig_setup(state);
	struct rig *r = *state;

	r->forgets = true; /* only the test says what begins */
	r->config.tasks_per_repo = r->config.boxes;
	queue_hasten(r->q, 1);
	rig_clock_stall(2); /* so that turns, however slow, are far from QUIET_MS */
	return rc;
}

static bool
is_due(struct rig *r)
{
	int64_t ids[1];
	size_t n = 0;

	assert_int_equal(queue_pick(r->q, clock_wall_ms(), ids, 1, &n, NULL), 0);
	return n > 0;
}

static size_t starts_wanted;

static bool
is_held(struct rig *r)
{
	return r->starts > 0 && r->q->n_held == starts_wanted && is_due(r) && r->q->quiet_ms > 0;
}

static bool
has_written(struct rig *r)
{
	return r->log[0] != '\0';
}

static int64_t
quiet_for(struct rig *r, int64_t since_ms)
{
	return loop_now_ms(r->loop) - since_ms;
}

static void
begin(struct rig *r, size_t i)
{
	const struct wire_progress p = {
		.task = r->q->held[i].task, .fence = r->q->held[i].fence, .state = TASK_RUNNING
	};

	r->alive[r->n_alive++] = (struct wire_alive){ .task = p.task, .fence = p.fence };
	assert_int_equal(msg_send(r->peers[ROLE_RUNNER],
				 &(struct msg_out){ .type = WIRE_PROGRESS, .obj = &p }, NULL),
		0);
}

/* An effect is due, that many STARTs were said, and a while has passed. Returns since when. */
static int64_t
until_held(struct rig *r, const char *guid, int64_t number, size_t n)
{
	starts_wanted = n;
	rig_label(r, guid, number);
	rig_until(r, is_held);
	int64_t since_ms = r->q->quiet_ms;
	auto_free char *log = mem_str(r->log);
	rig_run(r, QUIET_MS / 20);
	assert_string_equal(r->log, log);
	assert_true(is_held(r));
	assert_int_equal(r->q->n_flights, 0);
	assert_true(quiet_for(r, since_ms) < QUIET_MS);
	return since_ms;
}

static void
effects_wait_until_the_attempt_has_begun(void **state)
{
	struct rig *r = *state;
	int64_t since_ms = until_held(r, "g1", 3, 1);

	assert_false(has_written(r));
	begin(r, 0);
	rig_until(r, has_written);
	assert_true(quiet_for(r, since_ms) < QUIET_MS);
	assert_true(r->q->held[0].has_begun);
	assert_int_equal(r->q->quiet_ms, 0);
}

static void
effects_do_not_wait_for_ever(void **state)
{
	struct rig *r = *state;
	int64_t since_ms = until_held(r, "g1", 3, 1);

	assert_false(has_written(r));
	rig_until(r, has_written);
	assert_true(quiet_for(r, since_ms) >= QUIET_MS);
	assert_int_equal(r->q->n_held, 1);
	assert_false(r->q->held[0].has_begun);
}

/* Three are about to begin: it is not enough that the first and the last of them do. */
static void
effects_wait_for_all_that_are_about_to_begin(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 1);
	rig_label(r, "g2", 2);
	int64_t since_ms = until_held(r, "g3", 3, 3);
	begin(r, 0);
	begin(r, 2);
	rig_run(r, QUIET_MS / 20);
	assert_true(r->q->held[0].has_begun);
	assert_true(r->q->held[2].has_begun);
	assert_true(is_due(r));
	assert_false(has_written(r));
	begin(r, 1);
	rig_until(r, has_written);
	assert_true(quiet_for(r, since_ms) < QUIET_MS);
}

static void
on_taken(void *ctx, struct msg *m, const struct err *e)
{
	(void)ctx;
	(void)m;
	(void)e;
}

/* It ended before its first box, and is nobody's to wait for. */
static void
an_attempt_that_never_begins_lets_them_go(void **state)
{
	struct rig *r = *state;
	int64_t since_ms = until_held(r, "g1", 3, 1);
	char reason[] = "the repository could not be prepared";
	const struct wire_done d = { .task = r->q->held[0].task,
		.fence = r->q->held[0].fence,
		.outcome = OUTCOME_INFRA,
		.reason = reason };
	const struct wire_logs none = { 0 };
	auto_buf struct buf logs = BUF_INIT(1024);

	assert_false(has_written(r));
	assert_int_equal(row_pack(WIRE_LOGS_ROWS, &none, &logs, NULL), 0);
	(void)msg_call(r->peers[ROLE_RUNNER],
		&(struct msg_out){
			.type = WIRE_DONE, .obj = &d, .blob = logs.data, .blob_len = logs.len },
		0, on_taken, r);
	rig_until(r, has_written);
	assert_true(quiet_for(r, since_ms) < QUIET_MS);
	assert_int_equal(r->q->n_held, 0);
}

static bool
has_two(struct rig *r)
{
	return r->q->n_held == 2;
}

/* What was said may still be on its way. */
static bool
is_at_rest(struct rig *r)
{
	return r->q->quiet_ms == 0 && !is_due(r) && r->q->n_flights == 0;
}

/* One attempt that does not come to its beginning does not make each further start a silence; when
 * all have begun, the next start is let pass as the first one was. */
static void
after_a_silence_there_is_a_rest(void **state)
{
	struct rig *r = *state;

	(void)until_held(r, "g1", 3, 1);
	rig_until(r, has_written);
	int64_t before_ms = r->q->quiet_ms;
	r->label_event++;
	rig_label(r, "g2", 4);
	rig_until(r, has_two);
	assert_false(queue_dispatch_goes_first(r->q));
	assert_int_equal(r->q->quiet_ms, before_ms);
	begin(r, 0);
	begin(r, 1);
	rig_until(r, is_at_rest);
	r->label_event++;
	(void)until_held(r, "g3", 5, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(effects_wait_until_the_attempt_has_begun),
		T(effects_do_not_wait_for_ever),
		T(effects_wait_for_all_that_are_about_to_begin),
		T(an_attempt_that_never_begins_lets_them_go),
		T(after_a_silence_there_is_a_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
