/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_heal - a damaged file is replaced by what can be saved.
 *
 * The new file begins as a copy of the newest good backup; then everything that can still be read
 * of the damaged one is written over it, each table from both ends up to the damage. So what came
 * after the backup is lost only where the damage is. It is made whole beside the old one and takes
 * its place by a rename; the damaged file is set aside, never deleted.
 *
 * What a backup does not know may have happened all the same. So effects that had not been done are
 * marked as perhaps done (the courier looks before it creates), a delivery whose task was lost is
 * decided again, and numbers are skipped so that no new task takes the name of a lost one.
 */
#include "store/sqlite.h"

#include "base/fs.h"
#include "base/mem.h"
#include "store/tables.h"
#include "store/upkeep.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define READY     "renewed.db" /* whole: takes the place */
#define UNREADY   "renewing.db"
#define IDS_AHEAD "1000" /* more than an hour between two backups brings */

/* ---- saving rows ---- */

/* The same columns, by name. */
static int
insert_like(
	struct sqlite *to, const char *table, sqlite3_stmt *from, sqlite3_stmt **out, struct err *e)
{
	auto_buf struct buf sql = BUF_INIT(8192);
	int n = sqlite3_column_count(from);

	(void)buf_addf(&sql, "INSERT OR REPLACE INTO %s (", table);
	for (int i = 0; i < n; i++)
		(void)buf_addf(&sql, "%s%s", i ? ", " : "", sqlite3_column_name(from, i));
	(void)buf_adds(&sql, ") VALUES (");
	for (int i = 0; i < n; i++)
		(void)buf_adds(&sql, i ? ", ?" : "?");
	(void)buf_addc(&sql, ')');
	assert(!sql.is_full);
	return sqlite_stmt(to, buf_str(&sql), out, e);
}

/* Rows in that order until the damage. True: to the end. */
static bool
save_rows(struct sqlite *from, struct sqlite *to, const char *table, const char *order, int64_t *n)
{
	auto_free char *sql = mem_fmt("SELECT * FROM %s ORDER BY %s", table, order);
	auto_stmt sqlite3_stmt *in = NULL;
	auto_stmt sqlite3_stmt *out = NULL;
	int rc;

	if (sqlite_stmt(from, sql, &in, NULL) < 0 || insert_like(to, table, in, &out, NULL) < 0)
		return false;
	while ((rc = sqlite_step(from, in, NULL)) > 0) {
		for (int i = 0; i < sqlite3_column_count(in); i++)
			(void)sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
		/* A row that the schema refuses was written by the damage. */
		if (sqlite_step(to, out, NULL) == 0)
			(*n)++;
		(void)sqlite3_reset(out);
	}
	return rc == 0;
}

static int64_t
save_all(struct sqlite *from, struct sqlite *to)
{
	int64_t n = 0;

	for (size_t i = 0; i < STORE_TABLES_COUNT; i++) {
		const struct store_table *t = &STORE_TABLES[i];

		if (!save_rows(from, to, t->name, t->up, &n))
			(void)save_rows(from, to, t->name, t->down, &n);
	}
	return n;
}

/* ---- the new file ---- */

/* After this nothing in it contradicts itself or the world. */
static const char SETTLE[] =
	"UPDATE delivery SET state = 0, strikes = 0, reason = NULL WHERE state = 1 AND id IN"
	" (SELECT delivery FROM trigger_seen WHERE task NOT IN (SELECT id FROM task));"
	"DELETE FROM trigger_seen WHERE task NOT IN (SELECT id FROM task);"
	"DELETE FROM prompt WHERE task NOT IN (SELECT id FROM task);"
	"DELETE FROM attempt WHERE task NOT IN (SELECT id FROM task);"
	"DELETE FROM step WHERE task NOT IN (SELECT id FROM task);"
	"DELETE FROM transcript WHERE task NOT IN (SELECT id FROM task);"
	"DELETE FROM effect WHERE task <> 0 AND task NOT IN (SELECT id FROM task);"
	"UPDATE effect SET was_unknown = 1, unknown_ms = CASE unknown_ms WHEN 0 THEN created_ms"
	" ELSE unknown_ms END WHERE state IN (0, 1);"
	"INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT t.name, 0 FROM sqlite_schema t"
	" WHERE t.name IN ('delivery', 'task', 'effect')"
	" AND t.name NOT IN (SELECT name FROM sqlite_sequence);"
	"UPDATE sqlite_sequence SET seq = seq + " IDS_AHEAD ";"
	"INSERT OR REPLACE INTO tally SELECT 'accepted', count(*) FROM task;"
	"INSERT OR IGNORE INTO tally VALUES ('duplicates', 0), ('pruned', 0);"
	"INSERT OR REPLACE INTO tally SELECT 'received', (SELECT count(*) FROM delivery)"
	" + (SELECT sum(n) FROM tally WHERE name IN ('duplicates', 'pruned'));";

static int
copy_backup(const char *backup, const char *to, struct err *e)
{
	struct sqlite *from = NULL;
	int rc = sqlite_file_open(backup, false, &from, e);

	if (rc < 0)
		return rc;
	rc = sql_run(&from->sql, e, "VACUUM INTO ?", "s", to);
	sqlite_close(&from->sql.base);
	return rc < 0 ? rc : 0;
}

/* SQLite takes an existing file only if it is empty, and this one has our mode. */
static int
make_empty(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", path);

	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, "create %s", path) : 0;
}

static int
fill(struct sqlite *to, struct sqlite *salvage, int64_t *n_saved, struct err *e)
{
	int rc = sqlite_migrate(to, e);

	if (rc == 0)
		rc = sqlite_exec(to, "BEGIN", e);
	if (rc == 0 && salvage)
		*n_saved = save_all(salvage, to);
	if (rc == 0)
		rc = sqlite_exec(to, SETTLE, e);
	if (rc == 0)
		rc = sqlite_exec(to, "COMMIT", e);
	return rc == 0 ? sqlite_verify(to, "integrity_check", e) : rc;
}

int
sqlite_renew(const char *dir, const char *backup, struct sqlite *salvage, int64_t *n_saved,
	struct err *e)
{
	auto_free char *path = mem_fmt("%s/" UNREADY, dir);
	auto_free char *ready = mem_fmt("%s/" READY, dir);
	struct sqlite *to = NULL;
	int rc = make_empty(path, e);

	if (rc == 0 && backup)
		rc = copy_backup(backup, path, e);
	if (rc == 0)
		rc = sqlite_file_open(path, true, &to, e);
	if (rc == 0) {
		rc = fill(to, salvage, n_saved, e);
		sqlite_close(&to->sql.base);
	}
	if (rc == 0)
		rc = sqlite_give(dir, path, e);
	if (rc == 0)
		rc = sqlite_fsync(path, 0, e);
	if (rc == 0 && rename(path, ready) < 0)
		rc = err_sys(e, "rename %s", path);
	return rc == 0 ? sqlite_fsync(dir, O_DIRECTORY, e) : rc;
}

/* ---- it takes the place ---- */

static int
move(const char *dir, const char *aside, const char *name, struct err *e)
{
	auto_free char *from = mem_fmt("%s/%s", dir, name);
	auto_free char *to = mem_fmt("%s/%s", aside, name);

	if (rename(from, to) < 0 && errno != ENOENT)
		return err_sys(e, "move %s", from);
	return 0;
}

/* The database keeps its name until the new one takes it: there is never none. Its log goes first,
 * since beside the new one it would be taken for that one's. */
static int
set_aside(const char *dir, const char *aside, struct err *e)
{
	auto_free char *from = mem_fmt("%s/" SQLITE_FILE, dir);
	auto_free char *to = mem_fmt("%s/" SQLITE_FILE, aside);
	int rc = fs_mkdirs(aside, 0700, e);

	if (rc == 0)
		rc = sqlite_give(dir, aside, e);
	if (rc == 0)
		rc = move(dir, aside, SQLITE_FILE "-wal", e);
	if (rc == 0)
		rc = move(dir, aside, SQLITE_FILE "-shm", e);
	if (rc == 0 && link(from, to) < 0 && errno != EEXIST && errno != ENOENT)
		rc = err_sys(e, "link %s", to);
	return rc == 0 ? sqlite_fsync(aside, O_DIRECTORY, e) : rc;
}

int
sqlite_swap(const char *dir, char **aside, struct err *e)
{
	auto_free char *ready = mem_fmt("%s/" READY, dir);
	auto_free char *path = mem_fmt("%s/" SQLITE_FILE, dir);
	struct stat st;
	char when[32];

	if (stat(ready, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", ready);

	/* The same name at every try. */
	str_time_print((int64_t)st.st_mtim.tv_sec * 1000, when);
	auto_free char *old = mem_fmt("%s/aside-%s", dir, when);
	bool had_one = access(path, F_OK) == 0;
	int rc = set_aside(dir, old, e);

	if (rc == 0 && rename(ready, path) < 0)
		rc = err_sys(e, "rename %s", ready);
	if (rc == 0)
		rc = sqlite_fsync(dir, O_DIRECTORY, e);
	if (rc == 0 && aside && had_one)
		*aside = steal_ptr(&old);
	return rc;
}

/* ---- healing ---- */

/* NULL: none is good. */
static char *
newest_good(const char *backups)
{
	struct row_list list = { 0 };
	char *found = NULL;

	if (upkeep_list(backups, &list, NULL) < 0)
		return NULL;
	const struct backup *v = list.v;
	for (size_t i = 0; i < list.n && !found; i++) {
		if (upkeep_check_backup(v[i].path, NULL) == 0)
			found = mem_str(v[i].path);
	}
	backup_list_finish(&list);
	return found;
}

/* NULL: not even its tables can be found. */
static struct sqlite *
open_damaged(const char *path)
{
	struct sqlite *s = NULL;
	int64_t n = 0;

	if (sqlite_file_open(path, false, &s, NULL) < 0)
		return NULL;
	if (sql_int(&s->sql, NULL, &n, "SELECT count(*) FROM sqlite_schema WHERE name = 'task'",
		    "") == 0 &&
		n == 1)
		return s;
	sqlite_close(&s->sql.base);
	return NULL;
}

int
sqlite_heal(const char *dir, const char *backups, char **told, struct err *e)
{
	auto_free char *path = mem_fmt("%s/" SQLITE_FILE, dir);
	auto_free char *backup = newest_good(backups);
	auto_free char *aside = NULL;
	struct sqlite *damaged = open_damaged(path);
	int64_t n = 0;
	int rc = 0;

	if (!damaged && !backup)
		return err_wrap(e, ERR_INVALID,
			"nothing in it can be read and %s has no good backup: \"nightshift store "
			"restore FILE\" takes one from elsewhere; to begin anew, move the file "
			"away",
			backups);
	rc = sqlite_renew(dir, backup, damaged, &n, e);
	if (damaged)
		sqlite_close(&damaged->sql.base);
	if (rc == 0)
		rc = sqlite_swap(dir, &aside, e);
	if (rc < 0)
		return err_wrap(e, rc, "healing");
	*told = mem_fmt("healed with %" PRId64
			" rows of its own over %s; the damaged file is in %s",
		n, backup ? backup : "no backup", aside ? aside : dir);
	return 0;
}
