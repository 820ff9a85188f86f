/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway - what gateway*.c share: the boxes and the keys. See gateway.c.
 */
#ifndef BOT_GATEWAY_H
#define BOT_GATEWAY_H

#include "base/http.h"
#include "base/limits.h"
#include "bot/gateway_meter.h"
#include "bot/gateway_route.h"
#include "bot/role.h"

#define GATEWAY_CONNS_MAX    16 /* of one box */
#define GATEWAY_BLOCKED_MAX  50 /* hosts told of one box; then only that there were others */
#define GATEWAY_REQUESTS_MAX 100000
#define GATEWAY_BYTES_MAX    (32768L * MIB(1)) /* in both directions */

struct gateway;
struct gateway_conn;

/* One box: its listener is its identity. */
struct gateway_box {
	struct gateway_box *next;
	struct gateway *g;
	int64_t task;
	int64_t fence;
	struct route_rights rights;
	struct strs hosts; /* of rights */
	bool is_guest;     /* uses the cache of packages, and does not fill it */
	int fd;
	int life_fd; /* of a pipe: who has its other end sees when we let go, or hang */
	struct loop_timer *pulse;
	struct loop_io *io;
	struct gateway_conn *conns;
	int n_conns;
	size_t held_bytes; /* of request bodies in memory */
	int64_t requests;
	int64_t bytes_in; /* from the box */
	int64_t bytes_out;
	struct strs blocked; /* "when-in-ms host why" */
	struct gateway_budget budget;
};

/* gateway.c */
const struct config *gateway_config(const struct gateway *g);
struct loop *gateway_loop(const struct gateway *g);
struct http *gateway_http(const struct gateway *g);
struct cache *gateway_cache(const struct gateway *g); /* or NULL */
struct flight **gateway_flights(struct gateway *g);
void gateway_box_blocked(struct gateway_box *b, const char *host, const char *why);
void gateway_box_conn_ended(struct gateway_box *b);

/* It has moved more bytes, or asked more often, than any work needs. */
bool gateway_box_is_over(const struct gateway_box *b);
void gateway_box_say_spent(struct gateway_box *b);

/* cb comes at once or later, exactly once unless cancelled: key NULL says that there is none.
 * Returns an id for gateway_key_cancel, 0 if it came at once. */
typedef void gateway_key_cb(void *ctx, const char *key, const struct err *e);
uint64_t gateway_key(struct gateway *g, const char *provider, gateway_key_cb *cb, void *ctx);
void gateway_key_cancel(struct gateway *g, uint64_t id);

/* gateway_life.c: as long as it lasts, the shim of the box hears of it every few seconds. */
void gateway_box_begin_life(struct gateway_box *b, int take_fd);
void gateway_box_end_life(struct gateway_box *b);

/* gateway_conn.c: takes the descriptor, ends by itself. */
void gateway_conn_create(struct gateway_box *b, int take_fd);
void gateway_conn_destroy(struct gateway_conn *c);

#endif
