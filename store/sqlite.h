/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite - what the files of the SQLite driver share. The nouns are in sql_*.c.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "store/sql.h"

#include <sqlite3.h>

struct sqlite {
	struct sql sql; /* first: a struct store * of ours points here */
	sqlite3 *db;
	int lock_fd;
	bool is_damaged; /* SQLite said so: the next open looks at everything */
	int log_pages;   /* of the write-ahead log, as of the last commit or checkpoint */
	struct {
		char *sql;
		size_t len;
		sqlite3_stmt *st;
	} stmts[SQL_STMTS_MAX];
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

/* 1: a row. 0: the end. */
int sqlite_step(struct sqlite *s, sqlite3_stmt *st, struct err *e);

extern const struct sql_driver SQLITE_SQL;

/* Turns what sqlite3 says into an err; rc is an extended result code. */
int sqlite_err(struct sqlite *s, int rc, struct err *e, const char *what);

/* ERR_INVALID: of another program, or of a newer one of ours. */
int sqlite_version(struct sqlite *s, int64_t *version, struct err *e);
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
int sqlite_give(const char *dir, const char *path, struct err *e);
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

#endif
