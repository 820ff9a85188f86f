/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_task - trigger and task.
 */
#include "store/sql.h"

/* Lists leave the prompt away. */
#define SELECT_FULL                                                                                \
	"SELECT task.*, prompt.prompt FROM task LEFT JOIN prompt ON prompt.task = task.id WHERE "

static const char *const NOT_ADDED[] = { "id", "prompt", NULL };
static const char *const NOT_ADDED_BY_HAND[] = { "prompt", NULL };
/* What a trigger fixed, and what only claim and renew may change. */
static const char *const NOT_CHANGED[] = { "id", "page", "forge", "repo_id", "number", "is_pull",
	"verb", "prompt", "input_hash", "actor_id", "comment_id", "attempt", "fence", "lease_ms",
	"created_ms", NULL };

static const char *const KEYS[] = { "id", "fence", NULL };
static const struct sql_table TASKS = { "task", TASK_ROWS, NOT_ADDED, NOT_CHANGED };
static const struct sql_table NUMBERED = { "task", TASK_ROWS, NOT_ADDED_BY_HAND, NOT_CHANGED };

/* With the number it has, unless those that were given are as high already. */
static int
add_row(struct sql *s, const struct task *t, int64_t *id, struct err *e)
{
	int64_t last = 0;
	int rc = t->id > 0 ? sql_int(s, e, &last, "SELECT coalesce(max(id), 0) FROM task", "") : 0;

	if (rc < 0)
		return rc;
	if (t->id <= last)
		return sql_row_add(s, &TASKS, t, id, e);
	rc = sql_row_add(s, &NUMBERED, t, id, e);
	return rc < 0 || !s->sql->ids_follow ? rc : s->sql->ids_follow(s, "task", e);
}

int
sql_task_add(struct store *st, const char *trigger, int64_t delivery, struct task *t,
	bool *was_seen, struct err *e)
{
	struct sql *s = sql_of(st);
	int64_t id;
	int rc = sql_int(s, e, &id, "SELECT task FROM trigger_seen WHERE key = ?", "s", trigger);

	*was_seen = rc == 0;
	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "trigger %s is task %lld", trigger, (long long)id);
	if (rc != ERR_MISSING)
		return rc;

	rc = add_row(s, t, &id, e);
	if (rc < 0)
		return err_wrap(e, rc, "trigger %s", trigger);
	rc = sql_run(s, e,
		"INSERT INTO trigger_seen (key, delivery, task, created_ms) VALUES (?, ?, ?, ?)",
		"siii", trigger, delivery, id, t->created_ms);
	if (rc < 0)
		return rc;
	rc = sql_run(s, e, "INSERT INTO prompt (task, prompt) VALUES (?, ?)", "is", id,
		t->prompt ? t->prompt : "");
	if (rc >= 0)
		rc = sql_run(s, e, "UPDATE tally SET n = n + 1 WHERE name = 'accepted'", "");
	if (rc < 0)
		return rc;
	t->id = id;
	return 0;
}

int
sql_task_get(struct store *st, int64_t id, struct task *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e,
		s->locks ? SELECT_FULL "task.id = ? FOR UPDATE OF task" : SELECT_FULL "task.id = ?",
		"i", id);

	if (rc < 0)
		return rc;
	return sql_row_one(&q, TASK_ROWS, out, "such task", e);
}

int
sql_task_get_page(struct store *st, const char *page, struct task *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, SELECT_FULL "task.page = ?", "s", page);

	if (rc < 0)
		return rc;
	return sql_row_one(&q, TASK_ROWS, out, "such task", e);
}

/* The states as text, so that the partial indexes can be used: of unfinished ones, of those at
 * work.
 */
static void
states_sql(uint32_t states, struct buf *out)
{
	const char *comma = "";

	(void)buf_adds(out, "state IN (");
	for (int i = 0; i < TASK_STATE_COUNT; i++) {
		if (states & TASK_BIT(i)) {
			(void)buf_addf(out, "%s%d", comma, i);
			comma = ", ";
		}
	}
	(void)buf_adds(out, (states & TASKS_FINAL) == 0 ? ") AND state < 6" : ")");
	if ((states & TASKS_OVER) == 0)
		(void)buf_adds(out, " AND state < 5");
}

int
sql_task_list(struct store *st, const struct task_filter *f, struct row_list *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_buf struct buf sql = BUF_INIT(1024);
	auto_sql struct sql_stmt q = { 0 };

	(void)buf_adds(&sql, "SELECT * FROM task WHERE ");
	states_sql(f->states, &sql);
	if (f->whose != WHOSE_ANY)
		(void)buf_adds(&sql, f->whose == WHOSE_OWN ? s->own : s->mine);
	if (f->forge)
		(void)buf_adds(&sql, " AND forge = ?3 AND repo_id = ?4");
	if (f->forge && f->number != 0)
		(void)buf_adds(&sql, " AND number = ?5");
	(void)buf_adds(&sql, f->newest_first ? " AND (?1 = 0 OR id < ?1) ORDER BY id DESC LIMIT ?2"
					     : " AND id > ?1 ORDER BY id LIMIT ?2");

	/* As many of them as the text names. */
	int rc = sql_query(s, &q, e, buf_str(&sql),
		!f->forge        ? "ii"
		: f->number == 0 ? "iisi"
				 : "iisii",
		f->after_id, f->limit, f->forge, f->repo_id, f->number);
	if (rc < 0)
		return rc;
	return sql_row_all(&q, TASK_ROWS, sizeof(struct task), out, e);
}

/* What is queued is no node's; and what is no node's is the leader's. */
static int
let_go(struct sql *s, int64_t id, struct err *e)
{
	int rc = sql_run(s, e, "UPDATE task SET node = '' WHERE id = ? AND node <> ''", "i", id);

	return rc < 0 ? rc : 0;
}

int
sql_task_save(struct store *st, const struct task *t, struct err *e)
{
	struct sql *s = sql_of(st);
	int rc = sql_row_save(s, &TASKS, t, KEYS, e);

	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "task %lld was claimed by somebody else",
			(long long)t->id);
	if (rc < 0)
		return rc;
	return *s->node && t->state == TASK_QUEUED ? let_go(s, t->id, e) : 0;
}

int
sql_task_hold(struct store *st, int64_t id, int64_t not_before_ms, struct err *e)
{
	int rc = sql_run(sql_of(st), e, "UPDATE task SET not_before_ms = ? WHERE id = ?", "ii",
		not_before_ms, id);

	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such task");
	return rc < 0 ? rc : 0;
}

int
sql_task_place(struct store *st, int64_t id, int64_t *place, struct err *e)
{
	return sql_int(sql_of(st), e, place,
		"SELECT CASE WHEN (SELECT state FROM task WHERE id = ?1) = 0"
		" THEN (SELECT count(*) FROM (SELECT id FROM task WHERE state = 0 AND state < 6"
		"  AND id <= ?1 ORDER BY id LIMIT ?2) AS older)"
		" ELSE 0 END",
		"ii", id, (int64_t)TASK_PLACE_MAX);
}

int
sql_task_count(struct store *st, uint32_t states, int64_t *count, struct err *e)
{
	auto_buf struct buf sql = BUF_INIT(1024);

	(void)buf_adds(&sql, "SELECT count(*) FROM task WHERE ");
	states_sql(states, &sql);
	return sql_int(sql_of(st), e, count, buf_str(&sql), "");
}

int
sql_repo_list(struct store *st, int64_t limit, struct row_list *out, struct err *e)
{
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(sql_of(st), &q, e,
		"SELECT t.forge, t.repo_id, t.repo, t.installation_id FROM task AS t JOIN"
		" (SELECT max(id) AS id FROM task GROUP BY forge, repo_id) AS newest"
		" ON t.id = newest.id ORDER BY t.id DESC LIMIT ?",
		"i", limit);

	return rc < 0 ? rc : sql_row_all(&q, STORE_REPO_ROWS, sizeof(struct store_repo), out, e);
}
