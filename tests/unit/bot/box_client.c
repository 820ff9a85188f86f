/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a box, as the gateway sees it: a connection to the box's listener.
 */
#include "tests/unit/bot/box_client.h"

#include "base/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

int
box_listener(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
on_bytes(void *ctx, int fd, uint32_t events)
{
	struct box_client *c = ctx;
	char chunk[65536];
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	(void)events;
	if (n > 0) {
		assert_int_equal(buf_add(&c->in, chunk, (size_t)n), 0);
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	c->done = n == 0 ? 1 : -1;
	loop_io_remove(c->io);
	c->io = NULL;
	loop_stop(c->l);
}

void
box_client_open(struct box_client *c, struct loop *l, int port, const char *request)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ssize_t len = (ssize_t)strlen(request);

	*c = (struct box_client){ .l = l };
	buf_init(&c->in, MIB(32));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(c->fd, request, (size_t)len, MSG_NOSIGNAL), len);
	c->io = loop_io_add(l, c->fd, EPOLLIN, on_bytes, c);
}

void
box_client_close(struct box_client *c)
{
	loop_io_remove(c->io);
	(void)close(c->fd);
	buf_finish(&c->in);
}
