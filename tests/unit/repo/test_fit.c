/* SPDX-License-Identifier: Apache-2.0 */
/* repo_checkouts_fit, repo_mirrors_fit - all repositories together keep to a quota. */
#include "scene.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "repo/checkout.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 1000

/* One as fit sees it, of a size that is said and not measured. */
static char *
make_checkout(const struct scene *s, const char *trees, char digit, int64_t minutes)
{
	auto_free char *sha = mem_strn("0000000000000000000000000000000000000000", REPO_SHA_LEN);
	struct timespec t[2] = { { .tv_sec = clock_wall_ms() / 1000 - 60 * minutes } };

	memset(sha, digit, REPO_SHA_LEN);
	auto_free char *dir = mem_fmt("%s/state/mirrors/%s/%s", s->dir, trees, sha);
	auto_free char *tree = mem_fmt("%s/tree", dir);
	auto_free char *boot = mem_fmt("%s/boot", dir);
	assert_int_equal(fs_mkdirs(tree, 0755, NULL), 0);
	scene_write(dir, "size", "1000\n");
	scene_write(dir, "boot", "x");
	t[1] = t[0];
	assert_int_equal(utimensat(AT_FDCWD, boot, t, 0), 0);
	return steal_ptr(&dir);
}

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static char *
mirrors_of(const struct scene *s)
{
	return mem_fmt("%s/state/mirrors", s->dir);
}

static void
the_oldest_of_all_repositories_goes(void **state)
{
	const struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *a = make_checkout(s, "gh/1.trees", 'a', 10);
	auto_free char *b = make_checkout(s, "tea/1.trees", 'b', 30);
	auto_free char *c = make_checkout(s, "gh/2.modules/ff.trees", 'c', 20);
	auto_free char *d = make_checkout(s, "gh/2.trees", 'd', 0);
	struct err e = { 0 };

	assert_int_equal(repo_checkouts_sum(mirrors).n, 4);
	assert_int_equal(repo_checkouts_sum(mirrors).bytes, 4 * SIZE);
	assert_int_equal(repo_checkouts_fit(mirrors, 4 * SIZE, 0, &e), 0);
	assert_int_equal(repo_checkouts_fit(mirrors, 3 * SIZE, 0, &e), 1);
	assert_false(is_there(b));
	assert_int_equal(repo_checkouts_fit(mirrors, SIZE, 0, &e), 2);
	assert_false(is_there(a) || is_there(c));
	/* One that was just handed out stays, whatever the quota says. */
	assert_int_equal(repo_checkouts_fit(mirrors, 0, 60000, &e), 0);
	assert_true(is_there(d));
}

static void
one_in_use_stays(void **state)
{
	const struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *old = make_checkout(s, "gh/1.trees", 'a', 30);
	auto_free char *young = make_checkout(s, "gh/1.trees", 'b', 10);
	auto_free char *tree = mem_fmt("%s/tree", old);
	auto_fd int box = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };

	assert_int_equal(flock(box, LOCK_SH), 0);
	assert_int_equal(repo_checkouts_fit(mirrors, SIZE, 0, &e), 1);
	assert_true(is_there(old));
	assert_false(is_there(young));
}

static void
extras_count_with_their_checkout(void **state)
{
	const struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *a = make_checkout(s, "gh/1.trees", 'a', 30);
	auto_free char *extra = mem_fmt("%s/extra.s.1", a);

	assert_int_equal(mkdir(extra, 0755), 0);
	scene_write(extra, "size", "500\n");
	assert_int_equal(repo_checkouts_sum(mirrors).bytes, SIZE + 500);
}

/* A real one says how large it is. */
static void
a_checkout_is_measured_when_it_is_made(void **state)
{
	struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *text = mem_array(100001, 1);

	memset(text, 'x', 100000);
	scene_write(s->work, "large", text);
	scene_commit(s, "large", s->base);
	scene_mirror(s);
	free(scene_checkout(s));
	assert_true(repo_checkouts_sum(mirrors).bytes > 100000);
	assert_true(repo_checkouts_sum(mirrors).bytes < 2000000);
}

/* What a run left that was killed half way is gone after the next; nothing finds it meanwhile. */
static void
a_killed_run_is_finished_by_the_next(void **state)
{
	const struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *a = make_checkout(s, "gh/1.trees", 'a', 30);
	auto_free char *old = mem_fmt("%s/gh/1.trees/old.x", mirrors);
	auto_free char *gone = mem_fmt("%s/gh/old.9.git", mirrors);
	struct err e = { 0 };

	assert_int_equal(rename(a, old), 0);
	assert_int_equal(fs_mkdirs(gone, 0755, NULL), 0);
	assert_int_equal(repo_checkouts_sum(mirrors).n, 0);
	assert_true(is_there(old)); /* who only asks changes nothing */
	assert_int_equal(repo_checkouts_fit(mirrors, INT64_MAX, 0, &e), 0);
	assert_int_equal(repo_mirrors_fit(mirrors, INT64_MAX, 0, &e), 0);
	assert_false(is_there(old));
	assert_false(is_there(gone));
}

/* ---- mirrors ---- */

static char *
make_mirror(const struct scene *s, const char *id, int64_t minutes)
{
	auto_free char *mirror = mem_fmt("%s/state/mirrors/gh/%s.git", s->dir, id);
	auto_free char *lfs = mem_fmt("%s/state/mirrors/gh/%s.lfs", s->dir, id);
	auto_free char *lock = mem_fmt("%s/lock", mirror);
	struct timespec t[2] = { { .tv_sec = clock_wall_ms() / 1000 - 60 * minutes } };
	auto_free char *text = mem_array(200001, 1);

	t[1] = t[0];
	memset(text, 'x', 200000);
	assert_int_equal(repo_mirror_create(mirror, NULL), 0);
	assert_int_equal(fs_mkdirs(lfs, 0755, NULL), 0);
	scene_write(lfs, "object", text);
	scene_write(mirror, "lock", "");
	assert_int_equal(utimensat(AT_FDCWD, lock, t, 0), 0);
	return steal_ptr(&mirror);
}

static void
a_mirror_goes_with_all_that_is_its(void **state)
{
	struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *old = make_mirror(s, "1", 30);
	auto_free char *young = make_mirror(s, "2", 10);
	auto_free char *trees = make_checkout(s, "gh/1.trees", 'a', 30);
	auto_free char *lfs = mem_fmt("%s/gh/1.lfs", mirrors);
	struct repo_sum sum = repo_mirrors_sum(mirrors);
	struct err e = { 0 };
	int fd = -1;

	assert_true(sum.bytes > 400000);
	assert_int_equal(repo_mirrors_fit(mirrors, sum.bytes, 0, &e), 0);
	assert_int_equal(repo_mirrors_fit(mirrors, sum.bytes - 1, 0, &e), 1);
	assert_false(is_there(old) || is_there(lfs) || is_there(trees));
	assert_true(is_there(young));
	/* It comes back as new. */
	assert_int_equal(repo_mirror_create(old, &e), 0);
	assert_int_equal(repo_mirror_lock(old, &fd, &e), 0);
	(void)close(fd);
}

/* Somebody fetches into one, the other's checkout was handed out, or a box has it. */
static void
a_mirror_in_use_stays(void **state)
{
	struct scene *s = *state;
	auto_free char *mirrors = mirrors_of(s);
	auto_free char *fetched = make_mirror(s, "1", 30);
	auto_free char *handed_out = make_mirror(s, "2", 30);
	auto_free char *boxed = make_mirror(s, "3", 30);
	auto_free char *now = make_checkout(s, "gh/2.trees", 'a', 0);
	auto_free char *held = make_checkout(s, "gh/3.trees", 'b', 25);
	auto_free char *tree = mem_fmt("%s/tree", held);
	auto_free char *mine = mem_fmt("%s/gh/7.git/lock", mirrors);
	auto_fd int box = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int lock = -1;
	struct timespec t[2] = { { .tv_sec = clock_wall_ms() / 1000 - 60 * 30 } };
	auto_free char *path = mem_fmt("%s/lock", fetched);
	struct err e = { 0 };

	t[1] = t[0];
	(void)unlink(mine); /* the scene's own is not asked about */
	assert_int_equal(flock(box, LOCK_SH), 0);
	assert_int_equal(repo_mirror_lock(fetched, &lock, &e), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
	assert_int_equal(repo_mirrors_fit(mirrors, 0, 20 * 60000, &e), 0);
	assert_true(is_there(fetched) && is_there(handed_out) && is_there(boxed));
	assert_true(is_there(held) && is_there(now));
}

static void
there_may_be_nothing(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(repo_checkouts_fit("/nonexistent", 0, 0, &e), 0);
	assert_int_equal(repo_mirrors_fit("/nonexistent", 0, 0, &e), 0);
	assert_int_equal(repo_mirrors_sum("/nonexistent").n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_oldest_of_all_repositories_goes),
		TEST(one_in_use_stays),
		TEST(extras_count_with_their_checkout),
		TEST(a_checkout_is_measured_when_it_is_made),
		TEST(a_killed_run_is_finished_by_the_next),
		TEST(a_mirror_goes_with_all_that_is_its),
		TEST(a_mirror_in_use_stays),
		TEST(there_may_be_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
