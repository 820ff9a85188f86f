/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_tally - what is there, counted; and what is old, taken out.
 */
#include "store/sql.h"

/* Names are members of struct store_tally. */
static const char TALLY[] =
	"SELECT (SELECT n FROM tally WHERE name = 'received') AS received,"
	" (SELECT n FROM tally WHERE name = 'duplicates') AS duplicates,"
	" (SELECT n FROM tally WHERE name = 'pruned') AS pruned,"
	" (SELECT n FROM tally WHERE name = 'accepted') AS accepted,"
	" d.fresh, d.handled, d.ignored, d.quarantined, d.unexplained,"
	" t.final, t.waiting, t.live, t.stray FROM"
	" (SELECT coalesce(sum(CASE state WHEN 0 THEN 1 ELSE 0 END), 0) AS fresh,"
	"  coalesce(sum(CASE state WHEN 1 THEN 1 ELSE 0 END), 0) AS handled,"
	"  coalesce(sum(CASE state WHEN 2 THEN 1 ELSE 0 END), 0) AS ignored,"
	"  coalesce(sum(CASE state WHEN 3 THEN 1 ELSE 0 END), 0) AS quarantined,"
	"  coalesce(sum(CASE WHEN state > 1 AND coalesce(reason, '') = '' THEN 1 ELSE 0 END), 0)"
	"  AS unexplained FROM delivery) AS d,"
	" (SELECT coalesce(sum(CASE WHEN state BETWEEN 6 AND 9 THEN 1 ELSE 0 END), 0) AS final,"
	"  coalesce(sum(CASE state WHEN 5 THEN 1 ELSE 0 END), 0) AS waiting,"
	"  coalesce(sum(CASE WHEN state BETWEEN 0 AND 4 THEN 1 ELSE 0 END), 0) AS live,"
	"  coalesce(sum(CASE WHEN (state BETWEEN 1 AND 3 AND NOT EXISTS (SELECT 1 FROM attempt AS a"
	"    WHERE a.task = task.id AND a.number = task.attempt AND a.ended_ms = 0))"
	"   OR NOT EXISTS (SELECT 1 FROM trigger_seen AS s WHERE s.task = task.id)"
	"   THEN 1 ELSE 0 END), 0) AS stray FROM task) AS t";

int
sql_tally(struct store *st, struct store_tally *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, TALLY, "");

	return rc < 0 ? rc : sql_row_one(&q, STORE_TALLY_ROWS, out, "tally", e);
}

/* Tasks, their triggers and prompts stay: a trigger counts once for ever, and a person may ask for
 * a failed task again. The oldest are the first: what is not old or not over ends the search or is
 * passed over. */
static const char OLD_DELIVERIES[] =
	"DELETE FROM delivery WHERE id IN (SELECT id FROM (SELECT id, received_ms, state, reason"
	" FROM delivery ORDER BY id LIMIT ?) AS o WHERE o.received_ms < ? AND o.state <> 0"
	" AND (o.state = 1 OR coalesce(o.reason, '') <> ''))";
static const char OLD_TRANSCRIPTS[] =
	"DELETE FROM transcript WHERE task IN (SELECT t.id FROM"
	" (SELECT task FROM transcript ORDER BY task LIMIT ?) AS o"
	" JOIN task AS t ON t.id = o.task WHERE t.state >= 6 AND t.changed_ms < ?)";
int
sql_prune(struct store *st, const struct store_keep *k, int64_t *n, struct err *e)
{
	struct sql *s = sql_of(st);
	int64_t all = 0;
	int rc = sql_run(s, e, OLD_DELIVERIES, "ii", k->max, k->deliveries_ms);

	if (rc > 0) {
		all += rc;
		rc = sql_run(s, e, "UPDATE tally SET n = n + ? WHERE name = 'pruned'", "i", all);
	}
	if (rc >= 0)
		rc = sql_run(s, e, OLD_TRANSCRIPTS, "ii", k->max, k->transcripts_ms);
	if (rc < 0)
		return rc;
	*n = all + rc;
	return 0;
}
