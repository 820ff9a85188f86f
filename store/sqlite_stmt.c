/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_stmt - statements prepared once, and errors in our words.
 */
#include "store/sqlite.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

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
	for (size_t i = 0; i < s->n_stmts; i++) {
		if (strcmp(s->stmts[i].sql, sql) == 0) {
			*out = s->stmts[i].st;
			return 0;
		}
	}
	/* The program has a fixed set of statements: a full cache is a leak of texts. */
	assert(s->n_stmts < SQLITE_STMTS_MAX);

	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
	if (rc != SQLITE_OK)
		return sqlite_err(s, rc, e, "prepare");
	s->stmts[s->n_stmts].sql = mem_str(sql);
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

static void
bind_args(sqlite3_stmt *st, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		int rc = SQLITE_MISUSE;

		if (*types == 'i') {
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		} else if (*types == 's') {
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else if (*types == 'b') {
			const void *data = va_arg(ap, const void *);

			rc = sqlite3_bind_blob64(st, i, data, va_arg(ap, size_t), SQLITE_STATIC);
		}
		assert(rc == SQLITE_OK);
	}
}

void
sqlite_bind(sqlite3_stmt *st, const char *types, ...)
{
	va_list ap;

	va_start(ap, types);
	bind_args(st, types, ap);
	va_end(ap);
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

int
sqlite_run(struct sqlite *s, struct err *e, const char *sql, const char *types, ...)
{
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, sql, &st, e);
	if (rc < 0)
		return rc;

	va_list ap;
	va_start(ap, types);
	bind_args(st, types, ap);
	va_end(ap);
	rc = sqlite_step(s, st, e);
	return rc < 0 ? rc : sqlite3_changes(s->db);
}

int
sqlite_int(struct sqlite *s, struct err *e, int64_t *out, const char *sql, const char *types, ...)
{
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, sql, &st, e);
	if (rc < 0)
		return rc;

	va_list ap;
	va_start(ap, types);
	bind_args(st, types, ap);
	va_end(ap);
	rc = sqlite_step(s, st, e);
	if (rc < 0)
		return rc;
	if (rc == 0 || sqlite3_column_type(st, 0) == SQLITE_NULL)
		return err_set(e, ERR_MISSING, "no such row");
	*out = sqlite3_column_int64(st, 0);
	return 0;
}
