/* SPDX-License-Identifier: Apache-2.0 */
/* net - where to listen, whom to believe. */
#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>

static void
listens_at_addresses(void **state)
{
	static const struct {
		const char *text;
		int family; /* 0: refused */
		const char *addr;
		int port;
	} rows[] = {
		{ "127.0.0.1:8080", AF_INET, "127.0.0.1", 8080 },
		{ "0.0.0.0:0", AF_INET, "0.0.0.0", 0 },
		{ "localhost:80", AF_INET, "127.0.0.1", 80 },
		{ "[::1]:8080", AF_INET6, "::1", 8080 },
		{ "[::]:65535", AF_INET6, "::", 65535 },
		{ "::1:8080", 0, NULL, 0 },
		{ "[127.0.0.1]:80", 0, NULL, 0 },
		{ "[::1]", 0, NULL, 0 },
		{ "127.0.0.1", 0, NULL, 0 },
		{ "127.0.0.1:", 0, NULL, 0 },
		{ "127.0.0.1:65536", 0, NULL, 0 },
		{ "127.0.0.1:-1", 0, NULL, 0 },
		{ "127.0.0.1:http", 0, NULL, 0 },
		{ ":8080", 0, NULL, 0 },
		{ "example.org:80", 0, NULL, 0 },
		{ "8080", 0, NULL, 0 },
		{ "", 0, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_listen l;
		struct sockaddr_in6 v6;
		struct sockaddr_in v4;
		char text[64] = "";
		int rc = config_listen_parse(rows[i].text, &l, NULL);

		if (rc != (rows[i].family ? 0 : ERR_INVALID))
			fail_msg("%s", rows[i].text);
		if (rc < 0)
			continue;
		assert_int_equal(l.kind, CONFIG_LISTEN_TCP);
		assert_int_equal(l.addr.ss_family, rows[i].family);
		memcpy(&v4, &l.addr, sizeof(v4));
		memcpy(&v6, &l.addr, sizeof(v6));
		assert_int_equal(ntohs(v4.sin_port), rows[i].port);
		if (rows[i].family == AF_INET)
			(void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
		else
			(void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
		assert_string_equal(text, rows[i].addr);
	}
}

static void
listens_at_sockets(void **state)
{
	char text[200] = "unix:/";
	struct config_listen l;

	(void)state;
	assert_int_equal(config_listen_parse("systemd", &l, NULL), 0);
	assert_int_equal(l.kind, CONFIG_LISTEN_SYSTEMD);
	assert_int_equal(config_listen_parse("unix:/run/ns.sock", &l, NULL), 0);
	assert_int_equal(l.kind, CONFIG_LISTEN_UNIX);
	assert_string_equal(l.path, "/run/ns.sock");
	assert_int_equal(config_listen_parse("unix:", &l, NULL), ERR_INVALID);
	memset(text + 6, 'x', 106);
	assert_int_equal(config_listen_parse(text, &l, NULL), 0);
	memset(text + 6, 'x', 107);
	assert_int_equal(config_listen_parse(text, &l, NULL), ERR_INVALID);
}

static void
blocks_have_honest_prefixes(void **state)
{
	static const struct {
		const char *text;
		int bits; /* -1: refused */
	} rows[] = {
		{ "127.0.0.1", 128 },
		{ "10.0.0.0/8", 104 },
		{ "0.0.0.0/0", 96 },
		{ "::/0", 0 },
		{ "::1", 128 },
		{ "fd00::/8", 8 },
		{ "10.0.0.1/32", 128 },
		{ "10.0.0.1/8", -1 },
		{ "10.0.0.0/33", -1 },
		{ "::1/129", -1 },
		{ "fd01::/8", -1 },
		{ "10.0.0.0/", -1 },
		{ "10.0.0.0/x", -1 },
		{ "10.0.0.0/-1", -1 },
		{ "10.0.0", -1 },
		{ "host", -1 },
		{ "", -1 },
		{ "/8", -1 },
		{ "10.0.0.0/8/8", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_net net = { .bits = -1 };

		(void)config_net_parse(rows[i].text, &net, NULL);
		if (net.bits != rows[i].bits)
			fail_msg("%s: %d", rows[i].text, net.bits);
	}
}

static void
finds_addresses_in_blocks(void **state)
{
	static const struct {
		const char *addr;
		bool want;
	} rows[] = {
		{ "127.0.0.1", true },
		{ "127.0.0.2", false },
		{ "::ffff:127.0.0.1", true },
		{ "10.255.0.1", true },
		{ "11.0.0.1", false },
		{ "172.16.0.1", true },
		{ "172.31.255.255", true },
		{ "172.32.0.1", false },
		{ "fd00::1", true },
		{ "fe80::1", false },
		{ "::1", false },
		{ "127.0.0.1:80", false },
		{ "", false },
		{ NULL, false },
		{ "localhost", false },
	};
	auto_strs struct strs nets = { 0 };

	(void)state;
	strs_add(&nets, "127.0.0.1");
	strs_add(&nets, "10.0.0.0/8");
	strs_add(&nets, "172.16.0.0/12");
	strs_add(&nets, "fd00::/8");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (config_net_has(&nets, rows[i].addr) != rows[i].want)
			fail_msg("%s", rows[i].addr);
	}
	strs_finish(&nets);
	assert_false(config_net_has(&nets, "127.0.0.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listens_at_addresses),
		cmocka_unit_test(listens_at_sockets),
		cmocka_unit_test(blocks_have_honest_prefixes),
		cmocka_unit_test(finds_addresses_in_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
