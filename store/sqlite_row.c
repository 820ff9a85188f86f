/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_row - structs as rows of a table, by the names in their row table.
 */
#include "store/sqlite.h"

#include "base/mem.h"

#include <assert.h>

#define SQL_BYTES_MAX 8192

static const struct row *
row_find(const struct row *rows, const char *name)
{
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		if (strcmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}

static bool
is_among(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static void
bind_member(sqlite3_stmt *st, int i, const struct row *r, const void *obj)
{
	const void *m = (const char *)obj + r->offset;
	int rc = SQLITE_MISUSE;

	if (r->type == ROW_BOOL)
		rc = sqlite3_bind_int64(st, i, *(const bool *)m ? 1 : 0);
	else if (r->type == ROW_I64)
		rc = sqlite3_bind_int64(st, i, *(const int64_t *)m);
	else if (r->type == ROW_STR)
		rc = sqlite3_bind_text(st, i, *(char *const *)m, -1, SQLITE_STATIC);
	assert(rc == SQLITE_OK);
}

void
sqlite_bind_row(sqlite3_stmt *st, const struct row *rows, const void *obj)
{
	int n = sqlite3_bind_parameter_count(st);

	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(st, i);
		const struct row *r = name ? row_find(rows, name + 1) : NULL;

		if (r)
			bind_member(st, i, r, obj);
	}
}

static void
read_member(sqlite3_stmt *st, int i, const struct row *r, void *obj)
{
	void *m = (char *)obj + r->offset;

	if (r->type == ROW_BOOL) {
		*(bool *)m = sqlite3_column_int64(st, i) != 0;
	} else if (r->type == ROW_I64) {
		*(int64_t *)m = sqlite3_column_int64(st, i);
	} else if (r->type == ROW_STR) {
		const char *text = (const char *)sqlite3_column_text(st, i);

		*(char **)m = text ? mem_strn(text, (size_t)sqlite3_column_bytes(st, i)) : NULL;
	}
}

/* Members without a column are empty. */
static void
row_clear(const struct row *rows, void *obj)
{
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		void *m = (char *)obj + r->offset;

		if (r->type == ROW_BOOL)
			*(bool *)m = false;
		else if (r->type == ROW_I64)
			*(int64_t *)m = 0;
		else if (r->type == ROW_STR)
			*(char **)m = NULL;
	}
}

void
sqlite_row_read(sqlite3_stmt *st, const struct row *rows, void *obj)
{
	int n = sqlite3_column_count(st);

	row_clear(rows, obj);
	for (int i = 0; i < n; i++) {
		const struct row *r = row_find(rows, sqlite3_column_name(st, i));

		if (r)
			read_member(st, i, r, obj);
	}
}

int
sqlite_row_one(struct sqlite *s, sqlite3_stmt *st, const struct row *rows, void *obj,
	const char *what, struct err *e)
{
	int rc = sqlite_step(s, st, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no %s", what);
	sqlite_row_read(st, rows, obj);
	return 0;
}

int
sqlite_row_all(struct sqlite *s, sqlite3_stmt *st, const struct row *rows, size_t size,
	struct row_list *out, struct err *e)
{
	struct row_list list = { 0 };
	int rc;

	while ((rc = sqlite_step(s, st, e)) > 0)
		sqlite_row_read(st, rows, row_list_add(&list, size));
	if (rc < 0) {
		/* row_finish wants the list as a member of a struct; this is that struct. */
		const struct row as_member[] = {
			{ ROW_LIST, "list", 0, 0, list.n, rows, size },
			ROW_DONE,
		};
		row_finish(as_member, &list);
		return rc;
	}
	*out = list;
	return 0;
}

int
sqlite_row_add(
	struct sqlite *s, const struct sqlite_table *t, const void *obj, int64_t *id, struct err *e)
{
	auto_buf struct buf sql = BUF_INIT(SQL_BYTES_MAX);
	auto_buf struct buf values = BUF_INIT(SQL_BYTES_MAX);
	const char *comma = "";

	(void)buf_addf(&sql, "INSERT INTO %s (", t->name);
	for (const struct row *r = t->rows; r->type != ROW_END; r++) {
		if (is_among(t->not_added, r->name))
			continue;
		(void)buf_addf(&sql, "%s%s", comma, r->name);
		(void)buf_addf(&values, "%s:%s", comma, r->name);
		comma = ", ";
	}
	(void)buf_addf(&sql, ") VALUES (%s)", buf_str(&values));
	assert(!sql.is_full && !values.is_full);

	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, buf_str(&sql), &st, e);
	if (rc < 0)
		return rc;
	sqlite_bind_row(st, t->rows, obj);
	rc = sqlite_step(s, st, e);
	if (rc < 0)
		return rc;
	if (id)
		*id = sqlite3_last_insert_rowid(s->db);
	return 0;
}

int
sqlite_row_save(struct sqlite *s, const struct sqlite_table *t, const void *obj, const char *where,
	struct err *e)
{
	auto_buf struct buf sql = BUF_INIT(SQL_BYTES_MAX);
	const char *comma = "";

	(void)buf_addf(&sql, "UPDATE %s SET ", t->name);
	for (const struct row *r = t->rows; r->type != ROW_END; r++) {
		if (is_among(t->not_changed, r->name))
			continue;
		(void)buf_addf(&sql, "%s%s = :%s", comma, r->name, r->name);
		comma = ", ";
	}
	(void)buf_addf(&sql, " WHERE %s", where);
	assert(!sql.is_full);

	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, buf_str(&sql), &st, e);
	if (rc < 0)
		return rc;
	sqlite_bind_row(st, t->rows, obj);
	rc = sqlite_step(s, st, e);
	return rc < 0 ? rc : sqlite3_changes(s->db);
}
