/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier - see courier.h: the role, its forges, and what the queue asks of the API side.
 */
#include "bot/courier.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/courier_ensure.h"
#include "bot/roles.h"

#include <string.h>

#define STOP_MS_MAX  5000
#define STOP_LOOK_MS 50

/* ---- Forges ---- */

struct courier_forge *
courier_forge_find(struct courier *c, const char *name)
{
	for (struct courier_forge *f = c->forges; f; f = f->next) {
		if (f->is_configured && str_eq(f->conf.name, name))
			return f;
	}
	return NULL;
}

static bool
is_unchanged(const struct courier_forge *f, const struct config_forge *row)
{
	return f && (int)f->conf.kind == forge_kind_parse(row->kind) && f->app_id == row->app_id &&
	       str_eq(f->conf.url, row->url) && str_eq(f->conf.api_url, row->api_url);
}

static void
add_forge(struct courier *c, const struct config_forge *row)
{
	int kind = forge_kind_parse(row->kind);
	struct courier_forge *f;

	if (kind < 0)
		return;
	f = mem_zero(sizeof(*f));
	f->conf.kind = (enum forge_kind)kind;
	f->conf.name = mem_str(row->name);
	f->conf.url = mem_str(row->url);
	f->conf.api_url = mem_str(row->api_url);
	f->driver = forge_driver_get(f->conf.kind);
	f->app_id = row->app_id;
	f->is_configured = true;
	f->next = c->forges;
	c->forges = f;
}

/* What is no longer configured stays for the calls under way, but nobody finds it. */
static void
courier_on_config(struct role_ctx *r)
{
	struct courier *c = r->own;
	const struct config_forge *rows = r->config->forges.v;
	struct courier_forge *old = c->forges;

	for (struct courier_forge *f = old; f; f = f->next)
		f->is_configured = false;
	for (size_t i = 0; i < r->config->forges.n; i++) {
		struct courier_forge *f = old;

		while (f && !is_unchanged(f, &rows[i]))
			f = f->next;
		if (f)
			f->is_configured = true;
		else
			add_forge(c, &rows[i]);
	}
}

/* ---- What the queue asks ---- */

/* A question under way. */
struct question {
	struct courier *c;
	uint64_t id;
	int64_t effect;
	int64_t task;
	int64_t kind;
	char *repo;
};

static void
reply(struct courier *c, uint64_t id, const struct wire_answer *answer)
{
	const struct msg_out out = { .type = WIRE_ANSWER, .obj = answer };
	struct err e;

	if (msg_reply(role_link(c->role, ROLE_QUEUE), id, &out, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "courier.reply", &e);
}

static void
reply_code(struct courier *c, uint64_t id, int code, const char *text)
{
	auto_free char *copy = mem_str(text);
	const struct wire_answer answer = { .code = code, .text = copy };

	reply(c, id, &answer);
}

static void
log_outcome(const struct question *q, int rc, const struct err *e)
{
	const struct log_ctx ctx = { .task = q->task, .repo = q->repo };

	if (rc < 0 && e)
		log_warn(&ctx, "forge.failed", "op=%s effect=%lld code=%s error=\"%s\"",
			forge_op_name(q->kind), (long long)q->effect, err_name(rc), e->text);
	else if (q->effect)
		log_info(&ctx, "forge.done", "op=%s effect=%lld", forge_op_name(q->kind),
			(long long)q->effect);
}

static void
on_answer(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct question *q = ctx;
	auto_free char *text = rc < 0 && e ? mem_str(e->text) : NULL;
	const struct wire_answer answer = {
		.code = rc,
		.text = text,
		.retry_after_ms = a->retry_after_ms,
		.answer = { a, 1 },
		.items = a->items,
	};

	log_outcome(q, rc, e);
	reply(q->c, q->id, &answer);
	free(q->repo);
	free(q);
}

static struct question *
question_new(struct courier *c, uint64_t id, const struct forge_op *op)
{
	struct question *q = mem_zero(sizeof(*q));

	q->c = c;
	q->id = id;
	q->kind = op->kind;
	q->repo = mem_str(op->repo);
	return q;
}

static void
on_fact(struct courier *c, struct msg *m)
{
	const struct forge_op *op = m->obj;
	const struct courier_work work = { .forge = courier_forge_find(c, op->forge), .op = op };

	if (!work.forge)
		reply_code(c, m->id, ERR_INVALID, "no such forge is configured");
	else if (!forge_op_is_read(op->kind))
		reply_code(c, m->id, ERR_INVALID, "not a question");
	else
		courier_fact(c, &work, on_answer, question_new(c, m->id, op));
}

/* When we die the queue says itself that what it had sent us is unknown. */
static int64_t
unknown_since(const struct wire_effect *w)
{
	if (!w->was_unknown)
		return BUGGIFY("courier.unknown") ? clock_wall_ms() : 0;
	return w->unknown_ms > 0 ? w->unknown_ms : clock_wall_ms();
}

static void
log_dry(const struct wire_effect *w, const struct forge_op *op)
{
	const struct log_ctx ctx = { .task = w->task, .repo = op->repo };

	log_info(&ctx, "forge.dry_run", "op=%s", forge_op_name(op->kind));
}

static void
on_effect(struct courier *c, struct msg *m)
{
	const struct wire_effect *w = m->obj;
	const struct forge_op *op = w->op.n == 1 ? w->op.v : NULL;
	struct courier_effect effect = {
		.work = { .op = op, .bytes = m->blob, .n_bytes = m->blob_len },
		.id = w->effect,
		.unknown_ms = unknown_since(w),
	};
	struct question *q;

	if (op)
		effect.work.forge = courier_forge_find(c, op->forge);
	if (!op || !forge_op_is_write(op->kind)) {
		reply_code(c, m->id, ERR_INVALID, "not an effect");
	} else if (!effect.work.forge) {
		reply_code(c, m->id, ERR_INVALID, "no such forge is configured");
	} else if (c->role->config->dry_run) {
		log_dry(w, op);
		reply_code(c, m->id, 0, NULL);
	} else {
		q = question_new(c, m->id, op);
		q->effect = w->effect;
		q->task = w->task;
		courier_ensure(c, &effect, on_answer, q);
	}
}

static void
on_peace(struct courier *c, const struct wire_peace *p)
{
	struct courier_forge *f = courier_forge_find(c, p->forge);

	if (f)
		courier_keep_peace(c, f, p->installation_id, p->for_ms);
}

/* ---- The lease ---- */

bool
courier_lease_is_over(const struct courier *c)
{
	return c->lease_ends_ms > 0 && clock_boot_ms() >= c->lease_ends_ms;
}

/* What is under way ends with us, connections and children; the next courier begins anew. */
static void
on_lease_end(void *ctx)
{
	struct courier *c = ctx;

	c->lease_timer = NULL;
	if (courier_lease_is_over(c)) {
		log_error(NULL, "courier.lease_over", "the store was not reached for too long");
		role_done(c->role);
		return;
	}
	c->lease_timer = loop_timer_add(
		c->role->loop, c->lease_ends_ms - clock_boot_ms() + 1, on_lease_end, c);
}

static void
on_lease(struct courier *c, const struct wire_lease *lease)
{
	c->lease_ends_ms = lease->ends_ms;
	if (!c->lease_timer)
		on_lease_end(c);
}

/* ---- The role ---- */

static void
courier_on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	struct courier *c = r->own;

	if (m->type == WIRE_LEASE)
		on_lease(c, m->obj);
	else if (m->type == WIRE_PEACE)
		on_peace(c, m->obj);
	else if (m->type == WIRE_FACT)
		on_fact(c, m);
	else if (m->type == WIRE_EFFECT)
		on_effect(c, m);
	else
		(void)courier_git_msg(c, from, m); /* the permit table lets nothing else in */
}

static void
courier_on_peer(struct role_ctx *r, enum role peer, bool is_up)
{
	if (peer == ROLE_KEEPER && is_up)
		courier_keeper_changed(r->own);
}

static int
courier_start(struct role_ctx *r, struct err *e)
{
	struct courier *c = mem_zero(sizeof(*c));
	int rc;

	r->own = c;
	c->role = r;
	courier_on_config(r);
	rc = http_create(r->loop, &c->http, e);
	return rc < 0 ? rc : courier_git_start(c, e);
}

static void
wait_for_calls(void *ctx)
{
	struct courier *c = ctx;

	if (c->calls_open == 0 || loop_now_ms(c->role->loop) >= c->stop_until_ms)
		role_done(c->role);
	else
		(void)loop_timer_add(c->role->loop, STOP_LOOK_MS, wait_for_calls, c);
}

static void
courier_stop(struct role_ctx *r)
{
	struct courier *c = r->own;

	courier_git_stop(c);
	c->stop_until_ms = loop_now_ms(r->loop) + STOP_MS_MAX;
	wait_for_calls(c);
}

static const char *const WRITES[] = { "mirrors", "quarantine", NULL };

const struct role_spec ROLE_SPEC_COURIER = {
	.role = ROLE_COURIER,
	.net = CONFINE_NET_OUT,
	.may_exec = true,
	.resolves = true,
	.writes = WRITES,
	.start = courier_start,
	.on_msg = courier_on_msg,
	.on_config = courier_on_config,
	.on_peer = courier_on_peer,
	.stop = courier_stop,
};
