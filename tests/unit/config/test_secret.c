/* SPDX-License-Identifier: Apache-2.0 */
/* secret - values from files and variables, and which there are. */
#include "config/config.h"

#include "base/str.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void
reads_files(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct err e;

	(void)state;
	scratch_put("s", "0123456789abcdef\n", 0600);
	assert_int_equal(config_secret_read("s", NULL, &b, &e), 0);
	assert_string_equal(buf_str(&b), "0123456789abcdef");
}

static void
refuses_files_that_others_read(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct err e;

	(void)state;
	scratch_put("s", "0123456789abcdef\n", 0644);
	assert_int_equal(config_secret_read("s", NULL, &b, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "chmod 600 s"));
	assert_int_equal(config_secret_read("nothing", NULL, &b, &e), ERR_MISSING);
	assert_int_equal(config_secret_read(NULL, NULL, &b, &e), ERR_MISSING);
	assert_int_equal(b.len, 0);
}

static void
refuses_short_secrets_without_repeating_them(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct err e;

	(void)state;
	scratch_put("s", "hunter2hunter2x\n", 0600);
	assert_int_equal(config_secret_read("s", NULL, &b, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "openssl rand -hex 32"));
	assert_null(strstr(e.text, "hunter2"));
	assert_int_equal(b.len, 0);
}

static void
reads_variables(void **state)
{
	auto_buf struct buf b = BUF_INIT(20);
	struct err e;

	(void)state;
	assert_int_equal(setenv("NS_TEST_SECRET", "0123456789abcdef", 1), 0);
	assert_int_equal(config_secret_read(NULL, "NS_TEST_SECRET", &b, &e), 0);
	assert_string_equal(buf_str(&b), "0123456789abcdef");
	buf_reset(&b);
	assert_int_equal(setenv("NS_TEST_SECRET", "short", 1), 0);
	assert_int_equal(config_secret_read(NULL, "NS_TEST_SECRET", &b, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "NS_TEST_SECRET"));
	assert_int_equal(setenv("NS_TEST_SECRET", "0123456789abcdef0123456789abcdef", 1), 0);
	assert_int_equal(config_secret_read(NULL, "NS_TEST_SECRET", &b, &e), ERR_LIMIT);
	assert_int_equal(unsetenv("NS_TEST_SECRET"), 0);
	buf_reset(&b);
	assert_int_equal(config_secret_read(NULL, "NS_TEST_SECRET", &b, &e), ERR_MISSING);
}

static int
collect(void *arg, const struct config_secret *s)
{
	strs_addf(arg, "%s=%s", s->what, s->file ? s->file : s->env);
	return 0;
}

static int
stop_at_second(void *arg, const struct config_secret *s)
{
	(void)s;
	return ++*(int *)arg == 2 ? ERR_BUSY : 0;
}

static void
names_every_secret(void **state)
{
	static const char text[] =
		"public_url: http://h\n"
		"forges:\n"
		"  gh: { kind: github, app_id: 1, app_key_file: /a, webhook_secret_file: /w, "
		"webhook_secret_old_env: O }\n"
		"  t: { kind: gitea, url: \"http://h\", token_env: T, webhook_secret_env: W }\n"
		"models: { openai: { key_file: /k }, local: { url: \"http://h\" } }\n"
		"store: postgres://n@db/n\n"
		"store_password_file: /p\n"
		"marker_key_file: /m\n"
		"commit: { sign_key_file: /s }\n";
	static const char *const want[] = { "forges.gh.app_key=/a", "forges.gh.webhook_secret=/w",
		"forges.gh.webhook_secret_old=O", "forges.t.token=T", "forges.t.webhook_secret=W",
		"models.openai.key=/k", "store_password=/p", "marker_key=/m",
		"commit.sign_key=/s" };
	auto_config struct config c = { 0 };
	auto_strs struct strs got = { 0 };
	struct err e = { 0 };
	int calls = 0;

	(void)state;
	if (config_parse(text, strlen(text), "f", &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(config_secrets_each(&c, collect, &got), 0);
	assert_int_equal(got.n, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < got.n; i++)
		assert_string_equal(got.v[i], want[i]);
	assert_int_equal(config_secrets_each(&c, stop_at_second, &calls), ERR_BUSY);
	assert_int_equal(calls, 2);
}

/* A new secret in a struct that config_secrets_each does not know would never be checked, nor
 * masked. */
static void
no_row_of_a_secret_is_forgotten(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct row *r = CONFIG_ROWS; r->type != ROW_END; r++) {
		n += str_ends(r->name, "_file");
		for (const struct row *s = r->type == ROW_LIST ? r->sub : NULL;
			s && s->type != ROW_END; s++)
			n += str_ends(s->name, "_file");
	}
	assert_int_equal(n, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(reads_files),
		SCRATCH_TEST(refuses_files_that_others_read),
		SCRATCH_TEST(refuses_short_secrets_without_repeating_them),
		cmocka_unit_test(reads_variables),
		cmocka_unit_test(names_every_secret),
		cmocka_unit_test(no_row_of_a_secret_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
