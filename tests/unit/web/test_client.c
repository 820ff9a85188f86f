/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_client - the client's address comes from trusted proxies only.
 */
#include "web/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct row_client {
	const char *name;
	const char *peer; /* NULL: unix socket */
	const char *trusted;
	const char *forwarded;
	const char *expected;
};

static const struct row_client ROWS[] = {
	{ "no proxy", "203.0.113.9", NULL, NULL, "203.0.113.9" },
	{ "a stranger claims to forward", "203.0.113.9", "127.0.0.1", "198.51.100.1",
		"203.0.113.9" },
	{ "a trusted proxy", "127.0.0.1", "127.0.0.1", "198.51.100.1", "198.51.100.1" },
	{ "what the client claimed before the proxy", "127.0.0.1", "127.0.0.1",
		"6.6.6.6, 198.51.100.1", "198.51.100.1" },
	{ "two trusted proxies", "10.1.2.3", "10.0.0.0/8", "198.51.100.1, 10.9.9.9",
		"198.51.100.1" },
	{ "garbage behind a proxy", "127.0.0.1", "127.0.0.1", "198.51.100.1, <script>",
		"127.0.0.1" },
	{ "no header from a proxy", "127.0.0.1", "127.0.0.1", NULL, "127.0.0.1" },
	{ "v6", "2001:db8::1", "2001:db8::/32", "198.51.100.7", "198.51.100.7" },
	{ "v6 outside the network", "2001:db9::1", "2001:db8::/32", "198.51.100.7", "2001:db9::1" },
	{ "a unix socket that is trusted", NULL, "unix", "198.51.100.7", "198.51.100.7" },
	{ "a unix socket that is not", NULL, "127.0.0.1", "198.51.100.7", "unix" },
};

static void
clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct row_client *r = &ROWS[i];
		auto_strs struct strs trusted = { 0 };
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
		const struct sockaddr *peer = NULL;
		char out[CLIENT_BYTES];

		if (r->trusted)
			strs_add(&trusted, r->trusted);
		if (r->peer && inet_pton(AF_INET, r->peer, &in.sin_addr) == 1)
			peer = (const struct sockaddr *)&in;
		else if (r->peer && inet_pton(AF_INET6, r->peer, &in6.sin6_addr) == 1)
			peer = (const struct sockaddr *)&in6;
		client_name(peer, &trusted, r->forwarded, out);
		if (strcmp(out, r->expected) != 0)
			fail_msg("%s: %s", r->name, out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(clients) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
