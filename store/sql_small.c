/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_small - label generations, and keys with values.
 */
#include "store/sql.h"

int
sql_label_get(struct store *st, const struct label_key *k, int64_t *generation, bool *is_on,
	struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e,
		"SELECT generation, is_on FROM label"
		" WHERE forge = ? AND repo_id = ? AND number = ? AND label = ?",
		"siis", k->forge, k->repo_id, k->number, k->label);

	if (rc < 0)
		return rc;
	rc = sql_step(&q, e);
	if (rc < 0)
		return rc;
	*generation = rc == 1 ? sql_get_i64(&q, 0) : 0;
	*is_on = rc == 1 && sql_get_i64(&q, 1) != 0;
	return 0;
}

int
sql_label_set(
	struct store *st, const struct label_key *k, bool on, int64_t *generation, struct err *e)
{
	struct sql *s = sql_of(st);
	bool was_on;
	int64_t last;
	int rc = sql_label_get(st, k, &last, &was_on, e);

	if (rc < 0)
		return rc;
	if (on != was_on) {
		last += on ? 1 : 0;
		rc = sql_run(s, e,
			"INSERT INTO label (forge, repo_id, number, label, generation, is_on)"
			" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (forge, repo_id, number, label)"
			" DO UPDATE SET generation = excluded.generation, is_on = excluded.is_on",
			"siisii", k->forge, k->repo_id, k->number, k->label, last, (int64_t)on);
		if (rc < 0)
			return rc;
	}
	*generation = last;
	return 0;
}

int
sql_kv_get(struct store *st, const char *key, struct buf *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, "SELECT value FROM kv WHERE key = ?", "s", key);

	if (rc < 0)
		return rc;
	rc = sql_step(&q, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no value of %s", key);
	size_t len = 0;
	const char *value = sql_get(&q, 0, &len);
	rc = buf_add(out, value, len);
	return rc < 0 ? err_set(e, ERR_LIMIT, "the value of %s is too large", key) : 0;
}

int
sql_kv_put(struct store *st, const char *key, const char *value, struct err *e)
{
	if (strlen(value) > STORE_KV_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "the value of %s is too large", key);

	int rc = sql_run(sql_of(st), e,
		"INSERT INTO kv (key, value) VALUES (?, ?)"
		" ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		"ss", key, value);
	return rc < 0 ? rc : 0;
}
