/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - the box's network: loopback, and the one door in it.
 *
 * The listening socket is made inside the new network namespace and handed out; the gateway accepts
 * on it from outside. There is no route, no bridge and no process between, and the descriptor is
 * the box's identity.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

static int
loopback_up(struct err *e)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };

	if (fd < 0)
		return err_sys(e, "socket");
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return err_sys(e, "flags of lo");
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP | IFF_RUNNING);
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		return err_sys(e, "lo up");
	return 0;
}

int
native_net(struct native *n, struct err *e)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(BOX_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int rc = loopback_up(e);

	if (rc < 0 || !n->spec->net)
		return rc;
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, "listen on 127.0.0.1:%d", BOX_PORT);
	n->listen_fd = steal_fd(&fd);
	return 0;
}
