/* SPDX-License-Identifier: Apache-2.0 */
/* cron - what a schedule means, what is refused and with which words, and clocks that are changed.
 * tests/campaign/cron.mjs compares ten thousand more with another program. */
#include "base/cron.h"

#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

/* The first times after one, each in UTC. */
static const struct {
	const char *zone;
	const char *text;
	const char *after;
	const char *next[4];
} TIMES[] = {
	{ "UTC", "0 3 * * 1", "2026-11-23T03:00:00Z", { "2026-11-30T03:00:00Z" } },
	{ "UTC", "0 3 * * 1", "2026-11-23T02:59:59Z", { "2026-11-23T03:00:00Z" } },
	{ "UTC", "* * * * *", "2026-11-23T02:59:59Z",
		{ "2026-11-23T03:00:00Z", "2026-11-23T03:01:00Z" } },
	{ "UTC", "*/25 9-17/8 * * mon-fri", "2026-11-20T17:30:00Z",
		{ "2026-11-20T17:50:00Z", "2026-11-23T09:00:00Z", "2026-11-23T09:25:00Z" } },
	{ "UTC", " 5\t4  1,15 JAN,jul *", "2026-11-20T00:00:00Z",
		{ "2027-01-01T04:05:00Z", "2027-01-15T04:05:00Z", "2027-07-01T04:05:00Z" } },
	{ "UTC", "0 0 13 * fri", "2026-11-01T00:00:00Z", /* either day */
		{ "2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z" } },
	{ "UTC", "0 0 */20 * 5-7/2", "2026-11-21T12:00:00Z", /* no plain * */
		{ "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z", "2026-11-29T00:00:00Z",
			"2026-12-01T00:00:00Z" } },
	{ "UTC", "0 0 * * 7", "2026-11-22T00:00:00Z", { "2026-11-29T00:00:00Z" } },
	{ "UTC", "0 0 29 2 *", "2096-03-01T00:00:00Z", { "2104-02-29T00:00:00Z" } },
	{ "UTC", "0 0 31 2 mon", "2026-11-22T00:00:00Z", { "2027-02-01T00:00:00Z" } },
	{ "UTC", "@hourly", "2026-11-22T10:00:00Z", { "2026-11-22T11:00:00Z" } },
	{ "UTC", "@daily", "2026-11-22T10:00:00Z", { "2026-11-23T00:00:00Z" } },
	{ "UTC", "@weekly", "2026-11-22T10:00:00Z", { "2026-11-29T00:00:00Z" } },
	{ "UTC", "@monthly", "2026-11-22T10:00:00Z", { "2026-12-01T00:00:00Z" } },
	{ "UTC", "@yearly", "2026-11-22T10:00:00Z", { "2027-01-01T00:00:00Z" } },
	{ "UTC", "0 12 * * *", "1969-12-30T13:00:00Z", { "1969-12-31T12:00:00Z" } },
	{ "UTC", "0 12 19 1 *", "2038-01-19T03:14:07Z", { "2038-01-19T12:00:00Z" } },
	{ "Asia/Kolkata", "30 5 * * *", "2026-11-22T00:00:00Z",
		{ "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z" } },

	/* 02:00 to 03:00 is left out on 29 March: once a day, as much later. */
	{ "Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00Z",
		{ "2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z" } },
	{ "Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00Z",
		{ "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z" } },
	{ "Europe/Berlin", "*/30 * * * *", "2026-03-29T00:30:00Z",
		{ "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z" } },

	/* 02:00 to 03:00 comes twice on 25 October: the first time, or both. */
	{ "Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z",
		{ "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z" } },
	{ "Europe/Berlin", "30 2 * * *", "2026-10-25T01:10:00Z", { "2026-10-26T01:30:00Z" } },
	{ "Europe/Berlin", "0,30 0-3 * * *", "2026-10-25T00:10:00Z",
		{ "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z" } },
	{ "Europe/Berlin", "30 * * * *", "2026-10-25T00:00:00Z",
		{ "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z" } },

	/* A change of half an hour, from 02:00 to 02:30 and back. */
	{ "Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z",
		{ "2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z" } },
	{ "Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z",
		{ "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z" } },

	/* Midnight itself is left out. */
	{ "America/Santiago", "0 0 * * *", "2026-09-05T12:00:00Z",
		{ "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z" } },

	/* A whole day is left out: the 30th of December 2011. */
	{ "Pacific/Apia", "0 12 30 * *", "2011-12-01T00:00:00Z",
		{ "2011-12-30T22:00:00Z", "2012-01-29T22:00:00Z" } },

	/* After the file's last change, by its rule. */
	{ "America/New_York", "30 2 * * *", "2099-03-07T12:00:00Z",
		{ "2099-03-08T07:30:00Z", "2099-03-09T06:30:00Z" } },
};

static int64_t
ms(const char *text)
{
	int64_t out;

	assert_int_equal(str_time(text, &out, NULL), 0);
	return out;
}

static void
names_the_next_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
		auto_zone struct zone *z = NULL;
		int64_t at = ms(TIMES[i].after);
		struct cron c;
		struct err e;

		assert_int_equal(zone_open(TIMES[i].zone, &z, &e), 0);
		assert_int_equal(cron_parse(TIMES[i].text, &c, &e), 0);
		for (size_t n = 0; n < 4 && TIMES[i].next[n]; n++) {
			char told[32];

			at = cron_next(&c, z, at);
			str_time_print(at, told);
			if (!str_eq(told, TIMES[i].next[n]))
				fail_msg("%s in %s after %s: %s instead of %s", TIMES[i].text,
					TIMES[i].zone, TIMES[i].after, told, TIMES[i].next[n]);
		}
	}
}

static void
what_is_wrong_is_named_with_its_mend(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} wrong[] = {
		{ "", "0 fields instead of five" },
		{ "   ", "0 fields instead of five" },
		{ "daily", "1 field instead of five" },
		{ "0 3 * *", "4 fields instead of five: minute, hour, day of the month, month, day "
			     "of the week, as in 0 3 * * 1; or @daily and the like" },
		{ "0 3 * * 1 root", "6 fields instead of five" },
		{ "60 3 * * 1", "minute: \"60\" is not 0 to 59" },
		{ "-1 3 * * 1", "minute: \"\" is not 0 to 59" },
		{ "0 24 * * 1", "hour: \"24\" is not 0 to 23" },
		{ "0 3 0 * 1", "day of the month: \"0\" is not 1 to 31" },
		{ "0 3 * 13 1", "month: \"13\" is not 1 to 12 or jan to dec" },
		{ "0 3 * sept 1", "month: \"sept\" is not 1 to 12 or jan to dec" },
		{ "0 3 * * 8", "day of the week: \"8\" is not 0 to 7 or sun to sat" },
		{ "0 3 * * monday", "day of the week: \"monday\" is not 0 to 7 or sun to sat" },
		{ "0 mon * * *", "hour: \"mon\" is not 0 to 23" },
		{ "0 22-6 * * *", "hour: \"22-6\" runs backwards; write 22-23,0-6" },
		{ "0 3 * * fri-mon", "day of the week: \"fri-mon\" runs backwards; write 5-6,0-1" },
		{ "5/15 * * * *", "minute: \"5/15\" has a step but no range; write 5-59/15" },
		{ "*/0 * * * *", "minute: the step \"0\" is not 1 to 59" },
		{ "*/ * * * *", "minute: the step \"\" is not 1 to 59" },
		{ "*/2/3 * * * *", "minute: the step \"2/3\" is not 1 to 59" },
		{ "1, 3 * * 1", "minute: a comma with nothing on one side" },
		{ "1,,2 3 * * 1", "minute: a comma with nothing on one side" },
		{ "1-2-3 3 * * 1", "minute: \"2-3\" is not 0 to 59" },
		{ "+1 3 * * 1", "minute: \"+1\" is not 0 to 59" },
		{ "** 3 * * 1", "minute: \"**\" is not 0 to 59" },
		{ "99999999999999999999 * * * *", "minute: \"99999999999999999999\" is not" },
		{ "0 3 L * *", "day of the month: \"L\" is not 1 to 31" },
		{ "0 0 30 2 *", "day of the month: no month of this schedule has a day 30" },
		{ "0 0 31 4,jun,9,11 *",
			"day of the month: no month of this schedule has a day 31" },
		{ "@reboot", "\"@reboot\" is none of @hourly, @daily, @weekly, @monthly, @yearly" },
		{ "@dayly", "did you mean @daily?" },
		{ "@", "\"@\" is none of" },
	};
	struct cron untouched = { .minutes = 7 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(cron_parse(wrong[i].text, &untouched, &e), ERR_INVALID);
		if (!strstr(e.text, wrong[i].says))
			fail_msg("%s: \"%s\"", wrong[i].text, e.text);
		assert_int_equal(untouched.minutes, 7);
	}
}

static void
too_long_is_refused(void **state)
{
	char text[CRON_BYTES_MAX + 2];
	struct cron c;
	struct err e;

	(void)state;
	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "0 3 * * 1", 9);
	assert_int_equal(cron_parse(text, &c, &e), ERR_INVALID);
	text[CRON_BYTES_MAX] = '\0';
	assert_int_equal(cron_parse(text, &c, &e), 0);
}

static void
jitter_is_a_names_own(void **state)
{
	int64_t some = cron_jitter("acme/app deps", 1000);
	size_t low = 0;

	(void)state;
	assert_int_equal(some, cron_jitter("acme/app deps", 1000));
	assert_int_equal(cron_jitter("acme/app deps", 1), 0);
	assert_int_equal(cron_jitter("acme/app deps", 0), 0);
	for (int i = 0; i < 1000; i++) {
		auto_free char *name = NULL;
		int64_t n;

		assert_true(asprintf(&name, "acme/app%d deps", i) > 0);
		n = cron_jitter(name, 60000);
		assert_in_range(n, 0, 59999);
		low += n < 30000;
	}
	assert_in_range(low, 400, 600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_next_time),
		cmocka_unit_test(what_is_wrong_is_named_with_its_mend),
		cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(jitter_is_a_names_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
