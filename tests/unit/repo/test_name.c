/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: of commits, branches, repositories, files; and where things lie.
 */
#include "tests/unit/repo/scene.h"

#include "repo/path.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
commit_ids(void **state)
{
	(void)state;
	assert_true(repo_sha_ok("0123456789abcdef0123456789abcdef01234567"));
	assert_false(repo_sha_ok("0123456789abcdef0123456789abcdef0123456"));
	assert_false(repo_sha_ok("0123456789abcdef0123456789abcdef012345678"));
	assert_false(repo_sha_ok("0123456789ABCDEF0123456789abcdef01234567"));
	assert_false(repo_sha_ok("--23456789abcdef0123456789abcdef01234567"));
	assert_false(repo_sha_ok("HEAD"));
	assert_false(repo_sha_ok(""));
	assert_false(repo_sha_ok(NULL));
}

static void
branches(void **state)
{
	static const char *const good[] = { "main", "agent/17-fix-the-bug", "release/1.0", "a.b",
		"a@b", "fix#12", "b\xc3\xa4r", "x{y}", "feature/a.lock.b", "a-", "lock" };
	static const char *const bad[] = { "", "-x", "--upload-pack=touch", "a..b", "a b", "a\tb",
		"a\nb", "a\x7f", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "/a", "a/", "a//b",
		".a", "a/.b", "a.lock", "a.lock/b", "a.", "@", "a@{1}", "HEAD", "\xff", "a:b" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!repo_branch_ok(good[i]))
			fail_msg("%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (repo_branch_ok(bad[i]))
			fail_msg("%s", bad[i]);
	}
	char longest[LIMIT_NAME_BYTES + 2];
	memset(longest, 'a', sizeof(longest));
	longest[LIMIT_NAME_BYTES] = '\0';
	assert_true(repo_branch_ok(longest));
	longest[LIMIT_NAME_BYTES] = 'a';
	longest[LIMIT_NAME_BYTES + 1] = '\0';
	assert_false(repo_branch_ok(longest));
	assert_false(repo_branch_ok(NULL));
}

/* What we call a branch, git must call one too. */
static void
git_agrees(void **state)
{
	static const char *const names[] = { "main", "agent/17-fix-the-bug", "release/1.0", "a.b",
		"a@b", "fix#12", "b\xc3\xa4r", "x{y}", "feature/a.lock.b", "a-" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *argv[] = { "/usr/bin/git", "check-ref-format", "--branch", names[i],
			NULL };

		if (repo_branch_ok(names[i]))
			assert_int_equal(scene_run("/", argv, NULL, NULL, 0, NULL), 0);
	}
}

static void
full_names(void **state)
{
	static const char *const good[] = { "acme/widget", "a/b.c", "A_b/c-d", "group/sub/project",
		"a/.github" };
	static const char *const bad[] = { "", "acme", "acme/", "/widget", "a//b", "../x", "a/..",
		"a/.", "a b/c", "a/b?x", "a/b#x", "a/b%2f", "-a/b", "a/-b", "a/b\n", "a@h/b" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!repo_full_name_ok(good[i]))
			fail_msg("%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (repo_full_name_ok(bad[i]))
			fail_msg("%s", bad[i]);
	}
}

static void
places(void **state)
{
	auto_free char *mirror = repo_mirror_path("/s", "gh", 7);
	auto_free char *trees = repo_trees_path("/s", "gh", 7);
	auto_free char *delta = repo_delta_path("/s", 12, 2);
	auto_free char *one = repo_mirror_ref("a");
	auto_free char *two = repo_mirror_ref("a/b");

	(void)state;
	assert_string_equal(mirror, "/s/mirrors/gh/7.git");
	assert_string_equal(trees, "/s/mirrors/gh/7.trees");
	assert_string_equal(delta, "/s/quarantine/12/delta.2");
	assert_string_not_equal(one, two);
	assert_null(strchr(one + strlen("refs/branch/"), '/'));
	assert_int_equal(strlen(one), strlen(two));
}

/* The walk's names are tested with whole trees in test_hostile.c; here what must be let through. */
static void
innocent_names(void **state)
{
	static const char *const names[] = { "a", "README.md", ".gitignore", ".github",
		".gitattributes", "git", "gitk", ".gitx", "git~", "git~x", "x.git", "..a", "a..",
		"a b", "\xc3\xbc.txt", "-dash", "\xe2\x9c\x93", "con", "%2e%2e", "~", "$(x)", "#" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct err e = { 0 };

		if (path_name_check(names[i], &e) < 0)
			fail_msg("%s: %s", names[i], e.text);
	}
}

static void
globs_protect_in_any_case_and_from_above(void **state)
{
	auto_strs struct strs globs = { 0 };

	(void)state;
	strs_add(&globs, ".github/workflows/**");
	strs_add(&globs, "deploy/*.tf");
	strs_add(&globs, "!deploy/dev.tf");
	assert_true(path_is_protected(&globs, ".github/workflows/ci.yml"));
	assert_true(path_is_protected(&globs, ".github/workflows/a/b"));
	assert_true(path_is_protected(&globs, ".GITHUB/WorkFlows/ci.yml"));
	assert_true(path_is_protected(&globs, ".github"));
	assert_true(path_is_protected(&globs, ".github/workflows"));
	assert_false(path_is_protected(&globs, ".github/CODEOWNERS"));
	assert_false(path_is_protected(&globs, ".githu"));
	assert_true(path_is_protected(&globs, "deploy/prod.tf"));
	assert_false(path_is_protected(&globs, "deploy/dev.tf"));
	assert_false(path_is_protected(&globs, "src/deploy/prod.tf"));
}

static void
quoted_paths_have_nothing_to_obey(void **state)
{
	auto_buf struct buf b = BUF_INIT(KIB(1));

	(void)state;
	assert_int_equal(path_quote(&b, "a b\n\x1b[31m\\\xe2\x80\xae"), 0);
	assert_string_equal(buf_str(&b), "a b\\x0a\\x1b[31m\\x5c\\xe2\\x80\\xae");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commit_ids),
		cmocka_unit_test(branches),
		cmocka_unit_test(git_agrees),
		cmocka_unit_test(full_names),
		cmocka_unit_test(places),
		cmocka_unit_test(innocent_names),
		cmocka_unit_test(globs_protect_in_any_case_and_from_above),
		cmocka_unit_test(quoted_paths_have_nothing_to_obey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
