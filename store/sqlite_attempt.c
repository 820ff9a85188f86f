/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_attempt - what happened in a task: attempts, their steps, their transcripts.
 */
#include "store/sqlite.h"

#include "base/limits.h"

int
sqlite_attempt_end(struct store *st, const struct attempt *a, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e,
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
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s, l->sql, &stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "i", task);
	return sqlite_row_all(s, stmt, l->rows, l->size, out, e);
}

int
sqlite_attempt_list(struct store *st, int64_t task, struct row_list *out, struct err *e)
{
	static const struct listing attempts = {
		"SELECT * FROM attempt WHERE task = ? ORDER BY number",
		ATTEMPT_ROWS,
		sizeof(struct attempt),
	};

	return list_of_task(st, &attempts, task, out, e);
}

int
sqlite_step_put(struct store *st, int64_t task, const struct task_step *step, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e,
		"INSERT INTO step (task, attempt, name, started_ms, ended_ms, exit_code, note)"
		" VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task, attempt, name) DO UPDATE"
		" SET started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,"
		" exit_code = excluded.exit_code, note = excluded.note",
		"iisiiis", task, step->attempt, step->name, step->started_ms, step->ended_ms,
		step->exit_code, step->note);

	return rc < 0 ? rc : 0;
}

int
sqlite_step_list(struct store *st, int64_t task, struct row_list *out, struct err *e)
{
	static const struct listing steps = {
		"SELECT * FROM step WHERE task = ? ORDER BY id",
		TASK_STEP_ROWS,
		sizeof(struct task_step),
	};

	return list_of_task(st, &steps, task, out, e);
}

int
sqlite_transcript_put(
	struct store *st, int64_t task, int64_t attempt, const struct transcript *t, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_buf struct buf cast = BUF_INIT(LIMIT_TRANSCRIPT_BYTES + KIB(256));
	auto_buf struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES + KIB(256));
	size_t cast_len = t->cast ? strlen(t->cast) : 0;
	size_t text_len = t->text ? strlen(t->text) : 0;
	int rc = pack_squeeze(s->pack, PACK_SMALL, t->cast, cast_len, &cast, e);

	if (rc == 0)
		rc = pack_squeeze(s->pack, PACK_SMALL, t->text, text_len, &text, e);
	if (rc < 0)
		return rc;
	rc = sqlite_run(s, e,
		"INSERT OR REPLACE INTO transcript"
		" (task, attempt, cast_size, cast_body, text_size, text_body) VALUES (?, ?, ?, ?, "
		"?, ?)",
		"iiibib", task, attempt, (int64_t)cast_len, cast.data, cast.len, (int64_t)text_len,
		text.data, text.len);
	return rc < 0 ? rc : 0;
}

static int
expand_column(struct sqlite *s, sqlite3_stmt *st, int i, struct buf *out, struct err *e)
{
	if (!out)
		return 0;
	return pack_expand(s->pack, sqlite3_column_blob(st, i + 1),
		(size_t)sqlite3_column_bytes(st, i + 1), (size_t)sqlite3_column_int64(st, i), out,
		e);
}

int
sqlite_transcript_get(
	struct store *st, int64_t task, struct buf *cast, struct buf *text, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s,
		"SELECT cast_size, cast_body, text_size, text_body FROM transcript"
		" WHERE task = ? ORDER BY attempt DESC LIMIT 1",
		&stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "i", task);
	rc = sqlite_step(s, stmt, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no transcript");
	rc = expand_column(s, stmt, 0, cast, e);
	return rc < 0 ? rc : expand_column(s, stmt, 2, text, e);
}
