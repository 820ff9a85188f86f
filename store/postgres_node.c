/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_node - several nodes on one database: who lives, who leads, who is gone.
 *
 * A node is a row of store_node. Each of its transactions begins by changing that row, and so holds
 * it until its end: whoever takes the row out waits for it, and what begins later finds no row. A
 * process that takes the place of another of the same node counts turn up, with the same effect.
 *
 * The leader is whoever has a lock of the session. Its connection may be gone without the server
 * knowing; then its row stops changing, too, and whoever buries it ends the backend.
 */
#include "store/postgres.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <poll.h>

/* "nshf", as in the file of SQLite, and the number after it. */
#define LOCK_STORE "1853057126"
#define LOCK_LEAD  "1853057127"

#define LOCK_GAP_MS    100
#define LOCK_TRIES     50 /* for our own: a backend that lost its client may take a moment to end */
#define LOCK_TRIES_NEW 10 /* likewise, for that of a queue that was killed before us */
#define LEAD_TRIES     5

/* A lease is used for its first half only: what was begun in it is over, or has met its own limit,
 * when it ends. */
#define USED 2

/* ---- locks of the session ---- */

/* 1: ours. 0: somebody else's. */
static int
try_lock(struct postgres *p, const char *function, const char *lock, int tries, struct err *e)
{
	auto_free char *sql = mem_fmt("SELECT %s(%s)::int", function, lock);
	int64_t got = 0;
	int rc = 0;

	for (int i = 0; rc == 0 && !got && i < tries; i++) {
		if (i > 0)
			(void)poll(NULL, 0, LOCK_GAP_MS);
		rc = postgres_number(p, sql, &got, e);
	}
	return rc < 0 ? rc : (int)got;
}

int
postgres_node_locks(struct postgres *p, struct err *e)
{
	const char *function = p->is_alone ? "pg_try_advisory_lock" : "pg_try_advisory_lock_shared";
	int tries = p->last_pid > 0 ? LOCK_TRIES : LOCK_TRIES_NEW;
	int rc = try_lock(p, function, LOCK_STORE, tries, e);

	if (rc == 0)
		return err_set(e, ERR_BUSY, "postgres: another nightshift has this store open");
	if (rc > 0 && p->leads) {
		rc = try_lock(p, "pg_try_advisory_lock", LOCK_LEAD, LEAD_TRIES, e);
		p->leads = rc > 0;
	}
	/* Whatever was said meanwhile, we did not hear. */
	p->has_heard = true;
	return rc < 0 || p->is_alone ? (rc < 0 ? rc : 0) : postgres_exec(p, "LISTEN nightshift", e);
}

/* ---- our row ---- */

int
postgres_node_enter(struct postgres *p, struct err *e)
{
	auto_free char *end = mem_fmt(
		"SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN store_node AS n"
		" ON a.pid = n.pid WHERE n.node = '%s' AND a.pid <> pg_backend_pid()"
		" AND a.application_name = 'nightshift' AND a.datname = current_database()",
		p->node);
	auto_free char *enter = mem_fmt(
		"INSERT INTO store_node (node, seq, turn, pid, lease_ms)"
		" VALUES ('%s', 0, 1, pg_backend_pid(), %" PRId64 ")"
		" ON CONFLICT (node) DO UPDATE SET seq = 0, turn = store_node.turn + 1,"
		" beat = store_node.beat + 1, pid = excluded.pid, lease_ms = excluded.lease_ms"
		" RETURNING turn",
		p->node, p->lease_ms);
	int rc = postgres_exec(p, end, e);

	return rc < 0 ? rc : postgres_number(p, enter, &p->process, e);
}

/* The row of a node stays: its boxes go on, and it may be back before anybody misses it. */
void
postgres_node_leave(struct postgres *p)
{
	auto_free char *sql = mem_fmt("DELETE FROM store_node WHERE node = '%s'", p->node);

	if (p->is_alone)
		(void)postgres_exec(p, sql, NULL);
	(void)postgres_exec(p, "SELECT pg_advisory_unlock_all()", NULL);
}

int
postgres_node_check(struct postgres *p, int64_t n_changed, struct err *e)
{
	if (n_changed > 0 && !p->is_given_up)
		return 0;
	/* With the connection go the locks of its session. */
	p->is_given_up = true;
	postgres_disconnect(p);
	return err_set(e, ERR_DENIED, "postgres: the other nodes have given this one up");
}

/* ---- beats ---- */

/* What mine and own are is in sql.h. A node that is not in the table any more has nothing. */
static void
set_conditions(struct postgres *p)
{
	struct sql *s = &p->sql;

	(void)snprintf(s->own, sizeof(s->own), " AND node = '%s'", p->node);
	(void)snprintf(s->mine, sizeof(s->mine),
		p->leads ? " AND (node = '%s' OR node NOT IN (SELECT n.node FROM store_node AS n))"
			 : " AND node = '%s'",
		p->node);
}

static struct pg_peer *
peer_find(struct postgres *p, const char *node)
{
	for (size_t i = 0; i < p->n_peers; i++) {
		if (str_eq(p->peers[i].node, node))
			return &p->peers[i];
	}
	return NULL;
}

/* What is known of somebody who has not changed since is how long that is. */
static void
read_peer(struct postgres *p, const PGresult *r, int row, struct pg_peer *out)
{
	const struct pg_peer *old = peer_find(p, PQgetvalue(r, row, 0));

	*out = (struct pg_peer){ .seen_ms = clock_boot_ms() };
	(void)snprintf(out->node, sizeof(out->node), "%s", PQgetvalue(r, row, 0));
	(void)str_i64(PQgetvalue(r, row, 1), 0, INT64_MAX, &out->turn, NULL);
	(void)str_i64(PQgetvalue(r, row, 2), 0, INT64_MAX, &out->beat, NULL);
	(void)str_i64(PQgetvalue(r, row, 3), 0, INT64_MAX, &out->lease_ms, NULL);
	if (old && old->turn == out->turn && old->beat == out->beat)
		out->seen_ms = old->seen_ms;
}

static int
look_at_peers(struct postgres *p, struct err *e)
{
	auto_free char *sql =
		mem_fmt("SELECT node, turn, beat, lease_ms FROM store_node WHERE node <> '%s'"
			" ORDER BY node LIMIT %d",
			p->node, POSTGRES_NODES_MAX);
	struct pg_peer found[POSTGRES_NODES_MAX] = { 0 };
	PGresult *r = NULL;
	int rc = PQsendQuery(p->conn, sql) ? postgres_answer(p, &r, e) : postgres_err(p, NULL, e);

	if (rc < 0)
		return rc;
	int n = PQntuples(r) < POSTGRES_NODES_MAX ? PQntuples(r) : POSTGRES_NODES_MAX;
	for (int i = 0; i < n; i++)
		read_peer(p, r, i, &found[i]);
	PQclear(r);
	p->n_peers = (size_t)n;
	memcpy(p->peers, found, (size_t)n * sizeof(*found));
	return 0;
}

static bool
is_silent(const struct pg_peer *peer)
{
	return clock_boot_ms() - peer->seen_ms >= peer->lease_ms;
}

static int
beat_once(struct postgres *p, struct err *e)
{
	auto_free char *sql =
		mem_fmt("UPDATE store_node SET beat = beat + 1, pid = pg_backend_pid()"
			" WHERE node = '%s' AND turn = %" PRId64,
			p->node, p->process);
	int64_t n = 0;
	int rc = postgres_connect(p, e);

	if (rc == 0)
		rc = postgres_change(p, sql, &n, e);
	if (rc == 0)
		rc = postgres_node_check(p, n, e);
	if (rc == 0 && !p->leads) {
		rc = try_lock(p, "pg_try_advisory_lock", LOCK_LEAD, 1, e);
		p->leads = rc > 0;
	}
	return rc < 0 ? rc : look_at_peers(p, e);
}

static int
postgres_beat(struct store *st, struct store_node *out, struct err *e)
{
	struct postgres *p = postgres_of(st);
	int64_t from_ms = clock_boot_ms();
	int rc = beat_once(p, e);

	if (rc < 0)
		return rc;
	set_conditions(p);
	*out = (struct store_node){
		.leads = p->leads,
		.n_nodes = 1,
		.lease_ends_ms = from_ms + p->lease_ms / USED,
	};
	for (size_t i = 0; i < p->n_peers; i++) {
		bool is_gone = is_silent(&p->peers[i]);

		out->has_silent = out->has_silent || is_gone;
		out->n_nodes += is_gone ? 0 : 1;
	}
	return 0;
}

/* ---- the end of another ---- */

/* 1: it is out. 0: it lives, or somebody else was faster. */
static int
take_out(struct postgres *p, const struct pg_peer *peer, struct err *e)
{
	auto_free char *who = mem_fmt("node = '%s' AND turn = %" PRId64 " AND beat = %" PRId64,
		peer->node, peer->turn, peer->beat);
	auto_free char *end = mem_fmt(
		"SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN store_node AS n"
		" ON a.pid = n.pid WHERE %s AND a.application_name = 'nightshift'"
		" AND a.datname = current_database()",
		who);
	auto_free char *sql = mem_fmt("DELETE FROM store_node WHERE %s", who);
	int64_t n = 0;
	/* It may hold its row in a transaction that will never end. */
	int rc = postgres_exec(p, end, e);

	if (rc == 0)
		rc = postgres_change(p, sql, &n, e);
	return rc < 0 ? rc : (int)n;
}

static int
inherit(struct postgres *p, const char *node, struct row_list *tasks, struct err *e)
{
	struct sql *s = &p->sql;
	auto_sql struct sql_stmt q = { 0 };
	int rc = sql_run(s, e,
		"UPDATE effect SET state = 0, was_unknown = 1, unknown_ms = ?"
		" WHERE state = 1 AND node = ?",
		"is", clock_wall_ms(), node);

	if (rc >= 0)
		rc = sql_query(s, &q, e,
			"UPDATE task SET node = '' WHERE node = ? AND state BETWEEN 1 AND 4"
			" RETURNING *",
			"s", node);
	return rc < 0 ? rc : sql_row_all(&q, TASK_ROWS, sizeof(struct task), tasks, e);
}

static int
postgres_bury(struct store *st, char **name, struct row_list *tasks, struct err *e)
{
	struct postgres *p = postgres_of(st);
	int rc = 0;

	*tasks = (struct row_list){ 0 };
	while (rc == 0 && p->n_peers > 0) {
		struct pg_peer peer = p->peers[--p->n_peers];

		if (!is_silent(&peer))
			continue;
		rc = take_out(p, &peer, e);
		if (rc > 0) {
			*name = mem_str(peer.node);
			return inherit(p, peer.node, tasks, e);
		}
	}
	return rc < 0 ? rc : err_set(e, ERR_MISSING, "every node lives");
}

/* ---- what the others say ---- */

static bool
postgres_heard(struct store *st)
{
	struct postgres *p = postgres_of(st);
	bool has_heard = p->has_heard;
	PGnotify *n;

	p->has_heard = false;
	if (postgres_is_lost(p) || !PQconsumeInput(p->conn))
		return has_heard;
	while ((n = PQnotifies(p->conn))) {
		has_heard = has_heard || n->be_pid != PQbackendPID(p->conn);
		PQfreemem(n);
	}
	return has_heard;
}

static int
postgres_fd(struct store *st, uint64_t *turn)
{
	const struct postgres *p = postgres_of(st);

	*turn = p->turn;
	return postgres_is_lost(p) ? -1 : PQsocket(p->conn);
}

const struct store_shared POSTGRES_SHARED = {
	.beat = postgres_beat,
	.bury = postgres_bury,
	.heard = postgres_heard,
	.fd = postgres_fd,
};
