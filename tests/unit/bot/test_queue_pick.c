/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_pick - whose turn it is, when more waits than can be done at once. */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY (TASK_PLACE_MAX + 20) /* more than one page of a sweep */

static int64_t
add(struct rig *r, const char *scope, const char *purpose)
{
	auto_free char *own = mem_str(scope), *name = mem_str(purpose);
	char op[] = "{}", digest[] = "d";
	struct effect f = { .purpose = name,
		.lane = name,
		.scope = own,
		.op = op,
		.digest = digest,
		.is_urgent = true };

	assert_int_equal(r->q->db->effect_add(r->q->store, &f, NULL), 0);
	return f.id;
}

static size_t
pick(struct rig *r, int64_t *ids, size_t max)
{
	size_t n = 0;

	assert_int_equal(queue_pick(r->q, clock_wall_ms(), ids, max, &n, NULL), 0);
	return n;
}

static void
scopes_take_turns(void **state)
{
	struct rig *r = *state;
	int64_t ids[9];

	assert_int_equal(queue_begin(r->q), 0);
	int64_t a = add(r, "a/1", "1"), b = add(r, "b/1", "2"), c = add(r, "c/1", "3");
	const int64_t order[] = { a, b, c, a };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		assert_int_equal(pick(r, ids, 1), 1);
		assert_int_equal(ids[0], order[i]);
	}
	/* After a the others, and a again last; then all had theirs. */
	assert_int_equal(pick(r, ids, 9), 3);
	assert_int_equal(ids[0], b);
	assert_int_equal(ids[1], c);
	assert_int_equal(ids[2], a);
	assert_null(r->q->pick_after);
	r->q->db->rollback(r->q->store);
	r->q->is_open = false;
}

static void
a_closed_forge_holds_up_nobody_else_and_no_push(void **state)
{
	struct rig *r = *state;
	int64_t ids[9];

	assert_int_equal(queue_begin(r->q), 0);
	for (int i = 0; i < 20; i++) {
		auto_free char *purpose = mem_fmt("%d", i);

		(void)add(r, "a/1", purpose);
	}
	int64_t b = add(r, "b/1", "b"), push = add(r, "", "push");
	queue_bucket_close(r->q, "a/1", clock_boot_ms() + 60000);
	assert_int_equal(pick(r, ids, 9), 2);
	assert_int_equal(ids[0], push);
	assert_int_equal(ids[1], b);
	r->q->db->rollback(r->q->store);
	r->q->is_open = false;
}

/* A publication that nobody can end: its forge is not configured. */
static int64_t
add_publishing(struct rig *r, int64_t number, int64_t changed_ms)
{
	auto_free char *key = mem_fmt("k%lld", (long long)number);
	struct task t = { .forge = mem_str("gone"),
		.repo = mem_str("acme/r"),
		.page = mem_fmt("%032lld", (long long)number),
		.repo_id = 1,
		.number = number,
		.state = TASK_PUBLISHING,
		.outcome = OUTCOME_GREEN,
		.created_ms = changed_ms,
		.changed_ms = changed_ms };
	bool was_seen;

	assert_int_equal(r->q->db->task_add(r->q->store, key, 0, &t, &was_seen, NULL), 0);
	int64_t id = t.id;
	task_finish(&t);
	return id;
}

static bool
is_with_a_person(struct rig *r)
{
	return rig_state(r) == TASK_WAITING;
}

static void
a_deadline_is_seen_however_many_are_before_it(void **state)
{
	struct rig *r = *state;
	int64_t now_ms = clock_wall_ms();

	assert_int_equal(queue_begin(r->q), 0);
	for (int64_t i = 1; i < MANY; i++)
		(void)add_publishing(r, i, now_ms);
	(void)add_publishing(r, MANY, now_ms - TASK_STATES[TASK_PUBLISHING].deadline_ms - 1000);
	rig_until(r, is_with_a_person);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scopes_take_turns, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			a_closed_forge_holds_up_nobody_else_and_no_push, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			a_deadline_is_seen_however_many_are_before_it, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
