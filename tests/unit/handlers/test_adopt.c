/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_adopt - what a store that is lost has done is taken over, and nothing else.
 */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

#define HOUR_MS  (INT64_C(3600) * 1000)
#define ORDER_MS (10 * HOUR_MS)

/* "/agent fix" by alice at ORDER_MS; the queue began an hour later. */
static void
ordered(struct scene *s)
{
	scene_begin(s, EVENT_COMMENT);
	scene_command(s, "fix", "");
	scene_permission(s, PERMISSION_WRITE);
	s->event.updated_ms = ORDER_MS;
	s->world.since_ms = ORDER_MS + HOUR_MS;
}

static void
put_comment(struct scene *s, int64_t made_ms, const char *said)
{
	struct forge_answer *a = scene_fact(s, OP_COMMENT_LAST, NULL, 0);

	a->id = 900;
	a->number = 12345;
	a->updated_ms = made_ms;
	a->body = said ? mem_fmt("<!-- mark -->\n✅ **Task 12345**: %s\n", said) : NULL;
}

static void
put_pull(struct scene *s, int64_t number)
{
	scene_fact(s, OP_PULL_FIND, NULL, number ? 0 : ERR_MISSING)->number = number;
}

static const struct task *
decided(struct scene *s)
{
	const struct intent *i;

	scene_decide(s);
	i = scene_intent(s, INTENT_TASK);
	return i ? &i->task : NULL;
}

/* First for the comment, then for the pull request of its task. */
static void
it_is_looked_for(void **state)
{
	struct scene s;

	(void)state;
	ordered(&s);
	assert_null(decided(&s));
	assert_int_equal(s.out.n, 1);
	assert_int_equal(s.out.v[0].op.kind, OP_COMMENT_LAST);
	assert_string_equal(s.out.v[0].op.marker, "<!-- nightshift:task=");
	put_comment(&s, ORDER_MS + 1, "running");
	assert_null(decided(&s));
	assert_int_equal(s.out.n, 1);
	assert_int_equal(s.out.v[0].op.kind, OP_PULL_FIND);
	assert_string_equal(s.out.v[0].op.ref, "agent/12345-crash-on-empty-input");
	scene_end(&s);
}

static void
an_order_of_after_our_start_is_not_looked_for(void **state)
{
	struct scene s;

	(void)state;
	ordered(&s);
	s.event.updated_ms = s.world.since_ms + HOUR_MS;
	assert_int_equal(decided(&s)->id, 0);
	scene_end(&s);
}

static void
how_it_ended_is_taken_over(void **state)
{
	static const struct {
		const char *said;
		int64_t pull;
		int64_t state;
		int64_t sticky;
	} rows[] = {
		{ "running", 0, TASK_QUEUED, 900 },
		{ "queued, place 3", 0, TASK_QUEUED, 900 },
		{ NULL, 0, TASK_QUEUED, 900 },
		{ "publishing", 8, TASK_SUCCEEDED, 900 },
		{ "succeeded", 8, TASK_SUCCEEDED, 0 },
		{ "succeeded", 0, TASK_SUCCEEDED, 0 },
		{ "failed", 0, TASK_FAILED, 0 },
		{ "stopped", 0, TASK_STOPPED, 0 },
		{ "quarantined", 0, TASK_QUARANTINED, 0 },
		{ "waits for a human", 0, TASK_WAITING, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct task *t;
		struct scene s;

		ordered(&s);
		put_comment(&s, ORDER_MS, rows[i].said);
		put_pull(&s, rows[i].pull);
		t = decided(&s);
		assert_int_equal(t->state, rows[i].state);
		assert_int_equal(t->sticky_id, rows[i].sticky);
		assert_int_equal(t->pull_number, rows[i].pull);
		assert_int_equal(t->id, 20000);
		assert_int_equal(task_is_found(t), rows[i].state != TASK_QUEUED);
		scene_end(&s);
	}
}

static void
a_comment_of_before_is_another_orders(void **state)
{
	const struct task *t;
	struct scene s;

	(void)state;
	ordered(&s);
	put_comment(&s, ORDER_MS - 1, "succeeded");
	t = decided(&s);
	assert_int_equal(t->state, TASK_QUEUED);
	assert_int_equal(t->sticky_id, 0);
	assert_int_equal(t->id, 0);
	scene_end(&s);
}

/* ---- orphans ---- */

static void
orphan(struct scene *s, const char *label)
{
	scene_begin(s, EVENT_ORPHAN);
	s->event.updated_ms = ORDER_MS;
	s->world.since_ms = ORDER_MS + HOUR_MS;
	scene_issue(s, label);
}

static void
an_orphan_is_told_what_became_of_it(void **state)
{
	static const struct {
		const char *said;
		int64_t pull;
		int64_t state;
	} rows[] = {
		{ "running", 0, TASK_FAILED },
		{ "publishing", 8, TASK_SUCCEEDED },
		{ "stopped", 0, TASK_STOPPED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct task *t;
		struct scene s;

		orphan(&s, "agent:running");
		put_comment(&s, 1, rows[i].said);
		put_pull(&s, rows[i].pull);
		t = decided(&s);
		assert_int_equal(t->state, rows[i].state);
		assert_true(task_is_found(t));
		assert_non_null(t->reason);
		assert_string_equal(scene_intent(&s, INTENT_TASK)->key, "lost:gh:1:7:12345");
		scene_end(&s);
	}
}

static void
a_label_alone_goes(void **state)
{
	struct scene s;

	(void)state;
	orphan(&s, "agent:running");
	scene_fact(&s, OP_COMMENT_LAST, NULL, ERR_MISSING);
	assert_null(decided(&s));
	assert_string_equal(scene_effect(&s, OP_LABEL_REMOVE)->label, "agent:running");
	scene_end(&s);
}

static void
what_is_no_orphan_is_left_alone(void **state)
{
	struct scene s;

	(void)state;
	orphan(&s, NULL); /* the label is gone meanwhile */
	scene_fact(&s, OP_COMMENT_LAST, NULL, ERR_MISSING);
	scene_decide(&s);
	assert_int_equal(s.out.v[0].kind, INTENT_IGNORE);
	scene_end(&s);

	orphan(&s, "agent:running");
	strs_add(&s.facts.v[0].answer.labels, "agent"); /* somebody has asked again */
	scene_fact(&s, OP_COMMENT_LAST, NULL, ERR_MISSING);
	scene_decide(&s);
	assert_int_equal(s.out.v[0].kind, INTENT_IGNORE);
	scene_end(&s);

	orphan(&s, "agent:running");
	scene_live(&s);
	scene_decide(&s);
	assert_int_equal(s.out.v[0].kind, INTENT_IGNORE);
	scene_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_looked_for),
		cmocka_unit_test(an_order_of_after_our_start_is_not_looked_for),
		cmocka_unit_test(how_it_ended_is_taken_over),
		cmocka_unit_test(a_comment_of_before_is_another_orders),
		cmocka_unit_test(an_orphan_is_told_what_became_of_it),
		cmocka_unit_test(a_label_alone_goes),
		cmocka_unit_test(what_is_no_orphan_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
