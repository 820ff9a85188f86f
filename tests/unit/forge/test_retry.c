/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a status means, when to come back, and how the backoff grows.
 */
#include "forge/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 1795339157000

static const struct {
	const char *name;
	int status;
	bool was_sent;
	const char *headers[3];
	const char *body;
	int want;
	int64_t want_ms;
	const char *text;
} CASES[] = {
	{ "done", 200, false, { 0 }, "", 0, 0, NULL },
	{ "made", 201, false, { 0 }, "{}", 0, 0, NULL },
	{ "nothing to say", 204, false, { 0 }, "", 0, 0, NULL },
	{ "not reached", 0, false, { 0 }, "", ERR_BUSY, 0, "not reached" },
	{ "sent and no answer", 0, true, { 0 }, "", ERR_TIMEOUT, 0,
		"no answer: the outcome is unknown" },
	{ "a redirect that was not followed", 302, false, { 0 }, "", ERR_PROTOCOL, 0,
		"status 302" },
	{ "not modified, though nobody asked", 304, false, { 0 }, "", ERR_PROTOCOL, 0, NULL },
	{ "our mistake", 400, false, { 0 }, "", ERR_INVALID, 0, NULL },
	{ "who are you", 401, false, { 0 }, "", ERR_DENIED, 0, NULL },
	{ "you may not", 403, false, { 0 }, "{\"message\":\"Resource not accessible\"}", ERR_DENIED,
		0, "status 403: Resource not accessible" },
	{ "you may not, with requests left", 403, false,
		{ "x-ratelimit-remaining: 17", "x-ratelimit-reset: 1795339999" }, "", ERR_DENIED, 0,
		NULL },
	{ "not so fast", 403, false, { "retry-after: 60" }, "", ERR_BUSY, 60000, NULL },
	{ "none left", 403, false, { "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1795339187" },
		"", ERR_BUSY, 31000, NULL },
	{ "none left, and the reset is past", 403, false,
		{ "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1795330000" }, "", ERR_BUSY, 1000,
		NULL },
	{ "none left until the year 2100", 403, false,
		{ "x-ratelimit-remaining: 0", "x-ratelimit-reset: 4102444800" }, "", ERR_BUSY,
		3600000, NULL },
	{ "not so fast, in words", 403, false, { 0 },
		"{\"message\":\"You have exceeded a secondary Rate Limit.\"}", ERR_BUSY, 0, NULL },
	{ "not so fast, in old words", 403, false, { 0 },
		"{\"message\":\"abuse detection mechanism\"}", ERR_BUSY, 0, NULL },
	{ "a person who writes of rate limits elsewhere", 403, false, { 0 },
		"{\"title\":\"rate limit\",\"message\":\"no\"}", ERR_DENIED, 0, NULL },
	{ "not there", 404, false, { 0 }, "", ERR_MISSING, 0, NULL },
	{ "no such method", 405, false, { 0 }, "", ERR_INVALID, 0, NULL },
	{ "too slow", 408, false, { 0 }, "", ERR_BUSY, 0, NULL },
	{ "there already", 409, false, { 0 }, "", ERR_CONFLICT, 0, NULL },
	{ "gone", 410, false, { 0 }, "", ERR_MISSING, 0, NULL },
	{ "too large", 413, false, { 0 }, "", ERR_LIMIT, 0, NULL },
	{ "not valid", 422, false, { 0 },
		"{\"message\":\"Validation Failed\",\"errors\":[{\"message\":\"too long\"}]}",
		ERR_INVALID, 0, "status 422: too long" },
	{ "errors without a text", 422, false, { 0 },
		"{\"message\":\"Validation Failed\",\"errors\":[{\"code\":\"x\"}]}", ERR_INVALID, 0,
		"status 422: Validation Failed" },
	{ "too many", 429, false, { "retry-after: 7" }, "", ERR_BUSY, 7000, NULL },
	{ "too many, come at once", 429, false, { "retry-after: 0" }, "", ERR_BUSY, 1000, NULL },
	{ "too many, come in a month", 429, false, { "retry-after: 2592000" }, "", ERR_BUSY,
		3600000, NULL },
	{ "too many, at a date", 429, false, { "retry-after: Sun, 22 Nov 2026 09:20:17 GMT" }, "",
		ERR_BUSY, 60000, NULL },
	{ "too many, nonsense", 429, false, { "retry-after: soon" }, "", ERR_BUSY, 0, NULL },
	{ "ill", 500, false, { 0 }, "<html>", ERR_BUSY, 0, "status 500" },
	{ "away", 503, false, { "retry-after: 2" }, "", ERR_BUSY, 2000, NULL },
	{ "control characters in the message", 400, false, { 0 },
		"{\"message\":\"a\\nb\\u001b[31m\\u00e9\"}", ERR_INVALID, 0,
		"status 400: a b [31m  " },
};

static void
statuses_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct http_reply r = { .status = CASES[i].status, .was_sent = CASES[i].was_sent };
		struct err e = { 0 };
		int64_t ms = -1;
		int rc;

		for (size_t h = 0; h < 3 && CASES[i].headers[h]; h++)
			strs_add(&r.headers, CASES[i].headers[h]);
		buf_init(&r.body, 65536);
		(void)buf_adds(&r.body, CASES[i].body);
		rc = retry_classify(&r, NOW_MS, &ms, &e);
		if (rc != CASES[i].want || ms != CASES[i].want_ms)
			fail_msg(
				"%s: %s after %lld ms", CASES[i].name, err_name(rc), (long long)ms);
		if (CASES[i].text)
			assert_string_equal(e.text, CASES[i].text);
		http_reply_finish(&r);
	}
}

static void
a_huge_message_is_cut(void **state)
{
	struct http_reply r = { .status = 400 };
	struct err e;
	int64_t ms;

	(void)state;
	buf_init(&r.body, 65536);
	(void)buf_adds(&r.body, "{\"message\":\"");
	for (int i = 0; i < 5000; i++)
		(void)buf_addc(&r.body, 'x');
	(void)buf_adds(&r.body, "\"}");
	assert_int_equal(retry_classify(&r, 0, &ms, &e), ERR_INVALID);
	assert_in_range(strlen(e.text), 100, 300);
	http_reply_finish(&r);
}

static void
dates(void **state)
{
	(void)state;
	assert_int_equal(retry_http_date_ms("Sun, 22 Nov 2026 09:19:17 GMT"), NOW_MS);
	assert_int_equal(retry_http_date_ms("Sun, 22 Nov 2026 09:19:17 CET"), 0);
	assert_int_equal(retry_http_date_ms("22 Nov 2026"), 0);
	assert_int_equal(retry_http_date_ms(""), 0);
	assert_int_equal(retry_http_date_ms(NULL), 0);
}

static void
backoff_doubles_to_five_minutes(void **state)
{
	(void)state;
	assert_int_equal(retry_backoff_ms(0, 0), 1000);
	assert_int_equal(retry_backoff_ms(1, 0), 1000);
	assert_int_equal(retry_backoff_ms(2, 0), 2000);
	assert_int_equal(retry_backoff_ms(9, 0), 256000);
	assert_int_equal(retry_backoff_ms(10, 0), 300000);
	assert_int_equal(retry_backoff_ms(INT64_MAX, 0), 300000);
	assert_int_equal(retry_backoff_ms(1, 512), 1125);
	assert_in_range(retry_backoff_ms(10, 1023), 370000, 375000);
	assert_in_range(retry_backoff_ms(1, UINT32_MAX), 1000, 1250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_by_row),
		cmocka_unit_test(a_huge_message_is_cut),
		cmocka_unit_test(dates),
		cmocka_unit_test(backoff_doubles_to_five_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
