/* SPDX-License-Identifier: Apache-2.0 */
/* str_parse - numbers, durations, sizes, times: the whole string or nothing. */
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define BAD INT64_MIN

struct row_case {
	const char *text;
	int64_t want; /* BAD: refused */
};

static void
check(const struct row_case *rows, size_t n, int (*parse)(const char *, int64_t *, struct err *))
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = BAD;
		struct err e = { 0 };
		int rc = parse(rows[i].text, &got, &e);

		if (got != rows[i].want || rc != (rows[i].want == BAD ? ERR_INVALID : 0))
			fail_msg("%s: %lld %s", rows[i].text, (long long)got, e.text);
		if (rc < 0)
			assert_true(e.text[0] != '\0');
	}
}

static int
any_i64(const char *s, int64_t *out, struct err *e)
{
	return str_i64(s, INT64_MIN + 1, INT64_MAX, out, e);
}

static void
whole_numbers(void **state)
{
	static const struct row_case rows[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "42", 42 },
		{ "-42", -42 },
		{ "007", 7 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", BAD },
		{ "-9223372036854775807", -INT64_MAX },
		{ "", BAD },
		{ "-", BAD },
		{ "+1", BAD },
		{ " 1", BAD },
		{ "1 ", BAD },
		{ "1x", BAD },
		{ "0x10", BAD },
		{ "1.0", BAD },
		{ "1e3", BAD },
		{ "--1", BAD },
		{ "99999999999999999999", BAD },
		{ NULL, BAD },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]), any_i64);
}

static void
numbers_have_a_range(void **state)
{
	int64_t n = 7;
	struct err e;

	(void)state;
	assert_int_equal(str_i64("4", 1, 4, &n, &e), 0);
	assert_int_equal(str_i64("5", 1, 4, &n, &e), ERR_INVALID);
	assert_string_equal(e.text, "5 is not between 1 and 4");
	assert_int_equal(str_i64("0", 1, 4, &n, NULL), ERR_INVALID);
	assert_int_equal(n, 4);
}

static void
durations(void **state)
{
	static const struct row_case rows[] = {
		{ "0", 0 },
		{ "500ms", 500 },
		{ "90s", 90000 },
		{ "45m", 2700000 },
		{ "2h", 7200000 },
		{ "1d", 86400000 },
		{ "90", BAD },
		{ "s", BAD },
		{ "-1s", BAD },
		{ "1.5h", BAD },
		{ "1 s", BAD },
		{ "1S", BAD },
		{ "1h30m", BAD },
		{ "1w", BAD },
		{ "106751991167d", 106751991167 * INT64_C(86400000) },
		{ "106751991168d", BAD },
		{ "", BAD },
		{ NULL, BAD },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]), str_duration);
}

static void
sizes(void **state)
{
	static const struct row_case rows[] = {
		{ "0", 0 },
		{ "300", 300 },
		{ "300B", 300 },
		{ "64KiB", 65536 },
		{ "5MiB", 5242880 },
		{ "1GiB", 1073741824 },
		{ "2TiB", INT64_C(2199023255552) },
		{ "5MB", BAD },
		{ "5M", BAD },
		{ "5mib", BAD },
		{ "-1", BAD },
		{ "8388608TiB", BAD },
		{ "KiB", BAD },
		{ "", BAD },
		{ NULL, BAD },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]), str_size);
}

static void
times(void **state)
{
	static const struct row_case rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-22T09:19:17Z", INT64_C(1795339157000) },
		{ "2026-11-22T10:19:17+01:00", INT64_C(1795339157000) },
		{ "2026-11-22T03:49:17-05:30", INT64_C(1795339157000) },
		{ "2026-11-22T10:19:17+0100", INT64_C(1795339157000) },
		{ "2026-11-22 10:19:17 +0100", INT64_C(1795339157000) },
		{ "2026-11-22 09:19:17 UTC", INT64_C(1795339157000) },
		{ "2026-11-22t09:19:17z", INT64_C(1795339157000) },
		{ "2026-11-22T09:19:17.5Z", INT64_C(1795339157500) },
		{ "2026-11-22T09:19:17.123456789Z", INT64_C(1795339157123) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
		{ "2000-02-29T00:00:00Z", INT64_C(951782400000) },
		{ "0001-01-01T00:00:00Z", INT64_C(-62135596800000) },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
		{ "2023-02-29T00:00:00Z", BAD },
		{ "1900-02-29T00:00:00Z", BAD },
		{ "2026-04-31T00:00:00Z", BAD },
		{ "2026-13-01T00:00:00Z", BAD },
		{ "2026-00-01T00:00:00Z", BAD },
		{ "2026-01-00T00:00:00Z", BAD },
		{ "2026-01-01T24:00:00Z", BAD },
		{ "2026-01-01T00:60:00Z", BAD },
		{ "2026-01-01T00:00:61Z", BAD },
		{ "2026-01-01T00:00:00", BAD },
		{ "2026-01-01", BAD },
		{ "2026-01-01T00:00:00.Z", BAD },
		{ "2026-01-01T00:00:00Zx", BAD },
		{ "2026-1-1T00:00:00Z", BAD },
		{ "20260101T000000Z", BAD },
		{ "2026-01-01T00:00:00+25:00", BAD },
		{ "2026-01-01T00:00:00+01:", BAD },
		{ "", BAD },
		{ NULL, BAD },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]), str_time);
}

static void
times_print_as_they_are_read(void **state)
{
	char text[32];

	(void)state;
	str_time_print(INT64_C(1795339157999), text);
	assert_string_equal(text, "2026-11-22T09:19:17Z");
	str_time_print(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59Z");
	str_time_print(INT64_MAX, text);
	assert_string_equal(text, "out-of-range");
	str_time_print(INT64_MIN, text);
	assert_string_equal(text, "out-of-range");

	/* Every day of eight centuries, leap years of all four kinds in them. */
	for (int64_t ms = INT64_C(-12219292800000); ms < INT64_C(13000000000000); ms += 86400000) {
		int64_t back = 1;

		str_time_print(ms, text);
		assert_int_equal(str_time(text, &back, NULL), 0);
		assert_true(back == ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(numbers_have_a_range),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(times),
		cmocka_unit_test(times_print_as_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
