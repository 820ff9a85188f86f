/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkout made of the last one, and one of a repository that is too large to be shown whole.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static ino_t
inode(const char *dir, const char *name)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

static void
assert_clean(const char *dir)
{
	auto_buf struct buf out = BUF_INIT(MIB(1));

	scene_git(dir, "-c safe.directory=* status --porcelain", &out);
	scene_git(dir, "-c safe.directory=* diff-index HEAD", &out);
	assert_string_equal(buf_str(&out), "");
}

static void
the_next_one_shares_what_is_the_same(void **state)
{
	struct scene *s = *state;
	auto_free char *first = scene_checkout(s);
	auto_free char *widget = mem_fmt("%s/src/widget.c", s->work);
	auto_free char *deep = mem_fmt("%s/src/deep", s->work);
	struct err e = { 0 };

	assert_int_equal(unlink(widget), 0);
	assert_int_equal(fs_remove_tree(deep, &e), 0);
	scene_write(s->work, "src/deep", "now a file\n");
	scene_write(s->work, "run.sh", "#!/bin/sh\nexit 1\n");
	scene_write(s->work, "new/file", "new\n");
	scene_commit(s, "second", s->base);
	scene_mirror(s);
	auto_free char *second = scene_checkout(s);
	assert_string_not_equal(first, second);
	assert_int_equal(inode(first, "README.md"), inode(second, "README.md"));
	assert_int_not_equal(inode(first, "run.sh"), inode(second, "run.sh"));
	assert_false(scene_exists(second, "src/widget.c"));
	auto_free char *now = scene_read(second, "src/deep");
	auto_free char *then = scene_read(first, "src/deep/er/file.txt");
	auto_free char *run = scene_read(first, "run.sh");
	assert_string_equal(now, "now a file\n");
	assert_string_equal(then, "deep\n");
	assert_string_equal(run, "#!/bin/sh\n");
	assert_clean(first);
	assert_clean(second);
	/* The first goes, the second stays whole. */
	assert_int_equal(fs_remove_tree(first, &e), 0);
	auto_free char *readme = scene_read(second, "README.md");
	assert_string_equal(readme, "# widget\n");
	assert_clean(second);
}

/* Objects of the last one are no way to see another branch. */
static void
the_next_one_has_its_own_objects(void **state)
{
	struct scene *s = *state;
	char main_sha[REPO_SHA_LEN + 1];
	auto_buf struct buf blob = BUF_INIT(KIB(1));

	memcpy(main_sha, s->base, sizeof(main_sha));
	scene_git(s->work, "checkout -q -b other", NULL);
	scene_write(s->work, "other.txt", "of another branch\n");
	scene_commit(s, "other", s->base);
	scene_git(s->work, "rev-parse HEAD:other.txt", &blob);
	auto_free char *push = mem_fmt("push -q %s other:refs/branch/other", s->mirror);
	scene_git(s->work, push, NULL);
	auto_free char *other = scene_checkout(s);
	memcpy(s->base, main_sha, sizeof(main_sha));
	auto_free char *dir = scene_checkout(s);
	const char *in_other[] = { "/usr/bin/git", "-C", other, "cat-file", "-e", blob.data, NULL };
	const char *in_main[] = { "/usr/bin/git", "-C", dir, "cat-file", "-e", blob.data, NULL };
	assert_int_equal(inode(other, "README.md"), inode(dir, "README.md"));
	assert_false(scene_exists(dir, "other.txt"));
	assert_int_equal(scene_run("/", in_other, NULL, NULL, 0, NULL), 0);
	assert_int_not_equal(scene_run("/", in_main, NULL, NULL, 0, NULL), 0);
	assert_clean(dir);
}

/* Its index is broken, or its files are not there: then it is made the long way. */
static void
a_last_one_that_is_no_use_is_passed_over(void **state)
{
	struct scene *s = *state;
	auto_free char *first = scene_checkout(s);

	scene_write(first, ".git/index", "rubbish");
	scene_write(s->work, "second", "2\n");
	scene_commit(s, "second", s->base);
	scene_mirror(s);
	auto_free char *second = scene_checkout(s);
	assert_clean(second);
	auto_free char *readme = mem_fmt("%s/README.md", second);
	assert_int_equal(unlink(readme), 0);
	scene_write(s->work, "third", "3\n");
	scene_commit(s, "third", s->base);
	scene_mirror(s);
	auto_free char *third = scene_checkout(s);
	assert_clean(third);
	assert_true(scene_exists(third, "README.md"));
}

/* A commit of this very second, or of a clock that is ahead: its files may not be newer than the
 * index, or git would read them all each time. */
static void
files_are_never_younger_than_the_index(void **state)
{
	struct scene *s = *state;
	auto_buf struct buf id = BUF_INIT(KIB(1));
	const char *argv[] = { "/usr/bin/git", "commit-tree", "-m", "future", "HEAD^{tree}", NULL };
	const char *env[] = { "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@b", "GIT_AUTHOR_DATE=4000000000 +0000",
		"GIT_COMMITTER_DATE=4000000000 +0000", NULL };
	struct stat file;
	struct stat index;

	assert_int_equal(scene_run(s->work, argv, env, NULL, 0, &id), 0);
	auto_free char *push = mem_fmt("push -q %s %s:refs/branch/future", s->mirror, buf_str(&id));
	scene_git(s->work, push, NULL);
	memcpy(s->base, id.data, REPO_SHA_LEN + 1);
	auto_free char *dir = scene_checkout(s);
	auto_free char *readme = mem_fmt("%s/README.md", dir);
	auto_free char *git_index = mem_fmt("%s/.git/index", dir);
	assert_int_equal(stat(readme, &file), 0);
	assert_int_equal(stat(git_index, &index), 0);
	assert_true(file.st_mtim.tv_sec < index.st_mtim.tv_sec);
}

/* ---- A large repository ---- */

static void
a_large_one_gets_its_last_commits(void **state)
{
	struct scene *s = *state;
	auto_buf struct buf out = BUF_INIT(MIB(1));

	for (int i = 0; i < LIMIT_CHECKOUT_HISTORY + 10; i++) {
		auto_free char *message = mem_fmt("commit %d", i);

		scene_commit(s, message, s->base);
	}
	scene_mirror(s);
	/* As large as a large one, without a byte. */
	auto_free char *pack = mem_fmt("%s/objects/pack/large.pack", s->mirror);
	auto_fd int fd = open(pack, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, LIMIT_CHECKOUT_HISTORY_BYTES + 1), 0);
	auto_free char *dir = scene_checkout(s);
	scene_git(dir, "rev-list --count HEAD", &out);
	auto_free char *want = mem_fmt("%d", LIMIT_CHECKOUT_HISTORY);
	assert_string_equal(buf_str(&out), want);
	scene_git(dir, "fsck --strict", NULL);
	assert_clean(dir);
	/* The agent commits, and its bundle is taken. */
	scene_write(dir, "new", "x\n");
	scene_git(dir, "add -A", NULL);
	scene_git(dir, "commit -q -m agent", NULL);
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	auto_fd int bundle = scene_bundle(s, dir, "HEAD");
	if (repo_harvest(&h, bundle, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got.files, 1);
	repo_harvested_finish(&got);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_one_shares_what_is_the_same),
		TEST(the_next_one_has_its_own_objects),
		TEST(a_last_one_that_is_no_use_is_passed_over),
		TEST(files_are_never_younger_than_the_index),
		TEST(a_large_one_gets_its_last_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
