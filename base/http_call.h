/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_call - one request under way. Used by http.c only.
 */
#ifndef BASE_HTTP_CALL_H
#define BASE_HTTP_CALL_H

#include "base/http.h"

#include <curl/curl.h>

struct http_call {
	struct http *h;
	struct http_call *prev;
	struct http_call *next;
	CURL *easy;
	struct curl_slist *headers;
	struct http_request r;
	struct http_reply reply;
	struct http_stream stream;
	http_cb *cb;                 /* NULL: stream */
	http_connect_cb *connect_cb; /* or this one alone */
	void *ctx;
	size_t sent; /* bytes of the body given to curl */
	size_t header_bytes;
	int redirects;
	bool has_left; /* a redirect led to another server */
	int64_t deadline_ms;
	struct loop_timer *pause; /* before the next try to connect */
	int tries;
	bool is_added; /* to the multi handle */
	bool wants_start;
	bool wants_resume;
	bool is_cancelled;
	bool head_done;
	bool is_redirect; /* the body of this answer is nobody's */
	struct err e;     /* why a callback of ours stopped the transfer */
};

/* On the list of h, and about to start. take_r is emptied. */
struct http_call *http_call_create(struct http *h, struct http_request *take_r);

/* Is this an address that the call may connect to? ERR_DENIED. (http_connect.c) */
int http_call_check(struct http_call *c, const struct sockaddr *a, socklen_t len);

/* The call's connection as a descriptor of its own, or -1. (http_connect.c) */
int http_call_take_socket(struct http_call *c);

/* Tells curl everything about the request as it is in c->r, and forgets an earlier answer. */
void http_call_prepare(struct http_call *c, int64_t left_ms);

/* Frees request, answer and headers; overwrites the credential. */
void http_call_wipe(struct http_call *c);

#endif
