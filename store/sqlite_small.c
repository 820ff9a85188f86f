/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_small - label generations, and keys with values.
 */
#include "store/sqlite.h"

int
sqlite_label_get(struct store *st, const struct label_key *k, int64_t *generation, bool *is_on,
	struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s,
		"SELECT generation, is_on FROM label"
		" WHERE forge = ? AND repo_id = ? AND number = ? AND label = ?",
		&stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "siis", k->forge, k->repo_id, k->number, k->label);
	rc = sqlite_step(s, stmt, e);
	if (rc < 0)
		return rc;
	*generation = rc == 1 ? sqlite3_column_int64(stmt, 0) : 0;
	*is_on = rc == 1 && sqlite3_column_int64(stmt, 1) != 0;
	return 0;
}

int
sqlite_label_set(
	struct store *st, const struct label_key *k, bool on, int64_t *generation, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	bool was_on;
	int64_t last;
	int rc = sqlite_label_get(st, k, &last, &was_on, e);

	if (rc < 0)
		return rc;
	if (on != was_on) {
		last += on ? 1 : 0;
		rc = sqlite_run(s, e,
			"INSERT INTO label (forge, repo_id, number, label, generation, is_on)"
			" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
			" SET generation = excluded.generation, is_on = excluded.is_on",
			"siisii", k->forge, k->repo_id, k->number, k->label, last, (int64_t)on);
		if (rc < 0)
			return rc;
	}
	*generation = last;
	return 0;
}

int
sqlite_kv_get(struct store *st, const char *key, struct buf *out, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	auto_stmt sqlite3_stmt *stmt = NULL;
	int rc = sqlite_stmt(s, "SELECT value FROM kv WHERE key = ?", &stmt, e);

	if (rc < 0)
		return rc;
	sqlite_bind(stmt, "s", key);
	rc = sqlite_step(s, stmt, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no value of %s", key);
	rc = buf_add(out, sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
	return rc < 0 ? err_set(e, ERR_LIMIT, "the value of %s is too large", key) : 0;
}

int
sqlite_kv_put(struct store *st, const char *key, const char *value, struct err *e)
{
	if (strlen(value) > STORE_KV_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "the value of %s is too large", key);

	int rc = sqlite_run(sqlite_of(st), e,
		"INSERT INTO kv (key, value) VALUES (?, ?)"
		" ON CONFLICT DO UPDATE SET value = excluded.value",
		"ss", key, value);
	return rc < 0 ? rc : 0;
}
