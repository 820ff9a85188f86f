/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_backlog - what every driver promises when far more waits than can be done.
 *
 * That what is asked every second costs the same however much waits is shown by counting, not by a
 * clock: steps of SQLite's machine, rows that PostgreSQL read.
 */
#include "store_rig.h"

#include "base/mem.h"
#include "store/postgres.h"
#include "store/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BACKLOG 5000

/* Far more than what is needed, and less than looking at each would take. */
#define STEPS_MAX 20000
#define ROWS_MAX  1000

static const struct task_claim ANY = {
	.now_ms = 500, .lease_ms = 30, .running_max = 99, .lane_max = 99
};

static bool
is_remote(const struct rig *r)
{
	return r->db == &STORE_POSTGRES;
}

static void
exec(struct rig *r, const char *sql)
{
	struct err e = { 0 };
	int rc = is_remote(r) ? postgres_exec(postgres_of(r->s), sql, &e)
			      : sqlite_exec(sqlite_of(r->s), sql, &e);

	if (rc < 0)
		fail_msg("%s", e.text);
}

#define NUMBERS(n)                                                                                 \
	"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #n ")"
#define NUMBERS_OF(n) NUMBERS(n)

/* Queued tasks 1 ... BACKLOG with a comment each that is due, and a hundred that are over. */
static void
fill(struct rig *r)
{
	exec(r, NUMBERS_OF(BACKLOG) " INSERT INTO task (id, page, forge, installation_id, repo_id, "
				    "repo, number,"
				    " is_pull, verb, actor_id, comment_id, state, outcome, "
				    "attempt, fence, lease_ms,"
				    " stop_wanted, created_ms, changed_ms, pull_number, sticky_id, "
				    "check_id, files,"
				    " insertions, deletions, gate_exit) SELECT i, 'page' || i, "
				    "'gh', 1, i % 20,"
				    " 'acme/r', i, 0, 0, 7, 0, CASE WHEN i % 200 = 0 THEN 6 ELSE 0 "
				    "END, 0, 0, 0, 0, 0,"
				    " 1, 1, 0, 0, 0, 0, 0, 0, -1 FROM n");
	exec(r, NUMBERS_OF(BACKLOG) " INSERT INTO effect (task, purpose, lane, scope, what, "
				    "is_latest, is_urgent,"
				    " must, op, digest, state, tries, not_before_ms, was_unknown, "
				    "unknown_ms, code,"
				    " created_ms, done_ms, edited_ms) SELECT i, 'sticky', "
				    "'sticky', 'gh/' || (i % 3),"
				    " 0, 1, 0, 0, '{}', 'd', 0, 0, 1, 0, 0, 0, 1, 0, 0 FROM n");
	/* As the server does by itself after a while; of SQLite's file nobody does. */
	if (is_remote(r))
		exec(r, "ANALYZE");
}

static int64_t
steps(struct sqlite *s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s->n_stmts; i++)
		n += sqlite3_stmt_status(s->stmts[i].st, SQLITE_STMTSTATUS_VM_STEP, 0);
	return n;
}

static int64_t
rows(struct postgres *p)
{
	static const char sql[] =
		"SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)"
		"::bigint FROM pg_stat_xact_user_tables";
	int64_t n = 0;

	assert_int_equal(postgres_number(p, sql, &n, NULL), 0);
	return n;
}

static int64_t
spent(struct rig *r)
{
	return is_remote(r) ? rows(postgres_of(r->s)) : steps(sqlite_of(r->s));
}

/* Since before. */
static void
assert_little(struct rig *r, const char *what, int64_t before)
{
	int64_t n = spent(r) - before, max = is_remote(r) ? ROWS_MAX : STEPS_MAX;

	print_message("%s: %lld\n", what, (long long)n);
	if (n > max)
		fail_msg("%s took %lld, more than %lld", what, (long long)n, (long long)max);
}

static void
claim_one(struct rig *r)
{
	struct task t;

	assert_int_equal(r->db->task_claim(r->s, &ANY, &t, NULL), 0);
	task_finish(&t);
}

static void
pick_some(struct rig *r)
{
	const struct effect_ask all = { .scope = "gh/1", .now_ms = 500 };
	const struct effect_ask spare = { .scope = "gh/1", .now_ms = 500, .is_spare = true };
	auto_free char *scope = NULL;
	int64_t ids[16];
	size_t n = 0;

	assert_int_equal(r->db->effect_scope(r->s, "gh/1", &scope, NULL), 0);
	assert_string_equal(scope, "gh/2");
	assert_int_equal(r->db->effect_due(r->s, &all, ids, 16, &n, NULL), 0);
	assert_int_equal(n, 16);
	assert_int_equal(r->db->effect_due(r->s, &spare, ids, 16, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void
tell_place(struct rig *r)
{
	int64_t place = 0;

	assert_int_equal(r->db->task_place(r->s, 100, &place, NULL), 0);
	assert_int_equal(place, 100);
	assert_int_equal(r->db->task_place(r->s, BACKLOG - 1, &place, NULL), 0);
	assert_int_equal(place, TASK_PLACE_MAX);
}

static size_t
page(struct rig *r, const struct task_filter *f)
{
	struct row_list list = { 0 };

	assert_int_equal(r->db->task_list(r->s, f, &list, NULL), 0);
	struct task *v = list.v;
	for (size_t i = 0; i < list.n; i++)
		task_finish(&v[i]);
	free(v);
	return list.n;
}

static void
list_some(struct rig *r)
{
	const struct task_filter head = { .states = TASK_BIT(TASK_QUEUED), .limit = 10 };
	const struct task_filter far = {
		.states = TASK_BIT(TASK_QUEUED), .limit = 10, .after_id = BACKLOG / 2
	};
	const struct task_filter repo = { .states = TASKS_LIVE,
		.forge = "gh",
		.repo_id = 7,
		.limit = 10,
		.after_id = BACKLOG / 2 };

	assert_int_equal(page(r, &head), 10);
	assert_int_equal(page(r, &far), 10);
	assert_int_equal(page(r, &repo), 10);
}

static void
what_is_asked_every_second_costs_the_same_however_much_waits(void **state)
{
	static const struct {
		const char *what;
		void (*ask)(struct rig *r);
	} asks[] = {
		{ "a claim", claim_one },
		{ "what is due", pick_some },
		{ "a place", tell_place },
		{ "a page of tasks", list_some },
	};
	struct rig *r = *state;

	fill(r);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		assert_int_equal(r->db->begin(r->s, NULL), 0);
		int64_t before = spent(r);
		asks[i].ask(r);
		assert_little(r, asks[i].what, before);
		r->db->rollback(r->s);
	}
}

static int64_t
add(struct rig *r, int64_t task, const char *scope, bool is_latest, bool is_urgent)
{
	auto_free char *purpose = mem_fmt("%d%d", is_latest, is_urgent);
	auto_free char *own = mem_str(scope);
	char op[] = "{}", digest[] = "d";
	struct effect f = { .task = task,
		.purpose = purpose,
		.lane = purpose,
		.scope = own,
		.op = op,
		.digest = digest,
		.is_latest = is_latest,
		.is_urgent = is_urgent,
		.not_before_ms = 10 };

	assert_int_equal(r->db->effect_add(r->s, &f, NULL), 0);
	return f.id;
}

static void
results_go_before_progress_and_alone_when_there_is_little_room(void **state)
{
	struct rig *r = *state;
	int64_t talk = add(r, 1, "gh/1", true, false), once = add(r, 2, "gh/1", false, false);
	int64_t news = add(r, 3, "gh/1", true, true), first = add(r, 4, "gh/1", false, true);
	struct effect_ask ask = { .scope = "gh/1", .now_ms = 10 };
	int64_t ids[9];
	size_t n = 0;

	assert_int_equal(r->db->effect_due(r->s, &ask, ids, 9, &n, NULL), 0);
	assert_int_equal(n, 4);
	assert_int_equal(ids[0], first);
	assert_int_equal(ids[1], news);
	assert_int_equal(ids[2], once);
	assert_int_equal(ids[3], talk);
	ask.is_spare = true;
	assert_int_equal(r->db->effect_due(r->s, &ask, ids, 9, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_int_equal(ids[2], once);
	ask.now_ms = 9;
	assert_int_equal(r->db->effect_due(r->s, &ask, ids, 9, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void
scopes_know_nothing_of_each_other(void **state)
{
	struct rig *r = *state;
	int64_t a = add(r, 1, "gh/1", false, false), b = add(r, 1, "", true, false);
	struct effect_ask ask = { .scope = "gh/1", .now_ms = 10 };
	char *scope = NULL;
	int64_t ids[9];
	size_t n = 0;

	(void)add(r, 2, "gl/1", false, false);
	assert_int_equal(r->db->effect_due(r->s, &ask, ids, 9, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], a);
	ask.scope = "";
	assert_int_equal(r->db->effect_due(r->s, &ask, ids, 9, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], b);
	assert_int_equal(r->db->effect_scope(r->s, "", &scope, NULL), 0);
	assert_string_equal(scope, "gh/1");
	free(scope);
	assert_int_equal(r->db->effect_scope(r->s, "gh/1", &scope, NULL), 0);
	assert_string_equal(scope, "gl/1");
	free(scope);
	assert_int_equal(r->db->effect_scope(r->s, "gl/1", &scope, NULL), ERR_MISSING);
}

static void
a_repository_s_tasks_come_page_by_page(void **state)
{
	struct rig *r = *state;
	int64_t first = rig_add_task(r, 7, 1), second = rig_add_task(r, 7, 2);
	struct task_filter f = { .states = TASKS_LIVE, .forge = "gh", .repo_id = 7, .limit = 9 };

	(void)rig_add_task(r, 8, 1);
	assert_int_equal(page(r, &f), 2);
	f.after_id = first;
	assert_int_equal(page(r, &f), 1);
	f.after_id = second;
	assert_int_equal(page(r, &f), 0);
	f.after_id = 0;
	f.forge = "gl";
	assert_int_equal(page(r, &f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(what_is_asked_every_second_costs_the_same_however_much_waits),
		WITH_RIG(results_go_before_progress_and_alone_when_there_is_little_room),
		WITH_RIG(scopes_know_nothing_of_each_other),
		WITH_RIG(a_repository_s_tasks_come_page_by_page),
	};

	return RUN_WITH_EACH_DRIVER(tests);
}
