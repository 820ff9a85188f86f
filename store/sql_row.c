/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_row - structs as rows of a table, by the names in their row table, so that a struct and its
 * table need no third list of members.
 */
#include "store/sql.h"

#include "base/mem.h"

#include <assert.h>

/* From there on, and then from the beginning: columns come mostly in the order of the rows. */
static const struct row *
row_find(const struct row *rows, const char *name, const struct row *from)
{
	for (const struct row *r = from; r->type != ROW_END; r++) {
		if (strcmp(r->name, name) == 0)
			return r;
	}
	for (const struct row *r = rows; r != from; r++) {
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
bind_member(const struct sql_stmt *st, int i, const struct row *r, const void *obj)
{
	const struct sql_driver *d = st->s->sql;
	const void *m = (const char *)obj + r->offset;

	if (r->type == ROW_BOOL) {
		d->bind_i64(st->st, i, *(const bool *)m ? 1 : 0);
	} else if (r->type == ROW_I64) {
		d->bind_i64(st->st, i, *(const int64_t *)m);
	} else {
		assert(r->type == ROW_STR);
		d->bind_text(st->st, i, *(char *const *)m);
	}
}

/* All members but those, from parameter i on. Returns the next one. */
static int
bind_members(const struct sql_stmt *st, int i, const struct sql_table *t, const char *const *but,
	const void *obj)
{
	for (const struct row *r = t->rows; r->type != ROW_END; r++) {
		if (!is_among(but, r->name))
			bind_member(st, i++, r, obj);
	}
	return i;
}

static void
read_member(const struct sql_stmt *st, int i, const struct row *r, void *obj)
{
	void *m = (char *)obj + r->offset;

	if (r->type == ROW_BOOL) {
		*(bool *)m = sql_get_i64(st, i) != 0;
	} else if (r->type == ROW_I64) {
		*(int64_t *)m = sql_get_i64(st, i);
	} else if (r->type == ROW_STR) {
		size_t len = 0;
		const char *text = sql_get(st, i, &len);

		*(char **)m = text ? mem_strn(text, len) : NULL;
	}
}

static void
row_read(const struct sql_stmt *st, const struct row *rows, void *obj)
{
	const struct sql_driver *d = st->s->sql;
	const struct row *next = rows;
	int n = d->columns(st->st);

	row_zero(rows, obj);
	for (int i = 0; i < n; i++) {
		const struct row *r = row_find(rows, d->name(st->st, i), next);

		if (!r)
			continue;
		read_member(st, i, r, obj);
		next = r + 1;
	}
}

int
sql_row_one(struct sql_stmt *st, const struct row *rows, void *obj, const char *what, struct err *e)
{
	int rc = sql_step(st, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no %s", what);
	row_read(st, rows, obj);
	return 0;
}

int
sql_row_all(struct sql_stmt *st, const struct row *rows, size_t size, struct row_list *out,
	struct err *e)
{
	struct row_list list = { 0 };
	int rc;

	while ((rc = sql_step(st, e)) > 0)
		row_read(st, rows, row_list_add(&list, size));
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
sql_row_add(struct sql *s, const struct sql_table *t, const void *obj, int64_t *id, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SQL_BYTES_MAX);
	auto_buf struct buf values = BUF_INIT(SQL_BYTES_MAX);
	auto_sql struct sql_stmt st = { 0 };
	const char *comma = "";

	(void)buf_addf(&text, "INSERT INTO %s (", t->name);
	for (const struct row *r = t->rows; r->type != ROW_END; r++) {
		if (is_among(t->not_added, r->name))
			continue;
		(void)buf_adds(&text, comma);
		(void)buf_adds(&text, r->name);
		(void)buf_adds(&values, comma);
		(void)buf_adds(&values, "?");
		comma = ", ";
	}
	(void)buf_addf(
		&text, ") VALUES (%s) ON CONFLICT DO NOTHING RETURNING id", buf_str(&values));
	assert(!text.is_full && !values.is_full);

	int rc = sql_query(s, &st, e, buf_str(&text), "");
	if (rc < 0)
		return rc;
	(void)bind_members(&st, 1, t, t->not_added, obj);
	rc = sql_step(&st, e);
	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "%s: a key of it is taken", t->name);
	if (rc < 0)
		return rc;
	*id = sql_get_i64(&st, 0);
	return 0;
}

int
sql_row_save(struct sql *s, const struct sql_table *t, const void *obj, const char *const *keys,
	struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SQL_BYTES_MAX);
	auto_sql struct sql_stmt st = { 0 };
	const char *comma = "";

	(void)buf_addf(&text, "UPDATE %s SET ", t->name);
	for (const struct row *r = t->rows; r->type != ROW_END; r++) {
		if (is_among(t->not_changed, r->name))
			continue;
		(void)buf_adds(&text, comma);
		(void)buf_adds(&text, r->name);
		(void)buf_adds(&text, " = ?");
		comma = ", ";
	}
	for (size_t i = 0; keys[i]; i++)
		(void)buf_addf(&text, "%s %s = ?", i ? " AND" : " WHERE", keys[i]);
	assert(!text.is_full);

	int rc = sql_query(s, &st, e, buf_str(&text), "");
	if (rc < 0)
		return rc;
	int n = bind_members(&st, 1, t, t->not_changed, obj);
	const struct row *key = t->rows;
	for (size_t i = 0; keys[i]; i++) {
		key = row_find(t->rows, keys[i], key);
		bind_member(&st, n++, key, obj);
	}
	rc = sql_step(&st, e);
	return rc < 0 ? rc : s->sql->changes(s, st.st);
}
