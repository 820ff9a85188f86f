/* SPDX-License-Identifier: Apache-2.0 */
/* str_code - encodings in both directions. */
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define FFFD "\xef\xbf\xbd"

static void
utf8_is_checked_by_the_book(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		bool ok;
		const char *clean;
	} rows[] = {
		{ "ASCII", "abc", true, "abc" },
		{ "two, three and four bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true,
			"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "the last code point", "\xf4\x8f\xbf\xbf", true, "\xf4\x8f\xbf\xbf" },
		{ "beyond the last", "\xf4\x90\x80\x80", false, FFFD FFFD FFFD FFFD },
		{ "overlong slash in two bytes", "\xc0\xaf", false, FFFD FFFD },
		{ "overlong slash in three bytes", "\xe0\x80\xaf", false, FFFD FFFD FFFD },
		{ "overlong in four bytes", "\xf0\x80\x80\xaf", false, FFFD FFFD FFFD FFFD },
		{ "a surrogate", "\xed\xa0\x80", false, FFFD FFFD FFFD },
		{ "a lone continuation", "a\x80z", false, "a" FFFD "z" },
		{ "cut off at the end", "a\xe2\x82", false, "a" FFFD FFFD },
		{ "a character inside a cut one", "\xe2\x82z", false, FFFD FFFD "z" },
		{ "never a first byte", "\xff\xfe", false, FFFD FFFD },
		{ "five bytes", "\xf8\x88\x80\x80\x80", false, FFFD FFFD FFFD FFFD FFFD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100);

		if (str_utf8_ok(rows[i].text, strlen(rows[i].text)) != rows[i].ok)
			fail_msg("%s", rows[i].name);
		assert_int_equal(str_utf8_clean(&b, rows[i].text, strlen(rows[i].text)), 0);
		if (strcmp(buf_str(&b), rows[i].clean) != 0)
			fail_msg("%s: %s", rows[i].name, buf_str(&b));
	}
}

static void
cleaning_replaces_nul_and_respects_the_limit(void **state)
{
	auto_buf struct buf b = BUF_INIT(5);

	(void)state;
	assert_int_equal(str_utf8_clean(&b, "a\0b", 3), 0);
	assert_string_equal(buf_str(&b), "a" FFFD "b");
	assert_int_equal(str_utf8_clean(&b, "c", 1), ERR_LIMIT);
}

static void
hex_both_ways(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	uint8_t raw[3] = { 9, 9, 9 };
	struct err e;

	(void)state;
	assert_int_equal(str_hex(&b, "\x00\xab\xff", 3), 0);
	assert_string_equal(buf_str(&b), "00abff");
	assert_int_equal(str_unhex("00aBFf", raw, 3, &e), 0);
	assert_memory_equal(raw, "\x00\xab\xff", 3);
	raw[0] = 9;
	assert_int_equal(str_unhex("00abf", raw, 3, &e), ERR_INVALID);
	assert_int_equal(str_unhex("00abff0", raw, 3, &e), ERR_INVALID);
	assert_int_equal(str_unhex("00abfg", raw, 3, &e), ERR_INVALID);
	assert_int_equal(str_unhex(NULL, raw, 3, &e), ERR_INVALID);
	assert_int_equal(raw[0], 9);
}

static void
base64_matches_rfc_4648(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff", "+/8=" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100);
		auto_buf struct buf back = BUF_INIT(100);

		assert_int_equal(str_base64(&b, rows[i][0], strlen(rows[i][0])), 0);
		assert_string_equal(buf_str(&b), rows[i][1]);
		assert_int_equal(str_unbase64(&back, b.data, b.len, NULL), 0);
		assert_string_equal(buf_str(&back), rows[i][0]);
	}
}

static void
base64url_has_no_padding(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	auto_buf struct buf back = BUF_INIT(100);

	(void)state;
	assert_int_equal(str_base64url(&b, "\xfb\xff", 2), 0);
	assert_string_equal(buf_str(&b), "-_8");
	assert_int_equal(str_unbase64(&back, b.data, b.len, NULL), 0);
	assert_memory_equal(back.data, "\xfb\xff", 2);
}

static void
base64_refuses(void **state)
{
	static const char *const rows[] = { "Z", "Zg=", "Zg===", "Zm9vY",
		"Zg==Zg==", "Z g=", "Zm9*", "=", "====" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100);

		(void)buf_adds(&b, "kept");
		if (str_unbase64(&b, rows[i], strlen(rows[i]), NULL) != ERR_INVALID)
			fail_msg("%s", rows[i]);
		assert_string_equal(buf_str(&b), "kept");
	}
}

static void
base64_reads_wrapped_lines_up_to_the_limit(void **state)
{
	auto_buf struct buf b = BUF_INIT(6);

	(void)state;
	assert_int_equal(str_unbase64(&b, "Zm9v\r\nYmFy\n", 11, NULL), 0);
	assert_string_equal(buf_str(&b), "foobar");
	buf_reset(&b);
	assert_int_equal(str_unbase64(&b, "Zm9vYmFyZg==", 12, NULL), ERR_LIMIT);
	assert_int_equal(b.len, 0);
}

static void
percent_both_ways(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(str_percent(&b, "a/b c~\xc3\xa9&"), 0);
	assert_string_equal(buf_str(&b), "a%2Fb%20c~%C3%A9%26");
	buf_reset(&b);
	assert_int_equal(str_unpercent(&b, "%7B%22a%22%3a+1%7D", 18, NULL), 0);
	assert_string_equal(buf_str(&b), "{\"a\": 1}");
	buf_reset(&b);
	assert_int_equal(str_unpercent(&b, "a%00b", 5, NULL), 0);
	assert_int_equal(b.len, 3);
}

static void
broken_percent_is_refused(void **state)
{
	static const char *const rows[] = { "%", "a%", "a%4", "%g0", "%0g", "%%41" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100);

		if (str_unpercent(&b, rows[i], strlen(rows[i]), NULL) != ERR_INVALID)
			fail_msg("%s", rows[i]);
		assert_int_equal(b.len, 0);
	}
}

static void
html_is_escaped(void **state)
{
	auto_buf struct buf b = BUF_INIT(200);
	static const char text[] = "<a href=\"x\" onclick='y'>&amp;</a>";

	(void)state;
	assert_int_equal(str_html(&b, text, strlen(text)), 0);
	assert_string_equal(
		buf_str(&b), "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
	buf_reset(&b);
	b.limit = 4;
	assert_int_equal(str_html(&b, "&x", 2), ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_checked_by_the_book),
		cmocka_unit_test(cleaning_replaces_nul_and_respects_the_limit),
		cmocka_unit_test(hex_both_ways),
		cmocka_unit_test(base64_matches_rfc_4648),
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(base64_refuses),
		cmocka_unit_test(base64_reads_wrapped_lines_up_to_the_limit),
		cmocka_unit_test(percent_both_ways),
		cmocka_unit_test(broken_percent_is_refused),
		cmocka_unit_test(html_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
