/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway - the role through which a box reaches the outside, and nothing else does.
 *
 * The runner hands over a listener that was made inside the box's network namespace, so a
 * connection on it can come from that box only. What it may ask for is decided by gateway_route.c;
 * keys are added here and never enter a box. The runner hands the listener over again when we have
 * been restarted.
 */
#include "bot/gateway.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/gateway_conn.h"
#include "bot/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_WAIT_MS_MAX 10000

/* A key that was asked for once; another answer has only another keeper. */
struct key {
	struct key *next;
	char *provider;
	char *value;
};

struct question {
	struct gateway *g;
	char *provider;
	gateway_key_cb *cb;
	void *ctx;
	uint64_t id;
	struct question *next;
};

struct gateway {
	struct role_ctx *role;
	struct http *http;
	struct key *keys;
	struct question *questions;
	struct gateway_box *boxes;
	struct cache *cache;
	struct flight *flights;
};

const struct config *
gateway_config(const struct gateway *g)
{
	return g->role->config;
}

struct loop *
gateway_loop(const struct gateway *g)
{
	return g->role->loop;
}

struct http *
gateway_http(const struct gateway *g)
{
	return g->http;
}

struct cache *
gateway_cache(const struct gateway *g)
{
	return g->cache;
}

struct flight **
gateway_flights(struct gateway *g)
{
	return &g->flights;
}

/* ---- keys ---- */

static void
forget_keys(struct gateway *g)
{
	while (g->keys) {
		struct key *k = g->keys;

		g->keys = k->next;
		mem_wipe(k->value, strlen(k->value));
		free(k->value);
		free(k->provider);
		free(k);
	}
}

static const char *
known_key(const struct gateway *g, const char *provider)
{
	for (const struct key *k = g->keys; k; k = k->next) {
		if (str_eq(k->provider, provider))
			return k->value;
	}
	return NULL;
}

static const char *
keep_key(struct gateway *g, const char *provider, const struct msg *m)
{
	const char *known = known_key(g, provider);
	struct key *k;

	if (known)
		return known;
	k = mem_zero(sizeof(*k));
	k->provider = mem_str(provider);
	k->value = mem_strn(m->blob, m->blob_len);
	k->next = g->keys;
	g->keys = k;
	return k->value;
}

static void
question_free(struct question *q)
{
	struct question **at = &q->g->questions;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	free(q->provider);
	free(q);
}

static void
on_key(void *ctx, struct msg *m, const struct err *e)
{
	struct question *q = ctx;
	const struct wire_verdict *v = m ? m->obj : NULL;
	gateway_key_cb *cb = q->cb;
	void *cb_ctx = q->ctx;
	struct err why = { 0 };
	const char *key = NULL;

	if (m && m->type == WIRE_SECRET && v->ok && m->blob_len > 0)
		key = keep_key(q->g, q->provider, m);
	else if (e)
		why = *e;
	else
		(void)err_set(&why, ERR_MISSING, "%s", v && v->text ? v->text : "no key");
	question_free(q);
	cb(cb_ctx, key, &why);
}

uint64_t
gateway_key(struct gateway *g, const char *provider, gateway_key_cb *cb, void *ctx)
{
	const char *known = known_key(g, provider);
	struct question *q;

	if (known) {
		cb(ctx, known, NULL);
		return 0;
	}
	q = mem_zero(sizeof(*q));
	q->g = g;
	q->provider = mem_str(provider);
	q->cb = cb;
	q->ctx = ctx;
	q->next = g->questions;
	g->questions = q;
	struct wire_name name = { .name = q->provider };
	q->id = msg_call(role_link(g->role, ROLE_KEEPER),
		&(struct msg_out){ .type = WIRE_KEY, .obj = &name }, KEY_WAIT_MS_MAX, on_key, q);
	return q->id;
}

void
gateway_key_cancel(struct gateway *g, uint64_t id)
{
	for (struct question *q = g->questions; q; q = q->next) {
		if (q->id == id) {
			msg_call_cancel(role_link(g->role, ROLE_KEEPER), id);
			question_free(q);
			return;
		}
	}
}

/* ---- boxes ---- */

static void
on_accept(void *ctx, int fd, uint32_t events)
{
	struct gateway_box *b = ctx;

	(void)events;
	while (b->n_conns < GATEWAY_CONNS_MAX) {
		int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (got < 0)
			break;
		b->n_conns++;
		gateway_conn_create(b, got);
	}
	/* The rest waits in the kernel's queue, which is bounded too. */
	if (b->n_conns >= GATEWAY_CONNS_MAX)
		loop_io_set(b->io, 0);
}

void
gateway_box_conn_ended(struct gateway_box *b)
{
	if (b->n_conns-- == GATEWAY_CONNS_MAX && b->io)
		loop_io_set(b->io, EPOLLIN);
}

bool
gateway_box_is_over(const struct gateway_box *b)
{
	return b->requests > GATEWAY_REQUESTS_MAX || b->bytes_in + b->bytes_out > GATEWAY_BYTES_MAX;
}

void
gateway_box_blocked(struct gateway_box *b, const char *host, const char *why)
{
	auto_free char *said = mem_fmt("%s %s", host, why);

	for (size_t i = 0; i < b->blocked.n; i++) {
		const char *space = strchr(b->blocked.v[i], ' ');

		if (space && str_eq(space + 1, said))
			return;
	}
	if (b->blocked.n > GATEWAY_BLOCKED_MAX)
		return;
	log_info(&(struct log_ctx){ .task = b->task }, "gateway.blocked", "host=%s why=\"%s\"",
		host, why);
	strs_addf(&b->blocked, "%" PRId64 " %s", clock_wall_ms(),
		b->blocked.n < GATEWAY_BLOCKED_MAX ? said : "others were refused, too");
	gateway_box_say_spent(b);
}

/* What an earlier gateway refused. */
static void
take_blocked(struct gateway_box *b, const char *lines)
{
	for (const char *p = lines ? lines : ""; *p && b->blocked.n <= GATEWAY_BLOCKED_MAX;) {
		size_t len = strcspn(p, "\n");

		strs_addf(&b->blocked, "%.*s", (int)len, p);
		p += len + (p[len] == '\n');
	}
}

static struct gateway_box *
box_find(struct gateway *g, const struct wire_box *w)
{
	struct gateway_box *b = g->boxes;

	while (b && (b->task != w->task || b->fence != w->fence))
		b = b->next;
	return b;
}

static void
box_unlisten(struct gateway_box *b)
{
	loop_io_remove(b->io);
	b->io = NULL;
	if (b->fd >= 0)
		(void)close(steal_fd(&b->fd));
	gateway_box_end_life(b);
}

static void
box_destroy(struct gateway_box *b)
{
	struct gateway_box **at = &b->g->boxes;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	box_unlisten(b);
	while (b->conns)
		gateway_conn_destroy(b->conns);
	strs_finish(&b->blocked);
	strs_finish(&b->hosts);
	budget_finish(&b->budget);
	free(b);
}

static struct gateway_box *
box_create(struct gateway *g, const struct wire_box *w)
{
	struct gateway_box *b = mem_zero(sizeof(*b));

	b->g = g;
	b->task = w->task;
	b->fence = w->fence;
	b->fd = b->life_fd = -1;
	b->next = g->boxes;
	g->boxes = b;
	take_blocked(b, w->blocked);
	return b;
}

/* The same box opened again (a new step, another runner, or a repeated call) gets its new listener
 * and keeps its counters; a runner that is new does not know them. */
static int
box_open(struct gateway *g, struct msg *m, int *life, struct err *e)
{
	const struct wire_box *w = m->obj;
	struct gateway_box *b = box_find(g, w);
	int ends[2];

	if (m->n_fds != 1)
		return err_set(e, ERR_INVALID, "no listener");
	if (fcntl(m->fds[0], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "listener");
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, "pipe");
	if (b)
		box_unlisten(b);
	bool is_known = b != NULL;
	if (!b)
		b = box_create(g, w);
	*life = ends[0];
	gateway_box_begin_life(b, ends[1]);
	budget_open(&b->budget, w);
	strs_copy(&b->hosts, &w->hosts);
	b->is_guest = w->is_guest;
	b->rights = (struct route_rights){
		.models = w->models, .registries = w->registries, .hosts = &b->hosts
	};
	b->fd = steal_fd(&m->fds[0]);
	b->io = loop_io_add(
		g->role->loop, b->fd, b->n_conns < GATEWAY_CONNS_MAX ? EPOLLIN : 0, on_accept, b);
	if (is_known)
		gateway_box_say_spent(b);
	return 0;
}

static void
on_box_open(struct gateway *g, struct msg *m)
{
	struct err e = { 0 };
	auto_fd int life = -1;
	int rc = box_open(g, m, &life, &e);
	struct wire_verdict v = { .ok = rc == 0, .code = rc, .text = rc < 0 ? e.text : NULL };
	struct msg_out out = {
		.type = WIRE_BOX_OPENED, .obj = &v, .fds = &life, .n_fds = rc == 0 ? 1 : 0
	};

	if (rc < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "gateway.box_refused", &e);
	if (msg_reply(role_link(g->role, ROLE_RUNNER), m->id, &out, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "gateway.reply_lost", &e);
}

/* The texts are borrowed from the box and the buffers. */
static void
fill_usage(
	const struct gateway_box *b, struct buf *blocked, struct buf *usage, struct wire_usage *u)
{
	for (size_t i = 0; i < b->blocked.n; i++)
		(void)buf_addf(blocked, "%s\n", b->blocked.v[i]);
	(void)usage_print(&b->budget.uses, usage);
	*u = (struct wire_usage){ .task = b->task,
		.fence = b->fence,
		.ok = true,
		.requests = b->requests,
		.bytes_in = b->bytes_in,
		.bytes_out = b->bytes_out,
		.blocked = blocked->data,
		.usage = usage->data,
		.spent = b->budget.spent };
}

void
gateway_box_say_spent(struct gateway_box *b)
{
	auto_buf struct buf blocked = BUF_INIT(LIMIT_SUMMARY_BYTES);
	auto_buf struct buf usage = BUF_INIT(LIMIT_SUMMARY_BYTES);
	struct wire_usage u;
	struct err e = { 0 };

	fill_usage(b, &blocked, &usage, &u);
	if (msg_send(role_link(b->g->role, ROLE_RUNNER),
		    &(struct msg_out){ .type = WIRE_BOX_SPENT, .obj = &u }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "gateway.spent_unsent", &e);
}

/* A box that is not known was closed already: the answer to the first asking was lost. */
static void
on_box_close(struct gateway *g, struct msg *m)
{
	const struct wire_box *w = m->obj;
	struct gateway_box *b = box_find(g, w);
	auto_buf struct buf blocked = BUF_INIT(LIMIT_SUMMARY_BYTES);
	auto_buf struct buf usage = BUF_INIT(LIMIT_SUMMARY_BYTES);
	struct wire_usage u = { .task = w->task, .fence = w->fence };
	struct err e = { 0 };

	/* What is still under way ends here and is counted. */
	while (b && b->conns)
		gateway_conn_destroy(b->conns);
	if (b)
		fill_usage(b, &blocked, &usage, &u);
	if (msg_reply(role_link(g->role, ROLE_RUNNER), m->id,
		    &(struct msg_out){ .type = WIRE_BOX_USAGE, .obj = &u }, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "gateway.reply_lost", &e);
	if (b)
		box_destroy(b);
}

/* ---- the role ---- */

static const char *const WRITES[] = { "cache", NULL };

static void
on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	(void)from;
	if (m->type == WIRE_BOX_OPEN)
		on_box_open(r->own, m);
	else if (m->type == WIRE_BOX_CLOSE)
		on_box_close(r->own, m);
}

/* A reload is a new keeper, which has read the files again; the one before may have answered until
 * it ended. */
static void
on_peer(struct role_ctx *r, enum role peer, bool is_up)
{
	if (peer == ROLE_KEEPER && is_up)
		forget_keys(r->own);
}

/* Without one all is as before, only slower. */
static void
open_cache(struct gateway *g)
{
	auto_free char *dir = role_path(g->role->config, WRITES[0]);
	struct err e = { 0 };

	if (g->role->config->cache_registry_bytes > 0 &&
		cache_create(dir, g->role->config->cache_registry_bytes, &g->cache, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "gateway.no_cache", &e);
}

static int
start(struct role_ctx *r, struct err *e)
{
	struct gateway *g = mem_zero(sizeof(*g));

	g->role = r;
	r->own = g;
	open_cache(g);
	return http_create(r->loop, &g->http, e);
}

static void
stop(struct role_ctx *r)
{
	struct gateway *g = r->own;

	while (g->boxes)
		box_destroy(g->boxes);
	http_destroy(g->http);
	cache_destroy(g->cache);
	forget_keys(g);
	free(g);
	r->own = NULL;
	role_done(r);
}

const struct role_spec ROLE_SPEC_GATEWAY = {
	.role = ROLE_GATEWAY,
	.net = CONFINE_NET_OUT,
	.resolves = true,
	.writes = WRITES,
	.files_max = 16384,
	.start = start,
	.on_msg = on_msg,
	.on_peer = on_peer,
	.stop = stop,
};
