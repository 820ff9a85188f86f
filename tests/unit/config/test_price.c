/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of config/price: lines of prices, and what tokens cost by them.
 */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
lines_are_read_whole_or_not_at_all(void **state)
{
	static const char *const good[] = { "gpt-5 in 1.25 out 10", "* out 0 in 0",
		"llama3:8b in 0.000001 out 1000", "m in 1 cached 0.1 written 1.25 out 5" };
	static const char *const bad[] = { "", "gpt-5", "gpt-5 in 1", "gpt-5 out 1",
		"gpt-5 in 1 out", "gpt-5 in 1 out 1 in 1", "gpt-5 in 1 out 1 more 1",
		"gpt-5 in -1 out 1", "gpt-5 in 1e3 out 1", "gpt-5 in 1. out 1", "gpt-5 in .5 out 1",
		"gpt-5 in 1.0000001 out 1", "gpt-5 in 1.2.3 out 1", "gpt-5 in 1001 out 1",
		" in 1 out 1", "gpt-5  in 1 out 1" };
	struct config_price p;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(config_price_parse(good[i], &p, NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("  not %s\n", bad[i]);
		assert_int_equal(config_price_parse(bad[i], &p, NULL), ERR_INVALID);
	}
}

static void
the_last_line_that_fits_decides(void **state)
{
	struct config_model m = { 0 };
	struct config_price p;

	(void)state;
	strs_add(&m.prices, "gpt-* in 1 out 2");
	strs_add(&m.prices, "gpt-5-mini in 0.25 cached 0.025 out 2");
	assert_true(config_price_find(&m, "gpt-5", &p));
	assert_int_equal(p.in, 1000000);
	assert_int_equal(p.cached, 1000000);
	assert_true(config_price_find(&m, "gpt-5-mini", &p));
	assert_int_equal(p.in, 250000);
	assert_int_equal(p.cached, 25000);
	assert_int_equal(p.written, 250000);
	assert_false(config_price_find(&m, "o9", &p));
	strs_finish(&m.prices);
}

static void
costs_are_rounded_up_and_never_wrap(void **state)
{
	const struct config_price p = { 2000000, 500000, 2500000, 10000000 };
	const struct config_price dear = { CONFIG_PRICE_MAX, CONFIG_PRICE_MAX, CONFIG_PRICE_MAX,
		CONFIG_PRICE_MAX };
	const struct config_tokens some = { 400, 600, 0, 50 };
	const struct config_tokens one = { 0, 1, 0, 0 };
	const struct config_tokens all = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };

	(void)state;
	assert_int_equal(config_price_cost(&p, &some), 1600);
	assert_int_equal(config_price_cost(&p, &one), 1);
	assert_true(config_price_cost(&dear, &all) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_whole_or_not_at_all),
		cmocka_unit_test(the_last_line_that_fits_decides),
		cmocka_unit_test(costs_are_rounded_up_and_never_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
