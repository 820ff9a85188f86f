/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_conn - the connection: made, lost, and waited for, each with a deadline.
 */
#include "store/postgres.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Every statement looks up a few rows by an index; a planner that knows no numbers of a new table
 * yet would rather read all of it. And once is enough to plan it: for a claim that takes longer
 * than to execute it. */
static const char OPTIONS[] =
	"-c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off"
	" -c enable_bitmapscan=off -c enable_material=off -c jit=off"
	" -c plan_cache_mode=force_generic_plan"
	" -c statement_timeout=9000 -c lock_timeout=9000"
	" -c idle_in_transaction_session_timeout=20000"
	" -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
	" -c synchronous_commit=on -c default_transaction_isolation=read\\ committed";

bool
postgres_is_lost(const struct postgres *p)
{
	return !p->conn || PQstatus(p->conn) != CONNECTION_OK;
}

/* ---- errors ---- */

static int
code_of(const char *state)
{
	static const struct {
		const char *prefix; /* of SQLSTATE; postgresql.org/docs/15/errcodes-appendix.html */
		int code;
	} rows[] = {
		{ "08", ERR_SYSTEM },    /* connection */
		{ "23", ERR_CONFLICT },  /* a key, a reference */
		{ "25006", ERR_DENIED }, /* read only: a standby */
		{ "28", ERR_DENIED },    /* password */
		{ "3D", ERR_MISSING },   /* no such database */
		{ "40", ERR_BUSY },      /* deadlock */
		{ "42501", ERR_DENIED },
		{ "53100", ERR_LIMIT }, /* disk full */
		{ "53", ERR_BUSY },     /* connections, memory */
		{ "54", ERR_LIMIT },
		{ "55P03", ERR_TIMEOUT }, /* lock_timeout */
		{ "57014", ERR_TIMEOUT }, /* statement_timeout */
		{ "XX001", ERR_INVALID }, /* damaged */
		{ "XX002", ERR_INVALID },
	};

	for (size_t i = 0; state && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (str_starts(state, rows[i].prefix))
			return rows[i].code;
	}
	return ERR_SYSTEM;
}

/* One line of what may be several. */
static void
first_line(const char *text, char *out, size_t size)
{
	size_t len = strcspn(text, "\n");

	(void)snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), text);
}

int
postgres_err(struct postgres *p, PGresult *take_result, struct err *e)
{
	const char *state = take_result ? PQresultErrorField(take_result, PG_DIAG_SQLSTATE) : NULL;
	const char *text =
		take_result ? PQresultErrorField(take_result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char line[256];
	int code = postgres_is_lost(p) ? ERR_SYSTEM : code_of(state);

	first_line(text ? text : PQerrorMessage(p->conn), line, sizeof(line));
	err_set(e, code, "postgres: %s (%s)", line, state ? state : "connection");
	PQclear(take_result);
	return code;
}

/* ---- waiting ---- */

/* ERR_TIMEOUT: whatever it does, it does without us. */
static int
wait_for(struct postgres *p, short events, int64_t until_ms, struct err *e)
{
	struct pollfd fd = { .fd = PQsocket(p->conn), .events = events };
	int64_t left = until_ms - clock_boot_ms();
	int n = left > 0 ? poll(&fd, 1, (int)left) : 0;

	if (n > 0 || (n < 0 && errno == EINTR))
		return 0;
	if (n < 0)
		return err_sys(e, "poll");
	return err_set(e, ERR_TIMEOUT, "postgres: no answer in %d ms", POSTGRES_WAIT_MS);
}

static int
flush(struct postgres *p, int64_t until_ms, struct err *e)
{
	int rc;

	while ((rc = PQflush(p->conn)) == 1) {
		rc = wait_for(p, POLLOUT | POLLIN, until_ms, e);
		if (rc < 0)
			return rc;
		if (!PQconsumeInput(p->conn))
			return postgres_err(p, NULL, e);
	}
	return rc < 0 ? postgres_err(p, NULL, e) : 0;
}

static int
next_result(struct postgres *p, int64_t until_ms, PGresult **out, struct err *e)
{
	int rc = flush(p, until_ms, e);

	while (rc == 0 && PQisBusy(p->conn)) {
		rc = wait_for(p, POLLIN, until_ms, e);
		if (rc == 0 && !PQconsumeInput(p->conn))
			rc = postgres_err(p, NULL, e);
	}
	if (rc == 0)
		*out = PQgetResult(p->conn);
	return rc;
}

static bool
is_good(const PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);

	return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_SINGLE_TUPLE;
}

int
postgres_answer(struct postgres *p, PGresult **out, struct err *e)
{
	int64_t until_ms = clock_boot_ms() + POSTGRES_WAIT_MS;
	PGresult *last = NULL, *r = NULL;
	int rc;

	/* After an error of one statement come no others, but the end. */
	while ((rc = next_result(p, until_ms, &r, e)) == 0 && r) {
		if (last && !is_good(last)) {
			PQclear(r);
			continue;
		}
		PQclear(last);
		last = r;
		if (PQresultStatus(r) == PGRES_SINGLE_TUPLE)
			break;
	}
	if (rc < 0) {
		PQclear(last);
		/* Whoever does not answer is not asked again: a late answer would be to another
		 * question. */
		postgres_disconnect(p);
		return rc;
	}
	if (!last || !is_good(last))
		return postgres_err(p, last, e);
	*out = last;
	return 0;
}

int
postgres_exec(struct postgres *p, const char *sql, struct err *e)
{
	PGresult *r = NULL;

	if (!PQsendQuery(p->conn, sql))
		return postgres_err(p, NULL, e);
	int rc = postgres_answer(p, &r, e);
	PQclear(r);
	return rc;
}

int
postgres_change(struct postgres *p, const char *sql, int64_t *n, struct err *e)
{
	PGresult *r = NULL;

	if (!PQsendQuery(p->conn, sql))
		return postgres_err(p, NULL, e);
	int rc = postgres_answer(p, &r, e);
	if (rc == 0)
		rc = str_i64(PQcmdTuples(r), 0, INT64_MAX, n, e);
	PQclear(r);
	return rc;
}

int
postgres_number(struct postgres *p, const char *sql, int64_t *out, struct err *e)
{
	PGresult *r = NULL;

	if (!PQsendQuery(p->conn, sql))
		return postgres_err(p, NULL, e);
	int rc = postgres_answer(p, &r, e);
	if (rc == 0 && (PQntuples(r) == 0 || PQgetisnull(r, 0, 0)))
		rc = err_set(e, ERR_MISSING, "postgres: no such row");
	if (rc == 0)
		rc = str_i64(PQgetvalue(r, 0, 0), INT64_MIN, INT64_MAX, out, e);
	PQclear(r);
	return rc;
}

/* ---- connecting ---- */

void
postgres_disconnect(struct postgres *p)
{
	PQfinish(p->conn);
	p->conn = NULL;
}

static void
no_notice(void *ctx, const PGresult *r)
{
	(void)ctx;
	(void)r;
}

/* No longer than POSTGRES_CONNECT_MS altogether, names and passwords included. */
static int
finish_connecting(struct postgres *p, struct err *e)
{
	int64_t until_ms = clock_boot_ms() + POSTGRES_CONNECT_MS;
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;
	int rc = 0;

	while (rc == 0 && PQstatus(p->conn) != CONNECTION_BAD && s != PGRES_POLLING_OK &&
		s != PGRES_POLLING_FAILED) {
		rc = wait_for(p, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms, e);
		if (rc == 0)
			s = PQconnectPoll(p->conn);
	}
	return rc;
}

static int
open_conn(struct postgres *p, struct err *e)
{
	/* The address first: what follows wins over it. NULL is not there. */
	const char *const keys[] = { "dbname", "password", "application_name", "client_encoding",
		"tcp_user_timeout", "keepalives_idle", "options", NULL };
	const char *const values[] = { p->url, p->password, "nightshift", "UTF8", "10000", "10",
		OPTIONS, NULL };
	char line[256] = "no answer";

	p->conn = PQconnectStartParams(keys, values, 1);
	p->turn++;
	if (finish_connecting(p, NULL) == 0 && PQstatus(p->conn) == CONNECTION_OK) {
		(void)PQsetNoticeReceiver(p->conn, no_notice, NULL);
		return PQsetnonblocking(p->conn, 1) == 0 ? 0 : postgres_err(p, NULL, e);
	}
	if (PQstatus(p->conn) == CONNECTION_BAD)
		first_line(PQerrorMessage(p->conn), line, sizeof(line));
	postgres_disconnect(p);
	return err_set(e, ERR_BUSY, "postgres: %s", line);
}

int
postgres_connect(struct postgres *p, struct err *e)
{
	int64_t now_ms = clock_boot_ms();
	int old_pid = p->last_pid;

	if (!postgres_is_lost(p))
		return 0;
	if (p->is_given_up)
		return postgres_node_check(p, 0, e);
	if (p->tried_ms > 0 && now_ms - p->tried_ms < POSTGRES_AGAIN_MS)
		return err_set(e, ERR_BUSY, "postgres: the server is away");
	postgres_disconnect(p);
	int rc = open_conn(p, e);
	if (rc == 0 && old_pid > 0) {
		auto_free char *end = mem_fmt(
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %d"
			" AND application_name = 'nightshift' AND datname = current_database()",
			old_pid);

		rc = postgres_exec(p, end, e);
	}
	if (rc == 0 && p->is_reader)
		rc = postgres_exec(p, "SET default_transaction_read_only = on", e);
	if (rc == 0 && !p->is_reader)
		rc = postgres_node_locks(p, e);
	if (rc < 0) {
		postgres_disconnect(p);
		p->tried_ms = clock_boot_ms();
		return rc;
	}
	p->last_pid = PQbackendPID(p->conn);
	p->tried_ms = 0;
	return 0;
}
