/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_floor - the least that a queue on this disk can cost, for script/bench queue.
 *
 *	bench_queue_floor append FILE BODY_FILE COUNT BATCH      one write and one fsync for a batch
 *	bench_queue_floor sqlite FILE BODY_FILE COUNT BATCH      one table, one INSERT a job, and
 *one bench_queue_floor postgres URL BODY_FILE COUNT BATCH     UPDATE each to claim and complete it
 *
 * Nobody is asked who is next, nothing is known of a job but its bytes and its state, and nothing
 * is prevented from coming twice. As durable as the others: SQLite's log with synchronous=FULL,
 * PostgreSQL as it is. Prints one line of JSON: enqueue_s, work_s, cpu_ms.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/bench/bench.h"

#include <endian.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>

/* Apart: a change of state does not write the bytes again. */
#define CREATE(number, bytes)                                                                      \
	"CREATE TABLE job (id " number " PRIMARY KEY, state " number " NOT NULL);"                 \
	"CREATE TABLE body (id " number " PRIMARY KEY, body " bytes " NOT NULL)"
#define INSERT "INSERT INTO job (id, state) VALUES ($1, 0)"
#define KEEP   "INSERT INTO body (id, body) VALUES ($1, $2)"
#define UPDATE "UPDATE job SET state = state + 1 WHERE id = $1"

struct floor {
	const char *where;
	struct buf body;
	int fd;
	sqlite3 *db;
	sqlite3_stmt *insert, *keep, *update;
	PGconn *conn;
};

/* What a floor does; begin and commit are around a batch. */
struct kind {
	const char *name;
	void (*open)(struct floor *f);
	void (*begin)(struct floor *f);
	void (*insert)(struct floor *f, int64_t id);
	void (*update)(struct floor *f, int64_t id);
	void (*commit)(struct floor *f);
};

static _Noreturn void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench_queue_floor: %s: %s\n", what, why);
	exit(70);
}

/* ---- a file ---- */

static void
append_open(struct floor *f)
{
	f->fd = open(f->where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (f->fd < 0)
		die(f->where, "open");
}

static void
append_begin(struct floor *f)
{
	(void)f;
}

static void
append_bytes(const struct floor *f, const void *data, size_t len)
{
	if (write(f->fd, data, len) != (ssize_t)len)
		die(f->where, "write");
}

static void
append_insert(struct floor *f, int64_t id)
{
	(void)id;
	append_bytes(f, f->body.data, f->body.len);
}

static void
append_update(struct floor *f, int64_t id)
{
	append_bytes(f, &id, sizeof(id));
}

static void
append_commit(struct floor *f)
{
	if (fdatasync(f->fd) < 0)
		die(f->where, "fdatasync");
}

/* ---- SQLite ---- */

static void
sqlite_do(struct floor *f, const char *sql)
{
	if (sqlite3_exec(f->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql, sqlite3_errmsg(f->db));
}

static void
sqlite_open(struct floor *f)
{
	if (sqlite3_open(f->where, &f->db) != SQLITE_OK)
		die(f->where, "open");
	sqlite_do(f,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; " CREATE("INTEGER", "BLOB"));
	if (sqlite3_prepare_v2(f->db, INSERT, -1, &f->insert, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(f->db, KEEP, -1, &f->keep, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(f->db, UPDATE, -1, &f->update, NULL) != SQLITE_OK)
		die("prepare", sqlite3_errmsg(f->db));
}

static void
sqlite_begin(struct floor *f)
{
	sqlite_do(f, "BEGIN IMMEDIATE");
}

static void
sqlite_run(const struct floor *f, sqlite3_stmt *st, int64_t id)
{
	(void)sqlite3_bind_int64(st, 1, id);
	if (sqlite3_step(st) != SQLITE_DONE)
		die("step", sqlite3_errmsg(f->db));
	(void)sqlite3_reset(st);
}

static void
sqlite_insert(struct floor *f, int64_t id)
{
	(void)sqlite3_bind_blob64(f->keep, 2, f->body.data, f->body.len, SQLITE_STATIC);
	sqlite_run(f, f->keep, id);
	sqlite_run(f, f->insert, id);
}

static void
sqlite_update(struct floor *f, int64_t id)
{
	sqlite_run(f, f->update, id);
}

static void
sqlite_commit(struct floor *f)
{
	sqlite_do(f, "COMMIT");
}

/* ---- PostgreSQL ---- */

static void
postgres_check(struct floor *f, PGresult *take_r, const char *what)
{
	if (PQresultStatus(take_r) != PGRES_COMMAND_OK)
		die(what, PQerrorMessage(f->conn));
	PQclear(take_r);
}

static void
postgres_do(struct floor *f, const char *sql)
{
	postgres_check(f, PQexec(f->conn, sql), sql);
}

static void
postgres_open(struct floor *f)
{
	f->conn = PQconnectdb(f->where);
	postgres_do(f, CREATE("BIGINT", "BYTEA"));
	postgres_check(f, PQprepare(f->conn, "insert", INSERT, 0, NULL), INSERT);
	postgres_check(f, PQprepare(f->conn, "keep", KEEP, 0, NULL), KEEP);
	postgres_check(f, PQprepare(f->conn, "update", UPDATE, 0, NULL), UPDATE);
}

static void
postgres_begin(struct floor *f)
{
	postgres_do(f, "BEGIN");
}

static void
postgres_run(struct floor *f, const char *name, int n, int64_t id)
{
	int64_t be = (int64_t)htobe64((uint64_t)id);
	const char *values[] = { (const char *)&be, f->body.data };
	int lengths[] = { sizeof(be), (int)f->body.len };
	int formats[] = { 1, 1 };

	postgres_check(f, PQexecPrepared(f->conn, name, n, values, lengths, formats, 1), name);
}

static void
postgres_insert(struct floor *f, int64_t id)
{
	postgres_run(f, "keep", 2, id);
	postgres_run(f, "insert", 1, id);
}

static void
postgres_update(struct floor *f, int64_t id)
{
	postgres_run(f, "update", 1, id);
}

static void
postgres_commit(struct floor *f)
{
	postgres_do(f, "COMMIT");
}

/* ---- the whole ---- */

static const struct kind KINDS[] = {
	{ "append", append_open, append_begin, append_insert, append_update, append_commit },
	{ "sqlite", sqlite_open, sqlite_begin, sqlite_insert, sqlite_update, sqlite_commit },
	{ "postgres", postgres_open, postgres_begin, postgres_insert, postgres_update,
		postgres_commit },
};

static const struct kind *
kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		if (strcmp(KINDS[i].name, name) == 0)
			return &KINDS[i];
	}
	die(name, "append, sqlite or postgres");
}

static void
enqueue(struct floor *f, const struct kind *k, int64_t count, int64_t batch)
{
	for (int64_t at = 0; at < count; at += batch) {
		k->begin(f);
		for (int64_t id = at; id < at + batch && id < count; id++)
			k->insert(f, id);
		k->commit(f);
	}
}

/* Completes a batch and claims the next one. */
static void
work(struct floor *f, const struct kind *k, int64_t count, int64_t batch)
{
	for (int64_t at = 0; at < count + batch; at += batch) {
		k->begin(f);
		for (int64_t id = at - batch; id < at && id < count; id++) {
			if (id >= 0)
				k->update(f, id);
		}
		for (int64_t id = at; id < at + batch && id < count; id++)
			k->update(f, id);
		k->commit(f);
	}
}

int
main(int argc, char **argv)
{
	struct floor f = { .body = BUF_INIT(LIMIT_DELIVERY_BYTES) };
	int64_t count = 0, batch = 0;

	if (argc != 6 || str_i64(argv[4], 1, INT32_MAX, &count, NULL) < 0 ||
		str_i64(argv[5], 1, INT32_MAX, &batch, NULL) < 0) {
		(void)fprintf(stderr, "bench_queue_floor KIND WHERE BODY_FILE COUNT BATCH\n");
		return 64;
	}
	const struct kind *k = kind_find(argv[1]);
	f.where = argv[2];
	if (fs_read(argv[3], &f.body, NULL) < 0)
		die(argv[3], "cannot be read");
	k->open(&f);

	double begun = bench_ms(CLOCK_MONOTONIC), cpu = bench_ms(CLOCK_PROCESS_CPUTIME_ID);
	enqueue(&f, k, count, batch);
	double between = bench_ms(CLOCK_MONOTONIC);
	work(&f, k, count, batch);
	double ended = bench_ms(CLOCK_MONOTONIC);
	cpu = bench_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"enqueue_s\":%.3f,\"work_s\":%.3f,\"cpu_ms\":%.0f}\n", (between - begun) / 1e3,
		(ended - between) / 1e3, cpu);
	return 0;
}
