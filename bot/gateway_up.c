/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_up - the request that goes out for a box, and its answer on the way back.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/gateway_conn.h"

#define OUT_HIGH           KIB(256)
#define MODEL_MS_MAX       1800000 /* a long answer streams for as long as a step may last */
#define CONNECT_TRIES_MORE 2
#define REGISTRY_MS_MAX    300000

static void
log_call(const struct gateway_conn *c, int status, const struct err *e)
{
	const struct log_ctx ctx = { .task = c->box->task };
	enum log_level level = c->route.kind == ROUTE_MODEL ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;

	if (status == 0)
		log_err(LOG_LEVEL_WARN, &ctx, "gateway.no_answer", e);
	else
		log_write(level, &ctx, "gateway.call", "to=%s status=%d",
			c->route.provider ? c->route.provider : "registry", status);
}

/* ---- the answer ---- */

static bool
turns(const struct gateway_conn *c)
{
	return c->route.rewrites[0].from != NULL;
}

void
conn_up_head(struct gateway_conn *c, const struct http_reply *r)
{
	bool has_body = r->status != 204 && r->status != 304 && !str_eq(c->route.method, "HEAD");
	/* What is turned changes its length. */
	const char *length = turns(c) ? NULL : http_reply_header(r, "content-length");

	c->status = r->status;
	c->head_sent = true;
	c->chunks_out = has_body && !length && c->minor == 1;
	(void)buf_addf(&c->out, "HTTP/1.1 %d \r\n", r->status);
	for (size_t i = 0; i < r->headers.n; i++) {
		const char *line = r->headers.v[i];

		if (egress_reply_header_passes(line, strcspn(line, ":")))
			(void)buf_addf(&c->out, "%s\r\n", line);
	}
	if (length)
		(void)buf_addf(&c->out, "content-length: %s\r\n", length);
	if (c->chunks_out)
		(void)buf_adds(&c->out, "transfer-encoding: chunked\r\n");
	(void)buf_adds(&c->out, "connection: close\r\n\r\n");
	conn_wants_write(c);
}

static void
on_head(void *ctx, const struct http_reply *r)
{
	struct gateway_conn *c = ctx;

	keep_head(c, r);
	conn_up_head(c, r);
}

static void
send_piece(struct gateway_conn *c, const char *data, size_t len)
{
	if (len == 0)
		return; /* an empty chunk would be the end */
	if (c->chunks_out)
		(void)buf_addf(&c->out, "%zx\r\n", len);
	(void)buf_add(&c->out, data, len);
	if (c->chunks_out)
		(void)buf_adds(&c->out, "\r\n");
}

static void
send_turned(struct gateway_conn *c, bool is_last)
{
	auto_buf struct buf turned = BUF_INIT(OUT_HIGH);

	(void)route_rewrite(&c->route, &c->turning, is_last, &turned);
	send_piece(c, buf_str(&turned), turned.len);
}

/* The budget is used up in the middle of the answer. */
static void
cut_answer(struct gateway_conn *c)
{
	auto_buf struct buf last = BUF_INIT(KIB(4));

	meter_last_event(c, &last);
	send_piece(c, buf_str(&last), last.len);
	/* Without a last word of ours it ends as one that broke off. */
	if (last.len > 0 && c->chunks_out)
		(void)buf_adds(&c->out, "0\r\n\r\n");
	conn_cancel_upstream(c);
	meter_end(c, c->status);
	conn_said_all(c);
}

bool
conn_has_room(const struct gateway_conn *c)
{
	return c->out.len <= OUT_HIGH;
}

/* A piece of curl's is at most 16 KiB, so out, which has room for a megabyte, is never full. */
int
conn_up_data(struct gateway_conn *c, const char *data, size_t len)
{
	if (!conn_has_room(c)) {
		c->is_paused = true;
		return ERR_BUSY;
	}
	if (turns(c)) {
		(void)buf_add(&c->turning, data, len);
		send_turned(c, false);
	} else {
		send_piece(c, data, len);
	}
	conn_wants_write(c);
	return c->out.is_full || c->turning.is_full ? ERR_LIMIT : 0;
}

static int
on_data(void *ctx, const char *data, size_t len)
{
	struct gateway_conn *c = ctx;
	int rc = conn_up_data(c, data, len);

	if (rc == ERR_BUSY)
		return rc;
	keep_data(c, data, len);
	if (!meter_feed(c, data, len)) {
		cut_answer(c);
		return ERR_LIMIT;
	}
	return rc;
}

/* An answer that broke off ends without its last chunk, or short of its length: the box must not
 * take it for a whole one. */
void
conn_up_end(struct gateway_conn *c, bool is_whole)
{
	if (is_whole && turns(c))
		send_turned(c, true);
	if (is_whole && c->chunks_out)
		(void)buf_adds(&c->out, "0\r\n\r\n");
	conn_said_all(c);
}

static void
on_done(void *ctx, const struct http_reply *r, const struct err *e)
{
	struct gateway_conn *c = ctx;

	c->call = NULL;
	log_call(c, r->status, e);
	keep_done(c, r->status != 0);
	/* What was never sent cost nothing. */
	if (c->head_sent)
		meter_end(c, c->status);
	else
		meter_end(c, r->was_sent ? 0 : 502);
	if (r->status == 0 && !c->head_sent)
		conn_answer(c, 502, "no answer from upstream");
	else
		conn_up_end(c, r->status != 0);
}

/* ---- the request ---- */

static void
send_request(struct gateway_conn *c, const char *key)
{
	struct http *http = gateway_http(c->box->g);
	const struct http_stream stream = { on_head, on_data, on_done, c };
	struct http_request r = {
		.method = c->route.method,
		.url = mem_str(c->route.url),
		.timeout_ms = REGISTRY_MS_MAX,
		.follow = c->route.kind == ROUTE_REGISTRY,
		.stays_public = true,
		.tries_more = CONNECT_TRIES_MORE,
	};

	strs_copy(&r.headers, &c->route.headers);
	if (c->route.kind == ROUTE_MODEL) {
		/* Not followed: the key goes to the configured host and nowhere else. */
		r.auth_name = egress_key_header(c->route.api);
		r.auth = mem_fmt("%s%s", egress_key_prefix(c->route.api), key);
		r.timeout_ms = MODEL_MS_MAX;
		r.body = c->body;
		c->body = (struct buf){ 0 };
	}
	c->call = http_send_stream(http, &r, &stream);
}

static void
on_key(void *ctx, const char *key, const struct err *e)
{
	struct gateway_conn *c = ctx;

	c->key_id = 0;
	if (key) {
		send_request(c, key);
		return;
	}
	log_err(LOG_LEVEL_ERROR, &(struct log_ctx){ .task = c->box->task }, "gateway.no_key", e);
	conn_answer(c, 502, "no key for this provider");
}

void
conn_send_upstream(struct gateway_conn *c)
{
	if (c->route.kind == ROUTE_MODEL)
		c->key_id = gateway_key(c->box->g, c->route.provider, on_key, c);
	else if (!keep_begin(c))
		send_request(c, NULL);
}

void
conn_cancel_upstream(struct gateway_conn *c)
{
	if (c->key_id)
		gateway_key_cancel(c->box->g, c->key_id);
	if (c->call)
		http_cancel(c->call);
	c->key_id = 0;
	c->call = NULL;
}

void
conn_resume_upstream(struct gateway_conn *c)
{
	c->is_paused = false;
	if (c->call)
		http_call_resume(c->call);
	keep_resume(c);
}
