/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain - one store through several lives, each ended by a power cut.
 *
 * A life opens the store, which may be a recovery or a healing, writes transactions of the bot's
 * kinds, rests, backs up, closes and opens again; then the power goes before one of the lines that
 * the disk wrote down, and what is left is judged and is where the next life begins.
 */
#ifndef TESTS_FAULT_CHAIN_H
#define TESTS_FAULT_CHAIN_H

#include "tests/fault/dice.h"

#include "base/err.h"
#include "store/store.h"

struct chain_tx {
	uint64_t seed; /* what is in it */
	int64_t first; /* id of its first delivery */
	int64_t task;  /* 0: none */
	int n;         /* deliveries */
};

struct chain {
	char dir[64];     /* everything of this chain */
	char *root;       /* of this life: "store" and "backups" lie in it */
	int lives;        /* so many have begun */
	bool is_durable;  /* false: SQLite syncs nothing */
	bool is_liar;     /* the disk syncs nothing */
	bool was_damaged; /* the store has to be healed, or may have to */
	struct dice dice;
	struct chain_tx *txs; /* number 1 is txs[0] */
	int64_t n_txs;
};

void chain_init(struct chain *c, uint64_t seed);
void chain_finish(struct chain *c);

/* One life and its end. ERR_INVALID: a promise was broken; the text says which. */
int chain_live(struct chain *c, struct err *e);

/* ---- chain_work.c ---- */
/* One more transaction, committed; c->n_txs counts it. */
int chain_write(struct chain *c, struct store *s, bool is_big, struct err *e);
/* How far the store came: everything up to *last is there, nothing of what came after. Also that it
 * adds up. */
int chain_judge(const struct chain *c, struct store *s, int64_t *last, struct err *e);

#endif
