/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_claim - who is next.
 *
 * A lane is a repository with queued tasks. The lane with the fewest running ones goes first, the
 * oldest task decides between equals. Lanes are found by jumping through the index of queued tasks
 * from one to the next, so that a repository with a hundred thousand queued tasks costs one step.
 *
 * Nodes that claim from a lane at the same time meet at its oldest task: one has it locked, and the
 * others pass the lane by. So nobody claims from a lane that he counted before another did.
 */
#include "store/sql.h"

#include "base/mem.h"

/* The next lane is looked for in two steps: SQLite seeks (forge, repo_id) > (?, ?) by forge alone
 * and would read every queued task for every lane. */
/* Materialized: PostgreSQL would look for each lane's first task three times. The plus: it
 * would read all that are queued and look for each among the first ones. */
#define NEXT                                                                                       \
	"WITH RECURSIVE lane (forge, repo_id) AS ("                                                \
	" SELECT * FROM (SELECT forge, repo_id FROM task WHERE state = 0"                          \
	"  ORDER BY forge, repo_id, id LIMIT 1) AS least"                                          \
	" UNION ALL"                                                                               \
	" SELECT t.forge, t.repo_id FROM lane JOIN task AS t ON t.id = coalesce("                  \
	"  (SELECT n.id FROM task AS n WHERE n.state = 0 AND n.forge = lane.forge"                 \
	"   AND n.repo_id > lane.repo_id ORDER BY n.repo_id, n.id LIMIT 1),"                       \
	"  (SELECT n.id FROM task AS n WHERE n.state = 0 AND n.forge > lane.forge"                 \
	"   ORDER BY n.forge, n.repo_id, n.id LIMIT 1))),"                                         \
	"first (id, running) AS MATERIALIZED (SELECT"                                              \
	" (SELECT c.id FROM task AS c WHERE c.state = 0 AND c.forge = lane.forge"                  \
	"  AND c.repo_id = lane.repo_id AND c.not_before_ms <= ?1 AND c.stop_wanted = 0"           \
	"  ORDER BY c.id LIMIT 1),"                                                                \
	" (SELECT count(*) FROM task AS r WHERE r.state BETWEEN 1 AND 3"                           \
	"  AND r.forge = lane.forge AND r.repo_id = lane.repo_id) FROM lane)"                      \
	"SELECT t.id FROM first JOIN task AS t ON t.id = first.id"                                 \
	" WHERE +t.state = 0 AND first.running < ?2 ORDER BY first.running, first.id LIMIT 1"

/* An UPDATE's own row is not among those that its subqueries see: they are what was there before.
 */
#define CLAIM                                                                                      \
	"UPDATE task SET state = 1, changed_ms = ?1, attempt = attempt + 1, fence = fence + 1,"    \
	" lease_ms = ?4, node = ?5 WHERE state = 0 AND id = (" NEXT "%s)"                          \
	" AND (SELECT count(*) FROM task WHERE state BETWEEN 1 AND 3%s) < ?3"                      \
	" RETURNING *, (SELECT p.prompt FROM prompt AS p WHERE p.task = task.id) AS prompt"

/* One statement: what a server is asked is answered once. ?3 is how many may be at work here. */
int
sql_task_claim(struct store *st, const struct task_claim *c, struct task *out, struct err *e)
{
	struct sql *s = sql_of(st);
	auto_free char *text = mem_fmt(CLAIM, s->sql->claim_lock, s->own);
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_query(s, &q, e, text, "iiiis", c->now_ms, c->lane_max, c->running_max,
		c->lease_ms, s->node);

	if (rc == 0)
		rc = sql_row_one(&q, TASK_ROWS, out, "task that may start now", e);
	if (rc < 0)
		return rc;
	rc = sql_run(s, e,
		"INSERT INTO attempt (task, number, fence, started_ms) VALUES (?, ?, ?, ?)", "iiii",
		out->id, out->attempt, out->fence, c->now_ms);
	if (rc < 0)
		task_finish(out);
	return rc < 0 ? rc : 0;
}

int
sql_task_renew(struct store *st, int64_t id, int64_t fence, int64_t lease_ms, struct err *e)
{
	int rc = sql_run(sql_of(st), e,
		"UPDATE task SET lease_ms = ? WHERE id = ? AND fence = ? AND state BETWEEN 1 AND 3",
		"iii", lease_ms, id, fence);

	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "task %lld is not with that runner any more",
			(long long)id);
	return rc < 0 ? rc : 0;
}
