/* SPDX-License-Identifier: Apache-2.0 */
/* clock - the two clocks are the kernel's. */
#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <time.h>

static void
wall_time_is_the_time_of_day(void **state)
{
	int64_t before = (int64_t)time(NULL) * 1000;
	int64_t now = clock_wall_ms();

	(void)state;
	/* time(2) may lag behind the fine clock by a tick, never lead by a second. */
	assert_true(now >= before && now <= before + 60000);
}

static void
boot_time_goes_forward(void **state)
{
	int64_t last = clock_boot_ms();

	(void)state;
	assert_true(last > 0);
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_boot_ms();

		assert_true(now >= last);
		last = now;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wall_time_is_the_time_of_day),
		cmocka_unit_test(boot_time_goes_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
