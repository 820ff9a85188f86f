/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite - the store in one file: opening, transactions, the driver's table.
 *
 * WAL with synchronous=FULL: a commit that returned is on the disk (NORMAL would lose the last ones
 * with the power). One process writes: a lock file beside the database says so earlier and clearer
 * than SQLITE_BUSY would. Reading the file from elsewhere while it is open stays possible.
 */
#include "store/sqlite.h"

#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define BUSY_MS        5000
#define WAL_KEEP_BYTES "67108864" /* what stays of the log after a checkpoint */

/* A checkpoint is two more fsyncs before the next answer, so from the small number of pages on it
 * is done at rest, and only from the large one on in a commit. 64 MiB of log are read again in a
 * blink after a crash. */
#define LOG_PAGES_REST 1000
#define LOG_PAGES_MAX  16384

static int
exec(struct sqlite *s, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_err(s, rc, e, sql);
}

/* ---- opening ---- */

static int
fsync_path(const char *path, int flags, struct err *e)
{
	auto_fd int fd = open(path, flags | O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", path);
	return 0;
}

static int
open_lock(const char *dir, int *out_fd, struct err *e)
{
	auto_free char *path = mem_fmt("%s/lock", dir);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_BUSY, "%s: another process has this store open", dir);
		return err_sys(e, "lock %s", path);
	}
	*out_fd = steal_fd(&fd);
	return 0;
}

/* Without effect on what is durable, so an error is left to the next commit that meets it. */
static void
checkpoint(struct sqlite *s)
{
	s->log_pages = 0;
	(void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static int
on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct sqlite *s = ctx;

	(void)db;
	(void)name;
	s->log_pages = pages;
	if (pages >= LOG_PAGES_MAX)
		checkpoint(s);
	return SQLITE_OK;
}

/* The file exists before SQLite opens it, so that its mode is ours; the log takes the mode over. */
static int
open_db(struct sqlite *s, const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "open %s", path);

	int rc = sqlite3_open_v2(path, &s->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
			SQLITE_OPEN_EXRESCODE,
		NULL);
	if (rc != SQLITE_OK)
		return s->db ? sqlite_err(s, rc, e, path)
			     : err_set(e, ERR_SYSTEM, "%s: %s", path, sqlite3_errstr(rc));
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_wal_hook(s->db, on_commit, s); /* instead of SQLite's own, at 1000 pages */
	return 0;
}

static int
set_modes(struct sqlite *s, const struct store_conf *c, struct err *e)
{
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = exec(s,
		"PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
		"PRAGMA journal_size_limit = " WAL_KEEP_BYTES,
		e);

	if (rc == 0)
		rc = exec(s,
			c->is_durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF",
			e);
	if (rc == 0)
		rc = sqlite_stmt(s, "PRAGMA journal_mode = WAL", &st, e);
	if (rc == 0)
		rc = sqlite_step(s, st, e);
	if (rc < 0)
		return rc;

	const char *mode = rc == 1 ? (const char *)sqlite3_column_text(st, 0) : NULL;
	if (!mode || strcmp(mode, "wal") != 0)
		return err_set(e, ERR_INVALID, "the file system does not allow a write-ahead log");
	return 0;
}

static int
check(struct sqlite *s, struct err *e)
{
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, "PRAGMA quick_check(1)", &st, e);

	if (rc == 0)
		rc = sqlite_step(s, st, e);
	if (rc < 0)
		return rc;

	const char *text = rc == 1 ? (const char *)sqlite3_column_text(st, 0) : "no answer";
	if (!text || strcmp(text, "ok") != 0)
		return err_set(e, ERR_INVALID, "the store is damaged: %s", text ? text : "?");
	return 0;
}

/* The directory's own name is the business of whoever made it; a confined role could not even open
 * what it lies in. */
static int
make_durable(const char *dir, const char *path, bool made_dir, struct err *e)
{
	auto_free char *parent = mem_fmt("%s/..", dir);
	int rc = fsync_path(path, 0, e);

	if (rc == 0)
		rc = fsync_path(dir, O_DIRECTORY, e);
	if (rc == 0 && made_dir)
		rc = fsync_path(parent, O_DIRECTORY, e);
	return rc;
}

static void
sqlite_close(struct store *st)
{
	if (!st)
		return;

	struct sqlite *s = sqlite_of(st);
	if (s->db && !sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	for (size_t i = 0; i < s->n_stmts; i++) {
		(void)sqlite3_finalize(s->stmts[i].st);
		free(s->stmts[i].sql);
	}
	(void)sqlite3_close(s->db);
	clean_fd(&s->lock_fd);
	pack_destroy(s->pack);
	free(s);
}

static int
open_steps(struct sqlite *s, const struct store_conf *c, const char *path, struct err *e)
{
	int rc = open_lock(c->dir, &s->lock_fd, e);

	if (rc == 0)
		rc = open_db(s, path, e);
	if (rc == 0)
		rc = set_modes(s, c, e);
	if (rc == 0)
		rc = sqlite_migrate(s, e);
	if (rc == 0)
		rc = check(s, e);
	return rc;
}

static int
sqlite_open(const struct store_conf *c, struct store **out, struct err *e)
{
	auto_free char *path = mem_fmt("%s/nightshift.db", c->dir);
	bool made_dir = access(c->dir, F_OK) < 0;
	int rc = made_dir ? fs_mkdirs(c->dir, 0700, e) : 0;
	if (rc < 0)
		return rc;

	struct sqlite *s = mem_zero(sizeof(*s));
	s->base.driver = &STORE_SQLITE;
	s->lock_fd = -1;
	s->pack = pack_create();
	rc = open_steps(s, c, path, e);
	if (rc == 0 && c->is_durable)
		rc = make_durable(c->dir, path, made_dir, e);
	if (rc < 0) {
		sqlite_close(&s->base);
		return err_wrap(e, rc, "%s", path);
	}
	*out = &s->base;
	return 0;
}

/* ---- transactions ---- */

static int
sqlite_begin(struct store *st, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "BEGIN IMMEDIATE", "");

	return rc < 0 ? rc : 0;
}

static void
sqlite_rollback(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	/* SQLite may have rolled back by itself after an I/O error. */
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite_run(s, NULL, "ROLLBACK", "");
}

static int
sqlite_commit(struct store *st, struct err *e)
{
	struct sqlite *s = sqlite_of(st);

	if (sqlite3_get_autocommit(s->db))
		return err_set(e, ERR_SYSTEM, "commit: the transaction was rolled back before");

	int rc = sqlite_run(s, e, "COMMIT", "");
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

	if (s->log_pages >= LOG_PAGES_REST && sqlite3_get_autocommit(s->db))
		checkpoint(s);
}

static int
sqlite_part_begin(struct store *st, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "SAVEPOINT part", "");

	return rc < 0 ? rc : 0;
}

static int
sqlite_part_keep(struct store *st, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "RELEASE part", "");

	return rc < 0 ? rc : 0;
}

static void
sqlite_part_undo(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	if (sqlite3_get_autocommit(s->db))
		return;
	(void)sqlite_run(s, NULL, "ROLLBACK TO part", "");
	(void)sqlite_run(s, NULL, "RELEASE part", "");
}

const struct store_driver STORE_SQLITE = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.rest = sqlite_rest,
	.part_begin = sqlite_part_begin,
	.part_keep = sqlite_part_keep,
	.part_undo = sqlite_part_undo,
	.delivery_add = sqlite_delivery_add,
	.delivery_next = sqlite_delivery_next,
	.delivery_get = sqlite_delivery_get,
	.delivery_body = sqlite_delivery_body,
	.delivery_end = sqlite_delivery_end,
	.delivery_strike = sqlite_delivery_strike,
	.label_set = sqlite_label_set,
	.label_get = sqlite_label_get,
	.task_add = sqlite_task_add,
	.task_get = sqlite_task_get,
	.task_get_page = sqlite_task_get_page,
	.task_list = sqlite_task_list,
	.task_save = sqlite_task_save,
	.task_hold = sqlite_task_hold,
	.task_place = sqlite_task_place,
	.task_count = sqlite_task_count,
	.repo_list = sqlite_repo_list,
	.task_claim = sqlite_task_claim,
	.task_renew = sqlite_task_renew,
	.attempt_end = sqlite_attempt_end,
	.attempt_list = sqlite_attempt_list,
	.step_put = sqlite_step_put,
	.step_list = sqlite_step_list,
	.transcript_put = sqlite_transcript_put,
	.transcript_get = sqlite_transcript_get,
	.effect_add = sqlite_effect_add,
	.effect_get = sqlite_effect_get,
	.effect_find = sqlite_effect_find,
	.effect_save = sqlite_effect_save,
	.effect_list = sqlite_effect_list,
	.effect_due = sqlite_effect_due,
	.effect_next_ms = sqlite_effect_next_ms,
	.effect_resume = sqlite_effect_resume,
	.kv_get = sqlite_kv_get,
	.kv_put = sqlite_kv_put,
};
