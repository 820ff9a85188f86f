/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 - the head of an HTTP/1.1 request, read strictly.
 *
 * Two readers of one request that disagree are an attack (request smuggling), so whatever RFC 9112
 * leaves open is refused here: both Content-Length and Transfer-Encoding, two lengths, obs-fold,
 * space before the colon, bare LF or CR, NUL, a body coding other than "chunked", two Hosts, HTTP
 * versions but 1.0 and 1.1. Pure: bytes in, verdict out.
 */
#ifndef BASE_HTTP1_H
#define BASE_HTTP1_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_HEADERS_MAX 100

struct http1_header {
	const char *name; /* not NUL-terminated: all point into the head */
	size_t name_len;
	const char *value;
	size_t value_len;
};

struct http1_head {
	const char *method;
	size_t method_len;
	const char *target;
	size_t target_len;
	int minor; /* 0 or 1 */
	struct http1_header headers[HTTP1_HEADERS_MAX];
	size_t n_headers;
	size_t head_len;        /* bytes up to and with the empty line */
	int64_t content_length; /* -1: none */
	bool is_chunked;
};

/* 1: out is filled. 0: not complete yet (len bytes hold no empty line). ERR_LIMIT: too many
 * headers; ERR_PROTOCOL: refused, e says which rule. Anything outside [method target version,
 * header lines, empty line] is refused as early as it is seen. */
int http1_head_parse(const char *data, size_t len, struct http1_head *out, struct err *e);

/* Case-insensitive; NULL if absent. */
const struct http1_header *http1_header_get(const struct http1_head *h, const char *name);

/* Feeds a chunked body through: consumes from in, appends the decoded bytes to out. state starts
 * zeroed. Returns 1 at the end of the trailers, 0 for more, ERR_PROTOCOL, or ERR_LIMIT when out is
 * full. *used is how many bytes of in were eaten. */
struct buf;
struct http1_chunks {
	int state;
	uint64_t left;
	size_t line_len;
};
int http1_chunks_feed(struct http1_chunks *c, const char *in, size_t len, size_t *used,
	struct buf *out, struct err *e);

#endif
