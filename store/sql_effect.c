/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_effect - the outbox.
 */
#include "store/sql.h"

#include "base/mem.h"

static const char *const NOT_ADDED[] = { "id", NULL };
static const char *const NOT_CHANGED[] = { "id", "task", "purpose", "created_ms", NULL };
static const char *const KEYS[] = { "id", NULL };
static const struct sql_table EFFECTS = { "effect", EFFECT_ROWS, NOT_ADDED, NOT_CHANGED };

int
sql_effect_add(struct store *st, struct effect *f, struct err *e)
{
	int rc = sql_row_add(sql_of(st), &EFFECTS, f, &f->id, e);

	return rc < 0 ? err_wrap(e, rc, "effect %s of task %lld", f->purpose, (long long)f->task)
		      : 0;
}

int
sql_effect_get(struct store *st, int64_t id, struct effect *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e,
		s->locks ? "SELECT * FROM effect WHERE id = ? FOR UPDATE"
			 : "SELECT * FROM effect WHERE id = ?",
		"i", id);

	if (rc < 0)
		return rc;
	return sql_row_one(&q, EFFECT_ROWS, out, "such effect", e);
}

int
sql_effect_task(struct store *st, int64_t id, int64_t *task, struct err *e)
{
	return sql_int(sql_of(st), e, task, "SELECT task FROM effect WHERE id = ?", "i", id);
}

int
sql_effect_find(
	struct store *st, int64_t task, const char *purpose, struct effect *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e,
		s->locks ? "SELECT * FROM effect WHERE task = ? AND purpose = ? FOR UPDATE"
			 : "SELECT * FROM effect WHERE task = ? AND purpose = ?",
		"is", task, purpose);

	if (rc < 0)
		return rc;
	return sql_row_one(&q, EFFECT_ROWS, out, "such effect", e);
}

/* Whose it is to say what became of it. */
static int
take(struct sql *s, int64_t id, struct err *e)
{
	return sql_run(
		s, e, "UPDATE effect SET node = ? WHERE id = ? AND state = 0", "si", s->node, id);
}

int
sql_effect_save(struct store *st, const struct effect *f, struct err *e)
{
	struct sql *s = sql_of(st);
	int rc = *s->node && f->state == EFFECT_SENT ? take(s, f->id, e) : 0;

	if (rc >= 0)
		rc = sql_row_save(s, &EFFECTS, f, KEYS, e);

	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such effect");
	return rc < 0 ? rc : 0;
}

int
sql_effect_list(struct store *st, int64_t task, struct row_list *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e,
		s->locks ? "SELECT * FROM effect WHERE task = ? ORDER BY id FOR UPDATE"
			 : "SELECT * FROM effect WHERE task = ? ORDER BY id",
		"i", task);

	if (rc < 0)
		return rc;
	return sql_row_all(&q, EFFECT_ROWS, sizeof(struct effect), out, e);
}

int
sql_effect_drop(struct store *st, int64_t id, struct err *e)
{
	int rc = sql_run(sql_of(st), e, "DELETE FROM effect WHERE id = ?", "i", id);

	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such effect");
	return rc < 0 ? rc : 0;
}

/* None beside one under way, so the forge sees a task's effects in their order as long as it
 * answers. One that has to be repeated lets the others pass, but for those of its lane. Effects of
 * no task know no order. A count and no NOT EXISTS: PostgreSQL would make a join of whole tables of
 * that. */
#define RANK(rank, urgent, latest)                                                                 \
	"SELECT * FROM (SELECT " rank " AS place, not_before_ms, id, task FROM effect AS f"        \
	" WHERE state = 0 AND scope = ?1 AND is_urgent = " urgent " AND is_latest = " latest       \
	" AND not_before_ms <= ?2 AND (task = 0 OR (SELECT count(*) FROM effect AS o"              \
	"  WHERE o.task = f.task AND (o.state = 1"                                                 \
	"   OR (o.state = 0 AND o.lane = f.lane AND o.id < f.id))) = 0)%s"                         \
	" ORDER BY not_before_ms, id LIMIT ?3) AS rank" rank

/* Each part is a seek into the index effect_next. */
#define DUE_SPARE                                                                                  \
	RANK("1", "1", "0") " UNION ALL " RANK("2", "1", "1") " UNION ALL " RANK("3", "0", "0")
#define DUE      DUE_SPARE " UNION ALL " RANK("4", "0", "1")
#define IN_ORDER " ORDER BY 1, 2, 3"

/* A task has a handful of effects: so many rows are those of enough tasks. */
#define ROWS_OF_TASK 4

/* Effects of no task are the leader's. */
static void
mine_sql(const struct sql *s, struct buf *out)
{
	if (*s->mine)
		(void)buf_addf(out,
			" AND EXISTS (SELECT 1 FROM (SELECT coalesce((SELECT t.node FROM task AS t"
			" WHERE t.id = f.task), '') AS node) AS whose WHERE true%s)",
			s->mine);
}

static bool
has(const int64_t *v, size_t n, int64_t what)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == what)
			return true;
	}
	return false;
}

int
sql_effect_due(struct store *st, const struct effect_ask *ask, int64_t *ids, size_t max, size_t *n,
	struct err *e)
{
	struct sql *s = sql_of(st);
	auto_buf struct buf mine = BUF_INIT(512);
	auto_sql struct sql_stmt q = { 0 };
	auto_free int64_t *tasks = mem_array(max, sizeof(*tasks));

	mine_sql(s, &mine);
	const char *m = buf_str(&mine);
	auto_free char *due = ask->is_spare ? mem_fmt(DUE_SPARE IN_ORDER, m, m, m)
					    : mem_fmt(DUE IN_ORDER, m, m, m, m);
	int rc = sql_query(
		s, &q, e, due, "sii", ask->scope, ask->now_ms, (int64_t)(max * ROWS_OF_TASK));
	*n = 0;
	while (rc >= 0 && *n < max && (rc = sql_step(&q, e)) > 0) {
		int64_t task = sql_get_i64(&q, 3);

		if (task != 0 && has(tasks, *n, task))
			continue;
		tasks[*n] = task;
		ids[(*n)++] = sql_get_i64(&q, 2);
	}
	return rc < 0 ? rc : 0;
}

int
sql_effect_scope(struct store *st, const char *after, char **scope, struct err *e)
{
	auto_sql struct sql_stmt q = { 0 };
	size_t len = 0;
	int rc = sql_query(sql_of(st), &q, e,
		"SELECT scope FROM effect WHERE state = 0 AND scope > ? ORDER BY scope LIMIT 1",
		"s", after);

	if (rc == 0)
		rc = sql_step(&q, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "nothing is pending after %s", after);
	*scope = mem_str(sql_get(&q, 0, &len));
	return 0;
}

int
sql_effect_next_ms(struct store *st, int64_t *at_ms, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_buf struct buf sql = BUF_INIT(1024);

	(void)buf_adds(&sql, "SELECT min(not_before_ms) FROM effect AS f WHERE state = 0");
	mine_sql(s, &sql);
	return sql_int(s, e, at_ms, buf_str(&sql), "");
}

int
sql_effect_resume(struct store *st, int64_t now_ms, int64_t *n, struct err *e)
{
	int rc = sql_run(sql_of(st), e,
		"UPDATE effect SET state = 0, was_unknown = 1,"
		" unknown_ms = ?1 WHERE state = 1 AND node = ?2",
		"is", now_ms, sql_of(st)->node);

	if (rc < 0)
		return rc;
	*n = rc;
	return 0;
}

int
sql_waits_move(struct store *st, int64_t by_ms, struct err *e)
{
	static const char *const moves[] = {
		"UPDATE task SET not_before_ms = not_before_ms + ?"
		" WHERE state = 0 AND not_before_ms > 0",
		"UPDATE task SET changed_ms = changed_ms + ? WHERE state BETWEEN 1 AND 5",
		"UPDATE effect SET not_before_ms = not_before_ms + ? WHERE state < 2",
		"UPDATE effect SET unknown_ms = unknown_ms + ? WHERE state < 2 AND unknown_ms > 0",
		"UPDATE effect SET done_ms = done_ms + ?1, edited_ms = CASE edited_ms WHEN 0 THEN 0"
		" ELSE edited_ms + ?1 END WHERE done_ms > 0"
		" AND task IN (SELECT id FROM task WHERE state < 6)",
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		int rc = sql_run(sql_of(st), e, moves[i], "i", by_ms);

		if (rc < 0)
			return rc;
	}
	return 0;
}
