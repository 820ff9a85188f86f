/* SPDX-License-Identifier: Apache-2.0 */
/* test_penalty - who is told to stay away, and until when. */
#include "web/penalty.h"

#include "base/clean.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void
be_refused(struct penalty *p, const char *client, int64_t now_ms, int times)
{
	for (int i = 0; i < times; i++)
		(void)penalty_note(p, client, now_ms);
}

static void
a_few_are_free_and_then_one_a_second(void **state)
{
	struct penalty *p = penalty_create();

	(void)state;
	be_refused(p, "192.0.2.1", 5000, PENALTY_BURST);
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 5000), 0);
	assert_true(penalty_note(p, "192.0.2.1", 5000)); /* said once */
	assert_false(penalty_note(p, "192.0.2.1", 5000));
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 5000), 1);
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 5999), 1);
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 6000), 0);
	assert_true(penalty_note(p, "192.0.2.1", 6000));
	/* Whoever was quiet for long has all of it again. */
	be_refused(p, "192.0.2.1", 6000 + 1000 * (PENALTY_BURST + 1), PENALTY_BURST);
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 6000 + 1000 * (PENALTY_BURST + 1)), 0);
	penalty_destroy(p);
}

static void
others_do_not_notice(void **state)
{
	struct penalty *p = penalty_create();

	(void)state;
	be_refused(p, "192.0.2.1", 0, 2 * PENALTY_BURST);
	be_refused(p, "2001:db8:1:2::1", 0, 2 * PENALTY_BURST);
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 0), 1);
	assert_int_equal(penalty_wait_s(p, "192.0.2.2", 0), 0);
	assert_int_equal(penalty_wait_s(p, "unix", 0), 0);
	/* One machine has all the addresses of a /64. */
	assert_int_equal(penalty_wait_s(p, "2001:db8:1:2:ffff::9", 0), 1);
	assert_int_equal(penalty_wait_s(p, "2001:db8:1:3::1", 0), 0);
	penalty_destroy(p);
}

/* More addresses than there are places: no memory more, and the guilty one is still known. */
static void
a_crowd_does_not_hide_who_is_guilty(void **state)
{
	struct penalty *p = penalty_create();

	(void)state;
	be_refused(p, "192.0.2.1", 0, 2 * PENALTY_BURST);
	for (int i = 0; i < 100000; i++) {
		auto_free char *client = mem_fmt("10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);

		(void)penalty_note(p, client, 0);
	}
	assert_int_equal(penalty_wait_s(p, "192.0.2.1", 0), 1);
	penalty_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_are_free_and_then_one_a_second),
		cmocka_unit_test(others_do_not_notice),
		cmocka_unit_test(a_crowd_does_not_hide_who_is_guilty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
