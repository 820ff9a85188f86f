/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client, and a server whose paths name what it does, for the tests of base/http.
 */
#ifndef TESTS_UNIT_BASE_HTTP_CASE_H
#define TESTS_UNIT_BASE_HTTP_CASE_H

#include "base/http.h"
#include "tests/unit/base/http_server.h"

struct fixture {
	struct loop *l;
	struct http *http;
	struct http_server *server;
	char base[64]; /* http://127.0.0.1:port */
	int requests;
	char last[4096]; /* the last request as it came */

	/* the answer */
	int done;
	int status;
	bool was_sent;
	char text[512]; /* of the error */
	int code;
	char body[4096];
	char header[256]; /* of "x-up" */

	/* a stream */
	struct http_call *call;
	size_t bytes;
	int pauses;
	bool is_paused;
	int heads;
	bool cancel_in_data;
};

int http_case_setup(void **state);
int http_case_teardown(void **state);

struct http_request http_case_request(struct fixture *f, const char *method, const char *path);

/* For http_send and http_stream: keep the answer and stop the loop; ctx is the fixture. */
void http_case_done(void *ctx, const struct http_reply *r, const struct err *e);
void http_case_keep(void *ctx, struct http_reply *r, const struct err *e);

/* Runs until a callback stops the loop; fails after 30 s. */
void http_case_run(struct fixture *f);

/* For about a millisecond. */
void http_case_wait(struct fixture *f);

#endif
