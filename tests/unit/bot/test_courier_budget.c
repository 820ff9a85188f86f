/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In no minute more than 60 writes, in no hour more than 400, and silence when it was asked for.
 */
#include "bot/courier_budget.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE_MS 60000
#define HOUR_MS   (60 * MINUTE_MS)

/* Writes as fast as it may, for three hours, and counts every window. */
static void
no_window_holds_more(void **state)
{
	int64_t *at = mem_array(3 * BUDGET_HOUR_MAX, sizeof(*at));
	struct budget b = { 0 };
	size_t n = 0;

	(void)state;
	for (int64_t now = 0; n < 3 * BUDGET_HOUR_MAX;) {
		int64_t wait = budget_write_wait_ms(&b, now);

		assert_true(wait >= 0 && wait <= HOUR_MS);
		now += wait;
		assert_int_equal(budget_write_wait_ms(&b, now), 0);
		budget_write(&b, now);
		at[n++] = now;
		if (n > BUDGET_MINUTE_MAX)
			assert_true(now - at[n - 1 - BUDGET_MINUTE_MAX] >= MINUTE_MS);
		if (n > BUDGET_HOUR_MAX)
			assert_true(now - at[n - 1 - BUDGET_HOUR_MAX] >= HOUR_MS);
	}
	assert_in_range(at[n - 1], 2 * HOUR_MS, 3 * HOUR_MS); /* and it is not slower than that */
	free(at);
}

static void
silence_holds_reads_and_writes(void **state)
{
	struct budget b = { 0 };

	(void)state;
	assert_int_equal(budget_read_wait_ms(&b, 1000), 0);
	budget_block(&b, 5000);
	budget_block(&b, 3000); /* a shorter one does not shorten it */
	assert_int_equal(budget_read_wait_ms(&b, 1000), 4000);
	assert_int_equal(budget_write_wait_ms(&b, 1000), 4000);
	assert_int_equal(budget_write_wait_ms(&b, 5000), 0);
}

static void
reads_are_not_counted(void **state)
{
	struct budget b = { 0 };

	(void)state;
	for (int i = 0; i < BUDGET_MINUTE_MAX; i++)
		budget_write(&b, 10);
	assert_int_equal(budget_write_wait_ms(&b, 20), MINUTE_MS - 10);
	assert_int_equal(budget_read_wait_ms(&b, 20), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_window_holds_more),
		cmocka_unit_test(silence_holds_reads_and_writes),
		cmocka_unit_test(reads_are_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
