/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_keep - a box's request to a registry between the cache and the registry: what is there is
 * served, what is being fetched is waited for, what is fetched is kept.
 *
 * Of many who ask for the same, one fetches. If its box takes the answer too slowly, the others do
 * not wait for it.
 */
#ifndef BOT_GATEWAY_KEEP_H
#define BOT_GATEWAY_KEEP_H

#include "base/http.h"
#include "bot/gateway_cache.h"

struct gateway_conn;
struct flight;

/* Of a connection. */
struct gateway_keeping {
	char key[CACHE_KEY_BYTES];
	struct cache_reader *reader;
	struct cache_writer *writer;
	struct flight *flight; /* it fetches, or waits for who does */
	bool is_fetching;
	struct gateway_conn *next_waiter; /* of the flight */
};

/* True: nothing is to be asked of the registry, now or at all. */
bool keep_begin(struct gateway_conn *c);

/* The answer to what was asked. */
void keep_head(struct gateway_conn *c, const struct http_reply *head);
void keep_data(struct gateway_conn *c, const char *data, size_t len);
void keep_done(struct gateway_conn *c, bool is_whole);

void keep_resume(struct gateway_conn *c); /* the box has taken what was sent */

#endif
