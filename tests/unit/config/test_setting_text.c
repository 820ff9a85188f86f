/* SPDX-License-Identifier: Apache-2.0 */
/* setting_text, setting_number - one value at a time. */
#include "config/settings.h"

#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static const struct {
	enum setting_type type;
	const char *value;
	const char *want; /* NULL: refused */
} TEXTS[] = {
	{ SETTING_WORD, "my-agent_2.0", "my-agent_2.0" },
	{ SETTING_WORD, "-x", NULL },
	{ SETTING_WORD, ".", NULL },
	{ SETTING_WORD, "a b", NULL },
	{ SETTING_WORD, "a/b", NULL },
	{ SETTING_WORD, "", NULL },
	{ SETTING_TEXT, "Night \xc3\xa9 Shift", "Night \xc3\xa9 Shift" },
	{ SETTING_TEXT, "a\nCc: x", NULL },
	{ SETTING_TEXT, "a\x1b[2J", NULL },
	{ SETTING_TEXT, "a\x7f", NULL },
	{ SETTING_PROSE, "a\n\tb\n", "a\n\tb\n" },
	{ SETTING_PROSE, "a\rb", NULL },
	{ SETTING_CHOICE, "webhook", "webhook" },
	{ SETTING_CHOICE, "webhook|poll", NULL },
	{ SETTING_CHOICE, "Poll", NULL },
	{ SETTING_URL, "https://git.example.org/", "https://git.example.org" },
	{ SETTING_URL, "http://127.0.0.1:3000/sub//", "http://127.0.0.1:3000/sub" },
	{ SETTING_URL, "http://[::1]:3000", "http://[::1]:3000" },
	{ SETTING_URL, "ftp://x", NULL },
	{ SETTING_URL, "https://", NULL },
	{ SETTING_URL, "https:///x", NULL },
	{ SETTING_URL, "https://:80/", NULL },
	{ SETTING_URL, "https://u:p@host/", NULL },
	{ SETTING_URL, "https://host/?q", NULL },
	{ SETTING_URL, "https://host/#f", NULL },
	{ SETTING_URL, "https://a b/", NULL },
	{ SETTING_URL, "git.example.org", NULL },
	{ SETTING_PATH, "/etc/x", "/etc/x" },
	{ SETTING_PATH, "x/y", "/base/x/y" },
	{ SETTING_PATH, "./x", "/base/x" },
	{ SETTING_PATH, "a\nb", NULL },
	{ SETTING_INSIDE, "a/b.xml", "a/b.xml" },
	{ SETTING_INSIDE, "./a", "a" },
	{ SETTING_INSIDE, "a..b", "a..b" },
	{ SETTING_INSIDE, "../a", NULL },
	{ SETTING_INSIDE, "a/..", NULL },
	{ SETTING_INSIDE, "/a", NULL },
	{ SETTING_ENV, "OPENAI_KEY2", "OPENAI_KEY2" },
	{ SETTING_ENV, "2X", NULL },
	{ SETTING_ENV, "A=B", NULL },
	{ SETTING_LISTEN, "127.0.0.1:8080", "127.0.0.1:8080" },
	{ SETTING_LISTEN, "unix:/run/x.sock", "unix:/run/x.sock" },
	{ SETTING_LISTEN, "unix:x.sock", "unix:/base/x.sock" },
	{ SETTING_LISTEN, "unix:", NULL },
	{ SETTING_LISTEN, "8080", NULL },
	{ SETTING_NET, "10.0.0.0/8", "10.0.0.0/8" },
	{ SETTING_NET, "unix", "unix" },
	{ SETTING_NET, "unix:/run/x", NULL },
	{ SETTING_NET, "proxy.local", NULL },
	{ SETTING_HOST, "registry", "registry" },
	{ SETTING_HOST, "Static.Example.org", "static.example.org" },
	{ SETTING_HOST, "*.example.org", "*.example.org" },
	{ SETTING_HOST, "*", NULL },
	{ SETTING_HOST, "*.", NULL },
	{ SETTING_HOST, "*.org", NULL },
	{ SETTING_HOST, "https://x", NULL },
	{ SETTING_HOST, "x:443", NULL },
	{ SETTING_HOST, "x..y", NULL },
	{ SETTING_HOST, "x.", NULL },
	{ SETTING_HOST, "-x", NULL },
	{ SETTING_GLOB, ".github/**", ".github/**" },
	{ SETTING_GLOB, "!acme/secret", "!acme/secret" },
	{ SETTING_GLOB, "/deploy/**", NULL },
	{ SETTING_GLOB, "!", NULL },
	{ SETTING_CRON, "0 3 * * 1", "0 3 * * 1" },
	{ SETTING_CRON, "*/15 0-6,22 1 1 *", "*/15 0-6,22 1 1 *" },
	{ SETTING_CRON, "0 3 * *", NULL },
	{ SETTING_CRON, "0 3 * * 1 root", NULL },
	{ SETTING_CRON, "@daily", "@daily" },
	{ SETTING_CRON, "@fortnightly", NULL },
	{ SETTING_CRON, "0 25 * * *", NULL },
};

static void
texts(void **state)
{

	(void)state;
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
		const struct setting s = {
			.path = "x", .type = TEXTS[i].type, .choices = "webhook|poll"
		};
		auto_buf struct buf out = BUF_INIT(200);
		struct err e = { 0 };
		int rc = setting_text(&s, "/base", TEXTS[i].value, &out, &e);

		if ((rc == 0) != (TEXTS[i].want != NULL) ||
			(rc == 0 && strcmp(buf_str(&out), TEXTS[i].want) != 0))
			fail_msg("%s: %d %s %s", TEXTS[i].value, rc, buf_str(&out), e.text);
	}
}

static void
a_url_with_a_password_is_not_repeated(void **state)
{
	const struct setting s = { .path = "url", .type = SETTING_URL };
	auto_buf struct buf out = BUF_INIT(200);
	struct err e;

	(void)state;
	assert_int_equal(setting_text(&s, NULL, "https://u:hunter2@host/", &out, &e), ERR_INVALID);
	assert_null(strstr(e.text, "hunter2"));
}

static void
text_has_the_rows_maximum(void **state)
{
	const struct setting s = { .path = "x", .type = SETTING_TEXT };
	auto_buf struct buf out = BUF_INIT(3);

	(void)state;
	assert_int_equal(setting_text(&s, NULL, "abc", &out, NULL), 0);
	buf_reset(&out);
	assert_int_equal(setting_text(&s, NULL, "abcd", &out, NULL), ERR_LIMIT);
}

static void
the_nearest_choice_is_named(void **state)
{
	const struct setting s = { .path = "x", .type = SETTING_CHOICE, .choices = "webhook|poll" };
	auto_buf struct buf out = BUF_INIT(100);
	struct err e;

	(void)state;
	assert_int_equal(setting_text(&s, NULL, "webhok", &out, &e), ERR_INVALID);
	assert_string_equal(
		e.text, "\"webhok\" is none of webhook, poll; did you mean \"webhook\"?");
	assert_int_equal(setting_text(&s, NULL, "carrier pigeon", &out, &e), ERR_INVALID);
	assert_string_equal(e.text, "\"carrier pigeon\" is none of webhook, poll");
}

static void
numbers_read_and_print_the_same(void **state)
{
	static const struct {
		enum setting_type type;
		const char *text;
		int64_t value;
		const char *printed;
	} rows[] = {
		{ SETTING_INT, "42", 42, "42" },
		{ SETTING_DURATION, "45m", 2700000, "45m" },
		{ SETTING_DURATION, "90s", 90000, "90s" },
		{ SETTING_DURATION, "24h", 86400000, "1d" },
		{ SETTING_DURATION, "1500ms", 1500, "1500ms" },
		{ SETTING_SIZE, "8MiB", 8388608, "8MiB" },
		{ SETTING_SIZE, "1025", 1025, "1025B" },
		{ SETTING_SIZE, "1024KiB", 1048576, "1MiB" },
		{ SETTING_MONEY, "5", 500, "5" },
		{ SETTING_MONEY, "2.5", 250, "2.50" },
		{ SETTING_MONEY, "0.05", 5, "0.05" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct setting s = {
			.path = "x", .type = rows[i].type, .min = 1, .max = INT64_MAX
		};
		auto_buf struct buf out = BUF_INIT(100);
		struct err e = { 0 };
		int64_t got = 0;

		if (setting_number_parse(&s, rows[i].text, &got, &e) < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_true(got == rows[i].value);
		assert_int_equal(setting_number_print(&s, got, &out), 0);
		assert_string_equal(buf_str(&out), rows[i].printed);
	}
}

static void
numbers_are_refused(void **state)
{
	static const struct {
		enum setting_type type;
		const char *text;
		const char *want;
	} rows[] = {
		{ SETTING_INT, "x", "not a whole number" },
		{ SETTING_INT, "1000", "1000 is not between 1 and 500" },
		{ SETTING_DURATION, "45", "not a duration" },
		{ SETTING_DURATION, "2s", "2s is not between 1ms and 500ms" },
		{ SETTING_SIZE, "5MB", "not a size" },
		{ SETTING_SIZE, "1KiB", "1KiB is not between 1B and 500B" },
		{ SETTING_MONEY, "1.234", "not an amount" },
		{ SETTING_MONEY, "1.", "not an amount" },
		{ SETTING_MONEY, ".5", "not an amount" },
		{ SETTING_MONEY, "1.2.3", "not an amount" },
		{ SETTING_MONEY, "-1", "not an amount" },
		{ SETTING_MONEY, "$5", "not an amount" },
		{ SETTING_MONEY, "99999999999999999999999999999999999999", "not an amount" },
		{ SETTING_MONEY, "6", "6 is not between 0.01 and 5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct setting s = {
			.path = "x", .type = rows[i].type, .min = 1, .max = 500
		};
		struct err e = { 0 };
		int64_t got = 7;

		if (setting_number_parse(&s, rows[i].text, &got, &e) != ERR_INVALID ||
			!strstr(e.text, rows[i].want))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_true(got == 7);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(a_url_with_a_password_is_not_repeated),
		cmocka_unit_test(text_has_the_rows_maximum),
		cmocka_unit_test(the_nearest_choice_is_named),
		cmocka_unit_test(numbers_read_and_print_the_same),
		cmocka_unit_test(numbers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
