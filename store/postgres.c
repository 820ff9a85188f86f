/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres - the store on a server: opening, transactions, the driver's table. See postgres.h for
 * how it waits and what becomes of a lost answer.
 */
#include "store/postgres.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <poll.h>

#define LOOK_MS 15000 /* for what became of a COMMIT */

/* ---- opening ---- */

static void
postgres_close(struct store *st)
{
	if (!st)
		return;

	struct postgres *p = postgres_of(st);
	for (size_t i = 0; i < p->n_stmts; i++) {
		struct pg_stmt *it = p->stmts[i];

		PQclear(it->result);
		free(it->text);
		free(it->sql);
		free(it);
	}
	if (!postgres_is_lost(p) && p->in_transaction)
		(void)postgres_exec(p, "ROLLBACK", NULL);
	if (!postgres_is_lost(p) && !p->is_reader)
		postgres_node_leave(p);
	postgres_disconnect(p);
	pack_destroy(p->sql.pack);
	if (p->password)
		mem_wipe(p->password, strlen(p->password));
	free(p->password);
	free(p->url);
	free(p);
}

static void
name_node(struct postgres *p, const char *name)
{
	uint8_t random[16];
	auto_buf struct buf hex = BUF_INIT(64);

	crypto_random(random, sizeof(random));
	(void)str_hex(&hex, random, sizeof(random));
	(void)snprintf(p->node, sizeof(p->node), "%s", name ? name : buf_str(&hex));
	(void)snprintf(p->sql.node, sizeof(p->sql.node), "%s", name ? name : "");
}

static int
prepare_store(struct postgres *p, const struct store_conf *c, struct err *e)
{
	int rc = postgres_migrate(p, e);

	if (rc == 0 && !c->is_durable)
		rc = postgres_exec(p, "SET synchronous_commit = off", e);
	return rc == 0 ? postgres_node_enter(p, e) : rc;
}

static int
postgres_open(const struct store_conf *c, struct store **out, struct err *e)
{
	struct postgres *p = mem_zero(sizeof(*p));

	p->sql.base.driver = &STORE_POSTGRES;
	p->sql.sql = &POSTGRES_SQL;
	p->sql.pack = pack_create();
	p->url = mem_str(c->url);
	p->password = mem_str(c->password);
	p->is_reader = c->is_reader;
	p->is_alone = !c->node;
	p->lease_ms = c->lease_ms;
	name_node(p, c->node);
	int rc = postgres_connect(p, e);
	if (rc == 0 && !c->is_reader)
		rc = prepare_store(p, c, e);
	if (rc < 0) {
		postgres_close(&p->sql.base);
		return rc;
	}
	*out = &p->sql.base;
	return 0;
}

/* ---- transactions ---- */

static int
begin(struct postgres *p, struct err *e)
{
	auto_free char *sql = mem_fmt("BEGIN; UPDATE store_node SET seq = %" PRId64
				      ", beat = beat + 1 WHERE node = '%s' AND turn = %" PRId64,
		p->seq + 1, p->node, p->process);
	int64_t n = 0;
	int rc = postgres_connect(p, e);

	if (rc == 0)
		rc = postgres_change(p, sql, &n, e);
	return rc == 0 ? postgres_node_check(p, n, e) : rc;
}

static int
postgres_begin(struct store *st, struct err *e)
{
	struct postgres *p = postgres_of(st);
	int rc = begin(p, e);

	/* The server was restarted since: nothing has begun, so nothing is lost by a second try. */
	if (rc < 0 && postgres_is_lost(p))
		rc = begin(p, e);
	if (rc < 0) {
		if (!postgres_is_lost(p))
			(void)postgres_exec(p, "ROLLBACK", NULL);
		return rc;
	}
	p->seq++;
	p->in_transaction = p->sql.locks = true;
	return 0;
}

static void
end(struct postgres *p)
{
	p->in_transaction = p->sql.locks = false;
}

static void
postgres_rollback(struct store *st)
{
	struct postgres *p = postgres_of(st);

	if (p->in_transaction && !postgres_is_lost(p))
		(void)postgres_exec(p, "ROLLBACK", NULL);
	end(p);
}

/* 1: it was committed. 0: it was not, and never will be. */
static int
look_back(struct postgres *p, struct err *e)
{
	auto_free char *sql = mem_fmt(
		"SELECT seq FROM store_node WHERE node = '%s' AND turn = %" PRId64 " FOR UPDATE",
		p->node, p->process);
	int64_t until_ms = clock_boot_ms() + LOOK_MS, seq = 0;
	int rc;

	do {
		rc = postgres_connect(p, e);
		if (rc == 0)
			rc = postgres_number(p, sql, &seq, e);
		if (rc == 0)
			return seq == p->seq;
		(void)poll(NULL, 0, 100);
	} while (postgres_is_lost(p) && clock_boot_ms() < until_ms);
	return rc;
}

static int
postgres_commit(struct store *st, struct err *e)
{
	struct postgres *p = postgres_of(st);

	if (!p->in_transaction || postgres_is_lost(p)) {
		end(p);
		return err_set(e, ERR_SYSTEM, "commit: the transaction was rolled back before");
	}
	/* In a transaction that has failed, COMMIT is a ROLLBACK that says nothing. */
	bool was_whole = PQtransactionStatus(p->conn) == PQTRANS_INTRANS;
	int rc = postgres_exec(p, was_whole ? "COMMIT" : "ROLLBACK", e);

	end(p);
	if (rc == 0)
		return was_whole ? 0 : err_set(e, ERR_SYSTEM, "commit: the transaction had failed");
	if (!postgres_is_lost(p))
		return rc;
	rc = look_back(p, e);
	if (rc < 0)
		return err_wrap(e, ERR_SYSTEM, "commit: its outcome is not known");
	return rc == 1 ? 0 : err_set(e, ERR_SYSTEM, "commit: the connection was lost before it");
}

static void
postgres_rest(struct store *st)
{
	(void)st;
}

static void
postgres_suspect(struct store *st)
{
	(void)st; /* the server looks after its own files */
}

static int
part(struct store *st, const char *sql, struct err *e)
{
	struct postgres *p = postgres_of(st);

	if (postgres_is_lost(p))
		return err_set(e, ERR_SYSTEM, "postgres: the connection was lost in a transaction");
	return postgres_exec(p, sql, e);
}

static int
postgres_part_begin(struct store *st, struct err *e)
{
	return part(st, "SAVEPOINT part", e);
}

static int
postgres_part_keep(struct store *st, struct err *e)
{
	return part(st, "RELEASE SAVEPOINT part", e);
}

static void
postgres_part_undo(struct store *st)
{
	(void)part(st, "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part", NULL);
}

const struct store_driver STORE_POSTGRES = {
	.name = "postgres",
	.shared = &POSTGRES_SHARED,
	.open = postgres_open,
	.close = postgres_close,
	.begin = postgres_begin,
	.commit = postgres_commit,
	.rollback = postgres_rollback,
	.rest = postgres_rest,
	.suspect = postgres_suspect,
	.part_begin = postgres_part_begin,
	.part_keep = postgres_part_keep,
	.part_undo = postgres_part_undo,
	SQL_NOUNS,
};
