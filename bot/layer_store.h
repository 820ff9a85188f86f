/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_store - what setups wrote, by key, under a quota; least recently used go first.
 *
 *	<dir>/<key>/           whole, and never changed again; whoever uses it holds it by
 *	                       flock(LOCK_SH)
 *	<dir>/<key>/about      when it was made, and how large it is: it is measured once
 *	<dir>/new.<attempt>/   being made
 *	<dir>/gone.<n>/        being removed
 *
 * A layer gets its name in one step when all of it is there, so a half-made one is never found,
 * whoever dies when. It is not synced to disk: one from before the machine last started is none.
 */
#ifndef BOT_LAYER_STORE_H
#define BOT_LAYER_STORE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct layer_store {
	const char *dir;
	int64_t quota; /* bytes; 0: nothing is kept */
};

/* True if there is one: *lock holds it against removal, and it is the most recently used. */
bool layer_store_take(const struct layer_store *s, const char *key, int *lock);

/* Gives what lies at dir (in the store's directory) the key's name and takes it. What has to go for
 * it gets other names, which are added to gone: the caller removes them, which may take long.
 * ERR_LIMIT: it alone is over the quota. ERR_CONFLICT: there is one. dir is unchanged then. */
struct layer_fresh {
	const char *dir;
	int64_t bytes; /* negative: nobody knows */
};
int layer_store_put(const struct layer_store *s, const char *key, const struct layer_fresh *from,
	int *lock, struct strs *gone, struct err *e);

/* After a start: everything that is no layer of this run of the machine is added to gone. Only when
 * nobody makes one. */
void layer_store_sweep(const struct layer_store *s, struct strs *gone);

struct layer_sum {
	size_t n;
	int64_t bytes;
};
struct layer_sum layer_store_sum(const struct layer_store *s);

#endif
