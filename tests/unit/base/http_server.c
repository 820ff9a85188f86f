/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server on 127.0.0.1 that runs on the test's own loop and does what the test says, wrong things
 * included.
 */
#include "tests/unit/base/http_server.h"

#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct conn {
	struct conn *next;
	struct http_server *s;
	int fd;
	struct loop_io *io;
	struct buf in;
	struct buf out;
	enum http_server_next after;
};

struct http_server {
	struct loop *l;
	int fd;
	struct loop_io *io;
	http_server_cb *cb;
	void *ctx;
	struct conn *conns;
};

static void
conn_close(struct conn *c)
{
	struct conn **at = &c->s->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	loop_io_remove(c->io);
	(void)close(c->fd);
	buf_finish(&c->in);
	buf_finish(&c->out);
	free(c);
}

/* The length of the first request in data, 0 if it is not complete. */
static size_t
request_len(const struct buf *in)
{
	const char *end = strstr(buf_str(in), "\r\n\r\n");

	if (!end)
		return 0;
	size_t len = (size_t)(end - in->data) + 4;
	const char *length = strcasestr(in->data, "\r\nContent-Length:");
	if (length && length < end)
		len += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	return in->len >= len ? len : 0;
}

static void
answer(struct conn *c)
{
	size_t len;

	while (c->after == SERVER_KEEP && (len = request_len(&c->in)) > 0) {
		char *raw = mem_strn(c->in.data, len);

		buf_drop(&c->in, len);
		c->after = c->s->cb(c->s->ctx, raw, &c->out);
		free(raw);
	}
}

/* False: the connection is gone. */
static bool
flush(struct conn *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			conn_close(c);
			return false;
		}
		buf_drop(&c->out, (size_t)n);
	}
	if (c->out.len == 0 && c->after == SERVER_CLOSE) {
		conn_close(c);
		return false;
	}
	loop_io_set(c->io, c->out.len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return true;
}

static void
on_conn(void *ctx, int fd, uint32_t events)
{
	struct conn *c = ctx;
	char chunk[16384];

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			conn_close(c);
			return;
		}
		if (n > 0)
			assert(buf_add(&c->in, chunk, (size_t)n) == 0);
		answer(c);
	}
	(void)flush(c);
}

static void
on_listener(void *ctx, int fd, uint32_t events)
{
	struct http_server *s = ctx;
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (got < 0)
		return;
	struct conn *c = mem_zero(sizeof(*c));
	c->s = s;
	c->fd = got;
	buf_init(&c->in, MIB(64));
	buf_init(&c->out, MIB(64));
	c->next = s->conns;
	s->conns = c;
	c->io = loop_io_add(s->l, got, EPOLLIN, on_conn, c);
}

struct http_server *
http_server_create(struct loop *l, http_server_cb *cb, void *ctx)
{
	struct http_server *s = mem_zero(sizeof(*s));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	s->l = l;
	s->cb = cb;
	s->ctx = ctx;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert(s->fd >= 0);
	assert(bind(s->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->fd, 64) == 0);
	s->io = loop_io_add(l, s->fd, EPOLLIN, on_listener, s);
	return s;
}

void
http_server_destroy(struct http_server *s)
{
	if (!s)
		return;
	while (s->conns)
		conn_close(s->conns);
	loop_io_remove(s->io);
	(void)close(s->fd);
	free(s);
}

int
http_server_port(const struct http_server *s)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	assert(getsockname(s->fd, (struct sockaddr *)&a, &len) == 0);
	return ntohs(a.sin_port);
}

int
http_server_connections(const struct http_server *s)
{
	int n = 0;

	for (const struct conn *c = s->conns; c; c = c->next)
		n++;
	return n;
}
