/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_claim - who is next.
 *
 * A lane is a repository with queued tasks. The lane with the fewest running ones goes first, the
 * oldest task decides between equals. Lanes are found by jumping through the index of queued tasks
 * from one to the next, so that a repository with a hundred thousand queued tasks costs one step.
 */
#include "store/sqlite.h"

/* The next lane is looked for in two steps: SQLite seeks (forge, repo_id) > (?, ?) by forge alone
 * and would read every queued task for every lane. */
static const char NEXT[] =
	"WITH RECURSIVE lane (forge, repo_id) AS ("
	" SELECT * FROM (SELECT forge, repo_id FROM task WHERE state = 0"
	"  ORDER BY forge, repo_id, id LIMIT 1)"
	" UNION ALL"
	" SELECT t.forge, t.repo_id FROM lane JOIN task t ON t.id = coalesce("
	"  (SELECT n.id FROM task n WHERE n.state = 0 AND n.forge = lane.forge"
	"   AND n.repo_id > lane.repo_id ORDER BY n.repo_id, n.id LIMIT 1),"
	"  (SELECT n.id FROM task n WHERE n.state = 0 AND n.forge > lane.forge"
	"   ORDER BY n.forge, n.repo_id, n.id LIMIT 1)))"
	"SELECT"
	" (SELECT c.id FROM task c WHERE c.state = 0 AND c.forge = lane.forge"
	"  AND c.repo_id = lane.repo_id AND c.not_before_ms <= ?1 AND c.stop_wanted = 0"
	"  ORDER BY c.id LIMIT 1) AS first,"
	" (SELECT count(*) FROM task r WHERE r.state BETWEEN 1 AND 3 AND r.forge = lane.forge"
	"  AND r.repo_id = lane.repo_id) AS running "
	"FROM lane WHERE first NOT NULL AND running < ?2 ORDER BY running, first LIMIT 1";

int
sqlite_task_claim(struct store *st, const struct task_claim *c, struct task *out, struct err *e)
{
	struct sqlite *s = sqlite_of(st);
	int64_t id, running;
	int rc = sqlite_int(
		s, e, &running, "SELECT count(*) FROM task WHERE state BETWEEN 1 AND 3", "");

	if (rc < 0)
		return rc;
	if (running >= c->running_max)
		return err_set(e, ERR_MISSING, "no free box");
	rc = sqlite_int(s, e, &id, NEXT, "ii", c->now_ms, c->lane_max);
	if (rc < 0)
		return rc;
	rc = sqlite_run(s, e,
		"UPDATE task SET state = 1, changed_ms = ?, attempt = attempt + 1, fence = fence + "
		"1,"
		" lease_ms = ? WHERE id = ? AND state = 0",
		"iii", c->now_ms, c->lease_ms, id);
	if (rc < 0)
		return rc;
	rc = sqlite_run(s, e,
		"INSERT INTO attempt (task, number, fence, started_ms)"
		" SELECT id, attempt, fence, ? FROM task WHERE id = ?",
		"ii", c->now_ms, id);
	return rc < 0 ? rc : sqlite_task_get(st, id, out, e);
}

int
sqlite_task_renew(struct store *st, int64_t id, int64_t fence, int64_t lease_ms, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e,
		"UPDATE task SET lease_ms = ? WHERE id = ? AND fence = ? AND state BETWEEN 1 AND 3",
		"iii", lease_ms, id, fence);

	if (rc == 0)
		return err_set(e, ERR_CONFLICT, "task %lld is not with that runner any more",
			(long long)id);
	return rc < 0 ? rc : 0;
}
