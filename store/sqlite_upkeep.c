/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_upkeep - backups, checks and counts beside the one who writes; see upkeep.h.
 */
#include "store/sqlite.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/upkeep.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define PREFIX      "nightshift-"
#define SUFFIX      ".db"
#define PART        ".part" /* not whole yet */
#define STAMP_BYTES 16      /* 20261122T221500Z */
#define DAY_MS      (24 * 3600 * INT64_C(1000))
#define STEPS       4000      /* of SQLite's machine between two looks at stop */
#define SYNC_BYTES  (1 << 20) /* the disk is given to others after so many */

const struct row BACKUP_ROWS[] = {
	ROW_S(struct backup, path, "path", LIMIT_PATH_BYTES),
	ROW_I(struct backup, made_ms, "made_ms"),
	ROW_I(struct backup, bytes, "bytes"),
	ROW_DONE,
};

void
backup_finish(struct backup *b)
{
	row_finish(BACKUP_ROWS, b);
}

void
backup_list_finish(struct row_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		backup_finish((struct backup *)list->v + i);
	free(list->v);
	*list = (struct row_list){ 0 };
}

/* ---- reading beside the writer ---- */

static int
on_progress(void *ctx)
{
	return atomic_load((const atomic_bool *)ctx);
}

static int
reader_open(const struct upkeep *u, struct sqlite **out, struct err *e)
{
	auto_free char *path = mem_fmt("%s/" SQLITE_FILE, u->dir);
	int rc = sqlite_file_open(path, false, out, e);

	if (rc == 0 && u->stop)
		sqlite3_progress_handler(
			(*out)->db, STEPS, on_progress, (void *)(uintptr_t)u->stop);
	return rc;
}

static int
check_keys(struct sqlite *s, struct err *e)
{
	auto_stmt sqlite3_stmt *st = NULL;
	int rc = sqlite_stmt(s, "PRAGMA foreign_key_check", &st, e);

	if (rc == 0)
		rc = sqlite_step(s, st, e);
	if (rc <= 0)
		return rc;
	return err_set(e, ERR_INVALID, "a row of %s names a row of %s that is not there",
		(const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 2));
}

int
upkeep_check(const struct upkeep *u, bool is_full, struct err *e)
{
	struct sqlite *s = NULL;
	int rc = reader_open(u, &s, e);

	if (rc < 0)
		return rc;
	rc = sqlite_verify(s, is_full ? "integrity_check" : "quick_check", e);
	if (rc == 0 && is_full)
		rc = check_keys(s, e);
	if (s->is_damaged)
		sqlite_mark_damaged(u->dir);
	sqlite_close(&s->sql.base);
	return rc;
}

static int
check_ours(struct sqlite *s, struct err *e)
{
	int64_t tables = 0;
	int rc = sql_int(&s->sql, e, &tables,
		"SELECT count(*) FROM sqlite_schema WHERE name = 'trigger_seen'", "");

	if (rc == 0 && tables == 0)
		return err_set(e, ERR_INVALID, "not a store of nightshift");
	return rc;
}

int
upkeep_check_backup(const char *path, struct err *e)
{
	struct sqlite *s = NULL;
	int rc = sqlite_file_open(path, false, &s, e);

	if (rc < 0)
		return rc;
	rc = sqlite_verify(s, "integrity_check", e);
	if (rc == 0)
		rc = check_ours(s, e);
	sqlite_close(&s->sql.base);
	return rc < 0 ? err_wrap(e, rc, "%s", path) : 0;
}

int
upkeep_tally(const struct upkeep *u, struct store_tally *out, struct err *e)
{
	struct sqlite *s = NULL;
	int rc = reader_open(u, &s, e);

	if (rc < 0)
		return rc;
	/* One moment for all of them. */
	rc = sqlite_exec(s, "BEGIN", e);
	if (rc == 0)
		rc = sql_tally(&s->sql.base, out, e);
	sqlite_close(&s->sql.base);
	return rc;
}

/* ---- names ---- */

/* 2026-11-22T22:15:00Z without what file names are better without. */
static char *
name_of(int64_t ms)
{
	char when[32], stamp[32];
	size_t n = 0;

	str_time_print(ms, when);
	for (const char *p = when; *p; p++) {
		if (*p != '-' && *p != ':')
			stamp[n++] = *p;
	}
	stamp[n] = '\0';
	return mem_fmt(PREFIX "%s" SUFFIX, stamp);
}

/* -1: not the name of a backup. */
static int64_t
time_of(const char *name)
{
	size_t len = strlen(PREFIX) + STAMP_BYTES + strlen(SUFFIX);
	const char *s = name + strlen(PREFIX);
	int64_t ms = -1;

	if (strlen(name) != len || !str_starts(name, PREFIX) || !str_ends(name, SUFFIX))
		return -1;
	auto_free char *when = mem_fmt("%.4s-%.2s-%.5s:%.2s:%.3s", s, s + 4, s + 6, s + 11, s + 13);
	return str_time(when, &ms, NULL) < 0 ? -1 : ms;
}

static int
by_time_down(const void *a, const void *b)
{
	int64_t x = ((const struct backup *)a)->made_ms, y = ((const struct backup *)b)->made_ms;

	return x < y ? 1 : x > y ? -1 : 0;
}

int
upkeep_list(const char *backups, struct row_list *out, struct err *e)
{
	auto_dir DIR *d = opendir(backups);
	const struct dirent *ent;

	if (!d)
		return err_sys(e, "%s", backups);
	*out = (struct row_list){ 0 };
	while ((ent = readdir(d))) {
		int64_t ms = time_of(ent->d_name);
		auto_free char *path = mem_fmt("%s/%s", backups, ent->d_name);
		struct stat st;

		if (ms < 0 || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		struct backup *b = row_list_add(out, sizeof(*b));
		b->path = steal_ptr(&path);
		b->made_ms = ms;
		b->bytes = st.st_size;
	}
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(struct backup), by_time_down);
	return 0;
}

/* ---- making one ---- */

/* In pieces, each on the disk before the next: one fsync of a gigabyte would stand in the way of
 * the commits that the intake waits for. */
static int
sync_slowly(const char *path, struct stat *st, struct err *e)
{
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return err_sys(e, "open %s", path);
	for (off_t at = 0; at < st->st_size; at += SYNC_BYTES)
		(void)sync_file_range(fd, at, SYNC_BYTES,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	return fsync(fd) < 0 ? err_sys(e, "fsync %s", path) : 0;
}

/* Made as root it belongs to whom the directory belongs. */
static int
create_part(const struct upkeep *u, const char *path, struct err *e)
{
	struct stat dir;
	int rc = fs_mkdirs(u->backups, 0700, e);

	if (rc < 0)
		return rc;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", path);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || stat(u->backups, &dir) < 0)
		return err_sys(e, "create %s", path);
	if (geteuid() == 0 && fchown(fd, dir.st_uid, dir.st_gid) < 0)
		return err_sys(e, "chown %s", path);
	return 0;
}

static int
write_part(const struct upkeep *u, const char *part, struct err *e)
{
	struct sqlite *s = NULL;
	int rc = reader_open(u, &s, e);

	if (rc < 0)
		return rc;
	rc = check_ours(s, e);
	if (rc == 0)
		rc = sql_run(&s->sql, e, "VACUUM INTO ?", "s", part);
	sqlite_close(&s->sql.base);
	return rc < 0 ? rc : upkeep_check_backup(part, e);
}

int
upkeep_backup(const struct upkeep *u, int64_t now_ms, struct backup *out, struct err *e)
{
	auto_free char *name = name_of(now_ms);
	auto_free char *path = mem_fmt("%s/%s", u->backups, name);
	auto_free char *part = mem_fmt("%s/next" PART, u->backups);
	struct stat st = { 0 };
	int rc = create_part(u, part, e);

	if (rc == 0)
		rc = write_part(u, part, e);
	if (rc == 0)
		rc = sync_slowly(part, &st, e);
	if (rc == 0 && rename(part, path) < 0)
		rc = err_sys(e, "rename %s", part);
	if (rc == 0)
		rc = sqlite_fsync(u->backups, O_DIRECTORY, e);
	if (rc < 0) {
		(void)unlink(part);
		return rc;
	}
	*out = (struct backup){ steal_ptr(&path), now_ms / 1000 * 1000, st.st_size };
	return 0;
}

/* ---- which stay ---- */

bool
backup_is_kept(const struct backup_keep *k, const int64_t *made_ms, size_t i, int64_t now_ms)
{
	int64_t day = made_ms[i] / DAY_MS;

	if ((int64_t)i < k->newest)
		return true;
	return now_ms / DAY_MS - day < k->days && made_ms[i - 1] / DAY_MS != day;
}

int
upkeep_prune(const struct upkeep *u, const struct backup_keep *k, int64_t now_ms, int64_t *n,
	struct err *e)
{
	struct row_list list = { 0 };
	int rc = upkeep_list(u->backups, &list, e);

	*n = 0;
	if (rc < 0)
		return rc;
	const struct backup *v = list.v;
	auto_free int64_t *made_ms = mem_array(list.n + 1, sizeof(*made_ms));
	for (size_t i = 0; i < list.n; i++)
		made_ms[i] = v[i].made_ms;
	for (size_t i = 0; rc == 0 && i < list.n; i++) {
		if (backup_is_kept(k, made_ms, i, now_ms))
			continue;
		if (unlink(v[i].path) < 0)
			rc = err_sys(e, "remove %s", v[i].path);
		else
			(*n)++;
	}
	backup_list_finish(&list);
	return rc;
}

/* ---- going back to one ---- */

int
upkeep_restore(const struct upkeep *u, const char *path, char **aside, struct err *e)
{
	auto_fd int lock = -1;
	int64_t none = 0;
	int rc = fs_mkdirs(u->dir, 0700, e);

	*aside = NULL;
	if (rc == 0)
		rc = sqlite_lock(u->dir, &lock, e);
	if (rc == 0)
		rc = upkeep_check_backup(path, e);
	if (rc == 0)
		rc = sqlite_renew(u->dir, path, NULL, &none, e);
	if (rc == 0)
		rc = sqlite_swap(u->dir, aside, e);
	return rc;
}
