/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_bucket - talk makes room for results. */
#include "queue_rig.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW 1000000

static void
progress_leaves_a_third_to_results(void **state)
{
	struct queue q = { .speed = 1 };

	(void)state;
	for (int i = 0; i < BUDGET_MINUTE_MAX * 2 / 3; i++) {
		assert_int_equal(queue_bucket_room(&q, "gh/1", NOW), ROOM_ALL);
		assert_true(queue_bucket_take(&q, "gh/1", false, NOW));
	}
	assert_int_equal(queue_bucket_room(&q, "gh/1", NOW), ROOM_RESULTS);
	assert_false(queue_bucket_take(&q, "gh/1", false, NOW));
	for (int i = 0; i < BUDGET_MINUTE_MAX / 3; i++)
		assert_true(queue_bucket_take(&q, "gh/1", true, NOW));
	assert_int_equal(queue_bucket_room(&q, "gh/1", NOW), ROOM_NONE);
	assert_false(queue_bucket_take(&q, "gh/1", true, NOW));
	assert_true(queue_bucket_take(&q, "gh/1", false, NOW + 60001));
	queue_bucket_finish(&q);
}

static void
an_hour_is_counted_too(void **state)
{
	struct queue q = { .speed = 1 };
	int64_t now = NOW;
	int n = 0;

	(void)state;
	for (; n < 1000 && queue_bucket_take(&q, "gh/1", false, now); n++)
		now += 2000;
	assert_in_range(n, BUDGET_HOUR_MAX * 2 / 3, BUDGET_HOUR_MAX * 2 / 3 + 1);
	assert_true(queue_bucket_take(&q, "gh/1", true, now));
	queue_bucket_finish(&q);
}

static void
installations_do_not_share(void **state)
{
	struct queue q = { .speed = 1 };

	(void)state;
	for (int i = 0; i < BUDGET_MINUTE_MAX; i++)
		assert_true(queue_bucket_take(&q, "gh/1", true, NOW));
	assert_false(queue_bucket_take(&q, "gh/1", true, NOW));
	assert_true(queue_bucket_take(&q, "gh/2", true, NOW));
	queue_bucket_finish(&q);
}

static void
what_no_forge_counts_is_not_counted(void **state)
{
	struct queue q = { .speed = 1 };

	(void)state;
	for (int i = 0; i < 2 * BUDGET_HOUR_MAX; i++)
		assert_true(queue_bucket_take(&q, "", false, NOW));
	assert_int_equal(queue_bucket_room(&q, "", NOW), ROOM_ALL);
	assert_int_equal(q.n_buckets, 0);
}

static void
what_the_forge_closed_stays_closed(void **state)
{
	struct queue q = { .speed = 1 };

	(void)state;
	queue_bucket_close(&q, "gh/1", NOW + 5000);
	queue_bucket_close(&q, "gh/1", NOW + 1000);
	assert_int_equal(queue_bucket_room(&q, "gh/1", NOW + 4999), ROOM_NONE);
	assert_false(queue_bucket_take(&q, "gh/1", true, NOW + 4999));
	assert_true(queue_bucket_take(&q, "gh/1", true, NOW + 5001));
	queue_bucket_finish(&q);
}

/* The rig's time goes a hundred times faster: none of these waits is over by then. */
static void
a_restart_forgets_nothing(void **state)
{
	struct rig *r = *state;

	assert_int_equal(queue_begin(r->q), 0);
	for (int i = 0; i < BUDGET_HOUR_MAX; i++)
		assert_true(
			queue_bucket_take(r->q, "gh/1", true, clock_boot_ms() - 30000 + i * 75));
	queue_bucket_close(r->q, "gh/2", clock_boot_ms() + 30000);
	rig_restart(r);
	assert_int_equal(queue_begin(r->q), 0);
	assert_false(queue_bucket_take(r->q, "gh/1", true, clock_boot_ms()));
	assert_false(queue_bucket_take(r->q, "gh/2", true, clock_boot_ms()));
	assert_true(queue_bucket_take(r->q, "gh/3", true, clock_boot_ms()));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(progress_leaves_a_third_to_results),
		cmocka_unit_test(an_hour_is_counted_too),
		cmocka_unit_test(installations_do_not_share),
		cmocka_unit_test(what_no_forge_counts_is_not_counted),
		cmocka_unit_test(what_the_forge_closed_stays_closed),
		cmocka_unit_test_setup_teardown(a_restart_forgets_nothing, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
