/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_route - from the head of a box's request to the request that goes out, or the refusal.
 */
#include "bot/gateway_route.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/gateway_registry.h"
#include "sandbox/sandbox.h"

#include <string.h>
#include <strings.h>

#define BLOCKED_BYTES_MAX 100

/* The target, taken apart; all borrowed from the head. */
struct target {
	const char *path; /* "/npm/left-pad" */
	size_t path_len;
	const char *query; /* "?x=1" or "" */
	size_t query_len;
};

static void
refuse(struct route *r, int status, const char *why)
{
	r->kind = ROUTE_REFUSED;
	r->status = status;
	r->why = why;
}

/* What a tool wanted to reach, for the report: only what can be in a host name, and not too long.
 */
static void
block(struct route *r, const char *host, size_t len)
{
	if (len > BLOCKED_BYTES_MAX)
		len = BLOCKED_BYTES_MAX;
	r->blocked = mem_strn(host, len);
	for (char *p = r->blocked; *p; p++) {
		bool is_fine = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			       (*p >= '0' && *p <= '9') || strchr(".-:_[]", *p);

		if (!is_fine)
			*p = '?';
	}
	refuse(r, 403, "not open to this task");
}

/* ---- the target ---- */

static bool
token_is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

static const char *
method_of(const struct http1_head *h)
{
	static const char *const methods[] = { "GET", "HEAD", "POST" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (token_is(h->method, h->method_len, methods[i]))
			return methods[i];
	}
	return NULL;
}

/* A body, or another name in Host, would be two stories about one request. */
static const char *
connect_objection(const struct http1_head *h)
{
	const struct http1_header *host = http1_header_get(h, "host");
	bool is_same = !host || (host->value_len == h->target_len &&
					strncasecmp(host->value, h->target, h->target_len) == 0);

	if (h->content_length > 0 || h->is_chunked)
		return "a tunnel has no body";
	/* Some clients leave the port away. */
	if (!is_same && !(host->value_len + strlen(":443") == h->target_len &&
				strncasecmp(host->value, h->target, host->value_len) == 0))
		return "the host is not the tunnel's";
	return NULL;
}

static void
route_connect(const struct config *c, struct route_rights rights, const struct http1_head *h,
	struct route *r)
{
	char host[EGRESS_HOST_BYTES];
	const char *objection = connect_objection(h);
	struct err e = { 0 };

	if (objection) {
		refuse(r, 400, objection);
		return;
	}
	if (egress_authority_parse(h->target, h->target_len, host, &e) < 0) {
		block(r, h->target, h->target_len);
		mem_set(&r->said, e.text);
		r->why = r->said;
		return;
	}
	if (!egress_host_listed(&c->network, host)) {
		block(r, host, strlen(host));
		r->why = "not open on this server";
	} else if (!rights.hosts || !egress_host_listed(rights.hosts, host)) {
		block(r, host, strlen(host));
	} else {
		r->kind = ROUTE_TUNNEL;
		r->host = mem_str(host);
	}
}

/* A tool that knows of a proxy sends "CONNECT host:443" or "GET http://host/path". */
static bool
wants_proxy(const struct http1_head *h, struct route *r)
{
	const char *host = h->target;
	const char *end = h->target + h->target_len;
	const char *scheme = *host == '/' ? NULL : memmem(host, h->target_len, "://", 3);

	if (!scheme)
		return false;
	host = scheme + 3;
	const char *stop = host;
	while (stop < end && *stop != '/' && *stop != '?')
		stop++;
	const char *at = memchr(host, '@', (size_t)(stop - host));
	if (at)
		host = at + 1; /* the name before it is a credential */
	block(r, host, (size_t)(stop - host));
	return true;
}

static bool
host_is_ours(const struct http1_head *h)
{
	static const char *const names[] = { "127.0.0.1:3128", "localhost:3128", "127.0.0.1",
		"localhost" };
	const struct http1_header *host = http1_header_get(h, "host");

	for (size_t i = 0; host && i < sizeof(names) / sizeof(names[0]); i++) {
		if (host->value_len == strlen(names[i]) &&
			strncasecmp(host->value, names[i], host->value_len) == 0)
			return true;
	}
	return !host;
}

static bool
split_target(const struct http1_head *h, struct target *t, struct route *r)
{
	const char *query = memchr(h->target, '?', h->target_len);

	t->path = h->target;
	t->path_len = query ? (size_t)(query - h->target) : h->target_len;
	t->query = query ? query : "";
	t->query_len = h->target_len - t->path_len;
	if (egress_path_check(t->path, t->path_len, NULL) < 0) {
		refuse(r, 400, "malformed path");
		return false;
	}
	return true;
}

/* The first segment of *path, which moves on to the slash behind it. */
static char *
take_segment(const char **path, size_t *len)
{
	const char *start = *path + 1;
	const char *slash = *len > 1 ? memchr(start, '/', *len - 1) : NULL;
	size_t n = slash ? (size_t)(slash - start) : (*len ? *len - 1 : 0);

	*path += n + (*len ? 1 : 0);
	*len -= n + (*len ? 1 : 0);
	return mem_strn(start, n);
}

/* ---- headers ---- */

static void
copy_headers(const struct http1_head *h, struct route *r)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct http1_header *f = &h->headers[i];

		if (egress_header_passes(f->name, f->name_len))
			strs_addf(&r->headers, "%.*s: %.*s", (int)f->name_len, f->name,
				(int)f->value_len, f->value);
	}
}

/* ---- the two kinds of routes ---- */

/* Some clients add the version that the configured address already ends in. */
static void
drop_doubled(const char *base, const char *part, const char **path, size_t *len)
{
	size_t n = strlen(part);

	if (str_ends(base, part) && *len > n && memcmp(*path, part, n) == 0 && (*path)[n] == '/') {
		*path += n;
		*len -= n;
	}
}

static void
route_model(const struct config *c, const struct http1_head *h, struct target *t, struct route *r)
{
	auto_free char *name = take_segment(&t->path, &t->path_len);
	const struct config_model *m = config_model_find(c, name);
	int api = m ? egress_api_parse(m->kind) : -1;

	if (api < 0) {
		refuse(r, 404, "no such model provider");
		return;
	}
	drop_doubled(m->url, "/v1", &t->path, &t->path_len);
	r->api = (enum egress_api)api;
	r->path = mem_strn(t->path, t->path_len);
	r->endpoint = egress_endpoint(r->api, r->method, r->path);
	if (r->endpoint == EGRESS_CLOSED) {
		refuse(r, 403, "this endpoint is not open");
		return;
	}
	if (r->endpoint == EGRESS_HELLO) {
		r->kind = ROUTE_HELLO;
		return;
	}
	auto_buf struct buf query = BUF_INIT(LIMIT_HEAD_BYTES);
	egress_query(t->query, t->query_len, &query);
	r->url = mem_fmt("%s%s%s", m->url, r->path, buf_str(&query));
	r->provider = mem_str(name);
	r->kind = ROUTE_MODEL;
	copy_headers(h, r);
}

static void
fill_registry(const struct config_registry *reg, bool is_files, const struct http1_head *h,
	const struct target *t, struct route *r)
{
	auto_free char *path =
		mem_fmt("%.*s%.*s", (int)t->path_len, t->path, (int)t->query_len, t->query);
	const struct http1_header *accept = http1_header_get(h, "accept");

	if (!r->method || str_eq(r->method, "POST") || h->content_length > 0 || h->is_chunked) {
		refuse(r, 405, "registries are read only");
		return;
	}
	r->kind = ROUTE_REGISTRY;
	registry_route(reg, is_files, path, strlen(path), r);
	/* Whoever asks, the answer must be the same: what differs is not asked for. */
	if (r->keep_ms == 0)
		copy_headers(h, r);
	else if (accept)
		strs_addf(&r->headers, "accept: %.*s", (int)accept->value_len, accept->value);
}

static bool
may_use(struct route_rights rights, const struct config_registry *reg)
{
	return rights.registries || (rights.hosts && strs_has(rights.hosts, reg->name));
}

static void
route_registry(const struct config *c, struct route_rights rights, const char *name,
	const struct http1_head *h, struct target *t, struct route *r)
{
	bool is_files = false;
	const struct config_registry *reg = registry_by_name(c, name, &is_files);

	if (!reg) {
		refuse(r, 404, "no such registry");
	} else if (!may_use(rights, reg)) {
		block(r, reg->name, strlen(reg->name));
		r->why = "this registry is not open in this step";
	} else {
		fill_registry(reg, is_files, h, t, r);
	}
}

/* What knows only proxies, apt first of all, asks for "http://host/path". */
static bool
route_proxied(const struct config *c, struct route_rights rights, const struct http1_head *h,
	struct route *r)
{
	static const char http[] = "http://";
	const size_t n = strlen(http);
	const struct http1_header *host = http1_header_get(h, "host");
	struct target t = { .query = "" };
	size_t rest = 0;

	if (h->target_len <= n || strncasecmp(h->target, http, n) != 0)
		return false;
	const char *address = h->target + n;
	size_t len = h->target_len - n;
	const struct config_registry *reg = registry_by_address(c, address, len, &rest);
	if (!reg || !may_use(rights, reg))
		return false;
	if (host && (host->value_len > len || address[host->value_len] != '/' ||
			    strncasecmp(host->value, address, host->value_len) != 0)) {
		refuse(r, 400, "the host is not the address's");
		return true;
	}
	t.path = address + rest;
	t.path_len = len - rest;
	if (memchr(t.path, '?', t.path_len) || egress_path_check(t.path, t.path_len, NULL) < 0)
		refuse(r, 400, "malformed path");
	else
		fill_registry(reg, false, h, &t, r);
	return true;
}

void
gateway_route(const struct config *c, struct route_rights rights, const struct http1_head *head,
	struct route *out)
{
	struct target t;

	*out = (struct route){ .method = method_of(head) };
	if (token_is(head->method, head->method_len, "CONNECT")) {
		route_connect(c, rights, head, out);
		return;
	}
	if (route_proxied(c, rights, head, out) || wants_proxy(head, out))
		return;
	if (!host_is_ours(head)) {
		const struct http1_header *host = http1_header_get(head, "host");

		block(out, host->value, host->value_len);
		return;
	}
	if (!out->method) {
		refuse(out, 405, "this method is not open");
		return;
	}
	if (!split_target(head, &t, out))
		return;
	auto_free char *first = take_segment(&t.path, &t.path_len);
	if (str_eq(first, "llm")) {
		if (rights.models)
			route_model(c, head, &t, out);
		else
			refuse(out, 403, "models are not open in this step");
		return;
	}
	if (str_eq(first, "registry")) {
		free(first);
		first = take_segment(&t.path, &t.path_len);
	}
	route_registry(c, rights, first, head, &t, out);
}

void
route_finish(struct route *r)
{
	free(r->blocked);
	free(r->said);
	free(r->host);
	free(r->url);
	free(r->provider);
	free(r->path);
	strs_finish(&r->headers);
	for (size_t i = 0; i < 2; i++) {
		free(r->rewrites[i].from);
		free(r->rewrites[i].to);
	}
	*r = (struct route){ 0 };
}

/* ---- answers ---- */

static const struct route_rewrite *
rewrite_at(const struct route *r, const char *p, size_t left)
{
	for (size_t i = 0; i < 2 && r->rewrites[i].from; i++) {
		size_t n = strlen(r->rewrites[i].from);

		if (n <= left && memcmp(p, r->rewrites[i].from, n) == 0)
			return &r->rewrites[i];
	}
	return NULL;
}

/* So many bytes at the end of a piece may be the beginning of an address, with the mark before it.
 */
static size_t
rewrite_reach(const struct route *r)
{
	size_t reach = 1;

	for (size_t i = 0; i < 2 && r->rewrites[i].from; i++) {
		size_t n = strlen(r->rewrites[i].from);

		if (n + 1 > reach)
			reach = n + 1;
	}
	return reach;
}

int
route_rewrite(const struct route *r, struct buf *pending, bool is_last, struct buf *out)
{
	const char *data = buf_str(pending);
	size_t reach = rewrite_reach(r);
	size_t end = is_last ? pending->len : pending->len > reach ? pending->len - reach : 0;
	size_t kept = 0; /* up to here it is in out */
	size_t i = 1;

	for (; i < end; i++) {
		/* All our addresses start with an h behind a quote or a tag. */
		if (data[i] != 'h' ||
			(data[i - 1] != '"' && data[i - 1] != '\'' && data[i - 1] != '>'))
			continue;
		const struct route_rewrite *w = rewrite_at(r, data + i, pending->len - i);
		if (!w)
			continue;
		(void)buf_add(out, data + kept, i - kept);
		(void)buf_adds(out, w->to);
		kept = i + strlen(w->from);
		i = kept - 1;
	}
	/* The byte before the next one to be looked at stays: it may be a mark. */
	size_t done = is_last ? pending->len : end > 0 ? end - 1 : 0;
	if (done > kept)
		(void)buf_add(out, data + kept, done - kept);
	buf_drop(pending, done > kept ? done : kept);
	return out->is_full ? ERR_LIMIT : 0;
}
