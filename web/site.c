/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site - which path is served by what.
 */
#include "web/site.h"

#include "base/limits.h"
#include "base/mem.h"
#include "web/hooks.h"
#include "web/pages.h"
#include "web/static.gen.h"

#include <inttypes.h>
#include <string.h>

#define RETRY_S        5
#define HOOKS          "/hook/"
#define PAGE_BYTES_MAX (8 * LIMIT_TRANSCRIPT_BYTES)

struct route {
	const char *method;
	const char *path; /* ends in '/' for everything below it */
	int64_t body_max;
	void (*handle)(struct site *s, struct web_exchange *x, const char *rest);
};

struct site {
	struct hooks *hooks;
	struct site_backend backend;
};

static void
handle_health(struct site *s, struct web_exchange *x, const char *rest)
{
	(void)s;
	(void)rest;
	web_reply_text(x, 200, "ok");
}

static void
handle_ready(struct site *s, struct web_exchange *x, const char *rest)
{
	(void)rest;
	if (s->backend.is_ready(s->backend.ctx))
		web_reply_text(x, 200, "ready");
	else
		web_reply_wait(
			x, 503, "not ready: the keeper or the queue is not there yet", RETRY_S);
}

/* Nobody's secret, but nobody's business either: for who asks on this machine and not through a
 * proxy. */
static void
handle_metrics(struct site *s, struct web_exchange *x, const char *rest)
{
	const char *client = web_client(x);
	bool is_here = str_eq(client, "unix") || str_eq(client, "::1") ||
		       (client && str_starts(client, "127."));

	(void)rest;
	if (!is_here || web_header(x, "X-Forwarded-For") || web_header(x, "Forwarded"))
		web_reply_text(x, 403, "only for this machine");
	else
		s->backend.task(s->backend.ctx, x, "", SITE_METRICS);
}

static void
handle_hook(struct site *s, struct web_exchange *x, const char *rest)
{
	hooks_handle(s->hooks, x, rest);
}

static void
handle_task(struct site *s, struct web_exchange *x, const char *rest)
{
	char page[33];
	enum site_file what;

	if (pages_parse(rest, page, &what) < 0)
		web_reply_text(x, 404, "there is no such task");
	else
		s->backend.task(s->backend.ctx, x, page, what);
}

static void
handle_static(struct site *s, struct web_exchange *x, const char *rest)
{
	(void)s;
	for (size_t i = 0; i < static_files_count; i++) {
		const struct static_file *f = &static_files[i];
		struct web_reply r = { .status = 200,
			.type = "text/css; charset=utf-8",
			.body = BUF_INIT(LIMIT_BLOB_BYTES) };

		if (strcmp(f->name, rest) != 0)
			continue;
		(void)buf_add(&r.body, f->text, f->size);
		web_reply(x, &r);
		return;
	}
	web_reply_text(x, 404, "there is nothing here");
}

static const struct route ROUTES[] = {
	{ "GET", "/healthz", 0, handle_health },
	{ "POST", HOOKS, LIMIT_DELIVERY_BYTES, handle_hook },
	{ "GET", "/metrics", 0, handle_metrics },
	{ "GET", "/readyz", 0, handle_ready },
	{ "GET", "/static/", 0, handle_static },
	{ "GET", "/t/", 0, handle_task },
};

static bool
path_matches(const struct route *r, const char *path)
{
	return str_ends(r->path, "/") ? str_starts(path, r->path) : strcmp(path, r->path) == 0;
}

/* *path_known: some route has the path, if not the method. */
static const struct route *
route_get(const char *method, const char *path, bool *path_known)
{
	*path_known = false;
	for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
		const struct route *r = &ROUTES[i];

		if (!path_matches(r, path))
			continue;
		*path_known = true;
		if (strcmp(r->method, method) == 0 ||
			(strcmp(r->method, "GET") == 0 && strcmp(method, "HEAD") == 0))
			return r;
	}
	return NULL;
}

struct site *
site_create(const struct site_hook *hooks, size_t n_hooks, const struct site_backend *backend)
{
	struct site *s = mem_zero(sizeof(*s));

	s->backend = *backend;
	s->hooks = hooks_create(hooks, n_hooks, backend);
	return s;
}

void
site_destroy(struct site *s)
{
	if (!s)
		return;
	hooks_destroy(s->hooks);
	free(s);
}

int64_t
site_body_max(void *ctx, const char *method, const char *path)
{
	bool path_known;
	const struct route *r = route_get(method, path, &path_known);

	(void)ctx;
	if (r)
		return r->body_max;
	return path_known ? -2 : -1;
}

int
site_wait_s(void *ctx, struct web_exchange *x)
{
	struct site *s = ctx;
	const char *path = web_path(x);

	return str_starts(path, HOOKS) ? hooks_wait_s(s->hooks, x, path + strlen(HOOKS)) : 0;
}

void
site_handle(void *ctx, struct web_exchange *x)
{
	bool path_known;
	const struct route *r = route_get(web_method(x), web_path(x), &path_known);

	/* The server asked site_body_max first, so there is a route. */
	r->handle(ctx, x, web_path(x) + strlen(r->path));
}

void
site_verified(struct site *s, struct web_exchange *x, int code)
{
	hooks_verified(s->hooks, x, web_path(x) + strlen(HOOKS), code);
}

void
site_stored(struct site *s, struct web_exchange *x, int code, int64_t delivery)
{
	struct web_reply r = { .status = code == 0 ? 202 : 503, .body = BUF_INIT(KIB(1)) };

	(void)s;
	if (code == 0)
		(void)buf_addf(&r.body, "delivery %" PRId64 "\n", delivery);
	else {
		r.retry_after_s = RETRY_S;
		(void)buf_adds(&r.body, "the delivery cannot be stored now\n");
	}
	web_reply(x, &r);
}

void
site_task(struct site *s, struct web_exchange *x, enum site_file what, const struct site_task *t)
{
	struct web_reply r = { .status = 200, .body = BUF_INIT(PAGE_BYTES_MAX) };

	(void)s;
	if (!t->task) {
		web_reply_text(x, 404, "there is no such task");
		return;
	}
	if (what != SITE_PAGE && t->len == 0) {
		web_reply_text(x, 404, "there is no terminal log yet");
		return;
	}
	switch (what) {
	case SITE_PAGE:
		r.type = "text/html; charset=utf-8";
		pages_task(t, &r.body);
		break;
	case SITE_CAST:
		r.type = "application/x-asciicast";
		r.filename = "task.cast";
		(void)buf_add(&r.body, t->bytes, t->len);
		break;
	case SITE_TEXT:
	case SITE_METRICS:
		(void)buf_add(&r.body, t->bytes, t->len);
		break;
	}
	web_reply(x, &r);
}

void
site_metrics(struct site *s, struct web_exchange *x, const char *bytes, size_t len)
{
	struct web_reply r = { .status = 200,
		.type = "text/plain; version=0.0.4; charset=utf-8",
		.body = BUF_INIT(LIMIT_BLOB_BYTES) };

	(void)s;
	(void)buf_add(&r.body, bytes, len);
	web_reply(x, &r);
}
