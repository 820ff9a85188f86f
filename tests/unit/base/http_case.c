/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client, and a server whose paths name what it does, for the tests of base/http.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/base/http_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
respond(struct buf *out, const char *head, const char *body, size_t len)
{
	(void)buf_addf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len);
	(void)buf_add(out, body, len);
}

static enum http_server_next
on_request(void *ctx, const char *raw, struct buf *out)
{
	struct fixture *f = ctx;
	const char *path = strchr(raw, ' ') + 1;
	char head[256];

	f->requests++;
	(void)snprintf(f->last, sizeof(f->last), "%s", raw);
	if (str_starts(path, "/echo")) {
		respond(out, "200 OK\r\nX-Up: Some Case  ", raw, strlen(raw));
	} else if (str_starts(path, "/early")) {
		(void)buf_adds(out, "HTTP/1.1 103 Early Hints\r\nX-Up: early\r\n\r\n");
		respond(out, "201 Created", "late", 4);
	} else if (str_starts(path, "/to/")) { /* /to/302/<path> */
		(void)snprintf(head, sizeof(head), "%.3s Go\r\nLocation: %.*s", path + 4,
			(int)strcspn(path + 7, " "), path + 7);
		respond(out, head, "not for the caller", 18);
	} else if (str_starts(path, "/away")) {
		(void)snprintf(head, sizeof(head), "307 Go\r\nLocation: http://localhost:%d/echo",
			http_server_port(f->server));
		respond(out, head, "", 0);
	} else if (str_starts(path, "/ftp")) {
		respond(out, "302 Go\r\nLocation: ftp://127.0.0.1/x", "", 0);
	} else if (str_starts(path, "/loop")) {
		respond(out, "302 Go\r\nLocation: /loop", "", 0);
	} else if (str_starts(path, "/big")) {
		auto_free char *bytes = mem_zero(MIB(4));
		respond(out, "200 OK", bytes, MIB(4));
	} else if (str_starts(path, "/headers")) {
		(void)buf_adds(out, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 500; i++)
			(void)buf_addf(out, "X-%d: y\r\n", i);
		(void)buf_adds(out, "\r\n");
	} else if (str_starts(path,
			   "/once")) { /* the first is answered, every other one is swallowed */
		if (f->requests > 1)
			return SERVER_CLOSE;
		respond(out, "200 OK", "ok", 2);
	} else if (str_starts(path, "/drop")) {
		return SERVER_CLOSE;
	} else if (str_starts(path, "/half")) {
		(void)buf_adds(out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		return SERVER_CLOSE;
	} else {
		return SERVER_SILENT;
	}
	return SERVER_KEEP;
}

void
http_case_done(void *ctx, const struct http_reply *r, const struct err *e)
{
	struct fixture *f = ctx;

	f->done++;
	f->status = r->status;
	f->was_sent = r->was_sent;
	f->code = e->code;
	(void)snprintf(f->text, sizeof(f->text), "%s", e->text);
	(void)snprintf(f->body, sizeof(f->body), "%s", buf_str(&r->body));
	const char *up = http_reply_header(r, "x-up");
	(void)snprintf(f->header, sizeof(f->header), "%s", up ? up : "");
	loop_stop(f->l);
}

void
http_case_keep(void *ctx, struct http_reply *r, const struct err *e)
{
	http_case_done(ctx, r, e);
}

static void
too_long(void *ctx)
{
	(void)ctx;
	fail_msg("the loop did not stop by itself");
}

void
http_case_run(struct fixture *f)
{
	struct loop_timer *guard = loop_timer_add(f->l, 60000, too_long, NULL);

	assert_int_equal(loop_run(f->l, NULL), 0);
	loop_timer_remove(guard);
}

struct http_request
http_case_request(struct fixture *f, const char *method, const char *path)
{
	struct http_request r = {
		.method = method, .url = mem_fmt("%s%s", f->base, path), .follow = true
	};

	buf_init(&r.body, MIB(1));
	return r;
}

int
http_case_setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	assert_int_equal(loop_create(&f->l, NULL), 0);
	assert_int_equal(http_create(f->l, &f->http, NULL), 0);
	f->server = http_server_create(f->l, on_request, f);
	(void)snprintf(
		f->base, sizeof(f->base), "http://127.0.0.1:%d", http_server_port(f->server));
	*state = f;
	return 0;
}

int
http_case_teardown(void **state)
{
	struct fixture *f = *state;

	http_destroy(f->http);
	http_server_destroy(f->server);
	loop_destroy(f->l);
	free(f);
	return 0;
}

static void
stop(void *ctx)
{
	loop_stop(ctx);
}

void
http_case_wait(struct fixture *f)
{
	loop_timer_add(f->l, 1, stop, f->l);
	http_case_run(f);
}
