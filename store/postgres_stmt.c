/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_stmt - statements as the nouns see them. Prepared once a connection; integers and blobs
 * travel as they are, text as text.
 */
#include "store/postgres.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <endian.h>
#include <inttypes.h>

/* pg_type.dat; libpq has no names for them. */
#define OID_BYTEA 17
#define OID_INT8  20
#define OID_TEXT  25

/* ---- ? to $1 ---- */

static char *
translate(const char *text, int *n_params)
{
	auto_buf struct buf out = BUF_INIT(2 * SQL_BYTES_MAX);
	int n = 0;

	*n_params = 0;
	for (const char *p = text; *p; p++) {
		if (*p != '?') {
			(void)buf_addc(&out, *p);
			continue;
		}
		int i = 0;
		while (isdigit((unsigned char)p[1]))
			i = 10 * i + (*++p - '0');
		if (i == 0)
			i = ++n;
		if (i > *n_params)
			*n_params = i;
		(void)buf_addf(&out, "$%d", i);
	}
	assert(!out.is_full && *n_params <= SQL_PARAMS_MAX);
	return buf_steal(&out);
}

static int
prepare(struct sql *s, const char *text, void **st, struct err *e)
{
	struct postgres *p = postgres_of(&s->base);

	(void)e;
	for (size_t i = 0; i < p->n_stmts; i++) {
		if (strcmp(p->stmts[i]->text, text) == 0) {
			*st = p->stmts[i];
			return 0;
		}
	}
	assert(p->n_stmts < SQL_STMTS_MAX);

	struct pg_stmt *made = mem_zero(sizeof(*made));
	made->pg = p;
	made->text = mem_str(text);
	made->sql = translate(text, &made->n_params);
	(void)snprintf(made->name, sizeof(made->name), "s%zu", p->n_stmts);
	p->stmts[p->n_stmts++] = made;
	*st = made;
	return 0;
}

/* ---- parameters ---- */

static struct pg_param *
param(void *st, int i, Oid type)
{
	struct pg_stmt *it = st;

	assert(i >= 1 && i <= it->n_params);
	struct pg_param *p = &it->params[i - 1];

	p->is_set = true;
	p->type = type;
	return p;
}

static void
bind_i64(void *st, int i, int64_t v)
{
	struct pg_param *p = param(st, i, OID_INT8);

	p->be = (int64_t)htobe64((uint64_t)v);
	p->value = (const char *)&p->be;
	p->len = sizeof(p->be);
}

/* Other than SQLite it refuses what is not UTF-8, and a terminal may have said anything. */
static void
bind_text(void *st, int i, const char *text)
{
	struct pg_param *p = param(st, i, OID_TEXT);
	size_t len = text ? strlen(text) : 0;

	p->value = text;
	if (!text || str_utf8_ok(text, len))
		return;
	auto_buf struct buf clean = BUF_INIT(3 * len + 1);
	(void)str_utf8_clean(&clean, text, len);
	p->own = buf_steal(&clean);
	p->value = p->own;
}

static void
bind_blob(void *st, int i, const void *data, size_t len)
{
	struct pg_param *p = param(st, i, OID_BYTEA);

	p->value = data ? data : "";
	p->len = (int)len;
}

static void
done(void *st)
{
	struct pg_stmt *it = st;

	/* What is left of an answer that came row by row. */
	if (it->result && PQresultStatus(it->result) == PGRES_SINGLE_TUPLE) {
		PGresult *r;

		while ((r = PQgetResult(it->pg->conn)))
			PQclear(r);
	}
	PQclear(it->result);
	it->result = NULL;
	it->has_run = false;
	for (int i = 0; i < it->n_params; i++)
		free(it->params[i].own);
	memset(it->params, 0, sizeof(it->params));
}

/* ---- running ---- */

static int
tell_server(struct postgres *p, struct pg_stmt *st, struct err *e)
{
	Oid types[SQL_PARAMS_MAX];
	PGresult *r = NULL;

	for (int i = 0; i < st->n_params; i++)
		types[i] = st->params[i].type;
	if (!PQsendPrepare(p->conn, st->name, st->sql, st->n_params, types))
		return postgres_err(p, NULL, e);
	int rc = postgres_answer(p, &r, e);
	PQclear(r);
	if (rc == 0)
		st->turn = p->turn;
	return rc;
}

static int
run(struct postgres *p, struct pg_stmt *st, struct err *e)
{
	const char *values[SQL_PARAMS_MAX];
	int lengths[SQL_PARAMS_MAX], formats[SQL_PARAMS_MAX];

	/* A transaction that lost its connection is over; what follows in it must not happen alone.
	 */
	if (p->in_transaction && postgres_is_lost(p))
		return err_set(e, ERR_SYSTEM, "postgres: the connection was lost in a transaction");
	int rc = p->in_transaction ? 0 : postgres_connect(p, e);
	if (rc == 0 && st->turn != p->turn)
		rc = tell_server(p, st, e);
	if (rc < 0)
		return rc;
	for (int i = 0; i < st->n_params; i++) {
		assert(st->params[i].is_set);
		values[i] = st->params[i].value;
		lengths[i] = st->params[i].len;
		formats[i] = st->params[i].type != OID_TEXT;
	}
	if (!PQsendQueryPrepared(p->conn, st->name, st->n_params, values, lengths, formats, 1))
		return postgres_err(p, NULL, e);
	if (p->is_streaming)
		(void)PQsetSingleRowMode(p->conn);
	st->has_run = true;
	st->row = -1;
	return postgres_answer(p, &st->result, e);
}

static int
step(struct sql *s, void *st, struct err *e)
{
	struct postgres *p = postgres_of(&s->base);
	struct pg_stmt *it = st;
	int rc = it->has_run ? 0 : run(p, it, e);

	if (rc == 0 && it->row == 0 && PQresultStatus(it->result) == PGRES_SINGLE_TUPLE) {
		PQclear(it->result);
		it->result = NULL;
		it->row = -1;
		rc = postgres_answer(p, &it->result, e);
	}
	if (rc < 0)
		return rc;
	return ++it->row < PQntuples(it->result);
}

static int
changes(struct sql *s, void *st)
{
	struct pg_stmt *it = st;
	int64_t n = 0;

	(void)s;
	if (str_i64(PQcmdTuples(it->result), 0, INT32_MAX, &n, NULL) < 0)
		return 0;
	return (int)n;
}

/* ---- columns ---- */

static int
columns(void *st)
{
	return PQnfields(((struct pg_stmt *)st)->result);
}

static const char *
name(void *st, int i)
{
	return PQfname(((struct pg_stmt *)st)->result, i);
}

static int64_t
get_i64(void *st, int i)
{
	struct pg_stmt *it = st;
	const char *v = PQgetvalue(it->result, it->row, i);
	uint64_t wide;
	uint32_t narrow;

	/* Sizes say which: there are no other numbers in our schema. */
	if (PQgetlength(it->result, it->row, i) == sizeof(wide)) {
		memcpy(&wide, v, sizeof(wide));
		return (int64_t)be64toh(wide);
	}
	if (PQgetlength(it->result, it->row, i) == sizeof(narrow)) {
		memcpy(&narrow, v, sizeof(narrow));
		return (int32_t)be32toh(narrow);
	}
	return 0;
}

static const char *
get(void *st, int i, size_t *len)
{
	struct pg_stmt *it = st;

	*len = (size_t)PQgetlength(it->result, it->row, i);
	return PQgetisnull(it->result, it->row, i) ? NULL : PQgetvalue(it->result, it->row, i);
}

static enum sql_type
type(void *st, int i)
{
	struct pg_stmt *it = st;

	if (PQgetisnull(it->result, it->row, i))
		return SQL_NULL;
	if (PQftype(it->result, i) == OID_TEXT)
		return SQL_TEXT;
	return PQftype(it->result, i) == OID_BYTEA ? SQL_BLOB : SQL_I64;
}

static void
stream(struct sql *s, bool on)
{
	postgres_of(&s->base)->is_streaming = on;
}

static int
ids_follow(struct sql *s, const char *table, struct err *e)
{
	auto_free char *sql = mem_fmt("SELECT setval(pg_get_serial_sequence('%s', 'id'),"
				      " coalesce(max(id), 0) + 1, false) FROM %s",
		table, table);

	return postgres_exec(postgres_of(&s->base), sql, e);
}

const struct sql_driver POSTGRES_SQL = {
	.claim_lock = " FOR UPDATE OF t SKIP LOCKED",
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
	.stream = stream,
	.ids_follow = ids_follow,
};
