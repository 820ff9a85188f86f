/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql - what the nouns of the store (sql_delivery.c, sql_task.c, ...) are written in.
 *
 * They are written once, in the SQL that SQLite and PostgreSQL have in common; a driver brings the
 * connection, the transactions, and struct sql_driver below. The common part is:
 *
 *	parameters are ? in order, or ?1 ?2; integers are 64 bits, text is UTF-8, bool is 0 or 1
 *	a new row that may be there already: ON CONFLICT ... DO, with the columns named for UPDATE.
 *	Never an error that is expected: it would end the whole transaction of PostgreSQL
 *	a new id: RETURNING id
 *	a subquery in FROM has a name; an output's name is not used in WHERE
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/clean.h"
#include "store/pack.h"
#include "store/store.h"

#include <stdarg.h>

#define SQL_STMTS_MAX  96
#define SQL_BYTES_MAX  8192
#define SQL_PARAMS_MAX 64

struct sql;

enum sql_type { SQL_NULL, SQL_I64, SQL_TEXT, SQL_BLOB };

struct sql_driver {
	const char *claim_lock; /* what the end of sql_claim.c's query is to be, or "" */

	/* From a cache; texts are few and fixed. */
	int (*prepare)(struct sql *s, const char *text, void **st, struct err *e);
	void (*done)(void *st); /* gives it back */

	/* i from 1; what is bound is borrowed until done. text NULL is NULL. */
	void (*bind_i64)(void *st, int i, int64_t v);
	void (*bind_text)(void *st, int i, const char *text);
	void (*bind_blob)(void *st, int i, const void *data, size_t len);

	/* 1: a row. 0: the end. */
	int (*step)(struct sql *s, void *st, struct err *e);
	int (*changes)(struct sql *s, void *st); /* rows, after the end */

	/* Of the current row, i from 0. The bytes of get end in a NUL that len omits; NULL is NULL.
	 */
	int (*columns)(void *st);
	const char *(*name)(void *st, int i);
	int64_t (*get_i64)(void *st, int i);
	const char *(*get)(void *st, int i, size_t *len);
	enum sql_type (*type)(void *st, int i);

	/* For whole tables; NULL where there is nothing to do. Rows come one by one instead of all
	 * in memory; and ids that were given by hand are not given again. */
	void (*stream)(struct sql *s, bool on);
	int (*ids_follow)(struct sql *s, const char *table, struct err *e);
};

struct sql {
	struct store base; /* first: a struct store * of ours points here */
	const struct sql_driver *sql;
	struct pack *pack;
	bool locks;    /* rows that are read are to stay as they are */
	char node[33]; /* "": the only one */
	/* Conditions on a task's node, with AND in front; "": any. */
	char own[64];
	char mine[160];
};

static inline struct sql *
sql_of(struct store *s)
{
	return (struct sql *)(void *)s;
}

/* A statement in use; gives itself back. */
struct sql_stmt {
	struct sql *s;
	void *st;
};
#define auto_sql auto_cleanup(sql_done)
void sql_done(struct sql_stmt *st);

/* ---- sql.c ---- */

/* types: one letter for each parameter in order: i int64_t, s string or NULL, b const void * and
 * size_t. */
int sql_query(struct sql *s, struct sql_stmt *out, struct err *e, const char *text,
	const char *types, ...);
int sql_step(struct sql_stmt *st, struct err *e);

/* One statement that gives no row. Returns the number of changed rows. */
int sql_run(struct sql *s, struct err *e, const char *text, const char *types, ...);

/* One integer; ERR_MISSING without a row, or if it is NULL. */
int sql_int(struct sql *s, struct err *e, int64_t *out, const char *text, const char *types, ...);

static inline int64_t
sql_get_i64(const struct sql_stmt *st, int i)
{
	return st->s->sql->get_i64(st->st, i);
}

static inline const char *
sql_get(const struct sql_stmt *st, int i, size_t *len)
{
	return st->s->sql->get(st->st, i, len);
}

/* ---- sql_row.c: structs as rows, by the names in their row table ---- */

/* Steps once and reads; ERR_MISSING says "no <what>". *obj is overwritten; what has no column is
 * empty. */
int sql_row_one(
	struct sql_stmt *st, const struct row *rows, void *obj, const char *what, struct err *e);
/* Steps to the end; elements are of size bytes. */
int sql_row_all(struct sql_stmt *st, const struct row *rows, size_t size, struct row_list *out,
	struct err *e);

/* Writes of whole rows; the lists of names are NULL-terminated. */
struct sql_table {
	const char *name;
	const struct row *rows;
	const char *const *not_added;
	const char *const *not_changed;
};
/* ERR_CONFLICT: a key of it is taken. */
int sql_row_add(
	struct sql *s, const struct sql_table *t, const void *obj, int64_t *id, struct err *e);
/* Where all members in keys are as in obj. Returns the number of changed rows. */
int sql_row_save(struct sql *s, const struct sql_table *t, const void *obj, const char *const *keys,
	struct err *e);

/* ---- the nouns, one file each ---- */

int sql_delivery_add(struct store *st, const struct delivery *d, const void *body, size_t len,
	int64_t *id, struct err *e);
int sql_delivery_next(struct store *st, int64_t after, struct delivery *out, struct err *e);
int sql_delivery_get(struct store *st, int64_t id, struct delivery *out, struct err *e);
int sql_delivery_body(struct store *st, int64_t id, struct buf *out, struct err *e);
int sql_delivery_has(
	struct store *st, const char *forge, const char *guid, bool *out, struct err *e);
int sql_delivery_end(
	struct store *st, int64_t id, enum delivery_state state, const char *reason, struct err *e);
int sql_delivery_strike(struct store *st, int64_t id, int64_t *strikes, struct err *e);

int sql_label_set(
	struct store *st, const struct label_key *k, bool on, int64_t *generation, struct err *e);
int sql_label_get(struct store *st, const struct label_key *k, int64_t *generation, bool *is_on,
	struct err *e);

int sql_task_add(struct store *st, const char *trigger, int64_t delivery, struct task *t,
	bool *was_seen, struct err *e);
int sql_task_get(struct store *st, int64_t id, struct task *out, struct err *e);
int sql_task_get_page(struct store *st, const char *page, struct task *out, struct err *e);
int sql_task_list(
	struct store *st, const struct task_filter *f, struct row_list *out, struct err *e);
int sql_task_save(struct store *st, const struct task *t, struct err *e);
int sql_task_hold(struct store *st, int64_t id, int64_t not_before_ms, struct err *e);
int sql_task_place(struct store *st, int64_t id, int64_t *place, struct err *e);
int sql_task_count(struct store *st, uint32_t states, int64_t *count, struct err *e);
int sql_repo_list(struct store *st, int64_t limit, struct row_list *out, struct err *e);
int sql_task_claim(struct store *st, const struct task_claim *c, struct task *out, struct err *e);
int sql_task_renew(struct store *st, int64_t id, int64_t fence, int64_t lease_ms, struct err *e);

int sql_attempt_end(struct store *st, const struct attempt *a, struct err *e);
int sql_attempt_list(struct store *st, int64_t task, struct row_list *out, struct err *e);
int sql_step_put(struct store *st, int64_t task, const struct task_step *step, struct err *e);
int sql_step_list(struct store *st, int64_t task, struct row_list *out, struct err *e);
int sql_transcript_put(
	struct store *st, int64_t task, int64_t attempt, const struct transcript *t, struct err *e);
int sql_transcript_get(
	struct store *st, int64_t task, struct buf *cast, struct buf *text, struct err *e);

int sql_effect_add(struct store *st, struct effect *f, struct err *e);
int sql_effect_get(struct store *st, int64_t id, struct effect *out, struct err *e);
int sql_effect_task(struct store *st, int64_t id, int64_t *task, struct err *e);
int sql_effect_find(
	struct store *st, int64_t task, const char *purpose, struct effect *out, struct err *e);
int sql_effect_save(struct store *st, const struct effect *f, struct err *e);
int sql_effect_list(struct store *st, int64_t task, struct row_list *out, struct err *e);
int sql_effect_drop(struct store *st, int64_t id, struct err *e);
int sql_effect_due(struct store *st, const struct effect_ask *ask, int64_t *ids, size_t max,
	size_t *n, struct err *e);
int sql_effect_scope(struct store *st, const char *after, char **scope, struct err *e);
int sql_effect_next_ms(struct store *st, int64_t *at_ms, struct err *e);
int sql_effect_resume(struct store *st, int64_t now_ms, int64_t *n, struct err *e);

int sql_waits_move(struct store *st, int64_t by_ms, struct err *e);

int sql_tally(struct store *st, struct store_tally *out, struct err *e);
int sql_prune(struct store *st, const struct store_keep *k, int64_t *n, struct err *e);

int sql_kv_get(struct store *st, const char *key, struct buf *out, struct err *e);
int sql_kv_put(struct store *st, const char *key, const char *value, struct err *e);

/* For the table of a driver. */
#define SQL_NOUNS                                                                                  \
	.delivery_add = sql_delivery_add, .delivery_next = sql_delivery_next,                      \
	.delivery_get = sql_delivery_get, .delivery_body = sql_delivery_body,                      \
	.delivery_has = sql_delivery_has, .delivery_end = sql_delivery_end,                        \
	.delivery_strike = sql_delivery_strike, .label_set = sql_label_set,                        \
	.label_get = sql_label_get, .task_add = sql_task_add, .task_get = sql_task_get,            \
	.task_get_page = sql_task_get_page, .task_list = sql_task_list,                            \
	.task_save = sql_task_save, .task_hold = sql_task_hold, .task_place = sql_task_place,      \
	.task_count = sql_task_count, .repo_list = sql_repo_list, .task_claim = sql_task_claim,    \
	.task_renew = sql_task_renew, .attempt_end = sql_attempt_end,                              \
	.attempt_list = sql_attempt_list, .step_put = sql_step_put, .step_list = sql_step_list,    \
	.transcript_put = sql_transcript_put, .transcript_get = sql_transcript_get,                \
	.effect_add = sql_effect_add, .effect_get = sql_effect_get,                                \
	.effect_task = sql_effect_task, .effect_find = sql_effect_find,                            \
	.effect_save = sql_effect_save, .effect_list = sql_effect_list,                            \
	.effect_drop = sql_effect_drop, .effect_due = sql_effect_due,                              \
	.effect_scope = sql_effect_scope, .effect_next_ms = sql_effect_next_ms,                    \
	.effect_resume = sql_effect_resume, .waits_move = sql_waits_move, .tally = sql_tally,      \
	.prune = sql_prune, .kv_get = sql_kv_get, .kv_put = sql_kv_put

#endif
