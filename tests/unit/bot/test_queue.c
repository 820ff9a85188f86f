/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue - the way of a delivery when nothing goes wrong, and what is refused. */
#include "queue_rig.h"

#include "base/clock.h"
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
is_ended(struct rig *r)
{
	return rig_delivery_state(r, 1) > DELIVERY_NEW;
}

static bool
two_ended(struct rig *r)
{
	return rig_delivery_state(r, 2) > DELIVERY_NEW;
}

static void
a_label_becomes_a_pull_request(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);

	struct task t = rig_task(r);
	assert_int_equal(t.state, TASK_SUCCEEDED);
	assert_int_equal(t.number, 3);
	assert_string_equal(t.actor, "writer");
	assert_int_equal(t.pull_number, 900);
	assert_int_equal(t.attempt, 1);
	assert_int_equal(strlen(t.page), 32);
	assert_true(str_starts(t.branch, "agent/1-it-crashes"));
	assert_string_equal(t.log_ref_sha, "feed");
	assert_int_equal(t.sticky_id, r->comments[0].id);
	task_finish(&t);

	assert_int_equal(r->stored, 1);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->n_comments, 1);
	assert_string_equal(r->comments[0].name, "<!-- nightshift:task=1:deadbeef -->");
	assert_non_null(strstr(r->comments[0].body, "succeeded"));
	assert_int_equal(r->pushes, 1);
	assert_int_equal(r->taken, 1);
	assert_int_equal(r->starts, 1);
	assert_int_equal(rig_count(r, "-agent"), 1);
	assert_int_equal(rig_count(r, "+agent:done"), 1);
	assert_true(strstr(r->log, " push ") < strstr(r->log, " pull "));
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_HANDLED);
}

static void
the_same_delivery_twice_is_stored_once(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 50; i++)
		rig_label(r, "same", 3);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->stored, 1);
	assert_int_equal(r->duplicates, 49);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->n_comments, 1);
}

static void
one_labelling_told_by_two_deliveries_is_one_task(void **state)
{
	struct rig *r = *state;

	rig_label(r, "from the hook", 3);
	rig_label(r, "from the app", 3);
	rig_until(r, rig_is_quiet);
	rig_until(r, two_ended);
	assert_int_equal(r->stored, 2);
	assert_int_equal(r->n_pulls, 1);
	struct task t = rig_task(r);
	assert_int_equal(t.id, 1);
	task_finish(&t);
	/* Late, when the task is long over: still the same trigger. */
	rig_label(r, "redelivered", 3);
	rig_run(r, 100);
	t = rig_task(r);
	assert_int_equal(t.id, 1);
	task_finish(&t);
	assert_int_equal(rig_delivery_state(r, 3), DELIVERY_IGNORED);
}

static void
labelling_again_runs_again(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	r->label_event++;
	rig_label(r, "g2", 3);
	rig_until(r, two_ended);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->n_pulls, 2);
	assert_int_equal(r->n_comments, 2);
}

static void
somebody_without_permission_starts_nothing(void **state)
{
	struct rig *r = *state;

	r->permission = PERMISSION_READ;
	rig_label(r, "g1", 3);
	rig_until(r, is_ended);
	rig_run(r, 50);
	assert_int_equal(rig_state(r), -1);
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_IGNORED);
	assert_string_equal(r->log, "");
}

static void
a_forge_that_does_not_answer_is_asked_again(void **state)
{
	struct rig *r = *state;

	r->fact_code = ERR_BUSY;
	rig_label(r, "g1", 3);
	rig_run(r, 100);
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_NEW);
	assert_int_equal(rig_state(r), -1);
	r->fact_code = 0;
	rig_until(r, rig_is_over);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
}

static void
what_means_nothing_is_ignored(void **state)
{
	struct rig *r = *state;
	struct forge_event ping = { .kind = EVENT_PING, .name = mem_str("ping") };
	struct forge_event push = rig_event(EVENT_PULL_PUSHED, 9);

	rig_deliver(r, "p", &ping);
	rig_deliver(r, "q", &push);
	rig_until(r, two_ended);
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_IGNORED);
	assert_int_equal(rig_delivery_state(r, 2), DELIVERY_IGNORED);
	assert_string_equal(r->log, "");
}

static void
red_work_is_pushed_but_no_pull_request(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_RED;
	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_FAILED);
	assert_int_equal(r->pushes, 1);
	assert_int_equal(r->n_pulls, 0);
	assert_int_equal(rig_count(r, "+agent:failed"), 1);
}

static void
no_changes_no_push(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_EMPTY;
	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_FAILED);
	assert_int_equal(r->pushes, 0);
	assert_int_equal(r->n_pulls, 0);
}

static void
a_stop_ends_the_box_and_then_the_task(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE;
	rig_label(r, "g1", 3);
	rig_until(r, is_working);
	rig_command(r, "g2", 3, 41, "stop");
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_STOPPED);
	assert_int_equal(r->stops, 1);
	assert_int_equal(r->n_pulls, 0);

	struct task t = rig_task(r);
	assert_string_equal(t.stop_by, "writer");
	assert_string_equal(t.reason, "stopped by command");
	task_finish(&t);
}

static void
a_queued_task_stops_without_a_box(void **state)
{
	struct rig *r = *state;

	r->slots = 0;
	rig_run(r, 30); /* the queue hears of it */
	rig_label(r, "g1", 3);
	rig_until(r, is_ended);
	assert_int_equal(rig_state(r), TASK_QUEUED);
	rig_command(r, "g2", 3, 41, "stop");
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_STOPPED);
	assert_int_equal(r->starts, 0);
	assert_int_equal(r->n_comments, 1);
}

static void
lanes_and_slots_bound_what_runs(void **state)
{
	struct rig *r = *state;
	int64_t n = 0;

	r->outcome = OUTCOME_NONE;
	for (int i = 1; i <= 5; i++) {
		auto_free char *guid = mem_fmt("g%d", i);

		r->label_event++;
		rig_label(r, guid, i);
	}
	rig_run(r, 200);
	assert_int_equal(r->starts, 2); /* tasks_per_repo */
	assert_int_equal(r->n_alive, 2);
	assert_int_equal(r->q->db->task_count(r->q->store, TASK_BIT(TASK_QUEUED), &n, NULL), 0);
	assert_int_equal(n, 3);
}

static void
edits_of_the_comment_keep_their_pace(void **state)
{
	struct rig *r = *state;

	r->outcome = OUTCOME_NONE;
	rig_label(r, "g1", 3);
	rig_until(r, is_working);
	int64_t before = r->comments[0].edits, began_ms = clock_boot_ms();
	for (int i = 0; i < 40; i++) {
		auto_free char *tail = mem_fmt("line %d", i);
		const struct wire_progress p = {
			.task = 1, .fence = r->last_fence, .state = TASK_RUNNING, .tail = tail
		};

		(void)msg_send(r->peers[ROLE_RUNNER],
			&(struct msg_out){ .type = WIRE_PROGRESS, .obj = &p }, NULL);
		rig_run(r, 10);
	}
	/* 100 ms are 10 s of the queue's clock: at most one edit in each, however slow we are. */
	assert_int_equal(r->n_comments, 1);
	assert_in_range(r->comments[0].edits - before, 1, (clock_boot_ms() - began_ms) / 100 + 1);
	rig_run(r, 150);
	assert_non_null(strstr(r->comments[0].body, "line 39"));
}

static bool
has_page(struct rig *r)
{
	return r->page_blob != NULL;
}

static void
a_page_is_found_by_its_number_only(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	struct task t = rig_task(r);

	rig_query(r, QUERY_TASK, t.page);
	rig_until(r, has_page);
	assert_true(r->page.found);
	assert_int_equal(r->page.tasks.n, 1);
	assert_null(((struct task *)r->page.tasks.v)->prompt);
	assert_int_equal(r->page.steps.n, 1);
	assert_string_equal(r->page_blob, "hello"); /* the transcript, not only its tail */
	free(r->page_blob);
	r->page_blob = NULL;
	rig_query(r, QUERY_TEXT, t.page);
	rig_until(r, has_page);
	assert_string_equal(r->page_blob, "hello");
	free(r->page_blob);
	r->page_blob = NULL;
	rig_query(r, QUERY_TASK, "1");
	rig_until(r, has_page);
	assert_false(r->page.found);
	assert_int_equal(r->page.tasks.n, 0);
	task_finish(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_label_becomes_a_pull_request),
		T(the_same_delivery_twice_is_stored_once),
		T(one_labelling_told_by_two_deliveries_is_one_task),
		T(labelling_again_runs_again),
		T(somebody_without_permission_starts_nothing),
		T(a_forge_that_does_not_answer_is_asked_again),
		T(what_means_nothing_is_ignored),
		T(red_work_is_pushed_but_no_pull_request),
		T(no_changes_no_push),
		T(a_stop_ends_the_box_and_then_the_task),
		T(a_queued_task_stops_without_a_box),
		T(lanes_and_slots_bound_what_runs),
		T(edits_of_the_comment_keep_their_pace),
		T(a_page_is_found_by_its_number_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
