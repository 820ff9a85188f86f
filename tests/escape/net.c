/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - ways to other machines, to the host, and to the kernel's own network.
 */
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* arg: family, type and protocol, 16 bits each; high: the same with bits that the kernel drops. */
#define KIND(family, type, protocol) ((long)(family) | (long)(type) << 16 | (long)(protocol) << 32)
#define HIGH                         (1L << 48)

static int
open_socket(const struct attempt *a)
{
	long high = a->arg & HIGH ? 1L << 32 : 0;

	return outcome(syscall(SYS_socket, (a->arg & 0xffff) | high,
		((a->arg >> 16) & 0xffff) | SOCK_CLOEXEC, ((a->arg >> 32) & 0xffff) | high));
}

static int
open_pair(const struct attempt *a)
{
	int fds[2];

	return outcome(syscall(SYS_socketpair, a->arg & 0xffff, SOCK_STREAM, 0, fds));
}

static int
set_loopback(bool up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = (short)(up ? IFF_UP : 0) };

	return outcome(ioctl(fd, SIOCSIFFLAGS, &r));
}

static int
loopback_down(const struct attempt *a)
{
	(void)a;
	return set_loopback(false);
}

/* In namespaces of our own a route over the loopback makes every address one that can be reached:
 * the box differs only in having none. */
static void
make_route(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char device[] = "lo";
	struct rtentry r = {
		.rt_flags = RTF_UP,
		.rt_dst.sa_family = AF_INET,
		.rt_genmask.sa_family = AF_INET,
		.rt_dev = device,
	};
	struct in6_rtmsg r6 = { .rtmsg_flags = RTF_UP, .rtmsg_metric = 1, .rtmsg_ifindex = 1 };

	if (set_loopback(true) != 0 || ioctl(fd, SIOCADDRT, &r) < 0)
		_exit(ENOTRECOVERABLE);
	if (ioctl(fd6, SIOCADDRT, &r6) < 0)
		_exit(ENOTRECOVERABLE);
}

/* A datagram socket is connected as soon as there is a way. */
static int
reach(const struct attempt *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)a->arg) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	bool is_6 = strchr(a->path, ':') != NULL;
	int fd = socket(is_6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!world.is_box)
		make_route();
	if (inet_pton(AF_INET6, a->path, &in6.sin6_addr) == 1)
		return outcome(connect(fd, (const struct sockaddr *)&in6, sizeof(in6)));
	if (inet_pton(AF_INET, a->path, &in.sin_addr) != 1)
		return ENOTRECOVERABLE;
	return outcome(connect(fd, (const struct sockaddr *)&in, sizeof(in)));
}

static int
reach_host(const struct attempt *a)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)world.host_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)a;
	return outcome(connect(fd, (const struct sockaddr *)&in, sizeof(in)));
}

/* The host's socket is there under a path, and under a name without one. */
static int
reach_local(const struct attempt *a)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int skip = a->path[0] == '@';
	int n = snprintf(
		u.sun_path + skip, sizeof(u.sun_path) - 1, "%s%s", world.dir, a->path + skip);

	return outcome(connect(fd, (const struct sockaddr *)&u,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path)) + (socklen_t)(n + skip)));
}

#define SOCKET(n, name, control, kind)                                                             \
	{                                                                                          \
		n, name, open_socket, "EPERM", control, SYS_socket, NULL, kind                     \
	}

const struct attempt ESCAPE_NET[] = {
	SOCKET(28, "socket_packet", CONTROL_OWN, KIND(AF_PACKET, SOCK_RAW, 3)),
	SOCKET(28, "socket_packet_high", CONTROL_OWN, KIND(AF_PACKET, SOCK_RAW, 3) | HIGH),
	SOCKET(28, "socket_raw", CONTROL_OWN, KIND(AF_INET, SOCK_RAW, IPPROTO_ICMP)),
	SOCKET(28, "netlink_netfilter", CONTROL_PLAIN, KIND(AF_NETLINK, SOCK_RAW, 12)),
	SOCKET(28, "netlink_netfilter_high", CONTROL_PLAIN, KIND(AF_NETLINK, SOCK_RAW, 12) | HIGH),
	SOCKET(28, "netlink_audit", CONTROL_ARGS, KIND(AF_NETLINK, SOCK_RAW, 9)),
	SOCKET(28, "netlink_sock_diag", CONTROL_ARGS, KIND(AF_NETLINK, SOCK_RAW, 4)),
	SOCKET(28, "netlink_xfrm", CONTROL_ARGS, KIND(AF_NETLINK, SOCK_RAW, 6)),
	SOCKET(28, "netlink_uevent", CONTROL_PLAIN, KIND(AF_NETLINK, SOCK_RAW, 15)),
	SOCKET(28, "netlink_generic", CONTROL_PLAIN, KIND(AF_NETLINK, SOCK_RAW, 16)),
	SOCKET(28, "socket_ax25", CONTROL_CALL, KIND(AF_AX25, SOCK_DGRAM, 0)),
	SOCKET(28, "socket_key", CONTROL_CALL, KIND(AF_KEY, SOCK_RAW, 2)),
	SOCKET(28, "socket_rds", CONTROL_CALL, KIND(AF_RDS, SOCK_SEQPACKET, 0)),
	SOCKET(28, "socket_can", CONTROL_CALL, KIND(AF_CAN, SOCK_RAW, 1)),
	SOCKET(28, "socket_tipc", CONTROL_CALL, KIND(AF_TIPC, SOCK_STREAM, 0)),
	SOCKET(28, "socket_bluetooth", CONTROL_CALL, KIND(AF_BLUETOOTH, SOCK_RAW, 1)),
	SOCKET(28, "socket_alg", CONTROL_CALL, KIND(AF_ALG, SOCK_SEQPACKET, 0)),
	SOCKET(28, "socket_vsock", CONTROL_CALL, KIND(AF_VSOCK, SOCK_STREAM, 0)),
	SOCKET(28, "socket_xdp", CONTROL_CALL, KIND(44, SOCK_RAW, 0)),
	SOCKET(28, "protocol_dccp", CONTROL_CALL, KIND(AF_INET, 6, 33)),
	SOCKET(28, "protocol_l2tp", CONTROL_CALL, KIND(AF_INET, SOCK_DGRAM, 115)),
	SOCKET(28, "protocol_sctp", CONTROL_CALL, KIND(AF_INET, SOCK_STREAM, IPPROTO_SCTP)),
	SOCKET(28, "protocol_sctp_high", CONTROL_CALL,
		KIND(AF_INET6, SOCK_STREAM, IPPROTO_SCTP) | HIGH),
	{ 28, "pair_tipc", open_pair, "EPERM", CONTROL_CALL, SYS_socketpair, NULL, AF_TIPC },
	{ 29, "loopback_down", loopback_down, "EPERM", CONTROL_OWN, 0, NULL, 0 },

	{ 30, "metadata", reach, "ENETUNREACH", CONTROL_OWN, 0, "169.254.169.254", 80 },
	{ 30, "internet", reach, "ENETUNREACH", CONTROL_OWN, 0, "1.1.1.1", 443 },
	{ 30, "internet6", reach, "ENETUNREACH", CONTROL_OWN, 0, "2606:4700:4700::1111", 443 },
	{ 30, "resolver", reach, "ENETUNREACH", CONTROL_OWN, 0, "8.8.8.8", 53 },
	{ 30, "neighbour", reach, "ENETUNREACH", CONTROL_OWN, 0, "10.0.0.1", 22 },
	{ 30, "broadcast", reach, "ENETUNREACH", CONTROL_OWN, 0, "224.0.0.1", 5353 },
	{ 30, "loopback_of_host", reach_host, "ECONNREFUSED", CONTROL_PLAIN, 0, NULL, 0 },
	{ 32, "socket_with_path", reach_local, "ENOENT", CONTROL_PLAIN, 0, "/socket", 0 },
	{ 32, "socket_without", reach_local, "ECONNREFUSED", CONTROL_PLAIN, 0, "@/socket", 0 },
	{ 0 },
};
