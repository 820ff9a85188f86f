/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - is this address one of the internet's, or of a network behind us?
 */
#include "base/net.h"

#include "base/clean.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block4 {
	uint32_t net;
	int bits;
};

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct block4 NOT_PUBLIC_4[] = {
	{ V4(0, 0, 0, 0), 8 },       /* this network */
	{ V4(10, 0, 0, 0), 8 },      /* private */
	{ V4(100, 64, 0, 0), 10 },   /* shared by a provider's customers */
	{ V4(127, 0, 0, 0), 8 },     /* loopback */
	{ V4(169, 254, 0, 0), 16 },  /* link-local; 169.254.169.254 gives away cloud credentials */
	{ V4(172, 16, 0, 0), 12 },   /* private */
	{ V4(192, 0, 0, 0), 24 },    /* protocol assignments */
	{ V4(192, 0, 2, 0), 24 },    /* documentation */
	{ V4(192, 168, 0, 0), 16 },  /* private */
	{ V4(198, 18, 0, 0), 15 },   /* benchmarks */
	{ V4(198, 51, 100, 0), 24 }, /* documentation */
	{ V4(203, 0, 113, 0), 24 },  /* documentation */
	{ V4(224, 0, 0, 0), 4 },     /* multicast */
	{ V4(240, 0, 0, 0), 4 },     /* reserved, broadcast */
};

struct block6 {
	uint8_t net[16];
	int bits;
	int v4_at; /* > 0: offset of an IPv4 address that decides instead */
};

static const struct block6 NOT_PUBLIC_6[] = {
	{ { 0 }, 96, 12 },                                 /* ::, ::1, ::a.b.c.d */
	{ { [10] = 0xff, [11] = 0xff }, 96, 12 },          /* mapped */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12 },            /* NAT64 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, 0 }, /* NAT64 of a site's own */
	{ { 0x01, 0x00 }, 64, 0 },                         /* discard */
	{ { 0x20, 0x01, 0x00, 0x00 }, 23, 0 },             /* Teredo and other protocols */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, 0 },             /* documentation */
	{ { 0x20, 0x02 }, 16, 2 },                         /* 6to4 */
	{ { 0xfc }, 7, 0 },                                /* unique local */
	{ { 0xfe, 0x80 }, 10, 0 },                         /* link-local */
	{ { 0xfe, 0xc0 }, 10, 0 },                         /* site-local */
	{ { 0xff }, 8, 0 },                                /* multicast */
};

static bool
is_public_4(uint32_t addr)
{
	for (size_t i = 0; i < sizeof(NOT_PUBLIC_4) / sizeof(NOT_PUBLIC_4[0]); i++) {
		uint32_t mask = ~0U << (32 - NOT_PUBLIC_4[i].bits);

		if ((addr & mask) == NOT_PUBLIC_4[i].net)
			return false;
	}
	return true;
}

static bool
in_block_6(const uint8_t *addr, const struct block6 *b)
{
	size_t whole = (size_t)b->bits / 8;
	int rest = b->bits % 8;

	if (memcmp(addr, b->net, whole) != 0)
		return false;
	return rest == 0 || (addr[whole] >> (8 - rest)) == (b->net[whole] >> (8 - rest));
}

static bool
is_public_6(const uint8_t *addr)
{
	for (size_t i = 0; i < sizeof(NOT_PUBLIC_6) / sizeof(NOT_PUBLIC_6[0]); i++) {
		const struct block6 *b = &NOT_PUBLIC_6[i];
		const uint8_t *v4 = addr + b->v4_at;

		if (!in_block_6(addr, b))
			continue;
		return b->v4_at > 0 && is_public_4(V4(v4[0], v4[1], v4[2], v4[3]));
	}
	return true;
}

bool
net_is_public(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof(in));
		return is_public_4(ntohl(in.sin_addr.s_addr));
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof(in6));
		return is_public_6(in6.sin6_addr.s6_addr);
	}
	return false;
}

bool
net_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	struct sockaddr_in a4, b4;
	struct sockaddr_in6 a6, b6;

	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET) {
		memcpy(&a4, a, sizeof(a4));
		memcpy(&b4, b, sizeof(b4));
		return a4.sin_addr.s_addr == b4.sin_addr.s_addr;
	}
	if (a->sa_family != AF_INET6)
		return false;
	memcpy(&a6, a, sizeof(a6));
	memcpy(&b6, b, sizeof(b6));
	return memcmp(&a6.sin6_addr, &b6.sin6_addr, sizeof(a6.sin6_addr)) == 0;
}

bool
net_is_own(const struct sockaddr *a, socklen_t len)
{
	auto_fd int fd = socket(a->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage from = { 0 };
	socklen_t from_len = sizeof(from);

	if (fd < 0 || connect(fd, a, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&from, &from_len) < 0)
		return false; /* nor can anybody else connect to it */
	return net_same_host((const struct sockaddr *)&from, a);
}
