/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_faults - somebody dies, and still there is one pull request and one comment. */
#include "queue_rig.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static bool
is_working(struct rig *r)
{
	return rig_state(r) == TASK_RUNNING;
}

static bool
is_with_runner(struct rig *r)
{
	return rig_state(r) == TASK_PREPARING;
}

static bool
is_ended(struct rig *r)
{
	return rig_delivery_state(r, 1) > DELIVERY_NEW;
}

static bool
is_stored(struct rig *r)
{
	return r->stored == 1;
}

static void
assert_one_of_each(const struct rig *r)
{
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->n_comments, 1);
}

static int64_t awaited; /* a delivery */

static bool
has_led_to_a_task(struct rig *r)
{
	return rig_delivery_state(r, awaited) == DELIVERY_HANDLED;
}

/* The next issue gets its label, and that is done with. */
static void
until_label_is_over(struct rig *r, size_t i)
{
	auto_free char *guid = mem_fmt("g%zu", i);

	r->label_event++;
	rig_label(r, guid, (int64_t)i + 1);
	awaited = (int64_t)i + 1;
	rig_until(r, has_led_to_a_task);
	rig_until(r, rig_is_quiet);
}

/* ---- the courier ---- */

static void
a_courier_that_dies_after_each_kind_of_write(void **state)
{
	static const int64_t kinds[] = { OP_COMMENT_CREATE, OP_COMMENT_EDIT, OP_PULL_CREATE,
		OP_STATUS_CREATE, OP_LABEL_ADD, OP_LABEL_REMOVE, OP_REACT };
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		r->die_after_kind = kinds[i];
		until_label_is_over(r, i);
		assert_int_equal(rig_state(r), TASK_SUCCEEDED);
		assert_int_equal(r->n_pulls, i + 1);
		assert_int_equal(r->n_comments, i + 1);
	}
	assert_int_equal(rig_count(r, "died"), 7);
}

static void
a_write_that_fails_for_a_while_is_repeated(void **state)
{
	static const int64_t codes[] = { ERR_BUSY, ERR_TIMEOUT, ERR_PROTOCOL, ERR_SYSTEM };
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		r->fail_kind = OP_PULL_CREATE;
		r->fail_code = codes[i];
		r->fail_times = 2;
		until_label_is_over(r, i);
		assert_int_equal(r->n_pulls, i + 1);
		assert_int_equal(r->fail_times, 0);
	}
}

static void
a_label_that_was_late_does_not_stay(void **state)
{
	struct rig *r = *state;

	r->fail_kind = OP_LABEL_ADD;
	r->fail_code = ERR_TIMEOUT;
	r->fail_times = 4;
	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	const char *on = strstr(r->log, "+agent:running"), *off = strstr(r->log, "-agent:running");
	assert_non_null(on);
	assert_non_null(off);
	assert_true(on < off);
	assert_int_equal(r->fail_times, 0);
}

static void
a_pull_request_that_the_forge_refuses_needs_a_human(void **state)
{
	struct rig *r = *state;

	r->fail_kind = OP_PULL_CREATE;
	r->fail_code = ERR_INVALID;
	r->fail_times = 99;
	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_WAITING);
	assert_int_equal(r->fail_times, 98);
	assert_int_equal(rig_count(r, "+agent:needs-human"), 1);
}

static void
a_push_over_somebody_elses_commits_needs_a_human(void **state)
{
	struct rig *r = *state;

	r->push_code = ERR_CONFLICT;
	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->pushes, 1);
	assert_int_equal(rig_state(r), TASK_WAITING);
	assert_int_equal(r->n_pulls, 0);
}

static void
a_comment_that_a_person_deleted_stays_deleted(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE;
	rig_label(r, "g1", 3);
	rig_until(r, is_working);
	rig_run(r, 50);
	r->fail_kind = OP_COMMENT_EDIT;
	r->fail_code = ERR_MISSING;
	r->fail_times = 99;
	rig_command(r, "g2", 3, 41, "stop");
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->n_comments, 1);
	assert_int_equal(r->fail_times, 98);
}

/* ---- the queue ---- */

static void
a_queue_that_ends_at_any_moment_goes_on_where_it_was(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	/* Each turn of 2 ms is cut by a restart: all named states are met on the way. */
	for (int i = 0; i < 200 && (i < 5 || !rig_is_quiet(r)); i++) {
		rig_run(r, 1 + i % 7);
		rig_restart(r);
	}
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	assert_one_of_each(r);
}

static void
a_stored_delivery_is_handled_after_a_restart(void **state)
{
	struct rig *r = *state;

	rig_disconnect(r, ROLE_DECODER);
	rig_run(r, 10);
	rig_label(r, "g1", 3);
	rig_until(r, is_stored);
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_NEW);
	rig_restart(r);
	rig_until(r, rig_is_quiet);
	assert_one_of_each(r);
}

static void
an_effect_that_was_under_way_is_looked_for_first(void **state)
{
	struct rig *r = *state;

	/* The courier does it, and the queue ends before it hears of it. */
	r->die_after_kind = OP_PULL_CREATE;
	rig_label(r, "g1", 3);
	while (rig_count(r, "died") == 0)
		rig_run(r, 1);
	rig_restart(r);
	rig_until(r, rig_is_quiet);
	assert_one_of_each(r);
}

/* ---- the runner ---- */

static void
an_attempt_whose_runner_is_silent_is_lost_and_repeated(void **state)
{
	struct rig *r = *state;

	r->forgets = true;
	rig_label(r, "g1", 3);
	rig_until(r, is_with_runner);
	r->is_silent = true;
	rig_run(r, 400); /* a lease is 300 ms */
	assert_int_equal(rig_state(r), TASK_QUEUED);
	r->is_silent = false;
	r->forgets = false;
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);

	struct task t = rig_task(r);
	assert_int_equal(t.attempt, 2);
	assert_int_equal(t.fence, 2);
	task_finish(&t);
	assert_one_of_each(r);
}

static bool
is_seen_alive(struct rig *r)
{
	return r->n_alive == 1 && rig_state(r) == TASK_RUNNING;
}

static bool
is_begun_twice(struct rig *r)
{
	return r->starts >= 2;
}

/* The lease of this one would have gone on: nobody waits for it. */
static void
an_attempt_that_its_runner_has_no_more_is_repeated_at_once(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE;
	rig_label(r, "g1", 3);
	rig_until(r, is_seen_alive);
	rig_run(r, 60); /* some CLAIMs that list it */
	r->n_alive = 0;
	r->outcome = OUTCOME_GREEN;
	rig_until(r, is_begun_twice);
	rig_until(r, rig_is_quiet);

	struct task t = rig_task(r);
	assert_int_equal(t.state, TASK_SUCCEEDED);
	assert_int_equal(t.attempt, 2);
	task_finish(&t);
	assert_one_of_each(r);
}

static void
start_is_said_again_until_the_runner_has_it(void **state)
{
	struct rig *r = *state;

	r->forgets = true;
	rig_label(r, "g1", 3);
	rig_until(r, is_begun_twice);
	r->forgets = false;
	rig_until(r, rig_is_quiet);

	struct task t = rig_task(r);
	assert_int_equal(t.attempt, 1);
	task_finish(&t);
}

static void
a_task_that_always_gets_lost_is_put_aside(void **state)
{
	struct rig *r = *state;
	struct row_list list = { 0 };

	r->outcome = OUTCOME_INFRA;
	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_QUARANTINED);
	assert_int_equal(r->starts, 3);
	assert_int_equal(r->n_comments, 1);
	assert_non_null(strstr(r->comments[0].body, "given up after 3 attempts"));
	assert_int_equal(rig_count(r, "+agent:failed"), 1);
	assert_int_equal(r->q->db->attempt_list(r->q->store, 1, &list, NULL), 0);
	assert_int_equal(list.n, 3);
	for (size_t i = 0; i < list.n; i++)
		attempt_finish((struct attempt *)list.v + i);
	free(list.v);
}

static bool
has_begun_nine_times(struct rig *r)
{
	return r->starts == 9;
}

/* An outage is nobody's strike: what was asked for in the evening is done in the morning. */
static void
a_forge_that_is_away_for_hours_is_waited_for(void **state)
{
	struct rig *r = *state;

	rig_clock_hasten(10);
	r->outcome = OUTCOME_AWAY;
	rig_label(r, "g1", 3);
	rig_until(r, has_begun_nine_times);
	r->outcome = OUTCOME_GREEN;
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(rig_count(r, "+agent:failed"), 0);
}

static bool
has_begun_four_times(struct rig *r)
{
	return r->starts >= 4;
}

static bool
nobody_works(struct rig *r)
{
	return rig_state(r) == TASK_QUEUED && r->n_alive == 0;
}

/* Once more in vain, without the wait. Returns how often it was by now. */
static int64_t
be_away(struct rig *r)
{
	const struct task_claim c = { .now_ms = INT64_MAX / 2, .lane_max = 1, .running_max = 1 };
	struct attempt end = { .task = 1, .ended_ms = 1, .outcome = OUTCOME_AWAY };
	struct task t = { 0 };

	/* The queue's own transaction may be open already. */
	assert_int_equal(queue_begin(r->q), 0);
	assert_int_equal(r->q->db->task_claim(r->q->store, &c, &t, NULL), 0);
	end.number = t.attempt;
	assert_int_equal(r->q->db->attempt_end(r->q->store, &end, NULL), 0);
	t.state = TASK_QUEUED;
	assert_int_equal(r->q->db->task_save(r->q->store, &t, NULL), 0);
	task_finish(&t);
	return end.number;
}

static void
a_forge_that_is_away_for_days_is_not(void **state)
{
	struct rig *r = *state;

	rig_clock_hasten(10);
	r->outcome = OUTCOME_AWAY;
	rig_label(r, "g1", 3);
	rig_until(r, is_begun_twice);
	/* A clock that is set ahead makes no day of minutes. */
	rig_clock_set(25 * 3600 * INT64_C(1000));
	rig_until(r, has_begun_four_times);
	assert_int_not_equal(rig_state(r), TASK_QUARANTINED);
	r->slots = 0;
	rig_until(r, nobody_works);
	while (be_away(r) < 146)
		continue;
	r->slots = 1;
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_QUARANTINED);
	assert_non_null(strstr(r->comments[0].body, "given up after 147 attempts"));
}

static void
words_with_an_old_fence_are_not_believed(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE;
	rig_label(r, "g1", 3);
	rig_until(r, is_working);
	char sha[] = "bad", tail[] = "from the past";
	const struct wire_done d = {
		.task = 1, .fence = 0, .outcome = OUTCOME_GREEN, .head_sha = sha, .tail = tail
	};
	const struct wire_progress p = {
		.task = 1, .fence = 7, .state = TASK_GATING, .tail = tail
	};

	(void)msg_send(
		r->peers[ROLE_RUNNER], &(struct msg_out){ .type = WIRE_DONE, .obj = &d }, NULL);
	(void)msg_send(
		r->peers[ROLE_RUNNER], &(struct msg_out){ .type = WIRE_PROGRESS, .obj = &p }, NULL);
	rig_run(r, 50);
	assert_int_equal(rig_state(r), TASK_RUNNING);
	struct task t = rig_task(r);
	assert_string_equal(t.tail, "last words");
	assert_null(t.head_sha);
	task_finish(&t);
}

static void
an_attempt_that_nobody_knows_is_stopped(void **state)
{
	struct rig *r = *state;

	r->alive[0] = (struct wire_alive){ .task = 4711, .fence = 3 };
	r->n_alive = 1;
	rig_run(r, 50);
	assert_int_equal(r->stops, 1);
	assert_int_equal(r->n_alive, 0);
	rig_run(r, 50);
	assert_int_equal(r->taken, 1);
}

/* ---- the decoder ---- */

static void
three_strikes_and_a_delivery_is_put_aside(void **state)
{
	struct rig *r = *state;

	r->decoder_dies = true;
	rig_label(r, "poison", 3);
	rig_until(r, is_ended);
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_QUARANTINED);
	assert_int_equal(r->decodes, LIMIT_DELIVERY_STRIKES);
	r->decoder_dies = false;
	rig_label(r, "good", 4);
	rig_until(r, rig_is_quiet);
	assert_one_of_each(r);
	assert_int_equal(r->cuts, 0);
}

static void
a_decoder_that_is_away_is_nobodys_strike(void **state)
{
	struct rig *r = *state;

	rig_disconnect(r, ROLE_DECODER);
	rig_run(r, 10);
	rig_label(r, "g1", 3);
	rig_until(r, is_stored);
	rig_run(r, 50);
	assert_int_equal(r->decodes, 0);
	rig_reconnect(r, ROLE_DECODER);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->decodes, 1);

	struct delivery d;
	assert_int_equal(r->q->db->delivery_get(r->q->store, 1, &d, NULL), 0);
	assert_int_equal(d.strikes, 0);
	delivery_finish(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_courier_that_dies_after_each_kind_of_write),
		T(a_write_that_fails_for_a_while_is_repeated),
		T(a_label_that_was_late_does_not_stay),
		T(a_pull_request_that_the_forge_refuses_needs_a_human),
		T(a_push_over_somebody_elses_commits_needs_a_human),
		T(a_comment_that_a_person_deleted_stays_deleted),
		T(a_queue_that_ends_at_any_moment_goes_on_where_it_was),
		T(a_stored_delivery_is_handled_after_a_restart),
		T(an_effect_that_was_under_way_is_looked_for_first),
		T(an_attempt_whose_runner_is_silent_is_lost_and_repeated),
		T(an_attempt_that_its_runner_has_no_more_is_repeated_at_once),
		T(start_is_said_again_until_the_runner_has_it),
		T(a_task_that_always_gets_lost_is_put_aside),
		T(a_forge_that_is_away_for_hours_is_waited_for),
		T(a_forge_that_is_away_for_days_is_not),
		T(words_with_an_old_fence_are_not_believed),
		T(an_attempt_that_nobody_knows_is_stopped),
		T(three_strikes_and_a_delivery_is_put_aside),
		T(a_decoder_that_is_away_is_nobodys_strike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
