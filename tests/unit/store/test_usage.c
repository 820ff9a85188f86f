/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of store/usage: lines of numbers, added up and said.
 */
#include "store/usage.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
attempts_add_up_by_model(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	usage_merge(&text, NULL);
	assert_null(text);
	usage_merge(&text, "gpt-5 2 100 50 5 10 700\nopus 1 5 0 0 1 -1\n");
	usage_merge(&text, "gpt-5 1 1 1 1 1 1\nopus 1 5 0 0 1 9\n");
	assert_string_equal(text, "gpt-5 3 101 51 6 11 701\nopus 2 10 0 0 2 -1\n");
}

static void
what_is_no_line_is_passed_over(void **state)
{
	static const char *const bad[] = { "gpt-5", "gpt-5 1 2 3", "gpt-5 1 2 3 4 5 6 7",
		"gpt-5 1 2 3 4 5 x", "gpt-5 1 2 3 4 5 -2", "\n\n", "gpt-5  1 2 3 4 5 6" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct row_list list = { 0 };

		usage_parse(bad[i], &list);
		assert_int_equal(list.n, 0);
		usage_finish(&list);
	}
}

static void
a_box_cannot_write_lines_with_a_models_name(void **state)
{
	auto_buf struct buf out = BUF_INIT(KIB(4));
	struct row_list list = { 0 };
	char model[] = "a b\nc`\xff";
	struct usage u = { .model = model, .requests = 1 };
	struct usage nameless = { .requests = 1 };

	(void)state;
	usage_add(&list, &u);
	usage_add(&list, &nameless);
	assert_int_equal(usage_print(&list, &out), 0);
	assert_string_equal(buf_str(&out), "a?b?c?? 1 0 0 0 0 0\nunnamed 1 0 0 0 0 0\n");
	usage_finish(&list);
}

static void
a_thousand_models_are_a_few_lines(void **state)
{
	struct row_list list = { 0 };
	struct usage total;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		auto_free char *name = mem_fmt("model-%d", i);
		struct usage u = { .model = name, .requests = 1, .out = INT64_MAX / 2 };

		usage_add(&list, &u);
	}
	assert_int_equal(list.n, USAGE_MODELS_MAX + 1);
	usage_total(&list, &total);
	assert_int_equal(total.requests, 1000);
	assert_int_equal(total.out, INT64_MAX);
	usage_finish(&list);
}

static void
people_are_told_in_words(void **state)
{
	static const struct {
		struct usage u;
		const char *want;
	} rows[] = {
		{ { .requests = 1, .in = 5, .out = 1, .cost_micro = USAGE_COST_UNKNOWN },
			"1 request, 5 tokens in, 1 out" },
		{ { .requests = 1200,
			  .in = 1000,
			  .cached = 1233567,
			  .written = 1,
			  .out = 100,
			  .cost_micro = 1239999 },
			"1,200 requests, 1,234,568 tokens in (1,233,567 of them cached), 100 out, "
			"$1.23" },
		{ { .requests = 0, .cost_micro = 123 }, "0 requests, 0 tokens in, 0 out, $0.0001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf out = BUF_INIT(KIB(1));

		usage_say(&rows[i].u, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_add_up_by_model),
		cmocka_unit_test(what_is_no_line_is_passed_over),
		cmocka_unit_test(a_box_cannot_write_lines_with_a_models_name),
		cmocka_unit_test(a_thousand_models_are_a_few_lines),
		cmocka_unit_test(people_are_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
