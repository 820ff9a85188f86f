/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a mirror without a network: making, sweeping, many packs.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

static void
making_it_twice_changes_nothing(void **state)
{
	struct scene *s = *state;
	auto_free char *before = scene_read(s->mirror, "config");
	struct err e = { 0 };
	struct stat st;

	scene_write(s->mirror, "config", "[core]\n\tbare = true\n# a person was here\n");
	assert_int_equal(repo_mirror_create(s->mirror, &e), 0);
	auto_free char *after = scene_read(s->mirror, "config");
	assert_non_null(strstr(after, "a person was here"));
	assert_non_null(strstr(before, "bare = true"));
	assert_int_equal(stat(s->mirror, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* A killed create leaves no HEAD, and is done again. */
static void
half_a_mirror_is_made_whole(void **state)
{
	struct scene *s = *state;
	auto_free char *half = mem_fmt("%s/half.git", s->dir);
	struct err e = { 0 };

	scene_write(half, "config", "[co");
	assert_int_equal(repo_mirror_create(half, &e), 0);
	scene_git(half, "fsck", NULL);
}

static void
the_default_branch_is_remembered(void **state)
{
	struct scene *s = *state;
	char *branch = NULL;
	struct err e = { 0 };

	assert_int_equal(repo_mirror_default(s->mirror, &branch, &e), 0);
	assert_null(branch);
	assert_int_equal(repo_mirror_set_default(s->mirror, "main", &e), 0);
	assert_int_equal(repo_mirror_set_default(s->mirror, "trunk", &e), 0);
	assert_int_equal(repo_mirror_default(s->mirror, &branch, &e), 0);
	assert_string_equal(branch, "trunk");
	free(branch);
	assert_int_equal(repo_mirror_default("/nonexistent", &branch, &e), 0);
	assert_null(branch);
}

static void
a_sweep_takes_what_is_left_over_and_nothing_else(void **state)
{
	static const char *const victims[] = { "packed-refs.lock", "shallow.lock",
		"objects/tmp_objdir-incoming-x/y", "objects/incoming-x/y",
		"objects/pack/tmp_pack_x", "objects/pack/.tmp-1-pack-x.pack",
		"objects/pack/pack_git2_x", "objects/pack/pack-x.keep", "objects/info/x.lock",
		"objects/info/alternates.Ab12Cd", "refs/branch/x.lock", "refs/accepted/x.lock",
		"refs/accepted/x.Ab12Cd", "config.Ab12Cd", "default-branch.Ab12Cd" };
	static const char *const kept[] = { "HEAD", "config", "lock", "default-branch",
		"objects/pack/pack-x.pack", "objects/info/alternates", "refs/accepted/x" };
	struct scene *s = *state;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(victims) / sizeof(victims[0]); i++)
		scene_write(s->mirror, victims[i], "x");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (!scene_exists(s->mirror, kept[i]))
			scene_write(s->mirror, kept[i], "x");
	}
	assert_int_equal(repo_mirror_sweep(s->mirror, &e), 0);
	for (size_t i = 0; i < sizeof(victims) / sizeof(victims[0]); i++) {
		if (scene_exists(s->mirror, victims[i]))
			fail_msg("%s is still there", victims[i]);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (!scene_exists(s->mirror, kept[i]))
			fail_msg("%s is gone", kept[i]);
	}
	assert_int_equal(repo_mirror_sweep("/nonexistent", &e), 0);
}

static void
many_packs_become_few_and_no_object_goes(void **state)
{
	struct scene *s = *state;
	auto_repo_command struct repo_command c = { 0 };
	auto_buf struct buf lost = BUF_INIT(KIB(1));
	struct err e = { 0 };

	/* Reached by nothing, as after a forced push: a layer may still need it. */
	scene_git_in(s->mirror, "hash-object -w --stdin", "unreachable", 11, &lost);
	assert_false(repo_mirror_wants_repack(s->mirror));
	for (int i = 0; !repo_mirror_wants_repack(s->mirror); i++) {
		auto_free char *text = mem_fmt("%s\nblob %d", i == 0 ? buf_str(&lost) : "", i);
		auto_free char *path = mem_fmt("pack-objects -q %s/objects/pack/pack", s->mirror);
		auto_buf struct buf id = BUF_INIT(KIB(1));

		assert_true(i < 100);
		scene_git_in(s->mirror, "hash-object -w --stdin", text, strlen(text), &id);
		auto_free char *list =
			mem_fmt("%s\n%s\n", buf_str(&id), i == 0 ? lost.data : id.data);
		scene_git_in(s->mirror, path, list, strlen(list), NULL);
		scene_git(s->mirror, "prune-packed", NULL);
	}
	assert_int_equal(repo_mirror_repack(&c, s->mirror, &e), 0);
	if (repo_command_run(&c, NULL, NULL, &e) < 0)
		fail_msg("%s", e.text);
	assert_false(repo_mirror_wants_repack(s->mirror));
	auto_free char *cat = mem_fmt("cat-file -e %s", lost.data);
	scene_git(s->mirror, cat, NULL);
	free(scene_checkout(s));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(making_it_twice_changes_nothing),
		TEST(half_a_mirror_is_made_whole),
		TEST(the_default_branch_is_remembered),
		TEST(a_sweep_takes_what_is_left_over_and_nothing_else),
		TEST(many_packs_become_few_and_no_object_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
