/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - addresses in settings: where to listen, and which proxies to believe. Nothing is resolved.
 */
#include "config/config.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t V4_MAPPED[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int
parse_tcp(const char *host, const char *port, struct config_listen *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int64_t n;

	if (str_i64(port, 0, 65535, &n, NULL) < 0)
		return ERR_INVALID;
	v4.sin_port = htons((uint16_t)n);
	v6.sin6_port = v4.sin_port;
	if (str_eq(host, "localhost"))
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		memcpy(&out->addr, &v4, sizeof(v4));
		out->addr_len = sizeof(v4);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
		memcpy(&out->addr, &v6, sizeof(v6));
		out->addr_len = sizeof(v6);
		return 0;
	}
	return ERR_INVALID;
}

static int
parse_host_port(const char *text, struct config_listen *out)
{
	auto_free char *copy = mem_str(text);
	char *colon = strrchr(copy, ':');
	char *host = copy;
	bool has_brackets;

	if (!colon)
		return ERR_INVALID;
	*colon = '\0';
	has_brackets = host[0] == '[' && str_ends(host, "]");
	if (has_brackets) {
		host[strlen(host) - 1] = '\0';
		host++;
	}
	/* "::1:8080" could be read in two ways, so an IPv6 address needs its brackets and nothing
	 * else has them. */
	if (has_brackets != (strchr(host, ':') != NULL))
		return ERR_INVALID;
	return parse_tcp(host, colon + 1, out);
}

int
config_listen_parse(const char *text, struct config_listen *out, struct err *e)
{
	struct config_listen l = { .kind = CONFIG_LISTEN_TCP };

	if (str_eq(text, "systemd")) {
		l.kind = CONFIG_LISTEN_SYSTEMD;
	} else if (str_starts(text, "unix:")) {
		size_t len = strlen(text + 5);

		if (len == 0 || len >= sizeof(l.path))
			return err_set(e, ERR_INVALID,
				"\"%.120s\": a socket's path has 1 to %zu bytes", text,
				sizeof(l.path) - 1);
		l.kind = CONFIG_LISTEN_UNIX;
		memcpy(l.path, text + 5, len + 1);
	} else if (parse_host_port(text, &l) < 0) {
		return err_set(e, ERR_INVALID,
			"\"%.80s\" is no address to listen at: write 127.0.0.1:8080, [::1]:8080, "
			"unix:/path or systemd",
			text);
	}
	*out = l;
	return 0;
}

/* v4 addresses become v4-mapped v6 ones, so that there is one kind. */
static bool
parse_addr(const char *text, uint8_t out[16], int *bits)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		memcpy(out, V4_MAPPED, sizeof(V4_MAPPED));
		memcpy(out + 12, v4, sizeof(v4));
		*bits = 32;
		return true;
	}
	*bits = 128;
	return inet_pton(AF_INET6, text, out) == 1;
}

static bool
prefix_equal(const uint8_t a[16], const uint8_t b[16], int bits)
{
	size_t whole = (size_t)bits / 8;
	int rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

int
config_net_parse(const char *text, struct config_net *out, struct err *e)
{
	auto_free char *copy = mem_str(text);
	char *slash = strchr(copy, '/');
	struct config_net net;
	int family_bits;
	int64_t bits;

	if (slash)
		*slash = '\0';
	if (!parse_addr(copy, net.addr, &family_bits))
		return err_set(e, ERR_INVALID,
			"\"%.80s\" is not an address or a CIDR block as in 10.0.0.0/8", text);
	bits = family_bits;
	if (slash && str_i64(slash + 1, 0, family_bits, &bits, NULL) < 0)
		return err_set(e, ERR_INVALID, "\"%.80s\": the prefix has 0 to %d bits", text,
			family_bits);
	net.bits = (int)bits + 128 - family_bits;
	for (int i = net.bits; i < 128; i++) {
		if (net.addr[i / 8] & 0x80 >> i % 8)
			return err_set(e, ERR_INVALID,
				"\"%.80s\" has bits behind its prefix: is the mask meant?", text);
	}
	*out = net;
	return 0;
}

bool
config_net_has(const struct strs *nets, const char *addr)
{
	uint8_t asked[16];
	int bits;

	if (!addr || !parse_addr(addr, asked, &bits))
		return false;
	for (size_t i = 0; i < nets->n; i++) {
		struct config_net net;

		if (config_net_parse(nets->v[i], &net, NULL) == 0 &&
			prefix_equal(net.addr, asked, net.bits))
			return true;
	}
	return false;
}
