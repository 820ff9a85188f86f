/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_copy - a whole store into another one: each table in an order in which no row names one that
 * has not come yet, row by row, with the same columns.
 */
#include "store/copy.h"
#include "store/sql.h"
#include "store/tables.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>

static int
refuse_full(struct sql *to, struct err *e)
{
	int64_t n = 0;
	int rc = sql_int(to, e, &n,
		"SELECT (SELECT count(*) FROM delivery) + (SELECT count(*) FROM task)"
		" + (SELECT count(*) FROM kv)",
		"");

	if (rc == 0 && n > 0)
		return err_set(e, ERR_CONFLICT, "the store to copy to is not empty");
	return rc;
}

/* The same columns, by name. */
static char *
insert_like(const struct sql_stmt *in, const char *table)
{
	const struct sql_driver *d = in->s->sql;
	auto_buf struct buf text = BUF_INIT(SQL_BYTES_MAX);
	int n = d->columns(in->st);

	(void)buf_addf(&text, "INSERT INTO %s (", table);
	for (int i = 0; i < n; i++)
		(void)buf_addf(&text, "%s%s", i ? ", " : "", d->name(in->st, i));
	(void)buf_adds(&text, ") VALUES (");
	for (int i = 0; i < n; i++)
		(void)buf_adds(&text, i ? ", ?" : "?");
	(void)buf_addc(&text, ')');
	assert(!text.is_full);
	return buf_steal(&text);
}

static void
bind_like(const struct sql_stmt *out, const struct sql_stmt *in, int i)
{
	const struct sql_driver *from = in->s->sql, *to = out->s->sql;
	size_t len = 0;

	switch (from->type(in->st, i)) {
	case SQL_I64:
		to->bind_i64(out->st, i + 1, from->get_i64(in->st, i));
		break;
	case SQL_BLOB: {
		const char *data = from->get(in->st, i, &len);

		to->bind_blob(out->st, i + 1, data, len);
		break;
	}
	case SQL_TEXT:
	case SQL_NULL:
		to->bind_text(out->st, i + 1, from->get(in->st, i, &len));
		break;
	}
}

static int
copy_row(const struct sql_stmt *in, struct sql *to, const char *insert, struct err *e)
{
	auto_sql struct sql_stmt out = { 0 };
	int rc = sql_query(to, &out, e, insert, "");

	if (rc < 0)
		return rc;
	for (int i = 0; i < in->s->sql->columns(in->st); i++)
		bind_like(&out, in, i);
	return sql_step(&out, e);
}

static int
copy_table(struct sql *from, struct sql *to, const struct store_table *t, int64_t *n, struct err *e)
{
	auto_free char *select = mem_fmt("SELECT * FROM %s ORDER BY %s", t->name, t->up);
	auto_free char *insert = NULL;
	auto_sql struct sql_stmt in = { 0 };
	int rc = sql_query(from, &in, e, select, "");

	while (rc == 0 && (rc = sql_step(&in, e)) > 0) {
		if (!insert)
			insert = insert_like(&in, t->name);
		rc = copy_row(&in, to, insert, e);
		(*n)++;
	}
	return rc < 0 ? err_wrap(e, rc, "table %s", t->name) : 0;
}

static int
copy_all(struct sql *from, struct sql *to, int64_t *n, struct err *e)
{
	int rc = refuse_full(to, e);

	/* An empty store has zeros there. */
	if (rc == 0)
		rc = sql_run(to, e, "DELETE FROM tally", "");
	for (size_t i = 0; rc >= 0 && i < STORE_TABLES_COUNT; i++) {
		const struct store_table *t = &STORE_TABLES[i];

		rc = copy_table(from, to, t, n, e);
		if (rc == 0 && t->gives_ids && to->sql->ids_follow)
			rc = to->sql->ids_follow(to, t->name, e);
	}
	return rc < 0 ? rc : 0;
}

static void
stream(struct sql *s, bool on)
{
	if (s->sql->stream)
		s->sql->stream(s, on);
}

int
store_copy(struct store *from, struct store *to, int64_t *n_rows, struct err *e)
{
	int64_t n = 0;
	int rc = from->driver->begin(from, e);

	if (rc == 0)
		rc = to->driver->begin(to, e);
	if (rc == 0) {
		stream(sql_of(from), true);
		rc = copy_all(sql_of(from), sql_of(to), &n, e);
		stream(sql_of(from), false);
	}
	from->driver->rollback(from);
	if (rc < 0) {
		to->driver->rollback(to);
		return rc;
	}
	rc = to->driver->commit(to, e);
	if (rc == 0)
		*n_rows = n;
	return rc;
}
