/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of bot/restart: the wait before a role is started again.
 */
#include "bot/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
waits_grow_and_are_forgotten(void **state)
{
	static const struct {
		const char *name;
		int64_t last_ms, lived_ms, want_ms;
	} rows[] = {
		{ "the first end waits 100 ms", 0, 50, 100 },
		{ "the second twice as long", 100, 50, 200 },
		{ "and so on", 1600, 50, 3200 },
		{ "up to five seconds", 3200, 50, 5000 },
		{ "and no further", 5000, 9999, 5000 },
		{ "ten seconds of life make it new", 5000, 10000, 100 },
		{ "a long life too", 0, 86400000, 100 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		assert_int_equal(restart_delay(rows[i].last_ms, rows[i].lived_ms), rows[i].want_ms);
	}
}

static void
a_role_that_never_starts_is_tried_twelve_times_a_minute(void **state)
{
	int64_t delay = 0;
	int64_t total = 0;
	int starts = 0;

	(void)state;
	while (total < 60000) {
		delay = restart_delay(delay, 1);
		total += delay;
		starts++;
	}
	assert_in_range(starts, 12, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_and_are_forgotten),
		cmocka_unit_test(a_role_that_never_starts_is_tried_twelve_times_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
