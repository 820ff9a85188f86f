/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - accepts connections and lets in those whose head passes the guard.
 *
 * TCP_DEFER_ACCEPT makes the kernel hand over a connection when its first bytes are there, so most
 * heads are complete at the first look and never cost an epoll entry of their own.
 */
#define _GNU_SOURCE
#include "web/door.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "web/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define LISTENERS_MAX     4
#define HEAD_MS_MAX       10000
#define ACCEPTS_PER_ROUND 64
#define ACCEPT_PAUSE_MS   100
#define DEFER_S           5
#define HEAD_BYTES_USUAL  2048 /* looked at first: the body behind would only be copied */

struct listener {
	int fd;
	struct loop_io *io;
};

/* A connection whose head is not complete. */
struct visitor {
	struct door *door;
	struct visitor *newer, *older;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

struct door {
	struct loop *loop;
	door_cb *cb;
	void *ctx;
	size_t waiting_max;
	size_t n_waiting;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct loop_timer *pause;
	struct visitor *newest, *oldest;
	int spare_fd; /* for the time when there is no other */
	char head[LIMIT_HEAD_BYTES];
};

static void
visitor_forget(struct visitor *v)
{
	struct door *d = v->door;

	loop_io_remove(v->io);
	loop_timer_remove(v->timer);
	*(v->newer ? &v->newer->older : &d->newest) = v->older;
	*(v->older ? &v->older->newer : &d->oldest) = v->newer;
	d->n_waiting--;
	free(v);
}

static void
refuse(int fd, int status, const char *reason)
{
	char text[256];
	int len = snprintf(text, sizeof(text),
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: "
		"close\r\n%s\r\n",
		status, reason, status == 503 ? "Retry-After: 5\r\n" : "");

	/* The answer is a courtesy; a client that does not take it loses nothing. */
	(void)send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

enum look { LOOK_WAIT, LOOK_ADMIT, LOOK_GONE };

static ssize_t
peek(struct door *d, int fd, size_t bytes, enum guard_verdict *verdict, struct err *e)
{
	ssize_t n = recv(fd, d->head, bytes, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		*verdict = guard_head(d->head, (size_t)n, e);
	return n;
}

/* Looks at what has come. LOOK_GONE: refused, the descriptor is closed. */
static enum look
look(struct door *d, int fd)
{
	enum guard_verdict verdict = GUARD_MORE;
	struct err e = { 0 };
	ssize_t n = peek(d, fd, HEAD_BYTES_USUAL, &verdict, &e);

	if (n == HEAD_BYTES_USUAL && verdict == GUARD_MORE)
		n = peek(d, fd, sizeof(d->head), &verdict, &e);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LOOK_WAIT;
	if (n <= 0) {
		(void)close(fd);
		return LOOK_GONE;
	}
	switch (verdict) {
	case GUARD_MORE:
		return LOOK_WAIT;
	case GUARD_PASS:
		return LOOK_ADMIT;
	case GUARD_REFUSE:
		log_err(LOG_LEVEL_WARN, NULL, "web.head_refused", &e);
		refuse(fd, 400, "Bad Request");
		return LOOK_GONE;
	case GUARD_TOO_LARGE:
		refuse(fd, 431, "Request Header Fields Too Large");
		return LOOK_GONE;
	}
	return LOOK_WAIT;
}

static void
on_visitor(void *ctx, int fd, uint32_t events)
{
	struct visitor *v = ctx;
	struct door *d = v->door;
	struct sockaddr_storage peer = v->peer;
	socklen_t peer_len = v->peer_len;
	enum look seen = look(d, fd);

	(void)events;
	if (seen == LOOK_WAIT)
		return;
	/* Who serves the connection watches the descriptor with an epoll of its own, so ours lets
	 * go of it first. */
	visitor_forget(v);
	if (seen == LOOK_ADMIT)
		d->cb(d->ctx, fd, (const struct sockaddr *)&peer, peer_len);
}

static void
on_late(void *ctx)
{
	struct visitor *v = ctx;

	v->timer = NULL;
	refuse(v->fd, 408, "Request Timeout");
	visitor_forget(v);
}

/* Who has been silent longest. False: nobody waits. */
static bool
send_away_oldest(struct door *d)
{
	struct visitor *v = d->oldest;

	if (!v)
		return false;
	refuse(v->fd, 503, "Service Unavailable");
	visitor_forget(v);
	return true;
}

static void
wait_for_head(struct door *d, int fd, const struct sockaddr_storage *peer, socklen_t peer_len)
{
	struct visitor *v = mem_zero(sizeof(*v));

	if (d->n_waiting >= d->waiting_max)
		send_away_oldest(d);
	v->door = d;
	v->fd = fd;
	v->peer = *peer;
	v->peer_len = peer_len;
	v->older = d->newest;
	*(v->older ? &v->older->newer : &d->oldest) = v;
	d->newest = v;
	d->n_waiting++;
	v->io = loop_io_add(d->loop, fd, EPOLLIN | EPOLLET, on_visitor, v);
	v->timer = loop_timer_add(d->loop, HEAD_MS_MAX, on_late, v);
}

static void
on_resume(void *ctx)
{
	struct door *d = ctx;

	d->pause = NULL;
	for (size_t i = 0; i < d->n_listeners; i++)
		loop_io_set(d->listeners[i].io, EPOLLIN);
}

/* Nothing can be accepted, and nobody be told so: the connection stays in the kernel's queue;
 * looking again at once would only burn time. */
static void
pause_accepting(struct door *d)
{
	if (d->pause)
		return;
	log_warn(NULL, "web.accept_paused", "ms=%d", ACCEPT_PAUSE_MS);
	for (size_t i = 0; i < d->n_listeners; i++)
		loop_io_set(d->listeners[i].io, 0);
	d->pause = loop_timer_add(d->loop, ACCEPT_PAUSE_MS, on_resume, d);
}

/* Out of descriptors. Who waits for nothing makes room; else whoever comes is told to come again.
 * False: not even that. */
static bool
find_room(struct door *d, int listener)
{
	int c;

	if (send_away_oldest(d))
		return true;
	clean_fd(&d->spare_fd);
	c = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c >= 0)
		refuse(c, 503, "Service Unavailable");
	d->spare_fd = eventfd(0, EFD_CLOEXEC);
	return c >= 0;
}

static void
on_listener(void *ctx, int fd, uint32_t events)
{
	struct door *d = ctx;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t peer_len = sizeof(peer);
		int c = accept4(
			fd, (struct sockaddr *)&peer, &peer_len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c < 0) {
			bool is_full = errno == EMFILE || errno == ENFILE;

			if (is_full && find_room(d, fd))
				continue;
			if (is_full || errno == ENOMEM || errno == ENOBUFS)
				pause_accepting(d);
			return;
		}
		switch (look(d, c)) {
		case LOOK_WAIT:
			wait_for_head(d, c, &peer, peer_len);
			break;
		case LOOK_ADMIT:
			d->cb(d->ctx, c, (const struct sockaddr *)&peer, peer_len);
			break;
		case LOOK_GONE:
			break;
		}
	}
}

struct door *
door_create(struct loop *l, door_cb *cb, void *ctx, size_t waiting_max)
{
	struct door *d = mem_zero(sizeof(*d));

	d->loop = l;
	d->cb = cb;
	d->ctx = ctx;
	d->waiting_max = waiting_max;
	d->spare_fd = eventfd(0, EFD_CLOEXEC);
	return d;
}

void
door_close(struct door *d)
{
	loop_timer_remove(d->pause);
	d->pause = NULL;
	for (size_t i = 0; i < d->n_listeners; i++) {
		loop_io_remove(d->listeners[i].io);
		(void)close(d->listeners[i].fd);
	}
	d->n_listeners = 0;
}

void
door_destroy(struct door *d)
{
	if (!d)
		return;
	door_close(d);
	while (d->newest) {
		(void)close(d->newest->fd);
		visitor_forget(d->newest);
	}
	clean_fd(&d->spare_fd);
	free(d);
}

int
door_listen(struct door *d, int take_fd, struct err *e)
{
	auto_fd int fd = take_fd;
	int defer = DEFER_S;
	struct listener *l;

	if (d->n_listeners >= LISTENERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d listening sockets", LISTENERS_MAX);
	/* Not for unix sockets; then the first look just comes too early. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "listening socket");
	l = &d->listeners[d->n_listeners++];
	l->fd = steal_fd(&fd);
	l->io = loop_io_add(d->loop, l->fd, EPOLLIN, on_listener, d);
	return 0;
}

size_t
door_waiting(const struct door *d)
{
	return d->n_waiting;
}
