/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - base/http between the courier and the forge: what networks and forges do to requests.
 *
 * A request and its answer are two journeys. Each may be slow, either may be lost, and the forge
 * may do what it was asked after the asker has given up. So "no answer" means nothing here, as
 * everywhere.
 */
#include "tests/sim/forge.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FAULT_MILLE 300 /* of requests meet one, while there are any */
#define TIMEOUT_MS  30000
#define LATE_MS     800 /* what was given up may still be done so much later */

struct http {
	struct loop *l;
};

struct http_call {
	struct http *h;
	struct http_call *next;
	uint64_t id;
	http_cb *cb;
	void *ctx;
	struct loop_timer *timeout; /* gives up */
	struct loop_timer *arrival; /* the answer */
	struct http_reply reply;
};

/* On its way to the forge, or back. */
struct journey {
	struct journey *next;
	uint64_t id;         /* of the call */
	int64_t given_up_ms; /* 0: not yet */
	struct place_request q;
	char *has; /* the ETag of the answer that the asker has, or NULL */
	enum fate {
		FATE_FINE,
		FATE_ERROR_BEFORE, /* 5xx, and it was not done */
		FATE_ERROR_AFTER,  /* 5xx, and it was */
		FATE_NO_ANSWER,    /* done, and never answered */
		FATE_LOST,         /* not done, never answered */
		FATE_LIMIT,        /* not so fast */
		FATE_TRUNCATED,    /* done, half an answer */
		FATE_COUNT,
		FATE_TOKEN,   /* tokens are not known any more */
		FATE_REFUSED, /* no connection: surely not done */
	} fate;
};

static struct http_call *calls;
static struct journey *journeys;
static uint64_t last_id;

/* ---- what base/http.h promises beside calls ---- */

int
http_create(struct loop *l, struct http **out, struct err *e)
{
	(void)e;
	*out = mem_zero(sizeof(**out));
	(*out)->l = l;
	return 0;
}

void
http_destroy(struct http *h)
{
	http_wipe(h->l);
	free(h);
}

/* ---- calls ---- */

static struct http_call *
call_of(uint64_t id)
{
	struct http_call *c = calls;

	while (c && c->id != id)
		c = c->next;
	return c;
}

static void
call_free(struct http_call *c)
{
	struct http_call **at = &calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	for (struct journey *j = journeys; j; j = j->next) {
		if (j->id == c->id)
			j->given_up_ms = SIM.now_ms;
	}
	http_reply_finish(&c->reply);
	free(c);
}

/* The loop's timers are wiped with the loop. */
void
http_wipe(const struct loop *l)
{
	for (struct http_call *c = calls, *next; c; c = next) {
		next = c->next;
		if (c->h->l == l)
			call_free(c);
	}
}

static void
finish(struct http_call *c, const struct err *e)
{
	struct http_reply reply = c->reply;
	http_cb *cb = c->cb;
	void *ctx = c->ctx;

	c->reply = (struct http_reply){ 0 };
	call_free(c);
	cb(ctx, &reply, e);
	http_reply_finish(&reply);
}

static void
on_timeout(void *ctx)
{
	struct http_call *c = ctx;
	struct err e = { 0 };

	if (c->arrival)
		loop_timer_remove(c->arrival);
	http_reply_finish(&c->reply);
	c->reply.was_sent = true;
	(void)err_set(&e, ERR_TIMEOUT, "no answer");
	finish(c, &e);
}

static void
on_arrival(void *ctx)
{
	struct http_call *c = ctx;
	struct err e = { 0 };

	loop_timer_remove(c->timeout);
	if (c->reply.status == 0)
		(void)err_set(&e, ERR_BUSY, "no connection");
	finish(c, c->reply.status == 0 ? &e : NULL);
}

void
http_cancel(struct http_call *c)
{
	loop_timer_remove(c->timeout);
	loop_timer_remove(c->arrival);
	call_free(c);
}

/* ---- at the forge ---- */

static void
journey_free(struct journey *j)
{
	struct journey **at = &journeys;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	free(j->q.method);
	free(j->q.url);
	free(j->q.auth);
	free(j->q.body);
	free(j->has);
	free(j);
}

static void
refuse(struct place_reply *r, int status, const char *text)
{
	r->status = status;
	buf_reset(&r->body);
	(void)buf_addf(&r->body, "{\"message\":\"%s\"}", text);
}

static void
limit(struct http_reply *out, struct place_reply *r)
{
	int64_t wait_s = chance_in(1, chance_of(50) ? 600 : 30);

	if (chance_of(500)) {
		refuse(r, 429, "Too Many Requests");
		strs_addf(&out->headers, "retry-after: %lld", (long long)wait_s);
	} else {
		refuse(r, 403, "You have exceeded a secondary rate limit.");
		wait_s = 1;
	}
	if (place_now_ms() + wait_s * SECOND > PLACE.banned_until_ms)
		PLACE.banned_until_ms = place_now_ms() + wait_s * SECOND;
}

static void
serve(const struct journey *j, struct http_reply *out)
{
	struct place_reply r = { .body = BUF_INIT(8 << 20) };

	if (j->fate == FATE_TOKEN && j->q.auth) {
		PLACE.n_tokens = 0;
		refuse(&r, 401, "Bad credentials");
	} else if (j->fate == FATE_ERROR_BEFORE || j->fate == FATE_LOST) {
		refuse(&r, 502, "Bad Gateway");
	} else if (j->fate == FATE_LIMIT) {
		limit(out, &r);
	} else {
		place_serve(&j->q, &r);
		if (j->fate == FATE_ERROR_AFTER)
			refuse(&r, chance_of(500) ? 500 : 504, "Server Error");
		if (j->fate == FATE_TRUNCATED && r.body.len > 0)
			buf_cut(&r.body, r.body.len / 2);
	}
	sim_note("  forge %s %s -> %d%s", j->q.method, j->q.url, r.status,
		j->fate == FATE_NO_ANSWER || j->fate == FATE_LOST ? ", nobody hears it" : "");
	out->status = r.status;
	out->body = r.body;
}

/* What has not changed is not sent again. */
static void
tag(const struct journey *j, struct http_reply *out)
{
	uint64_t h = 14695981039346656037U;
	char text[32];

	if (!str_eq(j->q.method, "GET") || out->status != 200)
		return;
	for (size_t i = 0; i < out->body.len; i++)
		h = (h ^ (uint8_t)out->body.data[i]) * 1099511628211U;
	(void)snprintf(text, sizeof(text), "\"%016" PRIx64 "\"", h);
	strs_addf(&out->headers, "etag: %s", text);
	if (!str_eq(j->has, text))
		return;
	out->status = 304;
	buf_reset(&out->body);
}

static void
on_served(void *ctx)
{
	struct journey *j = ctx;
	struct http_reply reply = { 0 };

	if (j->given_up_ms > 0 && SIM.now_ms - j->given_up_ms > LATE_MS) {
		journey_free(j);
		return;
	}
	serve(j, &reply);
	if (j->fate == FATE_FINE)
		tag(j, &reply);
	struct http_call *c = call_of(j->id);
	if (c && j->fate != FATE_NO_ANSWER && j->fate != FATE_LOST) {
		c->reply = reply;
		c->arrival = loop_timer_add(c->h->l, chance_delay(30, 40000), on_arrival, c);
	} else {
		http_reply_finish(&reply);
	}
	journey_free(j);
}

/* ---- on the way ---- */

/* A write that is done and nobody knows is what everything here is about. */
static enum fate
choose_fate(bool is_write)
{
	static const enum fate UNKNOWN[] = { FATE_ERROR_AFTER, FATE_NO_ANSWER, FATE_TRUNCATED };

	if (!fault_of(FAULT_MILLE))
		return FATE_FINE;
	if (is_write && chance_of(500))
		return UNKNOWN[chance_in(0, 2)];
	if (chance_of(150))
		return FATE_REFUSED;
	if (chance_of(50))
		return FATE_TOKEN;
	return (enum fate)chance_in(FATE_FINE, FATE_COUNT - 1);
}

struct http_call *
http_send(struct http *h, struct http_request *take_r, http_cb *cb, void *ctx)
{
	struct http_call *c = mem_zero(sizeof(*c));
	struct journey *j = mem_zero(sizeof(*j));
	int64_t timeout = take_r->timeout_ms ? take_r->timeout_ms : TIMEOUT_MS;

	*c = (struct http_call){ .h = h, .next = calls, .id = ++last_id, .cb = cb, .ctx = ctx };
	calls = c;
	c->timeout = loop_timer_add(h->l, timeout, on_timeout, c);
	j->next = journeys;
	journeys = j;
	j->id = c->id;
	j->fate = choose_fate(!str_eq(take_r->method, "GET"));
	j->q.method = mem_str(take_r->method);
	j->q.url = mem_str(take_r->url);
	j->q.auth = mem_str(take_r->auth);
	j->q.body = take_r->body.len ? mem_str(buf_str(&take_r->body)) : NULL;
	for (size_t i = 0; i < take_r->headers.n; i++) {
		if (str_starts(take_r->headers.v[i], "If-None-Match: "))
			j->has = mem_str(strchr(take_r->headers.v[i], ' ') + 1);
	}
	http_request_finish(take_r);
	if (j->fate == FATE_REFUSED) {
		c->arrival = loop_timer_add(h->l, chance_delay(10, 5000), on_arrival, c);
		journey_free(j);
		return c;
	}
	int64_t way = chance_delay(50, timeout + LATE_MS);
	(void)loop_timer_add(sim_loop(), way, on_served, j);
	return c;
}

/* The core has no streams and no tunnels. */
struct http_call *
http_send_stream(struct http *h, struct http_request *take_r, const struct http_stream *s)
{
	(void)h, (void)take_r, (void)s;
	assert(!"a stream");
	return NULL;
}

struct http_call *
http_connect(struct http *h, const char *host, int port, http_connect_cb *cb, void *ctx)
{
	(void)h, (void)host, (void)port, (void)cb, (void)ctx;
	assert(!"a tunnel");
	return NULL;
}

void
http_call_resume(struct http_call *c)
{
	(void)c;
}
