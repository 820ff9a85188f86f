/* SPDX-License-Identifier: Apache-2.0 */
/* test_store - what every driver of the store promises: inbox, labels, triggers, tasks, claims. */
#include "store_rig.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
a_delivery_comes_back_as_it_was(void **state)
{
	struct rig *r = *state;
	char forge[] = "gh", guid[] = "g-1", event[] = "issues", type[] = "application/json";
	struct delivery d = { .forge = forge,
		.guid = guid,
		.event = event,
		.content_type = type,
		.received_ms = 42 };
	struct delivery out;
	auto_buf struct buf body = BUF_INIT(LIMIT_DELIVERY_BYTES);
	int64_t id;

	assert_int_equal(r->db->delivery_add(r->s, &d, "a\0b", 3, &id, NULL), 0);
	assert_int_equal(r->db->delivery_next(r->s, 0, &out, NULL), 0);
	assert_int_equal(out.id, id);
	assert_string_equal(out.forge, "gh");
	assert_string_equal(out.guid, "g-1");
	assert_null(out.event_type);
	assert_int_equal(out.received_ms, 42);
	assert_int_equal(out.state, DELIVERY_NEW);
	assert_int_equal(r->db->delivery_body(r->s, id, &body, NULL), 0);
	assert_int_equal(body.len, 3);
	assert_memory_equal(body.data, "a\0b", 3);
	delivery_finish(&out);
}

static void
the_same_guid_of_the_same_forge_is_stored_once(void **state)
{
	struct rig *r = *state;
	char gh[] = "gh", gt[] = "gt", guid[] = "same", event[] = "issues";
	struct delivery d = { .forge = gh, .guid = guid, .event = event };
	int64_t first, again = 0;

	assert_int_equal(r->db->delivery_add(r->s, &d, "1", 1, &first, NULL), 0);
	assert_int_equal(r->db->delivery_add(r->s, &d, "2", 1, &again, NULL), ERR_CONFLICT);
	assert_int_equal(again, first);
	d.forge = gt;
	assert_int_equal(r->db->delivery_add(r->s, &d, "3", 1, &again, NULL), 0);
	assert_int_not_equal(again, first);
}

static void
deliveries_without_a_guid_are_all_stored(void **state)
{
	struct rig *r = *state;
	int64_t a = rig_add_delivery(r, NULL), b = rig_add_delivery(r, NULL);

	assert_int_not_equal(a, b);
}

static void
a_delivery_ends_once(void **state)
{
	struct rig *r = *state;
	int64_t a = rig_add_delivery(r, "a"), b = rig_add_delivery(r, "b");
	struct delivery d;

	assert_int_equal(r->db->delivery_end(r->s, a, DELIVERY_IGNORED, "a ping", NULL), 0);
	assert_int_equal(r->db->delivery_end(r->s, a, DELIVERY_HANDLED, NULL, NULL), ERR_CONFLICT);
	assert_int_equal(r->db->delivery_next(r->s, 0, &d, NULL), 0);
	assert_int_equal(d.id, b);
	delivery_finish(&d);
	assert_int_equal(r->db->delivery_next(r->s, b, &d, NULL), ERR_MISSING);
	assert_int_equal(r->db->delivery_get(r->s, a, &d, NULL), 0);
	assert_string_equal(d.reason, "a ping");
	delivery_finish(&d);
}

static void
strikes_are_counted_while_it_is_new(void **state)
{
	struct rig *r = *state;
	int64_t id = rig_add_delivery(r, "a"), strikes = 0;

	assert_int_equal(r->db->delivery_strike(r->s, id, &strikes, NULL), 0);
	assert_int_equal(strikes, 1);
	rig_reopen(r);
	assert_int_equal(r->db->delivery_strike(r->s, id, &strikes, NULL), 0);
	assert_int_equal(strikes, 2);
	assert_int_equal(
		r->db->delivery_end(r->s, id, DELIVERY_QUARANTINED, "killed the decoder", NULL), 0);
	assert_int_equal(r->db->delivery_strike(r->s, id, &strikes, NULL), ERR_MISSING);
}

static void
a_labels_generation_starts_and_ends(void **state)
{
	struct rig *r = *state;
	const struct label_key k = { "gh", 7, 1, "agent" }, other = { "gh", 7, 2, "agent" };
	int64_t g = -1;
	bool on = true;

	assert_int_equal(r->db->label_get(r->s, &k, &g, &on, NULL), 0);
	assert_int_equal(g, 0);
	assert_false(on);
	static const struct {
		bool on;
		int64_t generation;
	} rows[] = { { false, 0 }, { true, 1 }, { true, 1 }, { false, 1 }, { false, 1 },
		{ true, 2 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(r->db->label_set(r->s, &k, rows[i].on, &g, NULL), 0);
		assert_int_equal(g, rows[i].generation);
		assert_int_equal(r->db->label_get(r->s, &k, &g, &on, NULL), 0);
		assert_int_equal(g, rows[i].generation);
		assert_int_equal(on, rows[i].on);
	}
	assert_int_equal(r->db->label_get(r->s, &other, &g, &on, NULL), 0);
	assert_int_equal(g, 0);
}

static void
a_trigger_makes_one_task_for_ever(void **state)
{
	struct rig *r = *state;
	struct task a = rig_task(7, 1), b = rig_task(7, 2);
	bool seen = true;

	assert_int_equal(r->db->task_add(r->s, "label:gh:7:1:1", 3, &a, &seen, NULL), 0);
	assert_false(seen);
	assert_true(a.id > 0);
	assert_int_equal(r->db->task_add(r->s, "label:gh:7:1:1", 4, &b, &seen, NULL), ERR_CONFLICT);
	assert_true(seen);
	assert_int_equal(b.id, 0);
	a.state = TASK_SUCCEEDED;
	assert_int_equal(r->db->task_save(r->s, &a, NULL), 0);
	assert_int_equal(r->db->task_add(r->s, "label:gh:7:1:1", 5, &b, &seen, NULL), ERR_CONFLICT);
	assert_true(seen);
	task_finish(&a);
	task_finish(&b);
}

/* Numbers below it may be another store's, that is lost. */
static void
a_task_may_begin_at_a_higher_number(void **state)
{
	struct rig *r = *state;
	struct task high = rig_task(7, 1), low = rig_task(7, 2);
	bool seen = true;

	int64_t first = rig_add_task(r, 7, 3);
	high.id = first + 100;
	low.id = first;
	assert_int_equal(r->db->task_add(r->s, "high", 0, &high, &seen, NULL), 0);
	assert_int_equal(high.id, first + 100);
	assert_int_equal(rig_add_task(r, 7, 4), first + 101);
	assert_int_equal(r->db->task_add(r->s, "low", 0, &low, &seen, NULL), 0);
	assert_int_equal(low.id, first + 102);
	task_finish(&high);
	task_finish(&low);
}

static void
one_live_task_fixes_an_issue(void **state)
{
	struct rig *r = *state;
	struct task a = rig_task(7, 1), b = rig_task(7, 1), other = rig_task(8, 1);
	struct task ask = rig_task(7, 1);
	bool seen = true;

	ask.verb = VERB_RUN;
	assert_int_equal(r->db->task_add(r->s, "a", 0, &a, &seen, NULL), 0);
	assert_int_equal(r->db->task_add(r->s, "b", 0, &b, &seen, NULL), ERR_CONFLICT);
	assert_false(seen);
	assert_int_equal(r->db->task_add(r->s, "other", 0, &other, &seen, NULL), 0);
	assert_int_equal(r->db->task_add(r->s, "ask", 0, &ask, &seen, NULL), 0);
	/* A refused trigger is not used up: once the live task is over, it may be asked again. */
	a.state = TASK_FAILED;
	assert_int_equal(r->db->task_save(r->s, &a, NULL), 0);
	assert_int_equal(r->db->task_add(r->s, "b", 0, &b, &seen, NULL), 0);
	task_finish(&a);
	task_finish(&b);
	task_finish(&other);
	task_finish(&ask);
}

static void
a_task_comes_back_as_it_was(void **state)
{
	struct rig *r = *state;
	struct task t = rig_task(7, 1), out;
	bool seen;

	t.instruction = mem_str("the parser\nplease");
	t.is_pull = true;
	t.created_ms = INT64_MAX;
	assert_int_equal(r->db->task_add(r->s, "a", 0, &t, &seen, NULL), 0);
	assert_int_equal(r->db->task_get(r->s, t.id, &out, NULL), 0);
	assert_string_equal(out.instruction, t.instruction);
	assert_string_equal(out.title, t.title);
	assert_string_equal(out.prompt, "Do it");
	assert_true(out.is_pull);
	assert_null(out.agent);
	assert_int_equal(out.created_ms, INT64_MAX);
	assert_int_equal(out.gate_exit, -1);
	task_finish(&out);
	assert_int_equal(r->db->task_get_page(r->s, t.page, &out, NULL), 0);
	assert_int_equal(out.id, t.id);
	task_finish(&out);
	assert_int_equal(r->db->task_get_page(r->s, "nope", &out, NULL), ERR_MISSING);
	assert_int_equal(r->db->task_get(r->s, 999, &out, NULL), ERR_MISSING);
	task_finish(&t);
}

static void
saving_with_an_old_fence_is_refused(void **state)
{
	struct rig *r = *state;
	const struct task_claim c = {
		.now_ms = 5, .lease_ms = 30, .running_max = 9, .lane_max = 9
	};
	int64_t id = rig_add_task(r, 7, 1);
	struct task old, claimed;

	assert_int_equal(r->db->task_get(r->s, id, &old, NULL), 0);
	assert_int_equal(r->db->task_claim(r->s, &c, &claimed, NULL), 0);
	assert_int_equal(r->db->task_save(r->s, &old, NULL), ERR_CONFLICT);
	mem_set(&claimed.tail, "line");
	assert_int_equal(r->db->task_save(r->s, &claimed, NULL), 0);
	task_finish(&old);
	assert_int_equal(r->db->task_get(r->s, id, &old, NULL), 0);
	assert_string_equal(old.tail, "line");
	task_finish(&old);
	task_finish(&claimed);
}

static void
lists_know_states_issues_and_order(void **state)
{
	struct rig *r = *state;
	int64_t a = rig_add_task(r, 7, 1), b = rig_add_task(r, 7, 2);
	struct task t;
	struct row_list list;

	assert_int_equal(r->db->task_get(r->s, a, &t, NULL), 0);
	t.state = TASK_FAILED;
	assert_int_equal(r->db->task_save(r->s, &t, NULL), 0);
	task_finish(&t);

	struct task_filter f = { .states = TASKS_LIVE | TASKS_FINAL, .limit = 10 };
	assert_int_equal(r->db->task_list(r->s, &f, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	assert_int_equal(((struct task *)list.v)[0].id, a);
	assert_null(((struct task *)list.v)[0].prompt);
	for (size_t i = 0; i < list.n; i++)
		task_finish((struct task *)list.v + i);
	free(list.v);

	f = (struct task_filter){ .states = TASKS_LIVE, .limit = 10, .newest_first = true };
	assert_int_equal(r->db->task_list(r->s, &f, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	assert_int_equal(((struct task *)list.v)[0].id, b);
	task_finish(list.v);
	free(list.v);

	f = (struct task_filter){
		.states = TASKS_FINAL, .forge = "gh", .repo_id = 7, .number = 2, .limit = 1
	};
	assert_int_equal(r->db->task_list(r->s, &f, &list, NULL), 0);
	assert_int_equal(list.n, 0);

	int64_t n = 0;
	assert_int_equal(r->db->task_count(r->s, TASKS_LIVE, &n, NULL), 0);
	assert_int_equal(n, 1);
}

static void
repositories_are_known_by_their_newest_name(void **state)
{
	struct rig *r = *state;
	struct row_list list;
	struct task t = rig_task(7, 9);
	bool seen;

	(void)rig_add_task(r, 7, 1);
	(void)rig_add_task(r, 8, 1);
	mem_set(&t.repo, "acme/renamed");
	t.installation_id = 3;
	assert_int_equal(r->db->task_add(r->s, "later", 0, &t, &seen, NULL), 0);
	task_finish(&t);
	assert_int_equal(r->db->repo_list(r->s, 10, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	struct store_repo *v = list.v;
	assert_int_equal(v[0].repo_id, 7);
	assert_string_equal(v[0].repo, "acme/renamed");
	assert_int_equal(v[0].installation_id, 3);
	assert_int_equal(v[1].repo_id, 8);
	for (size_t i = 0; i < list.n; i++)
		row_finish(STORE_REPO_ROWS, &v[i]);
	free(v);
	assert_int_equal(r->db->repo_list(r->s, 1, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	row_finish(STORE_REPO_ROWS, list.v);
	free(list.v);
}

static void
a_part_can_be_undone_alone(void **state)
{
	struct rig *r = *state;
	struct delivery d;

	assert_int_equal(r->db->begin(r->s, NULL), 0);
	int64_t a = rig_add_delivery(r, "a");
	assert_int_equal(r->db->part_begin(r->s, NULL), 0);
	int64_t b = rig_add_delivery(r, "b");
	r->db->part_undo(r->s);
	assert_int_equal(r->db->part_begin(r->s, NULL), 0);
	assert_int_equal(r->db->delivery_end(r->s, a, DELIVERY_HANDLED, NULL, NULL), 0);
	assert_int_equal(r->db->part_keep(r->s, NULL), 0);
	assert_int_equal(r->db->commit(r->s, NULL), 0);
	assert_int_equal(r->db->delivery_get(r->s, b, &d, NULL), ERR_MISSING);
	assert_int_equal(r->db->delivery_get(r->s, a, &d, NULL), 0);
	assert_int_equal(d.state, DELIVERY_HANDLED);
	delivery_finish(&d);
}

static void
what_is_not_committed_is_gone(void **state)
{
	struct rig *r = *state;
	struct delivery d;

	assert_int_equal(r->db->begin(r->s, NULL), 0);
	(void)rig_add_delivery(r, "a");
	r->db->rollback(r->s);
	r->db->rollback(r->s);
	assert_int_equal(r->db->begin(r->s, NULL), 0);
	(void)rig_add_delivery(r, "b");
	rig_reopen(r);
	assert_int_equal(r->db->delivery_next(r->s, 0, &d, NULL), ERR_MISSING);
	assert_int_equal(r->db->commit(r->s, NULL), ERR_SYSTEM);
}

static void
small_values_are_kept(void **state)
{
	struct rig *r = *state;
	auto_buf struct buf out = BUF_INIT(STORE_KV_BYTES_MAX);
	auto_free char *large = mem_array(STORE_KV_BYTES_MAX + 2, 1);

	assert_int_equal(r->db->kv_get(r->s, "watermark", &out, NULL), ERR_MISSING);
	assert_int_equal(r->db->kv_put(r->s, "watermark", "1", NULL), 0);
	assert_int_equal(r->db->kv_put(r->s, "watermark", "2", NULL), 0);
	rig_reopen(r);
	assert_int_equal(r->db->kv_get(r->s, "watermark", &out, NULL), 0);
	assert_string_equal(buf_str(&out), "2");
	memset(large, 'x', STORE_KV_BYTES_MAX + 1);
	assert_int_equal(r->db->kv_put(r->s, "large", large, NULL), ERR_LIMIT);
}

static void
what_is_old_and_over_goes_and_is_accounted_for(void **state)
{
	struct rig *r = *state;
	const struct store_keep keep = { .deliveries_ms = 6, .transcripts_ms = 500, .max = 9 };
	int64_t over = rig_add_delivery(r, "over"), fresh = rig_add_delivery(r, "fresh");
	int64_t done = rig_add_task(r, 7, 1), live = rig_add_task(r, 7, 2), n = -1;
	char x[] = "x";
	const struct transcript transcript = { x, x };
	struct store_tally t;
	struct delivery d;
	struct task task;

	assert_int_equal(r->db->delivery_end(r->s, over, DELIVERY_IGNORED, "a ping", NULL), 0);
	assert_int_equal(r->db->transcript_put(r->s, done, 1, &transcript, NULL), 0);
	assert_int_equal(r->db->transcript_put(r->s, live, 1, &transcript, NULL), 0);
	assert_int_equal(r->db->task_get(r->s, done, &task, NULL), 0);
	task.state = TASK_FAILED;
	task.changed_ms = 499;
	assert_int_equal(r->db->task_save(r->s, &task, NULL), 0);
	task_finish(&task);

	assert_int_equal(r->db->prune(r->s, &keep, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(r->db->delivery_get(r->s, over, &d, NULL), ERR_MISSING);
	assert_int_equal(r->db->delivery_get(r->s, fresh, &d, NULL), 0);
	delivery_finish(&d);
	assert_int_equal(r->db->transcript_get(r->s, done, NULL, NULL, NULL), ERR_MISSING);
	assert_int_equal(r->db->transcript_get(r->s, live, NULL, NULL, NULL), 0);
	assert_int_equal(r->db->prune(r->s, &keep, &n, NULL), 0);
	assert_int_equal(n, 0);

	assert_int_equal(r->db->tally(r->s, &t, NULL), 0);
	assert_int_equal(store_tally_check(&t, NULL), 0);
	assert_int_equal(t.received, 2);
	assert_int_equal(t.pruned, 1);
	assert_int_equal(t.fresh, 1);
	assert_int_equal(t.final, 1);
	assert_int_equal(t.live, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_delivery_comes_back_as_it_was),
		WITH_RIG(the_same_guid_of_the_same_forge_is_stored_once),
		WITH_RIG(deliveries_without_a_guid_are_all_stored),
		WITH_RIG(a_delivery_ends_once),
		WITH_RIG(strikes_are_counted_while_it_is_new),
		WITH_RIG(a_labels_generation_starts_and_ends),
		WITH_RIG(a_trigger_makes_one_task_for_ever),
		WITH_RIG(a_task_may_begin_at_a_higher_number),
		WITH_RIG(one_live_task_fixes_an_issue),
		WITH_RIG(a_task_comes_back_as_it_was),
		WITH_RIG(saving_with_an_old_fence_is_refused),
		WITH_RIG(lists_know_states_issues_and_order),
		WITH_RIG(repositories_are_known_by_their_newest_name),
		WITH_RIG(a_part_can_be_undone_alone),
		WITH_RIG(what_is_not_committed_is_gone),
		WITH_RIG(small_values_are_kept),
		WITH_RIG(what_is_old_and_over_goes_and_is_accounted_for),
	};

	return RUN_WITH_EACH_DRIVER(tests);
}
