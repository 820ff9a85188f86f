/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/redact: every form of a secret is found, wherever the stream is cut, and
 * nothing else is.
 */
#include "sandbox/redact.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "n1ght\"sh<i>ft's/own\\&~key+Token=42"

/* Made by the encoders of Python's library; behind N: N bytes of something else stand before it. */
static const struct {
	const char *name;
	const char *text;
} FORMS[] = {
	{ "raw", "n1ght\"sh<i>ft's/own\\&~key+Token=42" },
	{ "reversed", "24=nekoT+yek~&\\nwo/s'tf>i<hs\"thg1n" },
	{ "hex", "6e316768742273683c693e667427732f6f776e5c267e6b65792b546f6b656e3d3432" },
	{ "upper hex", "6E316768742273683C693E667427732F6F776E5C267E6B65792B546F6B656E3D3432" },
	{ "base64 behind 0", "bjFnaHQic2g8aT5mdCdzL293blwmfmtleStUb2tlbj00Mno=" },
	{ "url-safe base64 behind 0", "bjFnaHQic2g8aT5mdCdzL293blwmfmtleStUb2tlbj00Mno=" },
	{ "base64 of base64 behind 0 and 0",
		"YmpGbmFIUWljMmc4YVQ1bWRDZHpMMjkzYmx3bWZtdGxlU3RVYjJ0bGJqMDBNbm89" },
	{ "base64 of base64 behind 0 and 1",
		"eGJqRm5hSFFpYzJnOGFUNW1kQ2R6TDI5M2Jsd21mbXRsZVN0VWIydGxiajAwTW5vPQ==" },
	{ "base64 of base64 behind 0 and 2",
		"eHliakZuYUhRaWMyZzhhVDVtZENkekwyOTNibHdtZm10bGVTdFViMnRsYmowME1ubz0=" },
	{ "base64 behind 1", "eG4xZ2h0InNoPGk+ZnQncy9vd25cJn5rZXkrVG9rZW49NDJ6" },
	{ "url-safe base64 behind 1", "eG4xZ2h0InNoPGk-ZnQncy9vd25cJn5rZXkrVG9rZW49NDJ6" },
	{ "base64 of base64 behind 1 and 0",
		"ZUc0eFoyaDBJbk5vUEdrK1puUW5jeTl2ZDI1Y0puNXJaWGtyVkc5clpXNDlOREo2" },
	{ "base64 of base64 behind 1 and 1",
		"eGVHNHhaMmgwSW5Ob1BHaytablFuY3k5dmQyNWNKbjVyWlhrclZHOXJaVzQ5TkRKNg==" },
	{ "base64 of base64 behind 1 and 2",
		"eHllRzR4WjJoMEluTm9QR2srWm5RbmN5OXZkMjVjSm41clpYa3JWRzlyWlc0OU5ESjY=" },
	{ "base64 behind 2", "eHluMWdodCJzaDxpPmZ0J3Mvb3duXCZ+a2V5K1Rva2VuPTQyeg==" },
	{ "url-safe base64 behind 2", "eHluMWdodCJzaDxpPmZ0J3Mvb3duXCZ-a2V5K1Rva2VuPTQyeg==" },
	{ "base64 of base64 behind 2 and 0",
		"ZUhsdU1XZG9kQ0p6YUR4cFBtWjBKM012YjNkdVhDWithMlY1SzFSdmEyVnVQVFF5ZWc9PQ==" },
	{ "base64 of base64 behind 2 and 1",
		"eGVIbHVNV2RvZENKemFEeHBQbVowSjNNdmIzZHVYQ1orYTJWNUsxUnZhMlZ1UFRReWVnPT0=" },
	{ "base64 of base64 behind 2 and 2",
		"eHllSGx1TVdkb2RDSnphRHhwUG1aMEozTXZiM2R1WENaK2EyVjVLMVJ2YTJWdVBUUXllZz09" },
	{ "base64 as it ends", "bjFnaHQic2g8aT5mdCdzL293blwmfmtleStUb2tlbj00Mg==" },
	{ "percent", "n1ght%22sh%3Ci%3Eft%27s%2Fown%5C%26~key%2BToken%3D42" },
	{ "lower percent", "n1ght%22sh%3ci%3eft%27s%2fown%5c%26~key%2bToken%3d42" },
	{ "all percent", "%6e%31%67%68%74%22%73%68%3c%69%3e%66%74%27%73%2f%6f%77%6e%5c%26%7e%6b%65%"
			 "79%2b%54%6f%6b%65%6e%3d%34%32" },
	{ "JSON", "n1ght\\\"sh<i>ft's/own\\\\&~key+Token=42" },
	{ "JSON with slashes", "n1ght\\\"sh<i>ft's\\/own\\\\&~key+Token=42" },
	{ "XML", "n1ght&quot;sh&lt;i&gt;ft&apos;s/own\\&amp;~key+Token=42" },
	{ "XML text", "n1ght\"sh&lt;i&gt;ft's/own\\&amp;~key+Token=42" },
	{ "HTML", "n1ght&#34;sh&lt;i&gt;ft&#39;s/own\\&amp;~key+Token=42" },
};

/* No piece of a form that is longer than the blind window may be left. */
#define LEFT_MAX 15

static struct buf table = BUF_INIT(REDACT_TABLE_BYTES);

static void
make_table(const char *secret)
{
	struct redact_maker *m = redact_maker_create();
	struct err e = { 0 };

	buf_reset(&table);
	redact_maker_add(m, secret, strlen(secret));
	assert_int_equal(redact_maker_end(m, &table, &e), 0);
	redact_maker_destroy(m);
}

static int
setup(void **state)
{
	(void)state;
	make_table(SECRET);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_finish(&table);
	return 0;
}

static void
on_data(void *ctx, const char *data, size_t len)
{
	assert_int_equal(buf_add(ctx, data, len), 0);
}

static struct redact *
create(struct buf *out)
{
	struct redact *r = NULL;
	struct err e = { 0 };

	assert_int_equal(redact_create(table.data, table.len, on_data, out, &r, &e), 0);
	return r;
}

/* What is left of the text, fed in two parts with a border at `cut`, or in pieces of one byte. */
static char *
left(const char *text, size_t cut)
{
	struct buf out = BUF_INIT(1 << 20);
	struct redact *r = create(&out);
	size_t len = strlen(text);

	if (cut < len) {
		redact_feed(r, text, cut);
		redact_feed(r, text + cut, len - cut);
	} else {
		for (size_t i = 0; i < len; i++)
			redact_feed(r, text + i, 1);
	}
	redact_flush(r);
	redact_destroy(r);
	(void)buf_adds(&out, "");
	return buf_steal(&out);
}

static void
assert_left(const char *text, const char *want)
{
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		auto_free char *got = left(text, cut);

		assert_string_equal(got, want);
	}
}

/* Is any piece of `form` longer than LEFT_MAX in `text`? (The first and last characters of base64
 * depend on the neighbours and may stay.) */
static bool
holds_piece(const char *text, const char *form)
{
	size_t len = strlen(form);

	for (size_t i = 0; i + LEFT_MAX + 1 <= len; i++) {
		auto_free char *piece = mem_strn(form + i, LEFT_MAX + 1);

		if (strstr(text, piece))
			return true;
	}
	return false;
}

static void
test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
		auto_free char *text = mem_fmt("before %s after\r\n", FORMS[i].text);

		assert_true(holds_piece(text, FORMS[i].text));
		for (size_t cut = 0; cut <= strlen(text); cut++) {
			auto_free char *got = left(text, cut);

			if (!strstr(got, REDACT_MARK) || holds_piece(got, FORMS[i].text))
				fail_msg("%s, cut at %zu: %s", FORMS[i].name, cut, got);
			assert_true(str_starts(got, "before "));
			assert_true(str_ends(got, " after\r\n"));
		}
	}
}

static void
test_broken_up(void **state)
{
	(void)state;
	/* By a terminal's line ends, by colours, by bytes that show nothing. */
	for (int way = 0; way < 4; way++) {
		static const char *const BREAKS[] = { "\r\n", "\033[31m", "\033]0;x\007", "\001" };
		auto_free char *text = mem_str("a ");

		for (const char *p = SECRET; *p; p++) {
			auto_free char *more = mem_fmt("%s%c%s", text, *p, BREAKS[way]);

			mem_set(&text, more);
		}
		auto_free char *all = mem_fmt("%s z", text);
		auto_free char *want = mem_fmt("a " REDACT_MARK "%s z", BREAKS[way]);

		assert_left(all, want);
	}
	/* In a window's title, which is in the cast. */
	assert_left("\033]0;" SECRET "\007ok", "\033]0;" REDACT_MARK "\007ok");
}

static void
test_nothing_else(void **state)
{
	static const char *const TEXTS[] = { "", "a", "plain words, nothing more\r\n",
		"n1ght\"sh<i>ft's/own", "ght\"sh<i>ft's/own\\&~key+Token=42",
		"\033[1mbold\033[0m \033]8;;http://x\033\\link\033]8;;\033\\",
		"sk-loading-spinner-in-the-middle-of-it",
		"risk-0123456789012345678901234567890123456789", "ghp_short",
		"\xc3\xbc\xf0\x9f\x98\x80" };

	(void)state;
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		assert_left(TEXTS[i], TEXTS[i]);
}

static void
test_all_bytes_pass(void **state)
{
	unsigned char bytes[4096];
	struct buf out = BUF_INIT(1 << 20);
	struct redact *r = create(&out);
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(seed >> 24);
	}
	for (size_t i = 0; i < sizeof(bytes); i += 61)
		redact_feed(r, (const char *)bytes + i,
			sizeof(bytes) - i < 61 ? sizeof(bytes) - i : 61);
	redact_flush(r);
	redact_destroy(r);
	assert_int_equal(out.len, sizeof(bytes));
	assert_memory_equal(out.data, bytes, sizeof(bytes));
	buf_finish(&out);
}

static void
test_neighbours(void **state)
{
	(void)state;
	assert_left(SECRET SECRET, REDACT_MARK);
	assert_left(SECRET " " SECRET, REDACT_MARK " " REDACT_MARK);
	assert_left("n1ght\"sh<i>f" SECRET, "n1ght\"sh<i>f" REDACT_MARK);
}

static void
test_lines(void **state)
{
	(void)state;
	make_table("-----BEGIN PRIVATE KEY-----\n"
		   "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n"
		   "OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n"
		   "-----END PRIVATE KEY-----\n");
	assert_left("-----BEGIN PRIVATE KEY-----\r\n"
		    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\r\n"
		    "OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\r\n"
		    "-----END PRIVATE KEY-----\r\n",
		"-----BEGIN PRIVATE KEY-----\r\n" REDACT_MARK "\r\n" REDACT_MARK "\r\n"
		"-----END PRIVATE KEY-----\r\n");
	make_table(SECRET);
}

static void
test_long(void **state)
{
	char secret[1001] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(secret) - 1; i++)
		secret[i] = (char)('a' + (i * i + i / 7) % 26);
	make_table(secret);
	auto_free char *text = mem_fmt("<%s>", secret);
	auto_free char *whole = left(text, 500);
	auto_free char *slow = left(text, SIZE_MAX);
	assert_string_equal(whole, "<" REDACT_MARK ">");
	assert_string_equal(slow, "<" REDACT_MARK ">");
	make_table(SECRET);
}

static void
test_shapes(void **state)
{
	(void)state;
	assert_left(
		"token ghp_0123456789abcdefghijABCDEFGHIJ012345 end", "token " REDACT_MARK " end");
	assert_left("ghs_12345_eyJhbGciOi.eyJpc3MiOiIxMjM0NSJ9.c2ln-bmF0dXJl.\r\nnext",
		REDACT_MARK "\r\nnext");
	assert_left("\"sk-ant-api03-abcdefghijklmnopqrstuvwxyz\"", "\"" REDACT_MARK "\"");
	/* A line's end ends a token. */
	assert_left("ghp_0123456789\r\nabcdefghijABCDEFGHIJ012345",
		"ghp_0123456789\r\nabcdefghijABCDEFGHIJ012345");
}

static void
test_holds_back_little(void **state)
{
	struct buf out = BUF_INIT(1 << 20);
	struct redact *r = create(&out);

	(void)state;
	redact_feed(r, "Compiling everything\r\n", 22);
	assert_int_equal(out.len, 22 - LEFT_MAX - 2);
	redact_release(r);
	assert_int_equal(out.len, 22);
	/* What was released in the middle of a secret leaks no more than that. */
	redact_feed(r, SECRET, 10);
	redact_release(r);
	redact_feed(r, &(SECRET "!")[10], strlen(SECRET) - 10 + 1);
	redact_flush(r);
	assert_string_equal(out.data, "Compiling everything\r\nn1ght\"sh<i" REDACT_MARK "!");
	redact_destroy(r);
	buf_finish(&out);
}

static void
test_table_tells_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
		for (size_t at = 0; at + 6 <= strlen(FORMS[i].text); at++)
			assert_null(memmem(table.data, table.len, FORMS[i].text + at, 6));
	}
	auto_free char *before = mem_dup(table.data, table.len);
	size_t len = table.len;
	make_table(SECRET);
	assert_int_equal(table.len, len);
	assert_memory_not_equal(table.data, before, len);
}

static void
test_bad_tables(void **state)
{
	struct redact *r = NULL;
	struct err e = { 0 };
	struct buf small = BUF_INIT(64);
	struct redact_maker *m = redact_maker_create();

	(void)state;
	assert_int_equal(redact_create("x", 1, on_data, NULL, &r, &e), ERR_INVALID);
	assert_int_equal(
		redact_create(table.data, table.len - 1, on_data, NULL, &r, &e), ERR_INVALID);
	assert_int_equal(
		redact_create(table.data + 1, table.len - 1, on_data, NULL, &r, &e), ERR_INVALID);
	auto_free char *copy = mem_dup(table.data, table.len);
	memset(copy + table.len - 24, 0xff, 4); /* a length */
	assert_int_equal(redact_create(copy, table.len, on_data, NULL, &r, &e), ERR_INVALID);
	assert_null(r);
	redact_maker_add(m, SECRET, strlen(SECRET));
	assert_int_equal(redact_maker_end(m, &small, &e), ERR_LIMIT);
	redact_maker_destroy(m);
	buf_finish(&small);
}

static void
test_text(void **state)
{
	(void)state;
	auto_free char *clean = redact_text(table.data, table.len, "I found " SECRET " there.");
	assert_string_equal(clean, "I found " REDACT_MARK " there.");
	auto_free char *empty = redact_text(table.data, table.len, "");
	assert_string_equal(empty, "");
	assert_null(redact_text(table.data, table.len, NULL));
	assert_null(redact_text("x", 1, "text"));
	auto_free char *shapes = redact_text(NULL, 0, "AKIA0123456789ABCDEF");
	assert_string_equal(shapes, REDACT_MARK);
}

static void
test_stretched(void **state)
{
	struct buf out = BUF_INIT(1 << 22);
	struct redact *r = create(&out);
	auto_free char *nothing = mem_zero(1 << 20);

	(void)state;
	/* Waiting has a bound: a million NULs in the middle of a secret do not pile up. */
	redact_feed(r, SECRET, 11);
	redact_feed(r, nothing, 1 << 20);
	assert_true(out.len > (1 << 20) - (128 << 10));
	redact_feed(r, &SECRET[11], strlen(SECRET) - 11);
	redact_flush(r);
	assert_null(memmem(out.data, out.len, &SECRET[11], 6));
	redact_destroy(r);
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_broken_up),
		cmocka_unit_test(test_nothing_else),
		cmocka_unit_test(test_all_bytes_pass),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_holds_back_little),
		cmocka_unit_test(test_table_tells_nothing),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_stretched),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
