/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_task - trigger and task.
 */
#include "store/sqlite.h"

/* Lists leave the prompt away. */
#define SELECT_FULL                                                                                \
	"SELECT task.*, prompt.prompt FROM task LEFT JOIN prompt ON prompt.task = task.id WHERE "

static const char *const NOT_ADDED[] = { "id", "prompt", NULL };
/* What a trigger fixed, and what only claim and renew may change. */
static const char *const NOT_CHANGED[] = { "id", "page", "forge", "repo_id", "number", "is_pull",
	"verb", "prompt", "input_hash", "actor_id", "comment_id", "attempt", "fence", "lease_ms",
	"created_ms", NULL };

static const struct sqlite_table TASKS = { "task", TASK_ROWS, NOT_ADDED, NOT_CHANGED };

int
sqlite_task_add(struct store *st, const char *trigger, int64_t delivery, struct task *t,
	bool *was_seen, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	int64_t id;
	int rc = sqlite_int(s, e, &id, "SELECT task FROM trigger_seen WHERE key = ?", "s", trigger);

	*was_seen = rc == 0;
	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "trigger %s is task %lld", trigger, (long long)id);
	if (rc != ERR_MISSING)
		return rc;

	rc = sqlite_row_add(s, &TASKS, t, &id, e);
	if (rc < 0)
		return err_wrap(e, rc, "trigger %s", trigger);
	rc = sqlite_run(s, e,
		"INSERT INTO trigger_seen (key, delivery, task, created_ms) VALUES (?, ?, ?, ?)",
		"siii", trigger, delivery, id, t->created_ms);
	if (rc < 0)
		return rc;
	rc = sqlite_run(s, e, "INSERT INTO prompt (task, prompt) VALUES (?, ?)", "is", id,
		t->prompt ? t->prompt : "");
	if (rc >= 0)
		rc = sqlite_run(s, e, "UPDATE tally SET n = n + 1 WHERE name = 'accepted'", "");
	if (rc < 0)
		return rc;
	t->id = id;
	return 0;
}

int
sqlite_task_get(struct store *st, int64_t id, struct task *out, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s, SELECT_FULL "task.id = ?", &stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "i", id);
	return sqlite_row_one(s, stmt, TASK_ROWS, out, "such task", e);
}

int
sqlite_task_get_page(struct store *st, const char *page, struct task *out, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s, SELECT_FULL "task.page = ?", &stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "s", page);
	return sqlite_row_one(s, stmt, TASK_ROWS, out, "such task", e);
}

/* The states as text, so that SQLite can use the partial index of unfinished ones. */
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
}

int
sqlite_task_list(struct store *st, const struct task_filter *f, struct row_list *out, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_buf struct buf sql = BUF_INIT(1024);
	auto_stmt sqlite3_stmt *stmt = NULL;

	(void)buf_adds(&sql, "SELECT * FROM task WHERE ");
	states_sql(f->states, &sql);
	if (f->forge)
		(void)buf_adds(&sql, " AND forge = ?3 AND repo_id = ?4 AND number = ?5");
	(void)buf_adds(&sql, f->newest_first ? " AND (?1 = 0 OR id < ?1) ORDER BY id DESC LIMIT ?2"
					     : " AND id > ?1 ORDER BY id LIMIT ?2");

	int rc = sqlite_stmt(s, buf_str(&sql), &stmt, e);
	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "ii", f->after_id, f->limit);
	if (f->forge)
		sqlite_bind(stmt, "iisii", f->after_id, f->limit, f->forge, f->repo_id, f->number);
	return sqlite_row_all(s, stmt, TASK_ROWS, sizeof(struct task), out, e);
}

int
sqlite_task_save(struct store *st, const struct task *t, struct err *e)
{
	int rc = sqlite_row_save(sqlite_of(st), &TASKS, t, "id = :id AND fence = :fence", e);

	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "task %lld was claimed by somebody else",
			(long long)t->id);
	return rc < 0 ? rc : 0;
}

int
sqlite_task_hold(struct store *st, int64_t id, int64_t not_before_ms, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "UPDATE task SET not_before_ms = ? WHERE id = ?",
		"ii", not_before_ms, id);

	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such task");
	return rc < 0 ? rc : 0;
}

int
sqlite_task_place(struct store *st, int64_t id, int64_t *place, struct err *e)
{
	return sqlite_int(sqlite_of(st), e, place,
		"SELECT CASE WHEN (SELECT state FROM task WHERE id = ?1) = 0"
		" THEN (SELECT count(*) FROM task WHERE state = 0 AND state < 6 AND id <= ?1)"
		" ELSE 0 END",
		"i", id);
}

int
sqlite_task_count(struct store *st, uint32_t states, int64_t *count, struct err *e)
{
	auto_buf struct buf sql = BUF_INIT(1024);

	(void)buf_adds(&sql, "SELECT count(*) FROM task WHERE ");
	states_sql(states, &sql);
	return sqlite_int(sqlite_of(st), e, count, buf_str(&sql), "");
}

/* SQLite gives the bare columns of the row that has the max (sqlite.org/lang_select.html, "Bare
 * columns in an aggregate query"). */
int
sqlite_repo_list(struct store *st, int64_t limit, struct row_list *out, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s,
		"SELECT forge, repo_id, repo, installation_id, max(id) AS newest FROM task"
		" GROUP BY forge, repo_id ORDER BY newest DESC LIMIT ?",
		&stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "i", limit);
	return sqlite_row_all(s, stmt, STORE_REPO_ROWS, sizeof(struct store_repo), out, e);
}
