/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_conn - one connection of a box: one request, one answer, the end.
 *
 * No second request on a connection: then nothing that comes after the first can be read as one by
 * somebody else. Nothing goes out before the whole request is here, so a slow box holds no
 * connection to a provider.
 */
#include "bot/gateway_conn.h"

#include "base/clean.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES     65536
#define BODY_BYTES_MAX MIB(32)
#define HELD_BYTES_MAX                                                                             \
	MIB(64)              /* of all bodies of one box: it must not eat the gateway's memory     \
			      */
#define OUT_BYTES_MAX MIB(1) /* an answer pauses far below */
#define OUT_LOW       KIB(64)
#define HEAD_MS_MAX   10000
#define BODY_MS_MAX   120000

static void
on_timer(void *ctx)
{
	struct gateway_conn *c = ctx;

	c->timer = NULL;
	if (c->state == CONN_ENDING)
		gateway_conn_destroy(c);
	else
		conn_answer(c, 408, "the request took too long");
}

static void
set_timer(struct gateway_conn *c, int64_t ms)
{
	loop_timer_remove(c->timer);
	c->timer = ms > 0 ? loop_timer_add(gateway_loop(c->box->g), ms, on_timer, c) : NULL;
}

/* ---- answering ---- */

void
conn_wants_write(struct gateway_conn *c)
{
	loop_io_set(c->io, c->out.len > 0 || c->ends_when_sent ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void
conn_said_all(struct gateway_conn *c)
{
	c->ends_when_sent = true;
	conn_wants_write(c);
}

void
conn_answer_with(
	struct gateway_conn *c, int status, const char *content_type, const struct buf *body)
{
	c->status = status;
	c->head_sent = true;
	(void)buf_addf(&c->out,
		"HTTP/1.1 %d \r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		status, content_type, body->len);
	if (!str_eq(c->route.method, "HEAD"))
		(void)buf_add(&c->out, body->data, body->len);
	/* What the box still sends is read for a moment: closing at once would reset the
	 * connection, and the answer with it. */
	c->state = CONN_ENDING;
	set_timer(c, LIMIT_DRAIN_MS);
	conn_said_all(c);
}

/* The shape of OpenAI's and Anthropic's errors, so that the CLIs show the text. */
void
conn_answer(struct gateway_conn *c, int status, const char *why)
{
	auto_buf struct buf body = BUF_INIT(KIB(4));

	(void)buf_adds(&body, "{\"type\":\"error\",\"error\":{\"type\":\"gateway\",\"message\":");
	(void)json_quote(&body, why, strlen(why));
	(void)buf_adds(&body, "}}\n");
	conn_answer_with(c, status, "application/json", &body);
}

/* False: the connection is gone. */
static bool
flush(struct gateway_conn *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			gateway_conn_destroy(c);
			return false;
		}
		c->box->bytes_out += n;
		buf_drop(&c->out, (size_t)n);
	}
	if (c->out.len == 0 && c->ends_when_sent) {
		if (c->state != CONN_ENDING) {
			gateway_conn_destroy(c);
			return false;
		}
		c->ends_when_sent = false;
		(void)shutdown(c->fd, SHUT_WR);
	}
	if (c->out.len < OUT_LOW && c->is_paused)
		conn_resume_upstream(c);
	conn_wants_write(c);
	return true;
}

/* ---- the request ---- */

/* False: it has its answer. */
static bool
admit_question(struct gateway_conn *c)
{
	auto_egress_body struct egress_body body = { 0 };
	const struct config_model *m =
		config_model_find(gateway_config(c->box->g), c->route.provider);
	struct err e = { 0 };
	int rc = egress_body_check(buf_str(&c->body), c->body.len, &body, &e);

	if (rc < 0 || !m) {
		conn_answer(c, rc == ERR_DENIED ? 403 : 400, rc < 0 ? e.text : "gone");
		return false;
	}
	egress_path_model(c->route.path, &body.models);
	if (str_eq(c->route.method, "POST") && !egress_models_ok(&m->allow, &body.models)) {
		conn_answer(c, 403, "this model is not allowed");
		return false;
	}
	return !egress_asks_model(c->route.endpoint) || meter_begin(c, m, &body);
}

static void
dispatch(struct gateway_conn *c)
{
	set_timer(c, 0);
	c->state = CONN_UPSTREAM;
	c->box->requests++;
	c->box->bytes_in += (int64_t)c->body.len;
	if (gateway_box_is_over(c->box)) {
		conn_answer(c, 403, "this task has had its share of the network");
		return;
	}
	if (c->route.kind == ROUTE_TUNNEL) {
		c->state = CONN_TUNNEL;
		tunnel_begin(c);
		if (c->in.len > 0)
			tunnel_early(c, c->in.data, c->in.len);
		return;
	}
	if (c->route.kind != ROUTE_MODEL || admit_question(c))
		conn_send_upstream(c);
}

/* Bytes of the body are in c->in. */
static void
take_body(struct gateway_conn *c)
{
	struct err e = { 0 };
	size_t used = 0;
	int done;

	if (c->is_chunked) {
		done = http1_chunks_feed(&c->chunks, c->in.data, c->in.len, &used, &c->body, &e);
	} else {
		used = (int64_t)c->in.len < c->body_left ? c->in.len : (size_t)c->body_left;
		done = buf_add(&c->body, c->in.data, used);
		c->body_left -= (int64_t)used;
		if (done == 0 && c->body_left == 0)
			done = 1;
	}
	c->box->held_bytes += c->body.len - c->held;
	c->held = c->body.len;
	if (c->box->held_bytes > HELD_BYTES_MAX) {
		conn_answer(c, 429, "too much is being sent at once");
		return;
	}
	if (done < 0) {
		conn_answer(c, done == ERR_LIMIT ? 413 : 400, "the body is too large or malformed");
		return;
	}
	buf_drop(&c->in, used);
	if (done)
		dispatch(c);
}

static bool
header_is(const struct http1_head *h, const char *name, const char *want)
{
	const struct http1_header *f = http1_header_get(h, name);

	return f && f->value_len >= strlen(want) && strncasecmp(f->value, want, strlen(want)) == 0;
}

/* What a body must be so that egress_body_check reads what the provider reads. */
static const char *
body_objection(const struct http1_head *h)
{
	if (http1_header_get(h, "content-encoding") &&
		!header_is(h, "content-encoding", "identity"))
		return "a packed body cannot be checked";
	if ((h->content_length > 0 || h->is_chunked) &&
		!header_is(h, "content-type", "application/json"))
		return "only JSON goes to a model";
	return NULL;
}

static void
head_done(struct gateway_conn *c, const struct http1_head *h)
{
	const char *objection = NULL;
	bool expects = header_is(h, "expect", "100-continue");

	gateway_route(gateway_config(c->box->g), c->box->rights, h, &c->route);
	if (c->route.blocked)
		gateway_box_blocked(c->box, c->route.blocked, c->route.why);
	if (c->route.kind == ROUTE_MODEL)
		objection = body_objection(h);
	c->minor = h->minor;
	c->is_chunked = h->is_chunked;
	c->body_left = h->content_length > 0 ? h->content_length : 0;
	buf_drop(&c->in, h->head_len); /* h is void from here */
	if (c->route.kind == ROUTE_REFUSED) {
		conn_answer(c, c->route.status, c->route.why);
	} else if (c->route.kind == ROUTE_HELLO) {
		conn_answer(c, 200, "hello");
	} else if (objection) {
		conn_answer(c, 415, objection);
	} else if (c->body_left > BODY_BYTES_MAX) {
		conn_answer(c, 413, "the body is too large");
	} else if (!c->is_chunked && c->body_left == 0) {
		dispatch(c);
	} else {
		c->state = CONN_BODY;
		set_timer(c, BODY_MS_MAX);
		if (expects && c->in.len == 0) {
			(void)buf_adds(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
			conn_wants_write(c);
		}
		if (c->in.len > 0)
			take_body(c);
	}
}

static void
take_head(struct gateway_conn *c)
{
	struct http1_head h;
	struct err e = { 0 };
	int rc = http1_head_parse(c->in.data, c->in.len, &h, &e);

	if (rc == 1)
		head_done(c, &h);
	else if (rc < 0)
		conn_answer(c, rc == ERR_LIMIT ? 431 : 400, e.text);
	else if (c->in.len > LIMIT_HEAD_BYTES)
		conn_answer(c, 431, "the head is too large");
}

/* ---- the socket ---- */

static void
take_bytes(struct gateway_conn *c, const char *data, size_t len)
{
	if (c->state == CONN_HEAD || c->state == CONN_BODY) {
		/* in holds less than a head before this, so it cannot be full. */
		(void)buf_add(&c->in, data, len);
		if (c->state == CONN_HEAD)
			take_head(c);
		else
			take_body(c);
		return;
	}
	if (c->state == CONN_TUNNEL) {
		tunnel_early(c, data, len);
		return;
	}
	c->drained += len;
	if (c->drained > LIMIT_DRAIN_BYTES)
		gateway_conn_destroy(c);
}

static void
on_io(void *ctx, int fd, uint32_t events)
{
	struct gateway_conn *c = ctx;
	char chunk[READ_BYTES];

	if ((events & EPOLLOUT) && !flush(c))
		return;
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n > 0)
		take_bytes(c, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		gateway_conn_destroy(c); /* nobody waits for the answer */
}

void
gateway_conn_create(struct gateway_box *b, int take_fd)
{
	struct gateway_conn *c = mem_zero(sizeof(*c));
	const int on = 1;

	/* A stream comes in small pieces, and each is wanted at once. */
	(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->box = b;
	c->fd = take_fd;
	buf_init(&c->in, LIMIT_HEAD_BYTES + READ_BYTES);
	buf_init(&c->body, BODY_BYTES_MAX);
	buf_init(&c->turning, OUT_BYTES_MAX);
	buf_init(&c->out, OUT_BYTES_MAX);
	c->next = b->conns;
	if (c->next)
		c->next->prev = c;
	b->conns = c;
	c->io = loop_io_add(gateway_loop(b->g), take_fd, EPOLLIN, on_io, c);
	set_timer(c, HEAD_MS_MAX);
}

void
gateway_conn_destroy(struct gateway_conn *c)
{
	struct gateway_box *b = c->box;

	tunnel_destroy(c->tunnel);
	conn_cancel_upstream(c);
	keep_done(c, false);
	meter_end(c, c->head_sent ? c->status : 0);
	set_timer(c, 0);
	b->held_bytes -= c->held;
	loop_io_remove(c->io);
	(void)close(c->fd);
	buf_finish(&c->in);
	buf_finish(&c->body);
	buf_finish(&c->turning);
	buf_finish(&c->out);
	route_finish(&c->route);
	if (c->prev)
		c->prev->next = c->next;
	else
		b->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
	gateway_box_conn_ended(b);
}
