/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite - the store in one file: transactions, and the driver's table.
 */
#include "store/sqlite.h"

#include "base/buggify.h"

/* A checkpoint is two more fsyncs before the next answer, so it is done at rest; see also
 * sqlite_open.c. */
#ifndef LOG_PAGES_REST /* the simulation has short logs, so that they end more often */
#define LOG_PAGES_REST 1000
#endif

static int
sqlite_begin(struct store *st, struct err *e)
{
	int rc = sql_run(sql_of(st), e, "BEGIN IMMEDIATE", "");

	return rc < 0 ? rc : 0;
}

static void
sqlite_rollback(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	/* SQLite may have rolled back by itself after an I/O error. */
	if (!sqlite3_get_autocommit(s->db))
		(void)sql_run(&s->sql, NULL, "ROLLBACK", "");
}

static int
sqlite_commit(struct store *st, struct err *e)
{
	struct sqlite *s = sqlite_of(st);

	if (sqlite3_get_autocommit(s->db))
		return err_set(e, ERR_SYSTEM, "commit: the transaction was rolled back before");

	int rc = sql_run(&s->sql, e, "COMMIT", "");
	if (rc < 0) {
		sqlite_rollback(st);
		return rc;
	}
	return 0;
}

static void
sqlite_rest(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	if ((s->log_pages >= LOG_PAGES_REST || BUGGIFY("sqlite.rest")) &&
		sqlite3_get_autocommit(s->db))
		sqlite_checkpoint(s);
}

static int
sqlite_part_begin(struct store *st, struct err *e)
{
	int rc = sql_run(sql_of(st), e, "SAVEPOINT part", "");

	return rc < 0 ? rc : 0;
}

static int
sqlite_part_keep(struct store *st, struct err *e)
{
	int rc = sql_run(sql_of(st), e, "RELEASE part", "");

	return rc < 0 ? rc : 0;
}

static void
sqlite_part_undo(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	if (sqlite3_get_autocommit(s->db))
		return;
	(void)sql_run(&s->sql, NULL, "ROLLBACK TO part", "");
	(void)sql_run(&s->sql, NULL, "RELEASE part", "");
}

const struct store_driver STORE_SQLITE = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.rest = sqlite_rest,
	.suspect = sqlite_suspect,
	.part_begin = sqlite_part_begin,
	.part_keep = sqlite_part_keep,
	.part_undo = sqlite_part_undo,
	SQL_NOUNS,
};
