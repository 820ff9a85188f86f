/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent changed and the commit does not have: inside submodules, and in files that Git LFS
 * keeps.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The message of the box's commit is its word: only what it says of submodules that are there. */
static void
changes_inside_submodules_are_told(void **state)
{
	struct scene *s = *state;
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	static const char message[] =
		"submodule x\nsubmodule README.md\nsubmodule ../y\nsubmodule \nsubmodule /x\nx\n";

	scene_write(s->work, ".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = ../x\n");
	auto_free char *link = mem_fmt("update-index --add --cacheinfo 160000,%s,x", s->base);
	scene_git(s->work, "add .gitmodules", NULL);
	scene_git(s->work, link, NULL);
	scene_git(s->work, "commit -q -m more", NULL);
	auto_buf struct buf out = BUF_INIT(KIB(1));
	scene_git(s->work, "rev-parse HEAD", &out);
	memcpy(s->base, buf_str(&out), sizeof(s->base));
	scene_mirror(s);
	auto_free char *dir = scene_agent(s);
	scene_write(dir, "new.txt", "x\n");
	scene_git(dir, "add -A", NULL);
	scene_git_in(dir, "commit -q -F -", message, strlen(message), NULL);
	assert_int_equal(scene_take(s, dir, &got, &e), 0);
	assert_string_equal(
		got.notes, "What was changed inside the submodule x is not in the commit.");
	repo_harvested_finish(&got);
}

#define POINTER(digit)                                                                             \
	"version https://git-lfs.github.com/spec/v1\noid sha256:" digit digit digit digit digit    \
		digit digit digit "0123456789abcdef0123456789abcdef"                               \
	"0123456789abcdef01234567\nsize 12\n"

/* Pointers of objects that no server has; those that only moved are as good as before. */
static void
new_objects_of_git_lfs_stay_out(void **state)
{
	struct scene *s = *state;
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	auto_buf struct buf out = BUF_INIT(KIB(4));

	scene_write(s->work, "art/a.bin", POINTER("a"));
	scene_write(s->work, "art/b.bin", POINTER("b"));
	scene_commit(s, "lfs", s->base);
	scene_mirror(s);
	auto_free char *dir = scene_agent(s);
	scene_write(dir, "art/a.bin", POINTER("c"));
	scene_git(dir, "mv art/b.bin moved.bin", NULL);
	scene_write(dir, "new/dir/d.bin", POINTER("d"));
	scene_write(dir, "note.txt", "x\n");
	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &got, &e), 0);
	assert_string_equal(got.notes,
		"The new content of art/a.bin is not in the commit: Git LFS keeps it, and the bot "
		"uploads no objects.\n"
		"The new content of new/dir/d.bin is not in the commit: Git LFS keeps it, and the "
		"bot uploads no objects.");
	assert_int_equal(got.files, 3);
	auto_free char *diff = mem_fmt("diff --name-status --no-renames %s %s", s->base, got.sha);
	struct repo_harvest h = scene_harvest(s);
	scene_git(h.quarantine, diff, &out);
	assert_string_equal(buf_str(&out), "D\tart/b.bin\nA\tmoved.bin\nA\tnote.txt");
	auto_free char *dirs = mem_fmt("ls-tree -d --name-only %s", got.sha);
	scene_assert_git(h.quarantine, dirs, "art\nsrc");
	assert_false(scene_exists(h.delta_dir, "new"));
	assert_false(scene_exists(h.delta_dir, "art/a.bin"));
	repo_harvested_finish(&got);
}

static void
nothing_but_new_objects_is_no_change(void **state)
{
	struct scene *s = *state;
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	auto_free char *dir = scene_agent(s);

	scene_write(dir, "new/dir/d.bin", POINTER("d"));
	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &got, &e), 0);
	assert_null(got.sha);
	assert_non_null(strstr(got.notes, "new/dir/d.bin"));
	repo_harvested_finish(&got);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_inside_submodules_are_told),
		TEST(new_objects_of_git_lfs_stay_out),
		TEST(nothing_but_new_objects_is_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
