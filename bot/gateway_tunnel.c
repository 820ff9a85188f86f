/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_tunnel - CONNECT: a box's own TLS to a host that is open to it.
 */
#include "bot/gateway_tunnel.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/gateway_conn.h"
#include "sandbox/egress_hello.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES  KIB(128) /* of each direction */
#define PIECE_BYTES   KIB(32)
#define HELLO_MS_MAX  10000
#define SILENT_MS_MAX 600000

/* One end. What was read from it waits in buf until the other end takes it. */
struct side {
	struct gateway_tunnel *t;
	int fd;
	struct loop_io *io;
	struct buf buf;
	bool has_ended; /* no more comes from it */
	bool is_told;   /* that no more comes to it */
};

struct gateway_tunnel {
	struct gateway_conn *c;
	struct http_call *call;
	struct loop_timer *timer;
	struct side box;
	struct side host;
	bool has_hello;
};

static bool
is_open(const struct gateway_tunnel *t)
{
	return t->host.fd >= 0;
}

static struct side *
other(struct side *s)
{
	return s == &s->t->box ? &s->t->host : &s->t->box;
}

static void
on_silence(void *ctx)
{
	struct gateway_tunnel *t = ctx;

	t->timer = NULL;
	gateway_conn_destroy(t->c);
}

static void
set_timer(struct gateway_tunnel *t, int64_t ms)
{
	loop_timer_remove(t->timer);
	t->timer = loop_timer_add(gateway_loop(t->c->box->g), ms, on_silence, t);
}

/* ---- the hello ---- */

/* False: the tunnel is closed. */
static bool
check_hello(struct gateway_tunnel *t)
{
	char name[EGRESS_HOST_BYTES];
	struct err e = { 0 };
	int rc = egress_hello_read((const uint8_t *)buf_str(&t->box.buf), t->box.buf.len, name, &e);

	if (rc == 0 && !t->box.has_ended)
		return true;
	if (rc == 1 && str_eq(name, t->c->route.host)) {
		t->has_hello = true;
		set_timer(t, SILENT_MS_MAX);
		return true;
	}
	gateway_box_blocked(t->c->box, rc == 1 ? name : t->c->route.host,
		rc == 1  ? "its name in a tunnel to another host"
		: rc < 0 ? e.text
			 : "the tunnel was closed without TLS");
	gateway_conn_destroy(t->c);
	return false;
}

/* ---- bytes ---- */

static void
watch(struct side *s)
{
	struct side *from = other(s);
	bool may_read = !s->has_ended && s->buf.len < BUFFER_BYTES;
	bool has_news = from->buf.len > 0 && (from != &s->t->box || s->t->has_hello);

	loop_io_set(s->io, (may_read ? EPOLLIN : 0) | (has_news ? EPOLLOUT : 0));
}

/* -1: the connection broke. */
static int
read_some(struct side *s)
{
	char piece[PIECE_BYTES];
	ssize_t n = recv(s->fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->has_ended = n == 0;
	if (s == &s->t->box)
		s->t->c->box->bytes_in += n;
	else
		s->t->c->box->bytes_out += n;
	return buf_add(&s->buf, piece, (size_t)n) < 0 ? -1 : 0;
}

/* To s, what the other side has sent. -1: the connection broke. */
static int
write_some(struct side *s)
{
	struct side *from = other(s);

	if (from == &s->t->box && !s->t->has_hello)
		return 0;
	if (from->buf.len > 0) {
		ssize_t n = send(s->fd, from->buf.data, from->buf.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		buf_drop(&from->buf, (size_t)n);
	}
	if (from->buf.len == 0 && from->has_ended && !s->is_told) {
		s->is_told = true;
		(void)shutdown(s->fd, SHUT_WR);
	}
	return 0;
}

/* The connection, and t with it, may be gone after this. */
static void
pump(struct side *s, bool may_read)
{
	struct gateway_tunnel *t = s->t;
	int rc = 0;

	if (may_read && !s->has_ended && s->buf.len < BUFFER_BYTES)
		rc = read_some(s);
	if (rc == 0 && s == &t->box && !t->has_hello && !check_hello(t))
		return;
	if (rc == 0)
		rc = write_some(&t->host);
	if (rc == 0)
		rc = write_some(&t->box);
	if (rc < 0 || (t->box.is_told && t->host.is_told) || gateway_box_is_over(t->c->box)) {
		gateway_conn_destroy(t->c);
		return;
	}
	if (t->has_hello)
		set_timer(t, SILENT_MS_MAX);
	watch(&t->box);
	watch(&t->host);
}

static void
on_side(void *ctx, int fd, uint32_t events)
{
	(void)fd;
	pump(ctx, (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0);
}

/* ---- begin and end ---- */

static void
side_init(struct side *s, struct gateway_tunnel *t, int fd)
{
	s->t = t;
	s->fd = fd;
	buf_init(&s->buf, BUFFER_BYTES + PIECE_BYTES);
}

static void
open_tunnel(struct gateway_tunnel *t, int take_fd)
{
	static const char yes[] = "HTTP/1.1 200 \r\n\r\n";
	struct gateway_conn *c = t->c;
	struct loop *l = gateway_loop(c->box->g);
	const int on = 1;

	log_info(&(struct log_ctx){ .task = c->box->task }, "gateway.tunnel", "host=%s",
		c->route.host);
	(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	t->host.fd = take_fd;
	/* From here on the box's descriptor is watched by us. */
	loop_io_remove(c->io);
	c->io = NULL;
	(void)buf_add(&t->host.buf, yes, strlen(yes));
	t->box.io = loop_io_add(l, t->box.fd, EPOLLIN | EPOLLOUT, on_side, &t->box);
	t->host.io = loop_io_add(l, t->host.fd, EPOLLIN, on_side, &t->host);
	set_timer(t, HELLO_MS_MAX);
}

static void
on_connected(void *ctx, int take_fd, const struct err *e)
{
	struct gateway_tunnel *t = ctx;
	struct gateway_conn *c = t->c;

	t->call = NULL;
	if (take_fd >= 0) {
		open_tunnel(t, take_fd);
		return;
	}
	log_err(LOG_LEVEL_WARN, &(struct log_ctx){ .task = c->box->task }, "gateway.no_tunnel", e);
	if (e->code == ERR_DENIED) {
		gateway_box_blocked(c->box, c->route.host, "it leads to a private address");
		conn_answer(c, 403, "this host leads to a private address");
	} else {
		conn_answer(c, 502, "this host cannot be reached");
	}
}

void
tunnel_begin(struct gateway_conn *c)
{
	struct gateway_tunnel *t = mem_zero(sizeof(*t));

	c->tunnel = t;
	t->c = c;
	side_init(&t->box, t, c->fd);
	side_init(&t->host, t, -1);
	t->call =
		http_connect(gateway_http(c->box->g), c->route.host, EGRESS_PORT, on_connected, t);
}

void
tunnel_early(struct gateway_conn *c, const char *data, unsigned long len)
{
	if (is_open(c->tunnel) || c->tunnel->box.buf.len + len > BUFFER_BYTES)
		gateway_conn_destroy(c);
	else
		(void)buf_add(&c->tunnel->box.buf, data, len);
}

void
tunnel_destroy(struct gateway_tunnel *t)
{
	if (!t)
		return;
	if (t->call)
		http_cancel(t->call);
	loop_timer_remove(t->timer);
	loop_io_remove(t->box.io);
	loop_io_remove(t->host.io);
	if (t->host.fd >= 0)
		(void)close(t->host.fd);
	buf_finish(&t->box.buf);
	buf_finish(&t->host.buf);
	free(t);
}
