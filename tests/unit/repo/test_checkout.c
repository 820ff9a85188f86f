/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkout is whole or absent, looks as git wants it, and shows a box nothing but its commit.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COMMIT_TIME 1795338000 /* scene.c: 2026-11-22T09:00:00Z */

static void
its_files_are_the_commits(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_checkout(s);
	auto_free char *text = scene_read(dir, "src/deep/er/file.txt");
	auto_free char *run = mem_fmt("%s/run.sh", dir);
	auto_free char *link = mem_fmt("%s/link", dir);
	struct stat st;
	char target[64] = "";

	assert_string_equal(text, "deep\n");
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(readlink(link, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "src/widget.c");
}

static void
all_times_are_the_commits(void **state)
{
	static const char *const names[] = { "", "README.md", "link", "src", "src/deep",
		"src/deep/er", "src/deep/er/file.txt" };
	struct scene *s = *state;
	auto_free char *dir = scene_checkout(s);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_free char *path = mem_fmt("%s/%s", dir, names[i]);
		struct stat st;

		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_mtim.tv_sec, COMMIT_TIME);
	}
}

/* In an overlay inode, ctime and device are others; size and time are what is left to compare. */
static void
status_in_a_copy_reads_no_file(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_checkout(s);
	auto_free char *copy = mem_fmt("%s/copy", s->dir);
	const char *cp[] = { "/bin/cp", "-a", dir, copy, NULL };
	auto_buf struct buf out = BUF_INIT(MIB(1));

	assert_int_equal(scene_run("/", cp, NULL, NULL, 0, NULL), 0);
	/* Other bytes of the same length and time: had git read the file, it would know. */
	auto_free char *path = mem_fmt("%s/src/widget.c", copy);
	struct timespec times[2] = { { .tv_sec = COMMIT_TIME }, { .tv_sec = COMMIT_TIME } };
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "INT", 3), 3);
	assert_int_equal(futimens(fd, times), 0);
	scene_git(copy, "status --porcelain", &out);
	assert_string_equal(buf_str(&out), "");
	scene_write(copy, "src/widget.c", "longer than before by far\n");
	scene_git(copy, "status --porcelain", &out);
	assert_string_equal(buf_str(&out), " M src/widget.c");
}

static void
its_branch_is_neutral_and_has_no_remote(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_checkout(s);
	auto_buf struct buf out = BUF_INIT(MIB(1));

	scene_git(dir, "-c safe.directory=* symbolic-ref HEAD", &out);
	scene_git(dir, "-c safe.directory=* rev-parse HEAD", &out);
	scene_git(dir, "-c safe.directory=* remote", &out);
	scene_git(dir, "-c safe.directory=* fsck --strict", &out);
	auto_free char *want = mem_fmt("refs/heads/agent/task%s", s->base);
	assert_string_equal(buf_str(&out), want);
}

/* The point of not having alternates. */
static void
objects_of_other_branches_are_not_there(void **state)
{
	struct scene *s = *state;
	char secret[REPO_SHA_LEN + 1];
	auto_buf struct buf blob = BUF_INIT(KIB(1));

	scene_git(s->work, "checkout -q -b secret", NULL);
	scene_write(s->work, "secret.txt", "the combination is 12345\n");
	scene_commit(s, "secret", secret);
	scene_git(s->work, "rev-parse HEAD:secret.txt", &blob);
	auto_free char *push = mem_fmt("push -q %s secret:refs/branch/secret", s->mirror);
	scene_git(s->work, push, NULL);
	auto_free char *dir = scene_checkout(s);
	const char *in_mirror[] = { "/usr/bin/git", "-C", s->mirror, "cat-file", "-e", blob.data,
		NULL };
	const char *in_tree[] = { "/usr/bin/git", "-C", dir, "cat-file", "-e", blob.data, NULL };
	assert_int_equal(scene_run("/", in_mirror, NULL, NULL, 0, NULL), 0);
	assert_int_not_equal(scene_run("/", in_tree, NULL, NULL, 0, NULL), 0);
	assert_false(scene_exists(dir, ".git/objects/info/alternates"));
}

static void
making_it_twice_makes_it_once(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_checkout(s);
	struct stat before;
	struct stat after;

	assert_int_equal(stat(dir, &before), 0);
	auto_free char *again = scene_checkout(s);
	assert_int_equal(stat(again, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void
a_commit_that_the_mirror_does_not_have_is_missing(void **state)
{
	struct scene *s = *state;
	struct repo_checkout c = { s->mirror, s->trees,
		"0123456789012345678901234567890123456789" };
	struct err e = { 0 };

	assert_int_equal(repo_checkout_make(&c, &e), ERR_MISSING);
	assert_false(repo_checkout_ready(s->trees, c.sha));
	c.sha = "main";
	assert_int_equal(repo_checkout_make(&c, &e), ERR_INVALID);
}

static void
one_of_before_the_last_boot_is_made_anew(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_checkout(s);
	auto_free char *boot = mem_fmt("%s/%s", s->trees, s->base);

	assert_true(repo_checkout_ready(s->trees, s->base));
	scene_write(boot, "boot", "another\n");
	scene_write(dir, "README.md", "half written when the power went\n");
	assert_false(repo_checkout_ready(s->trees, s->base));
	auto_free char *again = scene_checkout(s);
	auto_free char *text = scene_read(again, "README.md");
	assert_string_equal(text, "# widget\n");
}

/* Killed after ever longer: each time either nothing or a whole checkout is there, and the last try
 * succeeds. */
static void
a_killed_one_leaves_nothing_half(void **state)
{
	struct scene *s = *state;

	for (long us = 500; us < 120000; us = us * 3 / 2) {
		struct repo_checkout c = { s->mirror, s->trees, s->base };
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(repo_checkout_make(&c, NULL) < 0 ? 1 : 0);
		const struct timespec t = { .tv_nsec = us * 1000 };
		auto_fd int pidfd = pidfd_open(pid, 0);
		struct pollfd p = { pidfd, POLLIN, 0 };
		(void)ppoll(&p, 1, &t, NULL);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (!repo_checkout_ready(s->trees, s->base))
			assert_false(scene_exists(s->trees, s->base));
	}
	auto_free char *dir = scene_checkout(s);
	auto_free char *text = scene_read(dir, "README.md");
	assert_string_equal(text, "# widget\n");
}

/* ---- Settings of a repository that run programs, in the person's repository and in the tree ----
 */

static void
what_the_tree_says_runs_nothing(void **state)
{
	struct scene *s = *state;
	auto_free char *mark = mem_fmt("%s/ran", s->dir);
	auto_free char *script = mem_fmt("#!/bin/sh\ntouch %s\ncat\n", mark);
	auto_free char *hook = mem_fmt("%s/hooks/post-checkout", s->mirror);
	auto_free char *evil =
		mem_fmt("[filter \"evil\"]\n\tsmudge = touch %s\n\tprocess = touch %s\n"
			"\trequired = true\n[core]\n\tfsmonitor = touch %s\n",
			mark, mark, mark);

	scene_write(s->work, ".gitattributes", "* filter=evil\n*.c diff=evil filter=lfs\n");
	scene_write(s->work, ".gitconfig", evil);
	scene_commit(s, "attributes", s->base);
	scene_mirror(s);
	scene_write(s->mirror, "hooks/post-checkout", script);
	assert_int_equal(chmod(hook, 0755), 0);
	/* The control: a git with a person's settings obeys. */
	auto_free char *home = mem_fmt("HOME=%s", s->work);
	const char *env[] = { home, "PATH=/usr/bin:/bin", NULL };
	const char *argv[] = { "/usr/bin/git", "checkout", "-f", "HEAD", "--", ".", NULL };
	auto_free char *widget = mem_fmt("%s/src/widget.c", s->work);
	assert_int_equal(unlink(widget), 0);
	(void)scene_run(s->work, argv, env, NULL, 0, NULL);
	assert_true(scene_exists(s->dir, "ran"));
	assert_int_equal(unlink(mark), 0);
	auto_free char *dir = scene_checkout(s);
	auto_free char *text = scene_read(dir, "src/widget.c");
	assert_string_equal(text, "int widget;\nint gadget;\n");
	assert_false(scene_exists(s->dir, "ran"));
}

static void
a_bomb_is_counted_before_it_is_lit(void **state)
{
	struct scene *s = *state;
	auto_buf struct buf id = BUF_INIT(KIB(1));

	/* Ten directories deep, ten times the same directory in each: 10^10 files. */
	scene_git_in(s->mirror, "hash-object -w --stdin", "bomb", 4, &id);
	auto_free char *entry = mem_fmt("100644 blob %s", buf_str(&id));
	for (int level = 0; level < 10; level++) {
		auto_buf struct buf tree = BUF_INIT(KIB(4));

		for (int i = 0; i < 10; i++)
			(void)buf_addf(&tree, "%s\td%d\n", entry, i);
		buf_reset(&id);
		scene_git_in(s->mirror, "mktree", tree.data, tree.len, &id);
		free(entry);
		entry = mem_fmt("040000 tree %s", buf_str(&id));
	}
	auto_free char *args = mem_fmt("commit-tree -m bomb %s", buf_str(&id));
	buf_reset(&id);
	scene_git(s->mirror, args, &id);
	struct repo_checkout c = { s->mirror, s->trees, buf_str(&id) };
	struct err e = { 0 };
	assert_int_equal(repo_checkout_make(&c, &e), ERR_LIMIT);
	assert_false(scene_exists(s->trees, buf_str(&id)));
}

/* ---- Room ---- */

static void
age(struct scene *s, const char *sha, time_t used)
{
	auto_free char *boot = mem_fmt("%s/%s/boot", s->trees, sha);
	struct timespec times[2] = { { .tv_sec = used }, { .tv_sec = used } };

	assert_int_equal(utimensat(AT_FDCWD, boot, times, 0), 0);
}

static void
the_oldest_goes_unless_it_is_used(void **state)
{
	struct scene *s = *state;
	char sha[3][REPO_SHA_LEN + 1];
	struct err e = { 0 };

	for (int i = 0; i < 3; i++) {
		auto_free char *message = mem_fmt("commit %d", i);

		scene_commit(s, message, s->base);
		scene_mirror(s);
		free(scene_checkout(s));
		memcpy(sha[i], s->base, sizeof(sha[i]));
		age(s, sha[i], 1000 + i);
	}
	/* The oldest has a box, the next was used just now. */
	auto_free char *held = repo_checkout_path(s->trees, sha[0]);
	auto_fd int fd = open(held, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(repo_checkout_evict(s->trees, 1, 1000, &e), 1);
	assert_true(repo_checkout_ready(s->trees, sha[0]));
	assert_false(scene_exists(s->trees, sha[1]));
	assert_true(repo_checkout_ready(s->trees, sha[2]));
	/* Both were used by the question itself. */
	assert_int_equal(repo_checkout_evict(s->trees, 0, 3600000, &e), 0);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	age(s, sha[0], 1000);
	assert_int_equal(repo_checkout_evict(s->trees, 0, 3600000, &e), 1);
	assert_false(scene_exists(s->trees, sha[0]));
	assert_int_equal(repo_checkout_evict("/nonexistent", 0, 0, &e), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_files_are_the_commits),
		TEST(all_times_are_the_commits),
		TEST(status_in_a_copy_reads_no_file),
		TEST(its_branch_is_neutral_and_has_no_remote),
		TEST(objects_of_other_branches_are_not_there),
		TEST(making_it_twice_makes_it_once),
		TEST(a_commit_that_the_mirror_does_not_have_is_missing),
		TEST(one_of_before_the_last_boot_is_made_anew),
		TEST(a_killed_one_leaves_nothing_half),
		TEST(what_the_tree_says_runs_nothing),
		TEST(a_bomb_is_counted_before_it_is_lit),
		TEST(the_oldest_goes_unless_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
