/* SPDX-License-Identifier: Apache-2.0 */
/* zone - the machine's zones as the C library reads them, rules, and files that are none. */
#include "base/zone.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/zone_rule.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY  INT64_C(86400)
#define YEAR (365 * DAY)

/* From 1900 to 2100, at all times of day. */
static void
agrees_with_the_c_library(void **state)
{
	static const char *const names[] = { "UTC", "Europe/Berlin", "Europe/Dublin",
		"America/New_York", "America/Santiago", "America/Argentina/Buenos_Aires",
		"Asia/Kolkata", "Asia/Kathmandu", "Africa/Casablanca", "Australia/Lord_Howe",
		"Pacific/Apia", "Pacific/Kiritimati", "Antarctica/Troll", "Etc/GMT+5", "EST5EDT" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_zone struct zone *z = NULL;
		struct err e;

		assert_int_equal(zone_open(names[i], &z, &e), 0);
		assert_int_equal(setenv("TZ", names[i], 1), 0);
		tzset();
		for (int64_t at = -70 * YEAR; at < 130 * YEAR; at += 11 * 3600 + 7) {
			struct tm t;

			assert_non_null(localtime_r(&at, &t));
			if (zone_offset(z, at) != t.tm_gmtoff)
				fail_msg("%s at %ld: %d instead of %ld", names[i], (long)at,
					(int)zone_offset(z, at), t.tm_gmtoff);
		}
	}
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

static void
no_zone_is_utc(void **state)
{
	(void)state;
	assert_int_equal(zone_offset(NULL, 0), 0);
	zone_close(NULL);
}

static void
names_stay_below_the_folder(void **state)
{
	static const char *const wrong[] = { "", "/etc/passwd", "../../../etc/passwd",
		"Europe/../../x", "Europe/Berlin.x", "Europe Berlin", "Europe/Berlin\n", ":UTC",
		"Europe/Berlin/Europe/Berlin/Europe/Berlin/Europe/Berlin/Europe/Berlin" };
	struct zone *z = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(zone_name_check(wrong[i], &e), ERR_INVALID);
		assert_int_equal(zone_open(wrong[i], &z, &e), ERR_INVALID);
	}
	assert_int_equal(zone_name_check("America/Argentina/Buenos_Aires", &e), 0);
	assert_int_equal(zone_open("Europe/Atlantis", &z, &e), ERR_MISSING);
	assert_non_null(strstr(e.text, "this machine knows no time zone \"Europe/Atlantis\""));
	assert_int_equal(zone_open("Europe", &z, &e), ERR_INVALID);
	assert_null(z);
}

static void
rules_follow_posix(void **state)
{
	static const struct {
		const char *text;
		const char *at;
		int32_t offset;
	} rules[] = {
		{ "UTC0", "2026-07-01T00:00:00Z", 0 },
		{ "<+0530>-5:30", "2026-07-01T00:00:00Z", 19800 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600 },
		{ "EST5EDT,0/0,J365/25", "2026-12-31T23:59:59Z", -14400 },
		{ "AAA0BBB,J60,J61", "2024-03-01T02:00:00Z", 3600 },
		{ "AAA0BBB,J60,J61", "2024-02-29T23:00:00Z", 0 },
		{ "AAA0BBB,59,60", "2024-02-29T23:00:00Z", 3600 },
		{ "AAA0BBB,M3.2.0/-24,M3.2.0/0", "2026-03-07T00:00:00Z", 3600 },
	};
	static const char *const wrong[] = { "", "CE-1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J5", "CET-1CEST,M3.5.0,M10.5.0 ", "CET-168", "CET-1:60", "<CET-1" };

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct zone_rule r;
		struct err e;
		int64_t at;

		assert_int_equal(zone_rule_parse(rules[i].text, &r, &e), 0);
		assert_int_equal(str_time(rules[i].at, &at, &e), 0);
		if (zone_rule_offset(&r, at / 1000) != rules[i].offset)
			fail_msg("%s at %s: %d", rules[i].text, rules[i].at,
				(int)zone_rule_offset(&r, at / 1000));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct zone_rule r;

		if (zone_rule_parse(wrong[i], &r, NULL) != ERR_INVALID)
			fail_msg("%s is taken for a rule", wrong[i]);
	}
}

/* A file that ends early at any byte, or has one changed, is refused or read: nothing else. */
static void
damaged_files_are_refused(void **state)
{
	auto_buf struct buf data = BUF_INIT(ZONE_BYTES_MAX);
	struct err e;

	(void)state;
	assert_int_equal(fs_read(ZONE_DIR "/Europe/Berlin", &data, &e), 0);
	for (size_t len = 0; len < data.len; len++) {
		auto_zone struct zone *z = NULL;
		auto_free char *part = mem_dup(data.data, len ? len : 1);

		assert_int_equal(zone_parse(part, len, &z, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, "RFC 8536"));
	}
	for (size_t i = 0; i < data.len; i++) {
		auto_zone struct zone *z = NULL;

		data.data[i] ^= (char)0x80;
		if (zone_parse(data.data, data.len, &z, &e) == 0)
			(void)zone_offset(z, 1700000000);
		data.data[i] ^= (char)0x80;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(no_zone_is_utc),
		cmocka_unit_test(names_stay_below_the_folder),
		cmocka_unit_test(rules_follow_posix),
		cmocka_unit_test(damaged_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
