/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_migrate - brings the database to the schema this program knows: store/sql/postgres in
 * order of name, each in a transaction of its own together with its number. The rule of
 * sqlite_migrate.c holds here too: a schema only adds to the one before.
 */
#include "store/postgres.h"

#include "base/mem.h"

#include "store/sql_postgres.gen.h"

#include <inttypes.h>

static int
read_version(struct postgres *p, int64_t *version, struct err *e)
{
	int64_t ours = 0, tables = 0;
	int rc = postgres_number(
		p, "SELECT (to_regclass('nightshift_schema') IS NOT NULL)::int", &ours, e);

	*version = 0;
	if (rc == 0)
		rc = postgres_number(p,
			"SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
			&tables, e);
	if (rc < 0)
		return rc;
	if (!ours && tables > 0)
		return err_set(e, ERR_INVALID,
			"the database has tables of some other program; give nightshift one of its "
			"own");
	return ours ? postgres_number(p, "SELECT max(version) FROM nightshift_schema", version, e)
		    : 0;
}

static int
migrate_to(struct postgres *p, int n, struct err *e)
{
	auto_free char *sql = mem_fmt("BEGIN; %s; DELETE FROM nightshift_schema;"
				      "INSERT INTO nightshift_schema VALUES (%d); COMMIT",
		sql_postgres_files[n - 1].text, n);
	int rc = postgres_exec(p, sql, e);

	if (rc < 0 && !postgres_is_lost(p))
		(void)postgres_exec(p, "ROLLBACK", NULL);
	return rc < 0 ? err_wrap(e, rc, "%s", sql_postgres_files[n - 1].name) : 0;
}

int
postgres_migrate(struct postgres *p, struct err *e)
{
	int64_t version = 0;
	int rc = read_version(p, &version, e);

	if (rc == 0 && version > sql_postgres_files_count + 1)
		return err_set(e, ERR_INVALID,
			"written by a newer nightshift: schema %" PRId64 ", this one knows %d",
			version, sql_postgres_files_count);
	for (int n = (int)version + 1; rc == 0 && n <= sql_postgres_files_count; n++)
		rc = migrate_to(p, n, e);
	return rc;
}
