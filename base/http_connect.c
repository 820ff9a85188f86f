/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_connect - connections that are only made, and the question where one may lead.
 *
 * Names are curl's to look up: its resolver does not block the loop, and it asks us about each
 * address with the very structure that it then connects to.
 */
#include "base/http_call.h"

#include "base/mem.h"
#include "base/net.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CONNECT_MS_MAX 15000

struct http_call *
http_connect(struct http *h, const char *host, int port, http_connect_cb *cb, void *ctx)
{
	struct http_request r = { .method = "GET",
		.url = mem_fmt("http://%s:%d/", host, port),
		.timeout_ms = CONNECT_MS_MAX };
	struct http_call *c = http_call_create(h, &r);

	c->connect_cb = cb;
	c->ctx = ctx;
	return c;
}

int
http_call_check(struct http_call *c, const struct sockaddr *a, socklen_t len)
{
	if (c->connect_cb && (!net_is_public(a) || net_is_own(a, len)))
		return err_set(&c->e, ERR_DENIED, "not a public address");
	if (c->r.stays_public && c->has_left && !net_is_public(a))
		return err_set(&c->e, ERR_DENIED, "redirect to a private address");
	return 0;
}

/* curl closes its own with the handle; the connection lives on in the copy. Who is at its other end
 * is looked at once more. */
int
http_call_take_socket(struct http_call *c)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0)
		return -1;
	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
		!net_is_public((const struct sockaddr *)&peer))
		return -1;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}
