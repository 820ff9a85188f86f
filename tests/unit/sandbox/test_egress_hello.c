/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/egress_hello: the name in a TLS hello.
 */
#include "sandbox/egress_hello.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "tests/unit/bot/tls_hello.h"

#include <cmocka.h>

static int
read_it(const struct buf *b, char host[EGRESS_HOST_BYTES])
{
	return egress_hello_read((const uint8_t *)buf_str(b), b->len, host, NULL);
}

static void
the_name_is_read_when_all_is_there(void **state)
{
	auto_buf struct buf hello = BUF_INIT(KIB(4));
	char host[EGRESS_HOST_BYTES];

	(void)state;
	hello_for(&hello, "API.example.org");
	for (size_t n = 0; n < hello.len; n++) {
		/* A copy, so that a read past the end is seen. */
		auto_free void *piece = mem_dup(hello.data, n ? n : 1);
		assert_int_equal(egress_hello_read(piece, n, host, NULL), 0);
	}
	assert_int_equal(read_it(&hello, host), 1);
	assert_string_equal(host, "api.example.org");
	/* Early data may follow. */
	(void)buf_add(&hello, "\27\3\3\0\1x", 6);
	assert_int_equal(read_it(&hello, host), 1);
}

static void
a_hello_in_small_records_is_one(void **state)
{
	auto_buf struct buf extensions = BUF_INIT(1000);
	auto_buf struct buf message = BUF_INIT(2000);
	char host[EGRESS_HOST_BYTES];

	(void)state;
	hello_name(&extensions, "a.example", 9);
	hello_message(&message, &extensions);
	for (size_t size = 1; size < message.len; size++) {
		auto_buf struct buf records = BUF_INIT(KIB(8));

		hello_records(&records, &message, size);
		assert_int_equal(read_it(&records, host), 1);
		assert_string_equal(host, "a.example");
	}
}

static int
with_extensions(void (*fill)(struct buf *), char host[EGRESS_HOST_BYTES])
{
	auto_buf struct buf extensions = BUF_INIT(1000);
	auto_buf struct buf message = BUF_INIT(2000);
	auto_buf struct buf records = BUF_INIT(KIB(4));

	fill(&extensions);
	hello_message(&message, &extensions);
	hello_records(&records, &message, 16384);
	return read_it(&records, host);
}

static void
no_name(struct buf *b)
{
	hello_extension(b, 43, 0);
}

static void
two_names(struct buf *b)
{
	hello_name(b, "a.example", 9);
	hello_name(b, "b.example", 9);
}

/* Two in one list. */
static void
a_list_of_two(struct buf *b)
{
	hello_extension(b, 0, 2 + 2 * 6);
	(void)buf_add(b, "\0\14\0\0\3a.b\0\0\3c.d", 14);
}

static void
a_hidden_name(struct buf *b)
{
	hello_name(b, "a.example", 9);
	hello_extension(b, 0xfe0d, 0);
}

static void
an_address(struct buf *b)
{
	hello_name(b, "127.0.0.1", 9);
}

static void
a_nul_in_it(struct buf *b)
{
	hello_name(b, "a.example\0.evil.net", 19);
}

static void
a_dot_at_the_end(struct buf *b)
{
	hello_name(b, "a.example.", 10);
}

static void
too_short_a_list(struct buf *b)
{
	hello_extension(b, 0, 14);
	(void)buf_add(b, "\0\13\0\0\11a.example", 14);
}

static void
an_extension_past_the_end(struct buf *b)
{
	hello_name(b, "a.example", 9);
	hello_extension(b, 1, 1);
}

static void
what_is_not_exactly_one_plain_name_is_refused(void **state)
{
	static const struct {
		const char *name;
		void (*fill)(struct buf *);
		int want;
	} rows[] = {
		{ "no name", no_name, ERR_DENIED },
		{ "two names", two_names, ERR_PROTOCOL },
		{ "a list of two", a_list_of_two, ERR_PROTOCOL },
		{ "a hidden name", a_hidden_name, ERR_DENIED },
		{ "an address", an_address, ERR_DENIED },
		{ "a NUL in it", a_nul_in_it, ERR_DENIED },
		{ "a dot at the end", a_dot_at_the_end, ERR_PROTOCOL },
		{ "too short a list", too_short_a_list, ERR_PROTOCOL },
		{ "an extension past the end", an_extension_past_the_end, ERR_PROTOCOL },
	};
	char host[EGRESS_HOST_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		assert_int_equal(with_extensions(rows[i].fill, host), rows[i].want);
	}
}

static void
what_is_not_tls_is_refused_at_once(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "HTTP", "GET / HTTP/1.1\r\n", 16 },
		{ "one byte of it", "G", 1 },
		{ "SSH", "SSH-2.0-x\r\n", 11 },
		{ "an alert", "\25\3\1\0\2\1\0", 7 },
		{ "another version", "\26\2\1\0\4\1\0\0\0", 9 },
		{ "an empty record", "\26\3\1\0\0", 5 },
		{ "a record over the ceiling", "\26\3\1\100\1", 5 },
		{ "another message", "\26\3\1\0\4\2\0\0\0", 9 },
		{ "an empty hello", "\26\3\1\0\4\1\0\0\0", 9 },
		{ "a byte too many", "\26\3\1\0\5\1\0\0\0x", 10 },
	};
	char host[EGRESS_HOST_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		auto_free void *copy = mem_dup(rows[i].bytes, rows[i].len);
		assert_int_equal(egress_hello_read(copy, rows[i].len, host, NULL), ERR_PROTOCOL);
	}
}

static void
a_hello_without_end_is_refused(void **state)
{
	auto_buf struct buf b = BUF_INIT(KIB(64));
	char host[EGRESS_HOST_BYTES];
	int rc = 0;

	(void)state;
	(void)buf_add(&b, "\26\3\1\0\4\1\377\377\377", 9); /* 16 MiB are announced */
	while (rc == 0 && b.len < KIB(60)) {
		(void)buf_add(&b, "\26\3\1\0\1x", 6);
		rc = read_it(&b, host);
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_true(b.len <= 6 * EGRESS_HELLO_BYTES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_read_when_all_is_there),
		cmocka_unit_test(a_hello_in_small_records_is_one),
		cmocka_unit_test(what_is_not_exactly_one_plain_name_is_refused),
		cmocka_unit_test(what_is_not_tls_is_refused_at_once),
		cmocka_unit_test(a_hello_without_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
