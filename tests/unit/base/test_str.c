/* SPDX-License-Identifier: Apache-2.0 */
/* str - lists, patterns, nearest words, slugs. */
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

static void
lists_own_their_strings(void **state)
{
	auto_strs struct strs a = { 0 };
	auto_strs struct strs b = { 0 };
	char text[] = "one";

	(void)state;
	strs_add(&a, text);
	text[0] = 'x';
	strs_addf(&a, "%s-%d", "two", 2);
	assert_int_equal(a.n, 2);
	assert_true(strs_has(&a, "one"));
	assert_true(strs_has(&a, "two-2"));
	assert_false(strs_has(&a, "two"));
	strs_add(&b, "old");
	strs_copy(&b, &a);
	assert_int_equal(b.n, 2);
	assert_ptr_not_equal(b.v[0], a.v[0]);
	assert_string_equal(b.v[1], "two-2");
}

static void
compares_without_surprise(void **state)
{
	(void)state;
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "b"));
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("a", "ab"));
	assert_false(str_starts(NULL, "a"));
	assert_true(str_ends("a.git", ".git"));
	assert_false(str_ends("git", ".git"));
	assert_false(str_ends(NULL, "x"));
	assert_true(str_is_empty(NULL));
	assert_true(str_is_empty(""));
	assert_false(str_is_empty(" "));
}

static void
globs_match(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool want;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "", false },
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "?", "a", true },
		{ "?", "", false },
		{ "?", "/", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "*", "a/b", false },
		{ "acme/*", "acme/widget", true },
		{ "acme/*", "acme/widget/x", false },
		{ "acme/*", "evil/acme/widget", false },
		{ "acme/*", "acme/", true },
		{ "*.c", "a.c", true },
		{ "*.c", "a.c.c", true },
		{ "*.c", "a.h", false },
		{ "*.c", "d/a.c", false },
		{ "a*b*c", "a-b-b-c", true },
		{ "a*b*c", "a-c-b", false },
		{ "**", "", true },
		{ "**", "a/b/c", true },
		{ "**/x", "x", true },
		{ "**/x", "a/b/x", true },
		{ "**/x", "ax", false },
		{ "**/x", "a/bx", false },
		{ "a/**", "a/", true },
		{ "a/**", "a/b/c", true },
		{ "a/**", "a", false },
		{ "a/**", "ab/c", false },
		{ "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "a/xb", false },
		{ "a/**/b", "ab", false },
		{ "a**b", "a/x/b", true },
		{ ".github/**", ".github/workflows/ci.yml", true },
		{ "**/*.lock", "deep/er/yarn.lock", true },
		{ "**/*.lock", "yarn.lock", true },
		{ "**/*.lock", "yarn.lock/x", false },
		{ "***", "a/b", true },
		{ "gpt-*", "gpt-5", true },
		{ "gpt-*", "o3", false },
		{ "[ab]", "a", false },
		{ "[ab]", "[ab]", true },
		{ "\\*", "*", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (str_glob(rows[i].pattern, rows[i].text) != rows[i].want)
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
	}
}

/* A backtracking matcher needs longer than the universe for this one. */
static void
no_pattern_is_slow(void **state)
{
	char pattern[1025], text[4097];
	clock_t start = clock(); /* of our own work: the machine may be busy */

	(void)state;
	for (size_t i = 0; i < 1024; i++)
		pattern[i] = "a*"[i % 2];
	pattern[1023] = 'b';
	pattern[1024] = '\0';
	memset(text, 'a', 4096);
	text[4096] = '\0';
	assert_false(str_glob(pattern, text));
	for (size_t i = 0; i < 1023; i++)
		pattern[i] = "a**"[i % 3];
	assert_false(str_glob(pattern, text));
	assert_true(clock() - start < CLOCKS_PER_SEC);
}

static void
an_endless_pattern_matches_nothing(void **state)
{
	char pattern[1026];

	(void)state;
	memset(pattern, '*', 1025);
	pattern[1025] = '\0';
	assert_false(str_glob(pattern, "a"));
}

static void
the_last_matching_pattern_decides(void **state)
{
	auto_strs struct strs list = { 0 };

	(void)state;
	assert_false(str_glob_list(&list, "acme/widget"));
	strs_add(&list, "acme/*");
	strs_add(&list, "!acme/secret*");
	strs_add(&list, "acme/secret-not");
	assert_true(str_glob_list(&list, "acme/widget"));
	assert_false(str_glob_list(&list, "acme/secret"));
	assert_true(str_glob_list(&list, "acme/secret-not"));
	assert_false(str_glob_list(&list, "other/widget"));
}

static void
finds_the_nearest_word(void **state)
{
	static const char *const words[] = { "listen", "limits", "boxes", "id" };
	static const struct {
		const char *word;
		const char *want;
	} rows[] = {
		{ "lisen", "listen" },
		{ "listten", "listen" },
		{ "Listen", "listen" },
		{ "limit", "limits" },
		{ "box", "boxes" },
		{ "ids", "id" },
		{ "zzz", NULL },
		{ "publicurl", NULL },
	};
	char endless[100];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!str_eq(str_nearest(rows[i].word, words, 4), rows[i].want))
			fail_msg("%s", rows[i].word);
	}
	memset(endless, 'x', 99);
	endless[99] = '\0';
	assert_null(str_nearest(endless, words, 4));
	assert_null(str_nearest("x", NULL, 0));
}

static void
slugs_are_fit_for_branch_names(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} rows[] = {
		{ "Fix: the Bug!", 40, "fix-the-bug" },
		{ "  --a--  ", 40, "a" },
		{ "", 40, "task" },
		{ NULL, 40, "task" },
		{ "\xc3\xa9\xc3\xa9", 40, "task" },
		{ "!!!", 40, "task" },
		{ "abc def", 5, "abc-d" },
		{ "abc def", 4, "abc" },
		{ "abcdef", 3, "abc" },
		{ "../../x", 40, "x" },
		{ "a.lock", 40, "a-lock" },
		{ "@{-1}", 40, "1" },
		{ "refs/heads", 40, "refs-heads" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100);

		(void)buf_adds(&b, "7-");
		str_slug(&b, rows[i].text, rows[i].max);
		if (strcmp(buf_str(&b) + 2, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].text, buf_str(&b));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_own_their_strings),
		cmocka_unit_test(compares_without_surprise),
		cmocka_unit_test(globs_match),
		cmocka_unit_test(no_pattern_is_slow),
		cmocka_unit_test(an_endless_pattern_matches_nothing),
		cmocka_unit_test(the_last_matching_pattern_decides),
		cmocka_unit_test(finds_the_nearest_word),
		cmocka_unit_test(slugs_are_fit_for_branch_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
