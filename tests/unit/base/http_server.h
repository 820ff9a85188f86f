/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server on 127.0.0.1 that runs on the test's own loop and does what the test says, wrong things
 * included.
 */
#ifndef TESTS_UNIT_BASE_HTTP_SERVER_H
#define TESTS_UNIT_BASE_HTTP_SERVER_H

#include "base/buf.h"
#include "base/loop.h"

enum http_server_next {
	SERVER_KEEP,   /* wait for another request */
	SERVER_CLOSE,  /* close when out is written */
	SERVER_SILENT, /* write nothing, leave it open */
};

/* raw is one request, head and body, NUL-terminated. What it puts into out is sent as it is. */
typedef enum http_server_next http_server_cb(void *ctx, const char *raw, struct buf *out);

struct http_server;

struct http_server *http_server_create(struct loop *l, http_server_cb *cb, void *ctx);
void http_server_destroy(struct http_server *s);
int http_server_port(const struct http_server *s);
int http_server_connections(const struct http_server *s); /* open now */

#endif
