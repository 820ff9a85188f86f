/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_stmt - statements prepared once, and errors in our words.
 */
#include "store/sqlite.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>

static int
err_code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_INTERRUPT:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CONSTRAINT:
		return ERR_CONFLICT;
	case SQLITE_FULL:
	case SQLITE_TOOBIG:
		return ERR_LIMIT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_INVALID;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_DENIED;
	default:
		return ERR_SYSTEM;
	}
}

int
sqlite_err(struct sqlite *s, int rc, struct err *e, const char *what)
{
	int code = err_code_of(rc);
	int sys = sqlite3_system_errno(s->db);

	assert((rc & 0xff) != SQLITE_NOMEM && (rc & 0xff) != SQLITE_MISUSE);
	/* Not every full disk is SQLITE_FULL: a shared memory file that cannot grow is an I/O
	 * error. */
	if ((rc & 0xff) == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT))
		code = ERR_LIMIT;
	if (code == ERR_INVALID)
		s->is_damaged = true;
	if (code == ERR_INVALID)
		err_set(e, code, "%s: the store is damaged: %s", what, sqlite3_errmsg(s->db));
	else
		err_set(e, code, "%s: %s (%d)", what, sqlite3_errmsg(s->db), rc);
	if (e && (rc & 0xff) == SQLITE_IOERR)
		e->sys = sys;
	return code;
}

int
sqlite_stmt(struct sqlite *s, const char *sql, sqlite3_stmt **out, struct err *e)
{
	size_t len = strlen(sql);

	for (size_t i = 0; i < s->n_stmts; i++) {
		if (s->stmts[i].len == len && memcmp(s->stmts[i].sql, sql, len) == 0) {
			*out = s->stmts[i].st;
			return 0;
		}
	}
	/* The program has a fixed set of statements: a full cache is a leak of texts. */
	assert(s->n_stmts < SQL_STMTS_MAX);

	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
	if (rc != SQLITE_OK)
		return sqlite_err(s, rc, e, "prepare");
	s->stmts[s->n_stmts].sql = mem_str(sql);
	s->stmts[s->n_stmts].len = len;
	s->stmts[s->n_stmts++].st = st;
	*out = st;
	return 0;
}

void
sqlite_stmt_done(sqlite3_stmt **st)
{
	if (!*st)
		return;
	/* Reset repeats the error of the last step, which has been told. */
	(void)sqlite3_reset(*st);
	(void)sqlite3_clear_bindings(*st);
}

int
sqlite_step(struct sqlite *s, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return sqlite_err(s, rc, e, sqlite3_sql(st));
}

/* ---- as the nouns see them ---- */

static int
prepare(struct sql *s, const char *text, void **st, struct err *e)
{
	sqlite3_stmt *out = NULL;
	int rc = sqlite_stmt(sqlite_of(&s->base), text, &out, e);

	*st = out;
	return rc;
}

static void
done(void *st)
{
	sqlite3_stmt *it = st;

	sqlite_stmt_done(&it);
}

static void
bind_i64(void *st, int i, int64_t v)
{
	int rc = sqlite3_bind_int64(st, i, v);

	assert(rc == SQLITE_OK);
}

static void
bind_text(void *st, int i, const char *text)
{
	int rc = sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);

	assert(rc == SQLITE_OK);
}

static void
bind_blob(void *st, int i, const void *data, size_t len)
{
	int rc = sqlite3_bind_blob64(st, i, data, len, SQLITE_STATIC);

	assert(rc == SQLITE_OK);
}

static int
step(struct sql *s, void *st, struct err *e)
{
	return sqlite_step(sqlite_of(&s->base), st, e);
}

static int
changes(struct sql *s, void *st)
{
	(void)st;
	return sqlite3_changes(sqlite_of(&s->base)->db);
}

static int
columns(void *st)
{
	return sqlite3_column_count(st);
}

static const char *
name(void *st, int i)
{
	return sqlite3_column_name(st, i);
}

static int64_t
get_i64(void *st, int i)
{
	return sqlite3_column_int64(st, i);
}

static const char *
get(void *st, int i, size_t *len)
{
	const char *text = sqlite3_column_type(st, i) == SQLITE_BLOB
				   ? sqlite3_column_blob(st, i)
				   : (const char *)sqlite3_column_text(st, i);

	*len = (size_t)sqlite3_column_bytes(st, i);
	/* An empty blob is no pointer. */
	return text || sqlite3_column_type(st, i) == SQLITE_NULL ? text : "";
}

static enum sql_type
type(void *st, int i)
{
	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		return SQL_I64;
	case SQLITE_TEXT:
		return SQL_TEXT;
	case SQLITE_BLOB:
		return SQL_BLOB;
	default:
		return SQL_NULL; /* our schema is strict: there is nothing else */
	}
}

const struct sql_driver SQLITE_SQL = {
	.claim_lock = "",
	.prepare = prepare,
	.done = done,
	.bind_i64 = bind_i64,
	.bind_text = bind_text,
	.bind_blob = bind_blob,
	.step = step,
	.changes = changes,
	.columns = columns,
	.name = name,
	.get_i64 = get_i64,
	.get = get,
	.type = type,
};
