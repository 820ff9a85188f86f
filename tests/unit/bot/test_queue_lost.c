/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_lost - the store is gone, and what it had done stands on the forge. */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, lost_setup, rig_teardown)

#define FIRST_NEW 10000 /* the number after that of the lost task */

static int
lost_setup(void **state)
{
	if (rig_setup(state) < 0)
		return -1;

	struct rig *r = *state;
	r->comment = mem_str("/agent fix");
	return 0;
}

static bool
has_comment(struct rig *r)
{
	return r->n_comments == 1;
}

static bool
is_idle(struct rig *r)
{
	return r->n_alive == 0;
}

static int64_t awaited;

static bool
is_awaited_done(struct rig *r)
{
	if (!rig_is_quiet(r))
		return false;

	struct task t = rig_task(r);
	bool is_it = t.id == awaited;

	task_finish(&t);
	return is_it;
}

/* Until the newest task is that one, and all is told of it. */
static void
until_done(struct rig *r, int64_t id)
{
	awaited = id;
	rig_until(r, is_awaited_done);
}

/* The store is lost while the task of issue 3 is at work. */
static void
lose_at_work(struct rig *r)
{
	r->outcome = OUTCOME_NONE;
	rig_command(r, "g1", 3, 41, "fix");
	rig_until(r, has_comment);
	rig_lose_store(r);
	rig_until(r, is_idle); /* what nobody knows is told to stop */
	r->outcome = OUTCOME_GREEN;
}

static void
assert_task(struct rig *r, int64_t id, int64_t state)
{
	struct task t = rig_task(r);

	assert_int_equal(t.id, id);
	assert_int_equal(t.state, state);
	task_finish(&t);
}

static void
what_was_at_work_is_done_with_the_comment_it_had(void **state)
{
	struct rig *r = *state;

	lose_at_work(r);
	rig_command(r, "again", 3, 41, "fix");
	rig_until(r, rig_is_quiet);
	assert_task(r, FIRST_NEW, TASK_SUCCEEDED);
	assert_int_equal(r->n_comments, 1);
	assert_int_equal(r->n_pulls, 1);
	assert_true(str_starts(r->comments[0].body, "<!-- nightshift:task=10000:deadbeef -->"));
	assert_non_null(strstr(r->comments[0].body, "succeeded"));
}

static void
no_number_is_given_again(void **state)
{
	struct rig *r = *state;

	lose_at_work(r);
	rig_command(r, "again", 3, 41, "fix");
	rig_until(r, rig_is_quiet);
	rig_command(r, "g2", 4, 42, "fix");
	until_done(r, FIRST_NEW + 1);
	assert_task(r, FIRST_NEW + 1, TASK_SUCCEEDED);
	assert_int_equal(r->n_comments, 2);
	assert_int_equal(r->n_pulls, 2);
}

static bool
is_first_decided(struct rig *r)
{
	int64_t s = rig_delivery_state(r, 1);

	return s == DELIVERY_HANDLED || s == DELIVERY_IGNORED;
}

/* Told again and again, by webhook and by looking. */
static void
what_was_over_stays_over(void **state)
{
	struct rig *r = *state;

	rig_command(r, "g1", 3, 41, "fix");
	rig_until(r, rig_is_quiet);
	for (int i = 0; i < 2; i++) {
		r->pull_is_closed = i == 1; /* its comment says enough */
		rig_lose_store(r);
		rig_command(r, "again", 3, 41, "fix");
		rig_until(r, is_first_decided);
		rig_until(r, rig_is_quiet);
		assert_task(r, FIRST_NEW, TASK_SUCCEEDED);
	}
	assert_int_equal(r->starts, 1);
	assert_int_equal(r->pushes, 1);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->n_comments, 1);
}

/* It was opened, and the store was lost before anybody could say so. */
static void
a_pull_request_that_was_not_told_of_is_told_of(void **state)
{
	struct rig *r = *state;

	lose_at_work(r);
	r->pulls[r->n_pulls++] =
		(struct rig_thing){ .name = mem_str("agent/1-it-crashes"), .id = 77 };
	rig_command(r, "again", 3, 41, "fix");
	rig_until(r, rig_is_quiet);

	struct task t = rig_task(r);
	assert_int_equal(t.state, TASK_SUCCEEDED);
	assert_int_equal(t.pull_number, 77);
	task_finish(&t);
	assert_int_equal(r->n_comments, 1);
	assert_non_null(strstr(r->comments[0].body, "#77"));
	assert_int_equal(r->starts, 1);
	assert_int_equal(r->n_pulls, 1);
}

static void
a_mark_that_the_keeper_would_not_make_is_not_ours(void **state)
{
	struct rig *r = *state;

	lose_at_work(r);
	mem_set(&r->comments[0].body, "<!-- nightshift:task=1:01234567 -->\n**Task 1**: succeeded");
	rig_command(r, "again", 3, 41, "fix");
	rig_until(r, rig_is_quiet);
	assert_task(r, 1, TASK_SUCCEEDED);
	assert_int_equal(r->starts, 2);
	assert_int_equal(r->comments[0].edits, 0);
}

/* An order that came after everything that stands there is a new one. */
static void
a_later_order_gets_a_comment_of_its_own(void **state)
{
	struct rig *r = *state;
	struct forge_event ev = rig_event(EVENT_LABELS, 3);

	lose_at_work(r);
	r->last_ms = clock_wall_ms() - 1000;
	ev.label = mem_str("agent");
	ev.label_added = true;
	ev.updated_ms = clock_wall_ms();
	rig_deliver(r, "later", &ev);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->n_comments, 2);
	assert_int_equal(r->n_pulls, 1);
}

/* ---- a label that nobody takes off ---- */

static void
put_orphan(struct rig *r)
{
	r->orphan.number = 3;
	r->orphan.updated_ms = 1000;
	r->label_is_there = false;
	strs_add(&r->forge_conf.repos, "acme/widget");
}

static void
what_nobody_does_any_more_is_told_and_can_be_asked_for(void **state)
{
	struct rig *r = *state;

	put_orphan(r);
	r->orphan.number = 0; /* no label yet when it is looked for */
	lose_at_work(r);
	r->orphan.number = 3;
	rig_restart(r);
	rig_until(r, rig_is_quiet);
	assert_task(r, FIRST_NEW, TASK_FAILED);
	assert_int_equal(rig_count(r, "-agent:running"), 1);
	assert_int_equal(rig_count(r, "+agent:failed"), 1);
	assert_non_null(strstr(r->comments[0].body, "lost its records"));

	r->orphan.number = 0;
	rig_command(r, "again", 3, 41, "fix");
	until_done(r, 2 * FIRST_NEW);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	assert_int_equal(r->n_comments, 1);
	assert_int_equal(r->n_pulls, 1);
}

/* And that it was done is known. */
static bool
is_taken_off(struct rig *r)
{
	int64_t at = 0;

	return rig_count(r, "-agent:running") == 1 && r->q->n_flights == 0 &&
	       r->q->db->effect_next_ms(r->q->store, &at, NULL) == ERR_MISSING;
}

static void
a_label_without_a_comment_goes(void **state)
{
	struct rig *r = *state;

	put_orphan(r);
	rig_restart(r);
	rig_until(r, is_taken_off);
	assert_int_equal(rig_state(r), -1);
	rig_restart(r);
	rig_run(r, 300);
	assert_int_equal(rig_count(r, "-agent:running"), 1);
}

static bool
is_at_work(struct rig *r)
{
	return has_comment(r) && rig_state(r) == TASK_RUNNING;
}

static void
a_task_that_is_at_work_is_no_orphan(void **state)
{
	struct rig *r = *state;

	put_orphan(r);
	r->outcome = OUTCOME_NONE;
	rig_command(r, "g1", 3, 41, "fix");
	rig_until(r, is_at_work);
	rig_restart(r);
	rig_run(r, 300);
	assert_int_equal(rig_state(r), TASK_RUNNING);
	assert_int_equal(rig_count(r, "-agent:running"), 0);
	assert_int_equal(rig_delivery_state(r, 2), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_was_at_work_is_done_with_the_comment_it_had),
		T(no_number_is_given_again),
		T(what_was_over_stays_over),
		T(a_pull_request_that_was_not_told_of_is_told_of),
		T(a_mark_that_the_keeper_would_not_make_is_not_ours),
		T(a_later_order_gets_a_comment_of_its_own),
		T(what_nobody_does_any_more_is_told_and_can_be_asked_for),
		T(a_label_without_a_comment_goes),
		T(a_task_that_is_at_work_is_no_orphan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
