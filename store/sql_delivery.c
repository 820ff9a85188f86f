/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_delivery - the inbox.
 */
#include "store/sql.h"

#include "base/limits.h"

#define COLUMNS                                                                                    \
	"id, forge, guid, event, event_type, content_type, received_ms, state, reason, strikes"

/* In the same transaction as the row, or as what stands for a row that is not made. */
static int
count(struct sql *s, bool is_duplicate, struct err *e)
{
	int rc = sql_run(s, e,
		is_duplicate ? "UPDATE tally SET n = n + 1 WHERE name IN ('received', 'duplicates')"
			     : "UPDATE tally SET n = n + 1 WHERE name = 'received'",
		"");

	return rc < 0 ? rc : 0;
}

int
sql_delivery_add(struct store *st, const struct delivery *d, const void *body, size_t len,
	int64_t *id, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_buf struct buf packed = BUF_INIT(LIMIT_DELIVERY_BYTES + KIB(256));
	int rc = pack_squeeze(s->pack, PACK_QUICK, body, len, &packed, e);

	if (rc < 0)
		return rc;
	rc = sql_int(s, e, id,
		"INSERT INTO delivery (forge, guid, event, event_type, content_type, received_ms, "
		"size,"
		" body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
		"sssssiib", d->forge, d->guid, d->event, d->event_type, d->content_type,
		d->received_ms, (int64_t)len, packed.data, packed.len);
	if (rc == 0)
		return count(s, false, e);
	if (rc != ERR_MISSING)
		return rc;
	rc = count(s, true, e);
	if (rc < 0)
		return rc;
	rc = sql_int(s, e, id, "SELECT id FROM delivery WHERE forge = ? AND guid = ?", "ss",
		d->forge, d->guid);
	return rc < 0 ? rc : err_set(e, ERR_CONFLICT, "delivery %s was stored before", d->guid);
}

static int
delivery_read(struct store *st, const char *sql, int64_t id, struct delivery *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, sql, "i", id);

	if (rc < 0)
		return rc;
	return sql_row_one(&q, DELIVERY_ROWS, out, "such delivery", e);
}

int
sql_delivery_next(struct store *st, int64_t after, struct delivery *out, struct err *e)
{
	return delivery_read(st,
		"SELECT " COLUMNS " FROM delivery WHERE state = 0 AND id > ? ORDER BY id LIMIT 1",
		after, out, e);
}

int
sql_delivery_get(struct store *st, int64_t id, struct delivery *out, struct err *e)
{
	return delivery_read(st, "SELECT " COLUMNS " FROM delivery WHERE id = ?", id, out, e);
}

int
sql_delivery_body(struct store *st, int64_t id, struct buf *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, "SELECT size, body FROM delivery WHERE id = ?", "i", id);

	if (rc < 0)
		return rc;
	rc = sql_step(&q, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such delivery");
	size_t len = 0;
	const char *data = sql_get(&q, 1, &len);
	return pack_expand(s->pack, data, len, (size_t)sql_get_i64(&q, 0), out, e);
}

int
sql_delivery_has(struct store *st, const char *forge, const char *guid, bool *out, struct err *e)
{
	int64_t n = 0;
	int rc = sql_int(sql_of(st), e, &n,
		"SELECT count(*) FROM delivery WHERE forge = ? AND guid = ?", "ss", forge, guid);

	*out = n > 0;
	return rc;
}

int
sql_delivery_end(
	struct store *st, int64_t id, enum delivery_state state, const char *reason, struct err *e)
{
	int rc = sql_run(sql_of(st), e,
		"UPDATE delivery SET state = ?, reason = ? WHERE id = ? AND state = 0", "isi",
		(int64_t)state, reason, id);

	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "delivery %lld is not new", (long long)id);
	return rc < 0 ? rc : 0;
}

int
sql_delivery_strike(struct store *st, int64_t id, int64_t *strikes, struct err *e)
{
	return sql_int(sql_of(st), e, strikes,
		"UPDATE delivery SET strikes = strikes + 1 WHERE id = ? AND state = 0 RETURNING "
		"strikes",
		"i", id);
}
