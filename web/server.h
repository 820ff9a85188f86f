/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - HTTP on our loop; the one door to libmicrohttpd.
 *
 * We accept and look at the raw head first (MSG_PEEK): what web/guard refuses never reaches the
 * library. One request a connection, always "Connection: close", so no reader behind or before us
 * can disagree about where a second request begins. A handler answers at once or later.
 *
 * Everything has a number. When there are as many as may be, who has taken longest makes room for
 * whoever comes: a sender who is quick is served beside ten thousand who are not.
 */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct web_server;
struct web_exchange; /* one request and its answer */

/* Called once for each whole request, with the body in memory. The exchange is valid until
 * web_reply. If the client went away first the answer is dropped silently, so a handler need not
 * know. */
typedef void web_handler(void *ctx, struct web_exchange *x);

struct web_server_spec {
	web_handler *handler;
	void *ctx;
	/* Largest body for a path and method; -1: no such resource (404), -2: not this method
	 * (405). Called at the head. */
	int64_t (*body_max)(void *ctx, const char *method, const char *path);
	const struct strs *trusted_proxies; /* CIDR; borrowed */
	size_t connections_max;             /* whose head is not complete */
	size_t requests_max;                /* whose body is not, or that wait for an answer */
	size_t bodies_bytes_max;            /* in memory, of all requests together */
	/* Called at the head of what has a resource; may be NULL. > 0: it is told to come again
	 * after so many seconds (429), and its body is not read. */
	int (*wait_s)(void *ctx, struct web_exchange *x);
};

int web_server_create(
	struct loop *l, const struct web_server_spec *spec, struct web_server **out, struct err *e);
void web_server_destroy(struct web_server *s);

/* Takes a listening socket. */
int web_server_listen(struct web_server *s, int take_fd, struct err *e);

/* No new connections; those under way go on. */
void web_server_drain(struct web_server *s);
size_t web_server_open(const struct web_server *s); /* connections under way */

const char *web_method(const struct web_exchange *x);
const char *web_path(const struct web_exchange *x);
const char *web_header(const struct web_exchange *x,
	const char *name); /* borrowed until the answer; NULL if absent */
const char *web_client(
	const struct web_exchange *x); /* address of the client, through trusted proxies only */
const struct buf *web_body(const struct web_exchange *x);

struct web_reply {
	int status;
	const char *type;     /* content type; NULL: text/plain; charset=utf-8 */
	const char *filename; /* offered for download under this name, or NULL */
	struct buf body;      /* taken */
	int retry_after_s;    /* 0 = none */
};
void web_reply(struct web_exchange *x, struct web_reply *take_r);

/* A short answer of one line; and one that says when to come again. */
void web_reply_text(struct web_exchange *x, int status, const char *text);
void web_reply_wait(struct web_exchange *x, int status, const char *text, int retry_after_s);

#endif
