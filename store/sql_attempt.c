/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_attempt - what happened in a task: attempts, their steps, their transcripts.
 */
#include "store/sql.h"

#include "base/limits.h"

int
sql_attempt_end(struct store *st, const struct attempt *a, struct err *e)
{
	int rc = sql_run(sql_of(st), e,
		"UPDATE attempt SET ended_ms = ?, outcome = ?, reason = ? WHERE task = ? AND "
		"number = ?",
		"iisii", a->ended_ms, a->outcome, a->reason, a->task, a->number);

	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such attempt");
	return rc < 0 ? rc : 0;
}

/* What is listed of a task, and as what. */
struct listing {
	const char *sql;
	const struct row *rows;
	size_t size;
};

static int
list_of_task(struct store *st, const struct listing *l, int64_t task, struct row_list *out,
	struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, l->sql, "i", task);

	if (rc < 0)
		return rc;
	return sql_row_all(&q, l->rows, l->size, out, e);
}

int
sql_attempt_list(struct store *st, int64_t task, struct row_list *out, struct err *e)
{
	static const struct listing attempts = {
		"SELECT * FROM attempt WHERE task = ? ORDER BY number",
		ATTEMPT_ROWS,
		sizeof(struct attempt),
	};

	return list_of_task(st, &attempts, task, out, e);
}

int
sql_step_put(struct store *st, int64_t task, const struct task_step *step, struct err *e)
{
	int rc = sql_run(sql_of(st), e,
		"INSERT INTO step (task, attempt, name, started_ms, ended_ms, exit_code, note)"
		" SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM task WHERE id = ?1)"
		" ON CONFLICT (task, attempt, name) DO UPDATE"
		" SET started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,"
		" exit_code = excluded.exit_code, note = excluded.note",
		"iisiiis", task, step->attempt, step->name, step->started_ms, step->ended_ms,
		step->exit_code, step->note);

	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "a step of no task");
	return rc < 0 ? rc : 0;
}

int
sql_step_list(struct store *st, int64_t task, struct row_list *out, struct err *e)
{
	static const struct listing steps = {
		"SELECT * FROM step WHERE task = ? ORDER BY id",
		TASK_STEP_ROWS,
		sizeof(struct task_step),
	};

	return list_of_task(st, &steps, task, out, e);
}

int
sql_transcript_put(
	struct store *st, int64_t task, int64_t attempt, const struct transcript *t, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_buf struct buf cast = BUF_INIT(LIMIT_TRANSCRIPT_BYTES + KIB(256));
	auto_buf struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES + KIB(256));
	size_t cast_len = t->cast ? strlen(t->cast) : 0;
	size_t text_len = t->text ? strlen(t->text) : 0;
	int rc = pack_squeeze(s->pack, PACK_SMALL, t->cast, cast_len, &cast, e);

	if (rc == 0)
		rc = pack_squeeze(s->pack, PACK_SMALL, t->text, text_len, &text, e);
	if (rc < 0)
		return rc;
	rc = sql_run(s, e,
		"INSERT INTO transcript (task, attempt, cast_size, cast_body, text_size, text_body)"
		" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (task, attempt) DO UPDATE"
		" SET cast_size = excluded.cast_size, cast_body = excluded.cast_body,"
		" text_size = excluded.text_size, text_body = excluded.text_body",
		"iiibib", task, attempt, (int64_t)cast_len, cast.data, cast.len, (int64_t)text_len,
		text.data, text.len);
	return rc < 0 ? rc : 0;
}

static int
expand_column(const struct sql_stmt *q, int i, struct buf *out, struct err *e)
{
	size_t len = 0;

	if (!out)
		return 0;
	const char *data = sql_get(q, i + 1, &len);
	return pack_expand(q->s->pack, data, len, (size_t)sql_get_i64(q, i), out, e);
}

int
sql_transcript_get(
	struct store *st, int64_t task, struct buf *cast, struct buf *text, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e,
		"SELECT cast_size, cast_body, text_size, text_body FROM transcript"
		" WHERE task = ? ORDER BY attempt DESC LIMIT 1",
		"i", task);

	if (rc < 0)
		return rc;
	rc = sql_step(&q, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no transcript");
	rc = expand_column(&q, 0, cast, e);
	return rc < 0 ? rc : expand_column(&q, 2, text, e);
}
