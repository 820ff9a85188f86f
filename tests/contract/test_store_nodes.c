/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_nodes - several nodes on one PostgreSQL: whose is what, and what becomes of a node
 * that was given up, whichever way it comes back.
 */
#include "postgres_rig.h"

#include "base/clean.h"
#include "base/mem.h"
#include "store/store.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define LONG_MS  60000
#define SHORT_MS 1 /* whoever is looked at twice is gone */

static const struct store_driver *const db = &STORE_POSTGRES;

static int
setup(void **state)
{
	(void)state;
	postgres_rig_empty();
	return 0;
}

static struct store *
join(const char *node, int64_t lease_ms)
{
	const struct store_conf c = {
		.url = postgres_rig_url(), .node = node, .lease_ms = lease_ms, .is_durable = true
	};
	struct store_node n;
	struct store *s = NULL;
	struct err e = { 0 };

	if (db->open(&c, &s, &e) < 0 || db->shared->beat(s, &n, &e) < 0)
		fail_msg("join: %s", e.text);
	return s;
}

static struct store_node
beat(struct store *s)
{
	struct store_node n = { 0 };
	struct err e = { 0 };

	if (db->shared->beat(s, &n, &e) < 0)
		fail_msg("beat: %s", e.text);
	return n;
}

/* The server takes a moment to end the connection that had the lead. */
static void
must_lead(struct store *s)
{
	for (int i = 0; i < 2400 && !beat(s).leads; i++)
		(void)poll(NULL, 0, 25);
	assert_true(beat(s).leads);
}

static void
must_begin(struct store *s)
{
	struct err e = { 0 };

	if (db->begin(s, &e) < 0)
		fail_msg("begin: %s", e.text);
}

static void
must_commit(struct store *s)
{
	struct err e = { 0 };

	if (db->commit(s, &e) < 0)
		fail_msg("commit: %s", e.text);
}

static int64_t
add_task(struct store *s, const char *trigger, int64_t repo_id, int64_t number)
{
	auto_free char *page = mem_fmt("%032d", (int)number);
	char forge[] = "gh", repo[] = "o/r";
	struct task t = {
		.page = page, .forge = forge, .repo = repo, .repo_id = repo_id, .number = number
	};
	struct err e = { 0 };
	bool was_seen;

	must_begin(s);
	if (db->task_add(s, trigger, 0, &t, &was_seen, &e) < 0)
		fail_msg("task_add: %s", e.text);
	must_commit(s);
	return t.id;
}

static int
claim(struct store *s, int64_t running_max, int64_t lane_max, int64_t *id)
{
	const struct task_claim c = {
		.now_ms = 500, .lease_ms = 30, .running_max = running_max, .lane_max = lane_max
	};
	struct task t = { 0 };

	must_begin(s);
	int rc = db->task_claim(s, &c, &t, NULL);
	must_commit(s);
	*id = rc == 0 ? t.id : 0;
	task_finish(&t);
	return rc;
}

static size_t
listed(struct store *s, enum store_whose whose)
{
	const struct task_filter f = { .states = TASKS_LIVE, .whose = whose, .limit = 99 };
	struct row_list list = { 0 };

	assert_int_equal(db->task_list(s, &f, &list, NULL), 0);
	for (size_t i = 0; i < list.n; i++)
		task_finish((struct task *)list.v + i);
	free(list.v);
	return list.n;
}

/* ---- tests ---- */

static void
nodes_share_what_one_alone_cannot_have(void **state)
{
	struct store *a = join(A, LONG_MS), *b = join(B, LONG_MS), *alone = NULL;
	const struct store_conf c = { .url = postgres_rig_url() };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(db->open(&c, &alone, &e), ERR_BUSY);
	assert_int_equal(beat(a).n_nodes, 2);
	assert_true(beat(a).leads);
	assert_false(beat(b).leads);
	db->close(a);
	must_lead(b);
	db->close(b);
	assert_int_equal(db->open(&c, &alone, &e), 0);
	db->close(alone);
}

static void
a_task_is_the_node_s_that_claimed_it(void **state)
{
	struct store *a = join(A, LONG_MS), *b = join(B, LONG_MS);
	int64_t first = add_task(a, "1", 1, 1), second = add_task(a, "2", 1, 2), id;

	(void)state;
	assert_int_equal(listed(a, WHOSE_MINE), 2); /* it leads */
	assert_int_equal(listed(b, WHOSE_MINE), 0);
	assert_int_equal(claim(b, 1, 9, &id), 0);
	assert_int_equal(id, first);
	assert_int_equal(listed(a, WHOSE_MINE), 1);
	assert_int_equal(listed(b, WHOSE_OWN), 1);
	/* Boxes are counted on each, lanes over all. */
	assert_int_equal(claim(b, 1, 9, &id), ERR_MISSING);
	assert_int_equal(claim(a, 1, 1, &id), ERR_MISSING);
	assert_int_equal(claim(a, 1, 2, &id), 0);
	assert_int_equal(id, second);
	db->close(a);
	db->close(b);
}

static void
two_claims_do_not_meet_in_a_lane(void **state)
{
	const struct task_claim c = {
		.now_ms = 500, .lease_ms = 30, .running_max = 9, .lane_max = 1
	};
	struct store *a = join(A, LONG_MS), *b = join(B, LONG_MS);
	struct task t = { 0 };
	int64_t id;

	(void)state;
	(void)add_task(a, "1", 1, 1);
	(void)add_task(a, "2", 1, 2);
	int64_t other = add_task(a, "3", 2, 3);
	must_begin(a);
	assert_int_equal(db->task_claim(a, &c, &t, NULL), 0);
	task_finish(&t);
	/* Not yet committed: b cannot see it, and takes nothing of that lane all the same. */
	assert_int_equal(claim(b, 9, 1, &id), 0);
	assert_int_equal(id, other);
	assert_int_equal(claim(b, 9, 1, &id), ERR_MISSING);
	must_commit(a);
	assert_int_equal(claim(b, 9, 1, &id), ERR_MISSING);
	db->close(a);
	db->close(b);
}

/* b finds a silent, and takes it out. -> the task that a had. */
static int64_t
bury_a(struct store *b)
{
	struct row_list tasks = { 0 };
	auto_free char *name = NULL;
	struct err e = { 0 };
	int64_t id = 0;

	(void)beat(b);
	(void)poll(NULL, 0, 5 * SHORT_MS); /* so long is a's lease over */
	assert_true(beat(b).has_silent);
	must_begin(b);
	if (db->shared->bury(b, &name, &tasks, &e) < 0)
		fail_msg("bury: %s", e.text);
	assert_string_equal(name, A);
	for (size_t i = 0; i < tasks.n; i++) {
		id = ((struct task *)tasks.v)[i].id;
		task_finish((struct task *)tasks.v + i);
	}
	free(tasks.v);
	free(steal_ptr(&name));
	assert_int_equal(db->shared->bury(b, &name, &tasks, NULL), ERR_MISSING);
	must_commit(b);
	return id;
}

static void
who_was_given_up_writes_nothing_more(void **state)
{
	struct store *a = join(A, SHORT_MS), *b = join(B, LONG_MS);
	int64_t first = add_task(a, "1", 1, 1), id;
	struct store_node n;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(claim(a, 9, 9, &id), 0);
	assert_int_equal(bury_a(b), first);
	assert_int_equal(db->begin(a, &e), ERR_DENIED);
	assert_int_equal(db->shared->beat(a, &n, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "given this one up"));
	/* With its connection it lost the lead, too. */
	must_lead(b);
	assert_int_equal(beat(b).n_nodes, 1);
	assert_int_equal(listed(b, WHOSE_MINE), 1);
	db->close(a);
	a = join(A, LONG_MS); /* the next process of that node */
	assert_int_equal(listed(a, WHOSE_MINE), 0);
	must_begin(a);
	must_commit(a);
	db->close(a);
	db->close(b);
}

static void
a_transaction_that_was_open_is_undone(void **state)
{
	struct store *a = join(A, SHORT_MS), *b = join(B, LONG_MS);
	struct err e = { 0 };

	(void)state;
	must_begin(a);
	assert_int_equal(db->kv_put(a, "late", "news", NULL), 0);
	assert_int_equal(bury_a(b), 0);
	assert_true(db->commit(a, &e) < 0);
	assert_int_equal(postgres_rig_number("SELECT count(*) FROM kv"), 0);
	assert_int_equal(db->begin(a, &e), ERR_DENIED);
	db->close(a);
	db->close(b);
}

static void
one_process_is_the_node(void **state)
{
	struct store *old = join(A, LONG_MS), *fresh = join(A, LONG_MS);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(db->begin(old, &e), ERR_DENIED);
	must_begin(fresh);
	must_commit(fresh);
	db->close(old);
	db->close(fresh);
}

static void
add_effect(struct store *s, int64_t task, enum effect_state state, struct effect *f)
{
	static char text[] = "x";

	*f = (struct effect){ .task = task,
		.purpose = text,
		.lane = text,
		.scope = text,
		.op = text,
		.digest = text };
	must_begin(s);
	assert_int_equal(db->effect_add(s, f, NULL), 0);
	f->state = state;
	assert_int_equal(db->effect_save(s, f, NULL), 0);
	must_commit(s);
}

static size_t
due(struct store *s)
{
	const struct effect_ask ask = { .scope = "x", .now_ms = 1 };
	int64_t ids[9];
	size_t n = 0;

	assert_int_equal(db->effect_due(s, &ask, ids, 9, &n, NULL), 0);
	return n;
}

static void
what_it_was_sending_is_sent_by_another(void **state)
{
	struct store *a = join(A, SHORT_MS), *b = join(B, LONG_MS);
	struct effect f, after = { 0 };
	int64_t id, n = 0;

	(void)state;
	(void)add_task(a, "1", 1, 1);
	assert_int_equal(claim(a, 9, 9, &id), 0);
	add_effect(a, id, EFFECT_PENDING, &f);
	assert_int_equal(due(a), 1);
	assert_int_equal(due(b), 0);
	must_begin(a);
	f.state = EFFECT_SENT;
	assert_int_equal(db->effect_save(a, &f, NULL), 0);
	must_commit(a);
	/* A start of b has nothing to do with it. */
	assert_int_equal(db->effect_resume(b, 1, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(bury_a(b), id);
	must_lead(b);
	assert_int_equal(due(b), 1);
	assert_int_equal(db->effect_get(b, f.id, &after, NULL), 0);
	assert_true(after.was_unknown);
	assert_true(after.unknown_ms > 0);
	effect_finish(&after);
	db->close(a);
	db->close(b);
}

static void
others_are_heard(void **state)
{
	struct store *a = join(A, LONG_MS), *b = join(B, LONG_MS);
	uint64_t turn;
	struct pollfd fd = { .fd = db->shared->fd(b, &turn), .events = POLLIN };

	(void)state;
	(void)db->shared->heard(a);
	(void)db->shared->heard(b);
	(void)add_task(a, "1", 1, 1);
	assert_int_equal(poll(&fd, 1, 60000), 1);
	assert_true(db->shared->heard(b));
	assert_false(db->shared->heard(b));
	assert_false(db->shared->heard(a)); /* what it said itself */
	db->close(a);
	db->close(b);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nodes_share_what_one_alone_cannot_have),
		T(a_task_is_the_node_s_that_claimed_it),
		T(two_claims_do_not_meet_in_a_lane),
		T(who_was_given_up_writes_nothing_more),
		T(a_transaction_that_was_open_is_undone),
		T(one_process_is_the_node),
		T(what_it_was_sending_is_sent_by_another),
		T(others_are_heard),
	};

	return cmocka_run_group_tests(tests, postgres_rig_group_setup, postgres_rig_group_teardown);
}
