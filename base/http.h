/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - requests to other servers: curl multi on our loop.
 *
 * Only http and https; no proxies from the environment; no cookies; no netrc. A redirect is
 * followed at most 5 times, keeps the method and body, and drops the credentials when it leaves the
 * host, port or scheme.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct http;      /* one per role */
struct http_call; /* one request under way */

struct http_request {
	const char *method;
	char *url;             /* owned */
	struct strs headers;   /* "name: value"; must not hold a credential */
	char *auth;            /* owned; value of Authorization, or NULL; wiped */
	struct buf body;       /* sent if len > 0 or the method wants one */
	int64_t timeout_ms;    /* whole call; 0 = 30 s */
	size_t reply_max;      /* body bytes; 0 = 8 MiB */
	const char *auth_name; /* the header auth goes into; a literal; NULL = Authorization */
	bool follow;           /* redirects */
	int tries_more;        /* if no connection comes about: then nothing was sent */
	bool stays_public;     /* one that leaves the host may not lead to a private address */
};

struct http_reply {
	int status;          /* 0: no answer; e of the callback says why */
	struct strs headers; /* "name: value" of the last answer, names in lower case */
	struct buf body;
	bool was_sent; /* status 0 only: some bytes of the request may have reached the server, so
			  the outcome is unknown */
};

void http_request_finish(struct http_request *r);
void http_reply_finish(struct http_reply *r);

/* Value of a header by lower-case name, or NULL; borrowed. */
const char *http_reply_header(const struct http_reply *r, const char *name);

/* r is the callback's to read; take members by stealing them. e is set when status is 0. */
typedef void http_cb(void *ctx, struct http_reply *r, const struct err *e);

/* For answers that flow through: on_head once, on_data for each piece (return 0 to go on, or
 * ERR_BUSY to pause until http_call_resume), on_done once at the end. */
struct http_stream {
	void (*on_head)(void *ctx, const struct http_reply *head);
	int (*on_data)(void *ctx, const char *data, size_t len);
	void (*on_done)(void *ctx, const struct http_reply *r, const struct err *e);
	void *ctx;
};

int http_create(struct loop *l, struct http **out, struct err *e);
void http_destroy(struct http *h); /* ends all calls without calling back */

/* The role's own name in User-Agent is "nightshift". take_r is emptied. Return NULL never. */
struct http_call *http_send(struct http *h, struct http_request *take_r, http_cb *cb, void *ctx);
struct http_call *http_send_stream(
	struct http *h, struct http_request *take_r, const struct http_stream *s);

/* A bare connection to a public machine that is not this one. Each address that the name has is
 * checked where it is connected to, so a name that is looked up twice cannot change in between.
 * take_fd is -1 if there is none: ERR_DENIED if no address was fit, else ERR_BUSY or ERR_TIMEOUT.
 */
typedef void http_connect_cb(void *ctx, int take_fd, const struct err *e);
struct http_call *http_connect(
	struct http *h, const char *host, int port, http_connect_cb *cb, void *ctx);

void http_call_resume(struct http_call *c);
void http_cancel(struct http_call *c); /* no callback follows */

#endif
