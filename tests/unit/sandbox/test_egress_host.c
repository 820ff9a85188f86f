/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/egress_host: names that may be reached.
 */
#include "sandbox/egress_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
names_have_one_form(void **state)
{
	static const struct {
		const char *name;
		const char *want;
	} rows[] = {
		{ "example.org:443", "example.org" },
		{ "EXAMPLE.Org:443", "example.org" },
		{ "example.org.:443", "example.org" },
		{ "a-b.c_d.x1.example:443", "a-b.c_d.x1.example" },
		{ "1.2.3.example:443", "1.2.3.example" },
		{ "xn--bcher-kva.example:443", "xn--bcher-kva.example" },
		{ "0x7f.1.example.org:443", "0x7f.1.example.org" },
	};
	char host[EGRESS_HOST_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		assert_int_equal(
			egress_authority_parse(rows[i].name, strlen(rows[i].name), host, NULL), 0);
		assert_string_equal(host, rows[i].want);
	}
}

static void
everything_else_is_refused(void **state)
{
	static const char *const bad[] = { "", ":443", ".:443", "..:443", "example.org",
		"example.org:80", "example.org:0443", "example.org:443 ", "example.org:443:443",
		"example.org..:443", ".example.org:443", "a..b:443", "-a.example:443",
		"a-.example:443", "user@example.org:443", "user:pw@example.org:443",
		"example.org@evil.example:443", "example.org/x:443", "example.org%00:443",
		"example.org\\x:443", "ex ample.org:443", "*.example.org:443", "b\xc3\xbc.de:443",
		/* addresses */
		"127.0.0.1:443", "127.1:443", "0x7f.1:443", "0x7f000001:443", "2130706433:443",
		"017700000001:443", "127.0.0.1.:443", "1.2.3.0x4:443", "10.0.0.1:443",
		"169.254.169.254:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "::1:443", "[::]:443",
		"[fe80::1%25eth0]:443", "1.1.1.1:443",
		/* names that are none of the internet's */
		"localhost:443", "localhost.:443", "LOCALHOST:443", "a.localhost:443",
		"metadata:443", "metadata.google.internal:443", "printer.local:443",
		"router.lan:443", "x.home.arpa:443", "x.onion:443", "host:443" };
	char host[EGRESS_HOST_BYTES];
	char label[80], name[400] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("  not %s\n", bad[i]);
		assert_int_equal(
			egress_authority_parse(bad[i], strlen(bad[i]), host, NULL), ERR_DENIED);
	}
	assert_int_equal(egress_host_parse("a\0.example", 10, host, NULL), ERR_DENIED);
	assert_int_equal(egress_host_parse("a.example\0.evil.net", 19, host, NULL), ERR_DENIED);
	memset(label, 'a', 64);
	memcpy(label + 64, ".example", 9);
	assert_int_equal(egress_host_parse(label, strlen(label), host, NULL), ERR_DENIED);
	while (strlen(name) < 252)
		memcpy(name + strlen(name), "a.", 3);
	memcpy(name + strlen(name), "example", 8);
	assert_int_equal(egress_host_parse(name, strlen(name), host, NULL), ERR_DENIED);
}

static void
a_list_opens_names_and_what_is_below_a_domain(void **state)
{
	char *list[] = { (char[]){ "example.org" }, (char[]){ "*.example.com" } };
	const struct strs names = { list, 2 };
	const struct strs none = { 0 };
	static const struct {
		const char *host;
		bool want;
	} rows[] = {
		{ "example.org", true },
		{ "a.example.org", false },
		{ "a.example.com", true },
		{ "a.b.example.com", true },
		{ "example.com", false },
		{ "badexample.com", false },
		{ "badexample.org", false },
		{ "example.com.evil.net", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(egress_host_listed(&names, rows[i].host), rows[i].want);
		assert_false(egress_host_listed(&none, rows[i].host));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_one_form),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(a_list_opens_names_and_what_is_below_a_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
