/* SPDX-License-Identifier: Apache-2.0 */
/* docs - docs/CONFIG.md is what the tables say, and its examples are valid. */
#include "config/config.h"

#include "base/fs.h"
#include "base/str.h"
#include "tests/tree.gen.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void
the_file_in_the_tree_is_fresh(void **state)
{
	auto_buf struct buf want = BUF_INIT(200000);
	auto_buf struct buf have = BUF_INIT(200000);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(config_docs(&want), 0);
	if (fs_read(NS_SOURCE_DIR "/docs/CONFIG.md", &have, &e) < 0)
		fail_msg("%s", e.text);
	if (strcmp(buf_str(&want), buf_str(&have)) != 0)
		fail_msg("stale: nightshift check --print-docs > docs/CONFIG.md");
}

static void
every_setting_is_in_it(void **state)
{
	auto_buf struct buf docs = BUF_INIT(200000);

	(void)state;
	assert_int_equal(config_docs(&docs), 0);
	for (const struct row *r = CONFIG_ROWS; r->type != ROW_END; r++) {
		auto_buf struct buf key = BUF_INIT(100);

		(void)buf_addf(&key, "`%s`", r->name);
		if (!strstr(buf_str(&docs), buf_str(&key)))
			fail_msg("%s", r->name);
	}
}

/* The n-th fenced block. */
static const char *
example(const char *docs, int n, size_t *len)
{
	const char *start = docs;

	for (int i = 0; i <= n; i++) {
		start = strstr(start, "```yaml\n");
		assert_non_null(start);
		start += strlen("```yaml\n");
	}
	*len = (size_t)(strstr(start, "```") - start);
	return start;
}

static void
its_examples_are_valid(void **state)
{
	auto_buf struct buf docs = BUF_INIT(200000);
	auto_config struct config c = { 0 };
	struct agent_settings s;
	struct err e = { 0 };
	const char *text;
	size_t len;

	(void)state;
	assert_int_equal(config_docs(&docs), 0);
	text = example(buf_str(&docs), 0, &len);
	if (config_parse(text, len, "example", &c, &e) < 0)
		fail_msg("%s", e.text);
	text = example(buf_str(&docs), 1, &len);
	if (agent_settings_parse(text, len, "example", &s, &e) < 0)
		fail_msg("%s", e.text);
	agent_settings_finish(&s);
}

static void
a_small_buffer_is_told(void **state)
{
	auto_buf struct buf tiny = BUF_INIT(100);

	(void)state;
	assert_int_equal(config_docs(&tiny), ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_in_the_tree_is_fresh),
		cmocka_unit_test(every_setting_is_in_it),
		cmocka_unit_test(its_examples_are_valid),
		cmocka_unit_test(a_small_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
