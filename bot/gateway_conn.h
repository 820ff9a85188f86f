/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_conn - one connection of a box; what gateway_conn.c (its socket) and gateway_up.c (its
 * upstream) share.
 */
#ifndef BOT_GATEWAY_CONN_H
#define BOT_GATEWAY_CONN_H

#include "bot/gateway.h"
#include "bot/gateway_keep.h"
#include "bot/gateway_tunnel.h"

enum conn_state {
	CONN_HEAD,     /* reading the request's head */
	CONN_BODY,     /* reading its body */
	CONN_UPSTREAM, /* asking for the key, then the request is out */
	CONN_TUNNEL,   /* bytes are the tunnel's */
	CONN_ENDING,   /* everything is said; what comes is thrown away */
};

struct gateway_conn {
	struct gateway_conn *prev;
	struct gateway_conn *next;
	struct gateway_box *box;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	enum conn_state state;
	struct buf in;   /* not yet looked at */
	struct buf body; /* of the request */
	struct http1_chunks chunks;
	int64_t body_left; /* with a Content-Length */
	bool is_chunked;
	int minor;
	struct route route;
	size_t drained;
	size_t held; /* of the box's held_bytes */

	struct gateway_metering metering;

	struct gateway_tunnel *tunnel;
	struct gateway_keeping keeping;
	uint64_t key_id;
	struct http_call *call;
	bool is_paused;
	bool head_sent;
	bool chunks_out; /* the answer has no length of its own */
	int status;

	struct buf turning; /* bytes of an index whose address may not be complete */
	struct buf out;
	bool ends_when_sent;
};

/* gateway_conn.c */
void conn_answer(struct gateway_conn *c, int status, const char *why);
void conn_answer_with(
	struct gateway_conn *c, int status, const char *content_type, const struct buf *body);
void conn_wants_write(struct gateway_conn *c);
void conn_said_all(struct gateway_conn *c);

/* gateway_up.c */
void conn_send_upstream(struct gateway_conn *c);
void conn_cancel_upstream(struct gateway_conn *c);
void conn_resume_upstream(struct gateway_conn *c); /* out has room again */

/* An answer on its way to the box, from upstream or from the cache. conn_up_data returns ERR_BUSY
 * if nothing was taken. */
bool conn_has_room(const struct gateway_conn *c);
void conn_up_head(struct gateway_conn *c, const struct http_reply *r);
int conn_up_data(struct gateway_conn *c, const char *data, size_t len);
void conn_up_end(struct gateway_conn *c, bool is_whole);

#endif
