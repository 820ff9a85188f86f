/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres - what the files of the PostgreSQL driver share.
 *
 * The calls of struct store_driver wait for their answers, and this driver keeps to that, with
 * libpq's asynchronous functions under a deadline. We looked at answering later, on the loop: every
 * decision of the queue reads what it wrote a line before in the same transaction, so each would
 * become a chain of callbacks over a state that others may change meanwhile, for SQLite too, where
 * nothing is ever waited for but the disk. The queue's loop has no other work: who is waiting for
 * it waits for this very commit, the web role that takes deliveries is a process of its own, and a
 * whole round is one transaction, one fsync. What must not happen is that it waits for long: so no
 * statement takes more than POSTGRES_WAIT_MS, a server that is away is refused at once until it is
 * time to try again, and meanwhile senders are told 503 with Retry-After.
 *
 * A lost connection outside of a transaction is made again unseen. Within one everything is undone
 * by the server and the caller told. The answer to a COMMIT may be lost: its transaction may have
 * happened. Each transaction begins by writing its number into this queue's own row of store_node.
 * On a new connection the old backend is ended and that row is read with a lock, which waits for
 * whatever the old one still holds; if the number is there, the transaction was committed.
 *
 * Nodes share a lock of the session that belongs to the database; who wants the store for himself
 * asks for it alone. Another such lock is the leader's (postgres_node.c).
 */
#ifndef STORE_POSTGRES_H
#define STORE_POSTGRES_H

#include "store/sql.h"

#include <libpq-fe.h>

#define POSTGRES_WAIT_MS    10000 /* for one answer */
#define POSTGRES_AGAIN_MS   1000  /* between two attempts to connect */
#define POSTGRES_CONNECT_MS 4000
#define POSTGRES_NODES_MAX  64

struct pg_param {
	bool is_set;
	Oid type;
	int64_t be; /* an integer as it travels */
	const char *value;
	int len;
	char *own; /* text that had to be mended */
};

struct pg_stmt {
	struct postgres *pg;
	char *text; /* as the nouns wrote it */
	char *sql;  /* with $1 $2 */
	char name[16];
	int n_params;
	uint64_t turn; /* of the connection that knows it; 0: none */
	struct pg_param params[SQL_PARAMS_MAX];
	PGresult *result;
	int row;
	bool has_run;
};

/* Another node, as it was seen last. */
struct pg_peer {
	char node[33];
	int64_t turn, beat, lease_ms;
	int64_t seen_ms; /* since when it is like that, boot clock */
};

struct postgres {
	struct sql sql; /* first: a struct store * of ours points here */
	PGconn *conn;
	char *url;
	char *password;   /* wiped at the end */
	uint64_t turn;    /* of the connection; counts up */
	int64_t tried_ms; /* in vain, boot clock; 0: it works */
	int last_pid;     /* of the backend of the last connection */
	bool in_transaction;
	bool is_reader;    /* takes no lock */
	bool is_alone;     /* takes it for itself */
	bool is_streaming; /* results come row by row: for whole tables */
	int64_t seq;       /* of our transactions */
	char node[33];     /* our row of store_node */
	int64_t lease_ms;
	int64_t process; /* store_node.turn: which of those that were this node we are */
	bool is_given_up;
	bool leads;
	bool has_heard;
	struct pg_peer peers[POSTGRES_NODES_MAX];
	size_t n_peers;
	struct pg_stmt *stmts[SQL_STMTS_MAX];
	size_t n_stmts;
};

static inline struct postgres *
postgres_of(struct store *s)
{
	return (struct postgres *)(void *)s;
}

extern const struct sql_driver POSTGRES_SQL;

/* ---- postgres_conn.c ---- */

/* Makes sure that there is a connection that works; outside of a transaction only. ERR_BUSY: the
 * server is away, or another queue has the store. */
int postgres_connect(struct postgres *p, struct err *e);
void postgres_disconnect(struct postgres *p);
bool postgres_is_lost(const struct postgres *p);

/* Waits for the whole answer to what was sent; the last result, or NULL and an error. */
int postgres_answer(struct postgres *p, PGresult **out, struct err *e);

/* Statements without parameters, for their effect. */
int postgres_exec(struct postgres *p, const char *sql, struct err *e);
/* The first value of the first row as a number; ERR_MISSING: none. */
int postgres_number(struct postgres *p, const char *sql, int64_t *out, struct err *e);

/* What a result complains of, in our words; frees it. */
int postgres_err(struct postgres *p, PGresult *take_result, struct err *e);

/* The same for a statement that changes rows; *n says how many. */
int postgres_change(struct postgres *p, const char *sql, int64_t *n, struct err *e);

/* ---- postgres_node.c ---- */
extern const struct store_shared POSTGRES_SHARED;

/* We are the node, from now on: who was it before us is it no more. */
int postgres_node_enter(struct postgres *p, struct err *e);
void postgres_node_leave(struct postgres *p);
/* On a new connection: the locks that were the old one's. */
int postgres_node_locks(struct postgres *p, struct err *e);
/* ERR_DENIED, if no row of ours was changed: somebody gave us up. */
int postgres_node_check(struct postgres *p, int64_t n_changed, struct err *e);

/* ---- postgres_migrate.c ---- */
int postgres_migrate(struct postgres *p, struct err *e);

#endif
