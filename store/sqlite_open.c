/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_open - opening and closing the file, and what is looked at then.
 *
 * WAL with synchronous=FULL: a commit that returned is on the disk (NORMAL would lose the last ones
 * with the power). One process writes: a lock file beside the database says so earlier and clearer
 * than SQLITE_BUSY would. Reading the file from elsewhere while it is open stays possible.
 *
 * The lock file is also the mark: it says "open" from here to a proper close, "damaged" once SQLite
 * complained, and is empty after a clean stop. After any other stop the file is checked before
 * anything is believed. A small file is checked always, since that is over in a blink.
 */
#include "store/sqlite.h"

#include "base/buggify.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define BUSY_MS            5000
#define WAL_KEEP_BYTES     "67108864" /* what stays of the log after a checkpoint */
#define CHECK_ALWAYS_BYTES (64 * 1024 * 1024)

/* From the small number of pages on a checkpoint is done at rest (sqlite.c), and only from the
 * large one on in a commit. 64 MiB of log are read again in a blink after a crash. */
#define LOG_PAGES_MAX 16384

static const char MARK_OPEN[] = "open";
static const char MARK_DAMAGED[] = "damaged";

int
sqlite_exec(struct sqlite *s, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_err(s, rc, e, sql);
}

int
sqlite_fsync(const char *path, int flags, struct err *e)
{
	auto_fd int fd = open(path, flags | O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	return fsync(fd) < 0 ? err_sys(e, "fsync %s", path) : 0;
}

/* Who started "nightshift store ..." may be root; the files are the queue's, like their directory.
 */
int
sqlite_give(const char *dir, const char *path, struct err *e)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (stat(dir, &st) < 0 || chown(path, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "chown %s", path);
	return 0;
}

/* ---- the lock and the mark ---- */

int
sqlite_lock(const char *dir, int *out_fd, struct err *e)
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
	return sqlite_give(dir, path, e);
}

/* What the last one who had it open left: "" after a clean stop. */
static void
mark_read(int fd, char out[16])
{
	ssize_t n = pread(fd, out, 15, 0);

	out[n > 0 ? n : 0] = '\0';
}

/* A mark that cannot be written is no reason not to work: it only saves a check. */
static void
mark_write(int fd, const char *mark, bool is_durable)
{
	if (ftruncate(fd, 0) < 0 || pwrite(fd, mark, strlen(mark), 0) < 0)
		return;
	if (is_durable)
		(void)fdatasync(fd);
}

/* Others may have found damage meanwhile. */
static void
mark_closed(const struct sqlite *s)
{
	char mark[16];

	mark_read(s->lock_fd, mark);
	if (s->is_damaged)
		mark_write(s->lock_fd, MARK_DAMAGED, false);
	else if (strcmp(mark, MARK_DAMAGED) != 0)
		mark_write(s->lock_fd, "", false);
}

void
sqlite_mark_damaged(const char *dir)
{
	auto_free char *path = mem_fmt("%s/lock", dir);
	auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		mark_write(fd, MARK_DAMAGED, false);
}

void
sqlite_suspect(struct store *st)
{
	sqlite_of(st)->is_damaged = true;
}

/* ---- connections ---- */

/* Without effect on what is durable, so an error is left to the next commit that meets it. */
void
sqlite_checkpoint(struct sqlite *s)
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
	if (pages >= LOG_PAGES_MAX || BUGGIFY("sqlite.checkpoint"))
		sqlite_checkpoint(s);
	return SQLITE_OK;
}

/* A file to be written exists before SQLite opens it, so that its mode is ours; the log takes the
 * mode over. */
static int
db_open(struct sqlite *s, const char *path, bool is_writer, struct err *e)
{
	if (is_writer) {
		auto_fd int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_sys(e, "open %s", path);
	} else if (access(path, R_OK) < 0) {
		return err_sys(e, "open %s", path);
	}
	int rc = sqlite3_open_v2(path, &s->db,
		(is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
			SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
		NULL);

	if (rc != SQLITE_OK)
		return s->db ? sqlite_err(s, rc, e, path)
			     : err_set(e, ERR_SYSTEM, "%s: %s", path, sqlite3_errstr(rc));
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return sqlite_exec(s, "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY", e);
}

static void
db_close(struct sqlite *s)
{
	if (s->db && !sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	for (size_t i = 0; i < s->n_stmts; i++) {
		(void)sqlite3_finalize(s->stmts[i].st);
		free(s->stmts[i].sql);
	}
	s->n_stmts = 0;
	(void)sqlite3_close(s->db);
	s->db = NULL;
}

static struct sqlite *
sqlite_create(void)
{
	struct sqlite *s = mem_zero(sizeof(*s));

	s->sql.base.driver = &STORE_SQLITE;
	s->sql.sql = &SQLITE_SQL;
	s->lock_fd = -1;
	return s;
}

void
sqlite_close(struct store *st)
{
	if (!st)
		return;

	struct sqlite *s = sqlite_of(st);
	db_close(s);
	if (s->lock_fd >= 0)
		mark_closed(s);
	clean_fd(&s->lock_fd);
	pack_destroy(s->sql.pack);
	free(s);
}

int
sqlite_file_open(const char *path, bool is_writer, struct sqlite **out, struct err *e)
{
	struct sqlite *s = sqlite_create();
	int rc = db_open(s, path, is_writer, e);

	if (rc == 0 && is_writer)
		rc = sqlite_exec(s, "PRAGMA synchronous = OFF", e);
	if (rc < 0) {
		sqlite_close(&s->sql.base);
		return rc;
	}
	*out = s;
	return 0;
}

/* ---- the store's own file ---- */

static int
set_modes(struct sqlite *s, const struct store_conf *c, struct err *e)
{
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_exec(
		s, "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = " WAL_KEEP_BYTES, e);

	(void)sqlite3_wal_hook(s->db, on_commit, s); /* instead of SQLite's own, at 1000 pages */
	if (rc == 0)
		rc = sqlite_exec(s,
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

int
sqlite_verify(struct sqlite *s, const char *pragma, struct err *e)
{
	auto_free char *sql = mem_fmt("PRAGMA %s(1)", pragma);
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, sql, &st, e);

	if (rc == 0)
		rc = sqlite_step(s, st, e);
	if (rc < 0)
		return rc;

	const char *text = rc == 1 ? (const char *)sqlite3_column_text(st, 0) : "no answer";
	if (text && strcmp(text, "ok") == 0)
		return 0;
	s->is_damaged = true;
	return err_set(e, ERR_INVALID, "the store is damaged: %s", text ? text : "?");
}

static int
check(struct sqlite *s, const char *path, const char *mark, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "%s", path);
	if (strcmp(mark, MARK_DAMAGED) == 0)
		return sqlite_verify(s, "integrity_check", e);
	if (*mark || st.st_size <= CHECK_ALWAYS_BYTES)
		return sqlite_verify(s, "quick_check", e);
	return 0;
}

/* What is in the files SQLite syncs itself; and nobody here may open them beside it, since closing
 * a descriptor ends all locks of this process on the file (sqlite.org/howtocorrupt.html, 2.2).
 * The directory's own name is the business of whoever made it; a confined role could not even open
 * what it lies in. */
static int
make_durable(const char *dir, bool made_dir, struct err *e)
{
	auto_free char *parent = mem_fmt("%s/..", dir);
	int rc = sqlite_fsync(dir, O_DIRECTORY, e);

	if (rc == 0 && made_dir)
		rc = sqlite_fsync(parent, O_DIRECTORY, e);
	return rc;
}

/* A file is looked at before anything is done to it: a migration would write what it read from a
 * damaged page into new ones. */
static int
db_steps(struct sqlite *s, const struct store_conf *c, const char *path, struct err *e)
{
	int64_t version;
	char mark[16];
	int rc = db_open(s, path, true, e);

	mark_read(s->lock_fd, mark);
	if (rc == 0)
		rc = sqlite_give(c->dir, path, e);
	if (rc == 0)
		rc = set_modes(s, c, e);
	if (rc == 0)
		rc = sqlite_version(s, &version, e);
	if (rc == 0)
		rc = check(s, path, mark, e);
	return rc == 0 ? sqlite_migrate(s, e) : rc;
}

/* Nobody who has backups wants to begin anew without being asked. */
static int
refuse_gone(const struct store_conf *c, const char *path, struct err *e)
{
	struct row_list list = { 0 };

	if (!c->backups || access(path, F_OK) == 0)
		return 0;
	int rc = upkeep_list(c->backups, &list, e);
	size_t n = list.n;
	backup_list_finish(&list);
	if (rc == ERR_MISSING || (rc == 0 && n == 0))
		return 0;
	return rc < 0 ? rc
		      : err_set(e, ERR_INVALID,
				"the database is gone, but %s has %zu backups: \"nightshift store "
				"restore\" takes the newest; to begin anew, move them away",
				c->backups, n);
}

static int
heal(struct sqlite *s, const struct store_conf *c, const char *path, struct err *e)
{
	auto_free char *told = NULL;
	struct err why = e ? *e : (struct err){ 0 };

	db_close(s);
	int rc = sqlite_heal(c->dir, c->backups, &told, e);
	if (rc < 0)
		return rc;
	s->is_damaged = false;
	rc = db_steps(s, c, path, e);
	if (rc == 0 && c->on_heal) {
		auto_free char *text = mem_fmt("%s; %s", why.text, told);

		c->on_heal(text);
	}
	return rc;
}

static int
open_steps(struct sqlite *s, const struct store_conf *c, const char *path, struct err *e)
{
	struct err mine = { 0 };
	int rc = sqlite_lock(c->dir, &s->lock_fd, &mine);

	if (rc == 0)
		rc = sqlite_swap(c->dir, NULL, &mine);
	if (rc == 0)
		rc = refuse_gone(c, path, &mine);
	if (rc == 0)
		rc = db_steps(s, c, path, &mine);
	if (rc == ERR_INVALID && s->is_damaged && c->backups)
		rc = heal(s, c, path, &mine);
	if (rc == 0)
		mark_write(s->lock_fd, MARK_OPEN, c->is_durable);
	if (rc < 0 && e)
		*e = mine;
	return rc;
}

int
sqlite_open(const struct store_conf *c, struct store **out, struct err *e)
{
	auto_free char *path = mem_fmt("%s/" SQLITE_FILE, c->dir);
	bool made_dir = access(c->dir, F_OK) < 0;
	int rc = made_dir ? fs_mkdirs(c->dir, 0700, e) : 0;
	if (rc < 0)
		return rc;

	struct sqlite *s = sqlite_create();
	s->sql.pack = pack_create();
	rc = open_steps(s, c, path, e);
	if (rc == 0 && c->is_durable)
		rc = make_durable(c->dir, made_dir, e);
	if (rc < 0) {
		/* Its mark stays as it was found, unless there is something to add. */
		if (s->lock_fd >= 0 && s->is_damaged)
			mark_write(s->lock_fd, MARK_DAMAGED, false);
		clean_fd(&s->lock_fd);
		s->lock_fd = -1;
		sqlite_close(&s->sql.base);
		return err_wrap(e, rc, "%s", path);
	}
	*out = &s->sql.base;
	return 0;
}
