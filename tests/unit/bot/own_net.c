/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of the test's own, in which a public address is at hand.
 */
#include "tests/unit/bot/own_net.h"

#include "base/clean.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOPBACK_INDEX 1

static void
must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	perror(what);
	exit(1);
}

static void
write_file(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd, path);
	must((int)write(fd, text, strlen(text)), path);
}

/* Root needs no user namespace, and could not give itself other users in one. */
static void
enter_namespaces(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	must(unshare(CLONE_NEWNET | CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)), "unshare");
	if (uid) {
		write_file("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		write_file("/proc/self/uid_map", map);
		(void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		write_file("/proc/self/gid_map", map);
	}
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mounts of our own");
}

static void
place_hosts(const char *hosts)
{
	char path[] = "/tmp/own-net-XXXXXX";
	int fd = mkstemp(path);

	must(fd, path);
	must((int)write(fd, hosts, strlen(hosts)), path);
	must(fchmod(fd, 0644), path);
	(void)close(fd);
	must(mount(path, "/etc/hosts", NULL, MS_BIND, NULL), "/etc/hosts");
	(void)unlink(path);
}

static struct sockaddr_in
v4(const char *addr, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	must(inet_pton(AF_INET, addr, &a.sin_addr) == 1 ? 0 : -1, addr);
	return a;
}

static void
set_address(int fd, const char *name, const char *addr)
{
	struct ifreq r = { 0 };
	struct sockaddr_in a = v4(addr, 0);

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	must(ioctl(fd, SIOCSIFADDR, &r), addr);
}

static void
bring_up_loopback(void)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	must(fd, "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &r), "lo");
	set_address(fd, "lo:1", OWN_NET_SELF);
}

struct route_request {
	struct nlmsghdr head;
	struct rtmsg route;
	char attributes[64];
};

static void
add_attribute(struct route_request *r, unsigned short type, const void *data, size_t len)
{
	const struct rtattr a = { .rta_len = (unsigned short)RTA_LENGTH(len), .rta_type = type };
	char *at = (char *)r + NLMSG_ALIGN(r->head.nlmsg_len);

	memcpy(at, &a, sizeof(a));
	memcpy(at + RTA_LENGTH(0), data, len);
	r->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->head.nlmsg_len) + RTA_LENGTH(len));
}

/* "ip route add local 93.184.216.34 dev lo src 127.0.0.1": the address is answered here, but who
 * connects to it comes from elsewhere, as with any machine outside. */
static void
route_public(void)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_in to = v4(OWN_NET_PUBLIC, 0);
	struct sockaddr_in from = v4("127.0.0.1", 0);
	uint32_t index = LOOPBACK_INDEX;
	struct route_request r = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
			.nlmsg_type = RTM_NEWROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK },
		.route = { .rtm_family = AF_INET,
			.rtm_dst_len = 32,
			.rtm_table = RT_TABLE_LOCAL,
			.rtm_protocol = RTPROT_BOOT,
			.rtm_scope = RT_SCOPE_HOST,
			.rtm_type = RTN_LOCAL },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = { 0 };

	must(fd, "netlink");
	add_attribute(&r, RTA_DST, &to.sin_addr, sizeof(to.sin_addr));
	add_attribute(&r, RTA_OIF, &index, sizeof(index));
	add_attribute(&r, RTA_PREFSRC, &from.sin_addr, sizeof(from.sin_addr));
	must((int)send(fd, &r, r.head.nlmsg_len, 0), "route");
	must((int)recv(fd, &answer, sizeof(answer), 0), "route");
	errno = -answer.error.error;
	must(answer.error.error, "route");
}

void
own_net_enter(const char *hosts)
{
	enter_namespaces();
	place_hosts(hosts);
	bring_up_loopback();
	route_public();
}

int
own_net_listen(const char *addr, int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = v4(addr, port);
	const int on = 1;

	must(fd, "socket");
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), "reuse");
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)), addr);
	must(listen(fd, 16), addr);
	return fd;
}
