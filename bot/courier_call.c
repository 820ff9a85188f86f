/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_call - see courier_call.h.
 */
#include "bot/courier_call.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/courier_budget.h"
#include "bot/courier_etag.h"
#include "forge/retry.h"

#include <inttypes.h>
#include <string.h>

#define READ_TRIES_MAX     3
#define READ_BACKOFF_MS    500
#define BUDGET_WAIT_MS_MAX 5000 /* longer: the queue is told when to come back */
#define ATTACH_MS_MAX      120000
#define FRESH_TOKEN_MS     5000 /* GitHub's replicas learn of a new token within seconds */
#define FRESH_TRIES_MAX    4
#define FRESH_WAIT_MS      1000
#define LIMIT_WAIT_MS      60000 /* "wait for at least one minute", docs.github.com */
#define STEPS_MAX          200   /* requests of one operation, all pages and steps together */

/* The budget of one installation, or of one token. */
struct courier_budgets {
	struct courier_forge *forge;
	int64_t installation_id;
	struct budget budget;
	struct courier_budgets *next;
};

struct call {
	struct courier *c;
	struct courier_forge *forge;
	struct forge_op op;
	struct buf bytes;
	struct forge_answer answer;
	struct http_request request; /* the step's, while it waits for its turn */
	char *url;                   /* of a GET under way, for its ETag */
	uint64_t etag;               /* which answer it was sent with */
	char *token;                 /* it is sent with */
	int64_t token_age_ms;
	courier_call_cb *cb;
	void *ctx;
	int n_requests;
	int read_tries;
	int fresh_tries;
	bool is_renewed; /* the token was refused once and asked for again */
	bool is_write;   /* the request changes something */
};

static void begin(void *ctx);

static struct budget *
budget_find(struct courier *c, struct courier_forge *f, int64_t installation_id)
{
	struct courier_budgets *b = c->budgets;

	while (b && (b->forge != f || b->installation_id != installation_id))
		b = b->next;
	if (!b) {
		b = mem_zero(sizeof(*b));
		b->forge = f;
		b->installation_id = installation_id;
		b->budget.blocked_until_ms = f->peace_until_ms;
		b->next = c->budgets;
		c->budgets = b;
	}
	return &b->budget;
}

static struct budget *
budget_of(struct call *call)
{
	return budget_find(call->c, call->forge, call->op.installation_id);
}

void
courier_keep_peace(
	struct courier *c, struct courier_forge *f, int64_t installation_id, int64_t for_ms)
{
	int64_t until_ms = clock_boot_ms() + for_ms;

	budget_block(budget_find(c, f, installation_id), until_ms);
	if (installation_id != 0)
		return;
	if (until_ms > f->peace_until_ms)
		f->peace_until_ms = until_ms;
	for (struct courier_budgets *b = c->budgets; b; b = b->next) {
		if (b->forge == f)
			budget_block(&b->budget, until_ms);
	}
}

void
courier_budgets_destroy(struct courier *c)
{
	while (c->budgets) {
		struct courier_budgets *next = c->budgets->next;

		free(c->budgets);
		c->budgets = next;
	}
}

static void
drop_token(struct call *call)
{
	if (call->token)
		mem_wipe(call->token, strlen(call->token));
	free(steal_ptr(&call->token));
}

static void
finish(struct call *call, int rc, const struct err *e)
{
	call->c->calls_open--;
	call->cb(call->ctx, rc, &call->answer, e);
	drop_token(call);
	free(call->url);
	http_request_finish(&call->request);
	buf_finish(&call->bytes);
	forge_op_finish(&call->op);
	forge_answer_finish(&call->answer);
	free(call);
}

static void
again_in(struct call *call, int64_t ms, loop_cb *cb)
{
	(void)loop_timer_add(call->c->role->loop, ms, cb, call);
}

static struct courier_need
need_of(const struct call *call)
{
	return (struct courier_need){
		.forge = call->forge,
		.kind = forge_auth_of(call->forge->driver, &call->op),
		.installation_id = call->op.installation_id,
		.repo_id = call->op.repo_id,
		.repo = call->op.repo,
	};
}

static struct etag_key
etag_key_of(const struct call *call)
{
	return (struct etag_key){ call->forge, call->op.installation_id, call->url, call->etag };
}

/* ---- The reply ---- */

/* A JWT of the wrong time is signed anew, for the forge's clock. */
static void
look_at_clock(const struct call *call, const struct http_reply *r)
{
	const struct forge_driver *d = call->forge->driver;
	int64_t there_ms = d->app_refused_time ? d->app_refused_time(r) : 0;

	if (there_ms)
		courier_clock_refused(call->forge, there_ms);
}

/* 401: a token that is seconds old is not known everywhere yet; an older one is asked for anew,
 * once. True if the request will be sent again. */
static bool
retry_refused(struct call *call, const struct http_reply *r)
{
	const struct courier_need need = need_of(call);

	if (r->status != 401 || need.kind == FORGE_AUTH_NONE || !call->token)
		return false;
	if (call->forge->app_id && need.kind == FORGE_AUTH_TOKEN &&
		call->token_age_ms < FRESH_TOKEN_MS && call->fresh_tries < FRESH_TRIES_MAX) {
		again_in(call, FRESH_WAIT_MS << (call->fresh_tries > 1), begin);
		call->fresh_tries++;
		return true;
	}
	if (call->is_renewed)
		return false;
	if (need.kind == FORGE_AUTH_JWT)
		look_at_clock(call, r);
	call->is_renewed = true;
	courier_token_refused(call->c, &need, call->token);
	again_in(call, 0, begin);
	return true;
}

/* A write that got no answer, or one that says nothing, may have happened. */
static int
write_outcome(const struct http_reply *r, int rc)
{
	if (rc == ERR_TIMEOUT || rc == ERR_PROTOCOL || r->status >= 500)
		return ERR_TIMEOUT;
	return rc;
}

/* A read can be asked again, and has no unknown outcome. True if it will be. */
static bool
retry_read(struct call *call, int rc)
{
	if ((rc != ERR_BUSY && rc != ERR_TIMEOUT && rc != ERR_PROTOCOL) || BUGGIFY("call.once"))
		return false;
	if (call->answer.retry_after_ms || ++call->read_tries >= READ_TRIES_MAX)
		return false;
	again_in(call, READ_BACKOFF_MS << call->read_tries, begin);
	return true;
}

/* A token is not refused so for what it may not do (403), but because the forge does not know it
 * (yet, or for a moment). That says nothing about who asked for what. */
static bool
is_unknown_token(const struct call *call, const struct http_reply *r)
{
	return r->status == 401 && need_of(call).kind == FORGE_AUTH_TOKEN;
}

/* A limit without a word about its end. */
static bool
is_limit(const struct http_reply *r)
{
	return r->status == 403 || r->status == 429;
}

static void
fail(struct call *call, const struct http_reply *r, int rc, struct err *e)
{
	if (is_unknown_token(call, r))
		rc = ERR_BUSY;
	if (rc == ERR_BUSY && !call->answer.retry_after_ms && is_limit(r))
		call->answer.retry_after_ms = LIMIT_WAIT_MS;
	if (rc == ERR_BUSY && call->answer.retry_after_ms)
		budget_block(budget_of(call), clock_boot_ms() + call->answer.retry_after_ms);
	if (!call->is_write && retry_read(call, rc))
		return;
	if (call->is_write)
		rc = write_outcome(r, rc);
	else if (rc == ERR_TIMEOUT || rc == ERR_PROTOCOL)
		rc = ERR_BUSY;
	e->code = rc;
	finish(call, rc, e);
}

static int
read_reply(struct call *call, const struct http_reply *r, struct err *e)
{
	int rc =
		forge_read(call->forge->driver, &call->forge->conf, &call->op, r, &call->answer, e);

	if (rc == 0 && call->is_write && BUGGIFY("call.write_lost"))
		rc = err_set(e, ERR_TIMEOUT, "buggify");
	return rc;
}

static void
on_reply(void *ctx, struct http_reply *r, const struct err *why)
{
	struct call *call = ctx;
	const struct etag_key key = etag_key_of(call);
	struct err e = { 0 };
	int rc;

	/* The last one that was free says so, too. */
	int64_t spent_ms = retry_spent_ms(r);
	if (spent_ms > 0)
		budget_block(budget_of(call), clock_boot_ms() + spent_ms);
	if (retry_refused(call, r))
		return;
	if (call->url)
		etag_answer(&call->c->etags, &key, r);
	if (r->status == 304 && call->url && ++call->read_tries < READ_TRIES_MAX) {
		begin(call); /* other answers came meanwhile, and ours was put aside for them */
		return;
	}
	rc = read_reply(call, r, &e);
	if (call->op.kind == OP_TOKEN && r->body.len)
		mem_wipe(r->body.data, r->body.len);
	if (rc < 0) {
		if (call->url)
			etag_forget(call->c->etags, &key);
		if (r->status == 0 && why)
			(void)err_set(&e, rc, "%s: %s", forge_op_name(call->op.kind), why->text);
		fail(call, r, rc, &e);
	} else if (rc == 0) {
		finish(call, 0, &e);
	} else if (++call->n_requests > STEPS_MAX) {
		finish(call, err_set(&e, ERR_LIMIT, "more than %d requests", STEPS_MAX), &e);
	} else {
		call->read_tries = 0;
		begin(call);
	}
}

/* ---- The request ---- */

static void
send_request(void *ctx)
{
	struct call *call = ctx;
	struct budget *b = budget_of(call);
	int64_t now = clock_boot_ms();
	int64_t wait = call->is_write ? budget_write_wait_ms(b, now) : budget_read_wait_ms(b, now);
	struct err e;

	if (BUGGIFY("call.budget"))
		wait += BUDGET_WAIT_MS_MAX / 2;
	if (wait > BUDGET_WAIT_MS_MAX) {
		call->answer.retry_after_ms = wait;
		finish(call,
			err_set(&e, ERR_BUSY, "%s: waits %" PRId64 " s for the forge's limits",
				forge_op_name(call->op.kind), wait / 1000),
			&e);
		return;
	}
	if (wait) {
		again_in(call, wait, send_request);
		return;
	}
	if (call->is_write)
		budget_write(b, now);
	(void)http_send(call->c->http, &call->request, on_reply, call);
}

/* A GET says which answer we have. */
static void
ask_changed(struct call *call)
{
	struct etag_key key;

	mem_set(&call->url, strcmp(call->request.method, "GET") == 0 ? call->request.url : NULL);
	if (!call->url)
		return;
	key = etag_key_of(call);
	call->etag = etag_ask(call->c->etags, &key, &call->request);
}

static void
build_request(struct call *call)
{
	const struct forge_driver *d = call->forge->driver;
	struct http_request *q = &call->request;
	auto_buf struct buf auth = BUF_INIT(KIB(16));
	struct err e;
	int rc;

	http_request_finish(q);
	*q = (struct http_request){ .follow = true };
	if (call->op.kind == OP_ATTACH) {
		q->timeout_ms = ATTACH_MS_MAX;
		buf_init(&q->body, call->bytes.len);
		(void)buf_add(&q->body, buf_str(&call->bytes), call->bytes.len);
	}
	rc = forge_build(d, &call->forge->conf, &call->op, q, &e);
	if (rc < 0) {
		finish(call, rc, &e);
		return;
	}
	if (call->token) {
		d->auth_value(call->token, forge_auth_of(d, &call->op) == FORGE_AUTH_JWT, &auth);
		q->auth = buf_steal(&auth);
	}
	call->is_write = forge_op_is_write(call->op.kind) && strcmp(q->method, "GET") != 0;
	if (call->is_write && courier_lease_is_over(call->c)) {
		(void)err_set(&e, ERR_BUSY, "the lease of this node is over");
		finish(call, ERR_BUSY, &e);
		return;
	}
	ask_changed(call);
	send_request(call);
}

static void
on_token(void *ctx, const char *token, int64_t age_ms, const struct err *e)
{
	struct call *call = ctx;
	const struct courier_need need = need_of(call);

	if (!token) {
		finish(call, e->code, e);
		return;
	}
	drop_token(call);
	call->token = mem_str(token);
	call->token_age_ms = age_ms;
	if (!call->op.installation_id) /* the dialect asks it whether we are an App */
		call->op.installation_id = courier_token_installation(call->c, &need);
	build_request(call);
}

static void
begin(void *ctx)
{
	struct call *call = ctx;
	const struct courier_need need = need_of(call);

	if (call->token && BUGGIFY("call.token"))
		courier_token_refused(call->c, &need, call->token);
	if (need.kind == FORGE_AUTH_NONE) {
		drop_token(call);
		build_request(call);
	} else {
		courier_token(call->c, &need, on_token, call);
	}
}

void
courier_call(struct courier *c, const struct courier_work *work, courier_call_cb *cb, void *ctx)
{
	struct call *call = mem_zero(sizeof(*call));

	call->c = c;
	call->forge = work->forge;
	row_copy(FORGE_OP_ROWS, &call->op, work->op);
	buf_init(&call->bytes, work->n_bytes);
	(void)buf_add(&call->bytes, work->bytes, work->n_bytes);
	call->cb = cb;
	call->ctx = ctx;
	c->calls_open++;
	begin(call);
}
