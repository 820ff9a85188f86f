/* SPDX-License-Identifier: Apache-2.0 */
/* Both files, full of what keeps parsers busy: an error, and at once. */
#include "config/config.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

static int64_t
cpu_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* As much of each as a file may have; the first of them keeps a plain libyaml busy for minutes.
 * Both files are read by the same parser, and each is an error: of a server without forges, of a
 * repository with keys that nobody knows. Processor time, since a test is not alone. */
static void
bombs_are_errors_within_50_ms(void **state)
{
	static const char *const units[] = { "[", "{", "[{", "{[", "{a: ", "[a, ", "- ", "? ",
		"? - ", "a: ", "- a: ", "!a ", "&a ", "*a ", "[]", "{}", "[],", "a,", "'", "\"",
		"|\n", ">\n ", "a\n", "a: 1\n", "- 1\n", "%A\n", "\\", "]", "}", ",", ":", ": ",
		"\t", "&", "*", "!", "a: [", "\"a\": {", "- [", "a:\n ",
		"? a\n: ", "[a: ", "\"\\x00\" ", "", " ", "\n", "#", "# \n", "---\n", "...\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		bool is_nothing = !units[i][0] || strspn(units[i], " \n#-.") == strlen(units[i]);

		for (int is_server = 0; is_server < 2; is_server++) {
			auto_buf struct buf b =
				BUF_INIT(is_server ? CONFIG_BYTES_MAX : LIMIT_AGENT_YML_BYTES);
			auto_config struct config c = { 0 };
			struct agent_settings a = { 0 };
			struct err e = { 0 };
			int64_t start, took;
			int rc;

			while (units[i][0] && buf_adds(&b, units[i]) == 0)
				;
			start = cpu_ms();
			rc = is_server ? config_parse(buf_str(&b), b.len, "/f", &c, &e)
				       : agent_settings_parse(buf_str(&b), b.len, "f", &a, &e);
			took = cpu_ms() - start;
			agent_settings_finish(&a);
			if (took >= 50)
				fail_msg("\"%s\" took %lld ms", units[i], (long long)took);
			if (rc >= 0 && (is_server || !is_nothing))
				fail_msg("\"%s\" is no error", units[i]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bombs_are_errors_within_50_ms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
