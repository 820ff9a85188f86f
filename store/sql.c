/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql - statements with their parameters, for whichever driver.
 */
#include "store/sql.h"

#include <assert.h>

void
sql_done(struct sql_stmt *st)
{
	if (st->st)
		st->s->sql->done(st->st);
	st->st = NULL;
}

static void
bind_args(const struct sql_driver *d, void *st, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		if (*types == 'i') {
			d->bind_i64(st, i, va_arg(ap, int64_t));
		} else if (*types == 's') {
			d->bind_text(st, i, va_arg(ap, const char *));
		} else {
			assert(*types == 'b');
			const void *data = va_arg(ap, const void *);

			d->bind_blob(st, i, data, va_arg(ap, size_t));
		}
	}
}

static int
query_args(struct sql *s, struct sql_stmt *out, const char *text, const char *types, va_list ap,
	struct err *e)
{
	out->s = s;
	int rc = s->sql->prepare(s, text, &out->st, e);

	if (rc == 0)
		bind_args(s->sql, out->st, types, ap);
	return rc;
}

int
sql_query(struct sql *s, struct sql_stmt *out, struct err *e, const char *text, const char *types,
	...)
{
	va_list ap;

	va_start(ap, types);
	int rc = query_args(s, out, text, types, ap, e);
	va_end(ap);
	return rc;
}

int
sql_step(struct sql_stmt *st, struct err *e)
{
	return st->s->sql->step(st->s, st->st, e);
}

int
sql_run(struct sql *s, struct err *e, const char *text, const char *types, ...)
{
	auto_sql struct sql_stmt st = { 0 };
	va_list ap;

	va_start(ap, types);
	int rc = query_args(s, &st, text, types, ap, e);
	va_end(ap);
	if (rc == 0)
		rc = sql_step(&st, e);
	return rc < 0 ? rc : s->sql->changes(s, st.st);
}

int
sql_int(struct sql *s, struct err *e, int64_t *out, const char *text, const char *types, ...)
{
	auto_sql struct sql_stmt st = { 0 };
	va_list ap;
	size_t len;

	va_start(ap, types);
	int rc = query_args(s, &st, text, types, ap, e);
	va_end(ap);
	if (rc == 0)
		rc = sql_step(&st, e);
	if (rc < 0)
		return rc;
	if (rc == 0 || !sql_get(&st, 0, &len))
		return err_set(e, ERR_MISSING, "no such row");
	*out = sql_get_i64(&st, 0);
	return 0;
}
