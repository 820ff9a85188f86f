/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_work - what every driver promises of claims, attempts, transcripts and the outbox. */
#include "store_rig.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct task_claim ANY = {
	.now_ms = 500, .lease_ms = 30, .running_max = 99, .lane_max = 99
};

static int64_t
claim(struct rig *r, const struct task_claim *c)
{
	struct task t;

	if (r->db->task_claim(r->s, c, &t, NULL) < 0)
		return 0;
	assert_int_equal(t.state, TASK_PREPARING);
	int64_t id = t.id;
	task_finish(&t);
	return id;
}

static void
set_state(struct rig *r, int64_t id, int64_t state)
{
	struct task t;

	assert_int_equal(r->db->task_get(r->s, id, &t, NULL), 0);
	t.state = state;
	assert_int_equal(r->db->task_save(r->s, &t, NULL), 0);
	task_finish(&t);
}

static void
a_claim_counts_attempt_and_fence_before_anything_starts(void **state)
{
	struct rig *r = *state;
	int64_t id = rig_add_task(r, 7, 1);
	struct task t;
	struct row_list list;

	assert_int_equal(r->db->task_claim(r->s, &ANY, &t, NULL), 0);
	assert_int_equal(t.id, id);
	assert_int_equal(t.attempt, 1);
	assert_int_equal(t.fence, 1);
	assert_int_equal(t.lease_ms, 30);
	assert_int_equal(t.changed_ms, 500);
	assert_string_equal(t.prompt, "Do it");
	task_finish(&t);
	assert_int_equal(claim(r, &ANY), 0);

	set_state(r, id, TASK_QUEUED);
	assert_int_equal(claim(r, &ANY), id);
	rig_reopen(r);
	assert_int_equal(r->db->attempt_list(r->s, id, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	const struct attempt *a = list.v;
	assert_int_equal(a[1].number, 2);
	assert_int_equal(a[1].fence, 2);
	assert_int_equal(a[1].ended_ms, 0);
	free(list.v);
}

static void
the_repository_with_the_fewest_running_goes_first(void **state)
{
	struct rig *r = *state;
	int64_t a1 = rig_add_task(r, 1, 1), a2 = rig_add_task(r, 1, 2), a3 = rig_add_task(r, 1, 3);
	int64_t b1 = rig_add_task(r, 2, 1), b2 = rig_add_task(r, 2, 2), c1 = rig_add_task(r, 3, 1);
	const int64_t order[] = { a1, b1, c1, a2, b2, a3 };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_int_equal(claim(r, &ANY), order[i]);
	assert_int_equal(claim(r, &ANY), 0);
}

/* Two forges may number their repositories alike: those are lanes of their own. */
static void
lanes_of_all_forges_are_found(void **state)
{
	static const char *const forges[] = { "a", "b", "b", "c" };
	static const int64_t repos[] = { 9, 1, 9, 9 };
	struct rig *r = *state;
	int64_t ids[4];

	for (size_t i = 0; i < 4; i++) {
		struct task t = rig_task(repos[i], 1);
		auto_free char *key = mem_fmt("forge-%zu", i);
		bool seen;

		mem_set(&t.forge, forges[i]);
		assert_int_equal(r->db->task_add(r->s, key, 0, &t, &seen, NULL), 0);
		ids[i] = t.id;
		task_finish(&t);
	}
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(claim(r, &ANY), ids[i]);
	assert_int_equal(claim(r, &ANY), 0);
}

static void
lanes_and_the_cap_hold(void **state)
{
	struct rig *r = *state;
	struct task_claim c = ANY;
	int64_t a1 = rig_add_task(r, 1, 1), a2 = rig_add_task(r, 1, 2), b1 = rig_add_task(r, 2, 1);

	c.lane_max = 1;
	assert_int_equal(claim(r, &c), a1);
	assert_int_equal(claim(r, &c), b1);
	assert_int_equal(claim(r, &c), 0);
	c.lane_max = 9;
	c.running_max = 2;
	assert_int_equal(claim(r, &c), 0);
	set_state(r, b1, TASK_PUBLISHING);
	assert_int_equal(claim(r, &c), a2);
}

static void
held_and_stopped_tasks_wait_but_do_not_block_their_lane(void **state)
{
	struct rig *r = *state;
	int64_t held = rig_add_task(r, 1, 1), stopped = rig_add_task(r, 1, 2);
	int64_t free_one = rig_add_task(r, 1, 3);
	struct task_claim later = ANY;
	struct task t;

	later.now_ms = 1000;
	assert_int_equal(r->db->task_hold(r->s, held, 1000, NULL), 0);
	assert_int_equal(r->db->task_get(r->s, stopped, &t, NULL), 0);
	t.stop_wanted = true;
	assert_int_equal(r->db->task_save(r->s, &t, NULL), 0);
	task_finish(&t);
	assert_int_equal(claim(r, &ANY), free_one);
	assert_int_equal(claim(r, &ANY), 0);
	assert_int_equal(claim(r, &later), held);
	assert_int_equal(claim(r, &later), 0);
}

static void
a_lease_is_renewed_only_by_its_holder(void **state)
{
	struct rig *r = *state;
	int64_t id = rig_add_task(r, 7, 1);
	struct task t;

	assert_int_equal(r->db->task_renew(r->s, id, 0, 90, NULL), ERR_CONFLICT);
	assert_int_equal(claim(r, &ANY), id);
	assert_int_equal(r->db->task_renew(r->s, id, 1, 90, NULL), 0);
	assert_int_equal(r->db->task_renew(r->s, id, 2, 91, NULL), ERR_CONFLICT);
	assert_int_equal(r->db->task_get(r->s, id, &t, NULL), 0);
	assert_int_equal(t.lease_ms, 90);
	task_finish(&t);
	set_state(r, id, TASK_PUBLISHING);
	assert_int_equal(r->db->task_renew(r->s, id, 1, 92, NULL), ERR_CONFLICT);
}

static void
places_count_the_older_ones(void **state)
{
	struct rig *r = *state;
	int64_t a = rig_add_task(r, 1, 1), b = rig_add_task(r, 2, 1), place = -1;

	assert_int_equal(r->db->task_place(r->s, b, &place, NULL), 0);
	assert_int_equal(place, 2);
	assert_int_equal(claim(r, &ANY), a);
	assert_int_equal(r->db->task_place(r->s, b, &place, NULL), 0);
	assert_int_equal(place, 1);
	assert_int_equal(r->db->task_place(r->s, a, &place, NULL), 0);
	assert_int_equal(place, 0);
}

static void
steps_are_updated_by_name(void **state)
{
	struct rig *r = *state;
	int64_t id = rig_add_task(r, 7, 1);
	char agent[] = "agent", gate[] = "gate", note[] = "ok";
	struct task_step a = { agent, 1, 10, 0, -1, NULL }, g = { gate, 1, 20, 0, -1, NULL };
	struct row_list list;

	assert_int_equal(r->db->step_put(r->s, id, &a, NULL), 0);
	assert_int_equal(r->db->step_put(r->s, id, &g, NULL), 0);
	a.ended_ms = 15;
	a.exit_code = 0;
	a.note = note;
	assert_int_equal(r->db->step_put(r->s, id, &a, NULL), 0);
	assert_int_equal(r->db->step_list(r->s, id, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	struct task_step *v = list.v;
	assert_string_equal(v[0].name, "agent");
	assert_int_equal(v[0].ended_ms, 15);
	assert_string_equal(v[0].note, "ok");
	assert_string_equal(v[1].name, "gate");
	for (size_t i = 0; i < list.n; i++)
		row_finish(TASK_STEP_ROWS, v + i);
	free(v);
	assert_int_equal(r->db->step_put(r->s, 999, &a, NULL), ERR_CONFLICT);
}

static void
the_newest_transcript_is_read(void **state)
{
	struct rig *r = *state;
	int64_t id = rig_add_task(r, 7, 1);
	char one[] = "one", two[] = "two", cast[] = "[0.1, \"o\", \"x\"]";
	const struct transcript first = { cast, one }, second = { NULL, two };
	auto_buf struct buf c = BUF_INIT(LIMIT_TRANSCRIPT_BYTES),
			    t = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);

	assert_int_equal(r->db->transcript_get(r->s, id, &c, &t, NULL), ERR_MISSING);
	assert_int_equal(r->db->transcript_put(r->s, id, 1, &first, NULL), 0);
	assert_int_equal(r->db->transcript_get(r->s, id, &c, NULL, NULL), 0);
	assert_string_equal(buf_str(&c), cast);
	assert_int_equal(r->db->transcript_put(r->s, id, 2, &second, NULL), 0);
	assert_int_equal(r->db->transcript_put(r->s, id, 2, &second, NULL), 0);
	buf_reset(&c);
	assert_int_equal(r->db->transcript_get(r->s, id, &c, &t, NULL), 0);
	assert_string_equal(buf_str(&t), "two");
	assert_string_equal(buf_str(&c), "");
}

static void
an_attempt_ends(void **state)
{
	struct rig *r = *state;
	int64_t id = rig_add_task(r, 7, 1);
	char why[] = "box gone";
	struct attempt a = { .task = id, .number = 1, .ended_ms = 9, .outcome = OUTCOME_INFRA };
	struct row_list list;

	a.reason = why;
	assert_int_equal(r->db->attempt_end(r->s, &a, NULL), ERR_MISSING);
	assert_int_equal(claim(r, &ANY), id);
	assert_int_equal(r->db->attempt_end(r->s, &a, NULL), 0);
	assert_int_equal(r->db->attempt_list(r->s, id, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(((struct attempt *)list.v)->reason, "box gone");
	assert_int_equal(((struct attempt *)list.v)->outcome, OUTCOME_INFRA);
	attempt_finish(list.v);
	free(list.v);
}

/* ---- outbox ---- */

static int64_t
add_effect(struct rig *r, int64_t task, const char *purpose, bool is_urgent, int64_t at_ms)
{
	auto_free char *p = mem_str(purpose);
	auto_free char *lane = mem_strn(p, strcspn(p, ":"));
	char scope[] = "gh/1", op[] = "{}", digest[] = "d";
	struct effect f = { .task = task,
		.purpose = p,
		.lane = lane,
		.scope = scope,
		.op = op,
		.digest = digest,
		.is_urgent = is_urgent,
		.not_before_ms = at_ms };

	return r->db->effect_add(r->s, &f, NULL) == 0 ? f.id : 0;
}

static void
set_effect(struct rig *r, int64_t id, enum effect_state to)
{
	struct effect f;

	assert_int_equal(r->db->effect_get(r->s, id, &f, NULL), 0);
	f.state = to;
	assert_int_equal(r->db->effect_save(r->s, &f, NULL), 0);
	effect_finish(&f);
}

static int
due(struct rig *r, int64_t now_ms, int64_t *ids, size_t max, size_t *n)
{
	const struct effect_ask ask = { .scope = "gh/1", .now_ms = now_ms };

	return r->db->effect_due(r->s, &ask, ids, max, n, NULL);
}

static void
a_purpose_is_one_effect(void **state)
{
	struct rig *r = *state;
	int64_t id = add_effect(r, 1, "push", false, 0);
	struct effect f;
	struct row_list list;

	assert_true(id > 0);
	assert_int_equal(add_effect(r, 1, "push", false, 0), 0);
	assert_true(add_effect(r, 2, "push", false, 0) > 0);
	assert_true(add_effect(r, 0, "why:5", false, 0) > 0);
	assert_int_equal(add_effect(r, 0, "why:5", false, 0), 0);
	assert_int_equal(r->db->effect_find(r->s, 1, "push", &f, NULL), 0);
	assert_int_equal(f.id, id);
	assert_string_equal(f.op, "{}");
	effect_finish(&f);
	assert_int_equal(r->db->effect_find(r->s, 1, "pull", &f, NULL), ERR_MISSING);
	assert_int_equal(r->db->effect_list(r->s, 2, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	effect_finish(list.v);
	free(list.v);
}

static void
due_are_one_of_each_task_urgent_ones_first(void **state)
{
	struct rig *r = *state;
	int64_t a1 = add_effect(r, 1, "push", false, 0), a2 = add_effect(r, 1, "pull", false, 0);
	int64_t b1 = add_effect(r, 2, "sticky", true, 0),
		late = add_effect(r, 3, "sticky", true, 900);
	int64_t x = add_effect(r, 0, "x", false, 0), y = add_effect(r, 0, "y", false, 0);
	int64_t ids[9], at = 0;
	size_t n = 0;

	assert_int_equal(due(r, 500, ids, 9, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(ids[0], b1);
	assert_int_equal(ids[1], a1);
	assert_int_equal(ids[2], x);
	assert_int_equal(ids[3], y);
	assert_int_equal(due(r, 500, ids, 2, &n), 0);
	assert_int_equal(n, 2);

	/* Under way: nothing else of that task. */
	set_effect(r, a1, EFFECT_SENT);
	set_effect(r, x, EFFECT_SENT);
	set_effect(r, b1, EFFECT_DONE);
	assert_int_equal(due(r, 500, ids, 9, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], y);
	set_effect(r, a1, EFFECT_DEAD);
	set_effect(r, y, EFFECT_DONE);
	assert_int_equal(due(r, 500, ids, 9, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], a2);
	set_effect(r, a2, EFFECT_DONE);
	assert_int_equal(r->db->effect_next_ms(r->s, &at, NULL), 0);
	assert_int_equal(at, 900);
	set_effect(r, late, EFFECT_DONE);
	assert_int_equal(r->db->effect_next_ms(r->s, &at, NULL), ERR_MISSING);
}

static void
a_lane_keeps_its_order_when_its_first_has_to_wait(void **state)
{
	struct rig *r = *state;
	int64_t on = add_effect(r, 1, "label:on", false, 900);
	int64_t off = add_effect(r, 1, "label:off", true, 0),
		pull = add_effect(r, 1, "pull", false, 0);
	int64_t other = add_effect(r, 2, "label:off", false, 0), ids[9];
	size_t n = 0;

	assert_int_equal(due(r, 500, ids, 9, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ids[0], pull);
	assert_int_equal(ids[1], other);
	set_effect(r, pull, EFFECT_DONE);
	set_effect(r, other, EFFECT_DONE);
	assert_int_equal(due(r, 500, ids, 9, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(due(r, 900, ids, 9, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], on);
	set_effect(r, on, EFFECT_DEAD);
	assert_int_equal(due(r, 900, ids, 9, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], off);
}

static void
what_was_under_way_is_unknown_after_a_start(void **state)
{
	struct rig *r = *state;
	int64_t a = add_effect(r, 1, "pull", false, 0), b = add_effect(r, 2, "pull", false, 0),
		n = 0;
	struct effect f;

	set_effect(r, a, EFFECT_SENT);
	rig_reopen(r);
	assert_int_equal(r->db->effect_resume(r->s, 77, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(r->db->effect_get(r->s, a, &f, NULL), 0);
	assert_int_equal(f.state, EFFECT_PENDING);
	assert_true(f.was_unknown);
	assert_int_equal(f.unknown_ms, 77);
	effect_finish(&f);
	assert_int_equal(r->db->effect_get(r->s, b, &f, NULL), 0);
	assert_false(f.was_unknown);
	effect_finish(&f);
}

static void
what_waits_moves_with_the_clock(void **state)
{
	struct rig *r = *state;
	int64_t held = rig_add_task(r, 1, 1), runs = rig_add_task(r, 2, 1),
		over = rig_add_task(r, 3, 1);
	int64_t late = add_effect(r, runs, "sticky", false, 900);
	int64_t done = add_effect(r, over, "pull", false, 900);
	int64_t at = 0;
	struct effect f;
	struct task t;

	assert_int_equal(r->db->task_hold(r->s, held, 1000, NULL), 0);
	set_state(r, over, TASK_SUCCEEDED);
	set_effect(r, done, EFFECT_DONE);
	assert_int_equal(claim(r, &ANY), runs);
	assert_int_equal(r->db->waits_move(r->s, 5000, NULL), 0);
	assert_int_equal(r->db->effect_next_ms(r->s, &at, NULL), 0);
	assert_int_equal(at, 5900);
	assert_int_equal(r->db->task_get(r->s, runs, &t, NULL), 0);
	assert_int_equal(t.changed_ms, 5500);
	task_finish(&t);
	struct task_claim then = ANY;
	then.now_ms = 5999;
	assert_int_equal(claim(r, &then), 0);
	then.now_ms = 6000;
	assert_int_equal(claim(r, &then), held);
	/* What is over was when it was. */
	assert_int_equal(r->db->effect_get(r->s, done, &f, NULL), 0);
	assert_int_equal(f.not_before_ms, 900);
	effect_finish(&f);
	assert_int_equal(r->db->waits_move(r->s, -5000, NULL), 0);
	assert_int_equal(r->db->effect_next_ms(r->s, &at, NULL), 0);
	assert_int_equal(at, 900);
	set_effect(r, late, EFFECT_DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_claim_counts_attempt_and_fence_before_anything_starts),
		WITH_RIG(the_repository_with_the_fewest_running_goes_first),
		WITH_RIG(lanes_of_all_forges_are_found),
		WITH_RIG(lanes_and_the_cap_hold),
		WITH_RIG(held_and_stopped_tasks_wait_but_do_not_block_their_lane),
		WITH_RIG(a_lease_is_renewed_only_by_its_holder),
		WITH_RIG(places_count_the_older_ones),
		WITH_RIG(steps_are_updated_by_name),
		WITH_RIG(the_newest_transcript_is_read),
		WITH_RIG(an_attempt_ends),
		WITH_RIG(a_purpose_is_one_effect),
		WITH_RIG(what_waits_moves_with_the_clock),
		WITH_RIG(due_are_one_of_each_task_urgent_ones_first),
		WITH_RIG(a_lane_keeps_its_order_when_its_first_has_to_wait),
		WITH_RIG(what_was_under_way_is_unknown_after_a_start),
	};

	return RUN_WITH_EACH_DRIVER(tests);
}
