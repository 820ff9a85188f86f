/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite - what the files of the SQLite driver share: statements, and rows as columns.
 *
 * A statement is prepared once and kept. Parameters that are named (":fence") and columns are found
 * by the names in a row table, so a struct and its table need no third list of members.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "store/pack.h"
#include "store/store.h"

#include <sqlite3.h>

#define SQLITE_STMTS_MAX 96

struct sqlite {
	struct store base; /* first: a struct store * of ours points here */
	sqlite3 *db;
	int lock_fd;
	bool is_damaged; /* SQLite said so: the next open looks at everything */
	int log_pages;   /* of the write-ahead log, as of the last commit or checkpoint */
	struct pack *pack;
	struct {
		char *sql;
		sqlite3_stmt *st;
	} stmts[SQLITE_STMTS_MAX];
	size_t n_stmts;
};

static inline struct sqlite *
sqlite_of(struct store *s)
{
	return (struct sqlite *)(void *)s;
}

/* A statement from the cache. Hold it in auto_stmt, which gives it back. */
int sqlite_stmt(struct sqlite *s, const char *sql, sqlite3_stmt **out, struct err *e);
void sqlite_stmt_done(sqlite3_stmt **st);
#define auto_stmt auto_cleanup(sqlite_stmt_done)

/* types: one letter for each parameter in order: i int64_t, s string or NULL, b const void * and
 * size_t. */
void sqlite_bind(sqlite3_stmt *st, const char *types, ...);

/* Binds the named parameters that rows name; others are left alone. */
void sqlite_bind_row(sqlite3_stmt *st, const struct row *rows, const void *obj);

/* 1: a row. 0: the end. */
int sqlite_step(struct sqlite *s, sqlite3_stmt *st, struct err *e);

/* One statement that gives no row. Returns the number of changed rows. */
int sqlite_run(struct sqlite *s, struct err *e, const char *sql, const char *types, ...);

/* One integer; ERR_MISSING without a row. */
int sqlite_int(
	struct sqlite *s, struct err *e, int64_t *out, const char *sql, const char *types, ...);

/* The current row's columns into *obj, by name. Overwrites. */
void sqlite_row_read(sqlite3_stmt *st, const struct row *rows, void *obj);

/* Steps once and reads; ERR_MISSING says "no <what>". */
int sqlite_row_one(struct sqlite *s, sqlite3_stmt *st, const struct row *rows, void *obj,
	const char *what, struct err *e);

/* Steps to the end; elements are of size bytes. */
int sqlite_row_all(struct sqlite *s, sqlite3_stmt *st, const struct row *rows, size_t size,
	struct row_list *out, struct err *e);

/* Writes of whole rows. but: names that are not written, NULL-terminated. */
struct sqlite_table {
	const char *name;
	const struct row *rows;
	const char *const *not_added;
	const char *const *not_changed;
};
int sqlite_row_add(struct sqlite *s, const struct sqlite_table *t, const void *obj, int64_t *id,
	struct err *e);
/* where: condition over named parameters. Returns the number of changed rows. */
int sqlite_row_save(struct sqlite *s, const struct sqlite_table *t, const void *obj,
	const char *where, struct err *e);

/* Turns what sqlite3 says into an err; rc is an extended result code. */
int sqlite_err(struct sqlite *s, int rc, struct err *e, const char *what);

int sqlite_migrate(struct sqlite *s, struct err *e);

/* ---- sqlite_open.c ---- */
#define SQLITE_FILE "nightshift.db"

int sqlite_open(const struct store_conf *c, struct store **out, struct err *e);
void sqlite_close(struct store *st);
void sqlite_checkpoint(struct sqlite *s);
void sqlite_suspect(struct store *st);
void sqlite_mark_damaged(const char *dir); /* by one who only reads */
int sqlite_lock(const char *dir, int *out_fd, struct err *e);
/* A connection of its own to any file of ours: as it is, without lock and log settings. Closed with
 * sqlite_close. is_writer: creates, 0600, and syncs nothing. */
int sqlite_file_open(const char *path, bool is_writer, struct sqlite **out, struct err *e);
int sqlite_exec(struct sqlite *s, const char *sql, struct err *e);
int sqlite_fsync(const char *path, int flags, struct err *e);
/* "quick_check" or "integrity_check"; ERR_INVALID says the first thing that is wrong. */
int sqlite_verify(struct sqlite *s, const char *pragma, struct err *e);

/* ---- sqlite_heal.c: a damaged file is replaced by what can be saved ---- */
/* From the file itself and the newest good backup, if there is one. *told: what happened, owned. */
int sqlite_heal(const char *dir, const char *backups, char **told, struct err *e);
/* Makes what a backup knows ready to take the file's place. */
int sqlite_renew(const char *dir, const char *backup, struct sqlite *salvage, int64_t *n_saved,
	struct err *e);
/* If something was made ready to take the file's place, it does; *aside is where the file went
 * then, owned. Again and again after any crash. */
int sqlite_swap(const char *dir, char **aside, struct err *e);

/* The nouns, one file each. */
int sqlite_delivery_add(struct store *st, const struct delivery *d, const void *body, size_t len,
	int64_t *id, struct err *e);
int sqlite_delivery_next(struct store *st, int64_t after, struct delivery *out, struct err *e);
int sqlite_delivery_get(struct store *st, int64_t id, struct delivery *out, struct err *e);
int sqlite_delivery_body(struct store *st, int64_t id, struct buf *out, struct err *e);
int sqlite_delivery_end(
	struct store *st, int64_t id, enum delivery_state state, const char *reason, struct err *e);
int sqlite_delivery_strike(struct store *st, int64_t id, int64_t *strikes, struct err *e);

int sqlite_label_set(
	struct store *st, const struct label_key *k, bool on, int64_t *generation, struct err *e);
int sqlite_label_get(struct store *st, const struct label_key *k, int64_t *generation, bool *is_on,
	struct err *e);

int sqlite_task_add(struct store *st, const char *trigger, int64_t delivery, struct task *t,
	bool *was_seen, struct err *e);
int sqlite_task_get(struct store *st, int64_t id, struct task *out, struct err *e);
int sqlite_task_get_page(struct store *st, const char *page, struct task *out, struct err *e);
int sqlite_task_list(
	struct store *st, const struct task_filter *f, struct row_list *out, struct err *e);
int sqlite_task_save(struct store *st, const struct task *t, struct err *e);
int sqlite_task_hold(struct store *st, int64_t id, int64_t not_before_ms, struct err *e);
int sqlite_task_place(struct store *st, int64_t id, int64_t *place, struct err *e);
int sqlite_task_count(struct store *st, uint32_t states, int64_t *count, struct err *e);
int sqlite_repo_list(struct store *st, int64_t limit, struct row_list *out, struct err *e);
int sqlite_task_claim(
	struct store *st, const struct task_claim *c, struct task *out, struct err *e);
int sqlite_task_renew(struct store *st, int64_t id, int64_t fence, int64_t lease_ms, struct err *e);

int sqlite_attempt_end(struct store *st, const struct attempt *a, struct err *e);
int sqlite_attempt_list(struct store *st, int64_t task, struct row_list *out, struct err *e);
int sqlite_step_put(struct store *st, int64_t task, const struct task_step *step, struct err *e);
int sqlite_step_list(struct store *st, int64_t task, struct row_list *out, struct err *e);
int sqlite_transcript_put(
	struct store *st, int64_t task, int64_t attempt, const struct transcript *t, struct err *e);
int sqlite_transcript_get(
	struct store *st, int64_t task, struct buf *cast, struct buf *text, struct err *e);

int sqlite_effect_add(struct store *st, struct effect *f, struct err *e);
int sqlite_effect_get(struct store *st, int64_t id, struct effect *out, struct err *e);
int sqlite_effect_find(
	struct store *st, int64_t task, const char *purpose, struct effect *out, struct err *e);
int sqlite_effect_save(struct store *st, const struct effect *f, struct err *e);
int sqlite_effect_list(struct store *st, int64_t task, struct row_list *out, struct err *e);
int sqlite_effect_due(
	struct store *st, int64_t now_ms, int64_t *ids, size_t max, size_t *n, struct err *e);
int sqlite_effect_next_ms(struct store *st, int64_t *at_ms, struct err *e);
int sqlite_effect_resume(struct store *st, int64_t now_ms, int64_t *n, struct err *e);

int sqlite_tally(struct store *st, struct store_tally *out, struct err *e);
int sqlite_prune(struct store *st, const struct store_keep *k, int64_t *n, struct err *e);

int sqlite_kv_get(struct store *st, const char *key, struct buf *out, struct err *e);
int sqlite_kv_put(struct store *st, const char *key, const char *value, struct err *e);

#endif
