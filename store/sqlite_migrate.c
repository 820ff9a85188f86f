/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_migrate - brings the file to the schema this program knows.
 *
 * store/sql/NNNN_*.sql in order of name, the n-th brings the schema from n - 1 to n. Each runs in a
 * transaction of its own together with its number, so a crash leaves a whole schema, old or new.
 *
 * The program before the newest schema can still work on it, so an upgrade can be taken back. That
 * is a rule for the files from 0003 on: they add (tables, indexes that are not unique, columns with
 * a default or none), and take away or change nothing that the program before them knows. A test
 * reads them for it. What has gone out of use is taken away one version later.
 */
#include "store/sqlite.h"

#include "store/sql.gen.h"

/* "nshf" in the file's header: says whose it is (sqlite.org, PRAGMA application_id). */
#define APPLICATION_ID 0x6e736866

static int
exec(struct sqlite *s, const char *sql, const char *what, struct err *e)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_err(s, rc, e, what);
}

static int
migrate_to(struct sqlite *s, int n, struct err *e)
{
	auto_buf struct buf done = BUF_INIT(256);
	const struct sql_file *file = &sql_files[n - 1];
	int rc = exec(s, "BEGIN IMMEDIATE", "migrate", e);

	if (rc < 0)
		return rc;
	(void)buf_addf(&done, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		APPLICATION_ID, n);
	rc = exec(s, file->text, file->name, e);
	if (rc == 0)
		rc = exec(s, buf_str(&done), file->name, e);
	if (rc < 0 && !sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int
sqlite_version(struct sqlite *s, int64_t *version, struct err *e)
{
	int64_t id = 0, tables = 0;
	int rc = sql_int(&s->sql, e, version, "PRAGMA user_version", "");

	if (rc == 0)
		rc = sql_int(&s->sql, e, &id, "PRAGMA application_id", "");
	if (rc == 0)
		rc = sql_int(&s->sql, e, &tables, "SELECT count(*) FROM sqlite_schema", "");
	if (rc < 0)
		return rc;
	if (id != APPLICATION_ID && (id != 0 || *version != 0 || tables != 0))
		return err_set(e, ERR_INVALID, "the file is some other program's database");
	if (*version > sql_files_count + 1)
		return err_set(e, ERR_INVALID,
			"written by a newer nightshift: schema %lld, this one knows %d",
			(long long)*version, sql_files_count);
	return 0;
}

int
sqlite_migrate(struct sqlite *s, struct err *e)
{
	int64_t version = 0;
	int rc = sqlite_version(s, &version, e);

	for (int n = (int)version + 1; rc == 0 && n <= sql_files_count; n++)
		rc = migrate_to(s, n, e);
	return rc;
}
