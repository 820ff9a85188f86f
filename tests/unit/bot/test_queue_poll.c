/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_poll - what is found by looking goes the way of what was told. */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bot/decoder.h"
#include "bot/queue_poll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, poll_setup, poll_teardown)

static int
poll_setup(void **state)
{
	if (rig_setup(state) < 0)
		return -1;

	struct rig *r = *state;
	mem_set(&r->config.intake, "poll");
	strs_add(&r->forge_conf.repos, "acme/widget");
	strs_add(&r->forge_conf.repos, "acme/*");
	rig_restart(r);
	return 0;
}

static int
poll_teardown(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < 2; i++)
		row_finish(FORGE_ITEM_ROWS, &r->items[i]);
	return rig_teardown(state);
}

static void
put_label(struct rig *r, int64_t number, int64_t updated_ms)
{
	r->items[0].number = number;
	r->items[0].updated_ms = updated_ms;
	mem_set(&r->items[0].title, "It crashes");
}

static void
put_comment(struct rig *r, const char *user, const char *body)
{
	r->items[1].number = 3;
	r->items[1].id = 41;
	r->items[1].user_id = str_eq(user, "writer") ? 5 : 6;
	r->items[1].updated_ms = clock_wall_ms();
	mem_set(&r->items[1].user, user);
	mem_set(&r->items[1].body, body);
}

static void
a_label_that_is_seen_becomes_one_task(void **state)
{
	struct rig *r = *state;

	put_label(r, 3, 1000);
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	/* Seen again and again, with its label still there. */
	put_label(r, 3, 2000);
	rig_run(r, 300);

	struct task t = rig_task(r);
	assert_int_equal(t.id, 1);
	assert_string_equal(t.actor, "writer");
	task_finish(&t);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(r->n_comments, 1);
}

static void
what_was_seen_is_remembered_over_a_restart(void **state)
{
	struct rig *r = *state;

	put_label(r, 3, 1000);
	rig_until(r, rig_is_quiet);
	rig_restart(r);
	rig_run(r, 300);
	assert_int_equal(r->n_pulls, 1);
	assert_int_equal(rig_delivery_state(r, 2), -1);
}

static bool
is_ignored(struct rig *r)
{
	return rig_delivery_state(r, 1) == DELIVERY_IGNORED;
}

/* The author may write, but it is not known that he set the label: his permission is not borrowed.
 */
static void
nobody_acts_with_anothers_permission(void **state)
{
	struct rig *r = *state;

	r->author_permission = PERMISSION_WRITE;
	r->label_code = ERR_BUSY;
	put_label(r, 3, 1000);
	rig_run(r, 300);
	assert_int_equal(rig_state(r), -1);
	r->label_code = 0;
	rig_until(r, rig_is_quiet);

	struct task t = rig_task(r);
	assert_string_equal(t.actor, "writer");
	task_finish(&t);
}

static void
a_label_that_nobody_is_known_to_have_set_starts_nothing(void **state)
{
	struct rig *r = *state;

	r->author_permission = PERMISSION_WRITE;
	r->label_code = ERR_MISSING;
	put_label(r, 3, 1000);
	rig_until(r, is_ignored);
	assert_int_equal(rig_state(r), -1);
}

static void
a_strangers_comment_starts_nothing(void **state)
{
	struct rig *r = *state;

	put_comment(r, "stranger", "/agent fix");
	rig_until(r, is_ignored);
	assert_int_equal(rig_state(r), -1);
}

static void
comments_that_are_not_for_us_are_not_even_stored(void **state)
{
	struct rig *r = *state;

	put_comment(r, "writer", "Thank you!");
	rig_run(r, 300);
	assert_int_equal(rig_delivery_state(r, 1), -1);
}

static void
a_forge_that_is_away_is_looked_at_later(void **state)
{
	struct rig *r = *state;

	r->fact_code = ERR_BUSY;
	put_label(r, 3, 1000);
	rig_run(r, 300);
	assert_int_equal(rig_state(r), -1);
	r->fact_code = 0;
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->n_pulls, 1);
}

static bool
is_second_over(struct rig *r)
{
	struct task t = { 0 };
	bool is_over =
		r->q->db->task_get(r->q->store, 2, &t, NULL) == 0 && task_state_is_final(t.state);

	task_finish(&t);
	return is_over;
}

/* A forge that calls us, too, called when nobody was there. */
static void
what_happened_while_we_were_down_is_found(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	r->label_event++;
	put_label(r, 4, clock_wall_ms());
	rig_restart(r);
	rig_until(r, is_second_over);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->n_pulls, 2);

	/* The delivery that was lost comes late after all. */
	rig_label(r, "late", 4);
	rig_run(r, 100);
	assert_int_equal(r->n_pulls, 2);
}

static void
a_command_that_was_given_while_we_were_down_is_found(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	r->comment = mem_str("/agent fix");
	put_comment(r, "writer", "/agent fix");
	rig_restart(r);
	rig_run(r, 300);
	/* Read by the rig's decoder, which gives it no commands: that it came in is what counts. */
	assert_int_equal(rig_delivery_state(r, 2), DELIVERY_IGNORED);
}

/* The first look must not be put off to the next sweep, 3 s from here. */
static void
a_forge_that_is_slow_at_our_start_is_looked_at_soon(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g1", 3);
	rig_until(r, rig_is_quiet);
	r->label_event++;
	put_label(r, 4, clock_wall_ms());
	rig_restart(r);
	rig_disconnect(r, ROLE_COURIER);
	rig_run(r, 250); /* its first look is after 200 */
	rig_reconnect(r, ROLE_COURIER);
	rig_run(r, 1500);
	assert_int_equal(r->n_pulls, 2);
}

static void
reload(struct rig *r, size_t n_forges)
{
	r->config.forges.n = n_forges;
	ROLE_SPEC_QUEUE.on_config(&r->ctx.r);
}

/* What is seen again takes a number, too, and goes no further. */
static bool
second_is_here(struct rig *r)
{
	return r->decodes > 1;
}

static void
a_forge_that_comes_with_a_reload_is_looked_at_until_it_goes(void **state)
{
	struct rig *r = *state;
	size_t n_forges = r->config.forges.n;

	r->config.forges.n = 0;
	rig_restart(r);
	put_label(r, 3, 1000);
	rig_run(r, 300);
	assert_null(r->q->polls);
	assert_int_equal(rig_state(r), -1);

	reload(r, n_forges);
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);

	reload(r, 0);
	rig_run(r, 300); /* what was asked already is answered */
	put_label(r, 4, 2000);
	rig_run(r, 300);
	assert_false(second_is_here(r));
	/* Back again, and nothing is there twice. */
	reload(r, n_forges);
	reload(r, n_forges);
	assert_non_null(r->q->polls);
	assert_null(r->q->polls->next);
	rig_until(r, second_is_here);
}

#define MANY 60 /* more than one look takes */

static bool
is_half_way(struct rig *r)
{
	return r->q->polls->live_after > 0;
}

static bool
is_round(struct rig *r)
{
	return r->q->polls->live_after == 0;
}

/* Page after page, and from the start again. */
static void
all_that_wait_are_looked_at_in_turn(void **state)
{
	struct rig *r = *state;
	int64_t last = 0;

	r->slots = 0;
	mem_set(&r->title, "It crashes");
	assert_int_equal(queue_begin(r->q), 0);
	for (int64_t i = 1; i <= MANY; i++) {
		auto_free char *key = mem_fmt("k%lld", (long long)i);
		struct task t = { .forge = mem_str("gh"),
			.repo = mem_str("acme/widget"),
			.page = mem_fmt("%032lld", (long long)i),
			.repo_id = RIG_REPO,
			.number = i,
			.comment_id = i };
		bool was_seen;

		assert_int_equal(r->q->db->task_add(r->q->store, key, 0, &t, &was_seen, NULL), 0);
		last = t.id;
		task_finish(&t);
	}
	rig_until(r, is_half_way);
	assert_true(r->q->polls->live_after < last);
	rig_until(r, is_round);
	rig_until(r, is_half_way);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_label_that_is_seen_becomes_one_task),
		T(what_was_seen_is_remembered_over_a_restart),
		T(nobody_acts_with_anothers_permission),
		T(a_label_that_nobody_is_known_to_have_set_starts_nothing),
		T(a_strangers_comment_starts_nothing),
		T(comments_that_are_not_for_us_are_not_even_stored),
		T(a_forge_that_is_away_is_looked_at_later),
		cmocka_unit_test_setup_teardown(
			what_happened_while_we_were_down_is_found, rig_setup, poll_teardown),
		cmocka_unit_test_setup_teardown(
			a_command_that_was_given_while_we_were_down_is_found, rig_setup,
			poll_teardown),
		cmocka_unit_test_setup_teardown(a_forge_that_is_slow_at_our_start_is_looked_at_soon,
			rig_setup, poll_teardown),
		T(a_forge_that_comes_with_a_reload_is_looked_at_until_it_goes),
		T(all_that_wait_are_looked_at_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
