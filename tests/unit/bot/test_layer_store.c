/* SPDX-License-Identifier: Apache-2.0 */
/* layer_store - whole or not at all, under a quota, and nothing that somebody uses goes. */
#include "bot/layer_store.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const KEYS[] = {
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
	"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
};

static struct layer_store
store(int64_t quota)
{
	return (struct layer_store){ .dir = scratch_dir, .quota = quota };
}

/* As a setup leaves it. */
static char *
make(const char *name, const char *text)
{
	auto_free char *ws = mem_fmt("%s/new.%s/ws", scratch_dir, name);
	auto_free char *file = mem_fmt("%s/file", ws);

	assert_int_equal(fs_mkdirs(ws, 0700, NULL), 0);
	scratch_put(file, text, 0600);
	return mem_fmt("%s/new.%s", scratch_dir, name);
}

/* Keeps it and lets go of it; says how many had to go for it. */
static size_t
put(const struct layer_store *s, const char *key, int64_t bytes)
{
	auto_strs struct strs gone = { 0 };
	auto_free char *dir = make("1.2.3", key);
	auto_fd int lock = -1;
	struct err e = { 0 };

	if (layer_store_put(s, key, &(struct layer_fresh){ dir, bytes }, &lock, &gone, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(lock >= 0);
	for (size_t i = 0; i < gone.n; i++)
		assert_int_equal(fs_remove_tree(gone.v[i], NULL), 0);
	return gone.n;
}

static bool
has(const struct layer_store *s, const char *key)
{
	auto_fd int lock = -1;

	return layer_store_take(s, key, &lock);
}

/* So that the order of use is one that a filesystem can tell. */
static void
age(const char *key, time_t seconds)
{
	struct timespec t[2] = { { .tv_sec = time(NULL) - seconds },
		{ .tv_sec = time(NULL) - seconds } };

	assert_int_equal(utimensat(AT_FDCWD, key, t, 0), 0);
}

static void
what_is_kept_is_found(void **state)
{
	const struct layer_store s = store(1000);
	struct layer_sum sum;

	(void)state;
	assert_false(has(&s, KEYS[0]));
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_true(has(&s, KEYS[0]));
	assert_false(has(&s, KEYS[1]));
	assert_false(has(&s, "new.1.2.3"));
	assert_int_equal(put(&s, KEYS[1], 0), 0);
	sum = layer_store_sum(&s);
	assert_int_equal(sum.n, 2);
	assert_int_equal(sum.bytes, 100);
}

static void
the_first_one_stays(void **state)
{
	const struct layer_store s = store(1000);
	auto_free char *second = make("7.7.7", "second");
	auto_free char *file = mem_fmt("%s/ws/file", KEYS[0]);
	auto_strs struct strs gone = { 0 };
	auto_buf struct buf text = BUF_INIT(100);
	struct err e = { 0 };
	int lock = -1;

	(void)state;
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_int_equal(layer_store_put(&s, KEYS[0], &(struct layer_fresh){ second, 100 }, &lock,
				 &gone, &e),
		ERR_CONFLICT);
	assert_int_equal(lock, -1);
	assert_int_equal(access(second, F_OK), 0);
	assert_int_equal(fs_read(file, &text, NULL), 0);
	assert_string_equal(buf_str(&text), KEYS[0]);
}

static void
the_least_recently_used_goes(void **state)
{
	const struct layer_store s = store(250);

	(void)state;
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_int_equal(put(&s, KEYS[1], 100), 0);
	age(KEYS[0], 20);
	age(KEYS[1], 10);
	assert_true(has(&s, KEYS[0])); /* used now */
	assert_int_equal(put(&s, KEYS[2], 100), 1);
	assert_true(has(&s, KEYS[0]));
	assert_false(has(&s, KEYS[1]));
	assert_true(has(&s, KEYS[2]));
	/* As many as it takes. */
	assert_int_equal(put(&s, KEYS[3], 250), 2);
	assert_int_equal(layer_store_sum(&s).n, 1);
}

static void
one_in_use_stays(void **state)
{
	const struct layer_store s = store(250);
	int lock = -1;

	(void)state;
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_int_equal(put(&s, KEYS[1], 100), 0);
	assert_true(layer_store_take(&s, KEYS[0], &lock));
	age(KEYS[0], 20);
	age(KEYS[1], 10);
	assert_int_equal(put(&s, KEYS[2], 100), 1);
	assert_true(has(&s, KEYS[0]));
	assert_false(has(&s, KEYS[1]));
	assert_int_equal(close(lock), 0);
	age(KEYS[0], 20);
	assert_int_equal(put(&s, KEYS[3], 100), 1);
	assert_false(has(&s, KEYS[0]));
}

static void
one_that_is_too_large_is_not_kept(void **state)
{
	const struct layer_store s = store(250);
	const struct layer_store none = store(0);
	auto_free char *dir = make("8.8.8", "x");
	auto_strs struct strs gone = { 0 };
	struct err e = { 0 };
	int lock = -1;

	(void)state;
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_int_equal(
		layer_store_put(&s, KEYS[1], &(struct layer_fresh){ dir, 251 }, &lock, &gone, &e),
		ERR_LIMIT);
	assert_int_equal(
		layer_store_put(&s, KEYS[1], &(struct layer_fresh){ dir, -1 }, &lock, &gone, &e),
		ERR_LIMIT);
	assert_int_equal(
		layer_store_put(&none, KEYS[1], &(struct layer_fresh){ dir, 1 }, &lock, &gone, &e),
		ERR_LIMIT);
	assert_int_equal(gone.n, 0);
	assert_true(has(&s, KEYS[0]));
	assert_int_equal(access(dir, F_OK), 0);
}

/* What was being made, what was being removed, what the machine may have lost when it went down,
 * and what became too much: gone. All else is there as before. */
static void
a_start_finds_what_is_whole(void **state)
{
	const struct layer_store s = store(250);
	auto_free char *about = mem_fmt("%s/about", KEYS[1]);
	auto_strs struct strs gone = { 0 };

	(void)state;
	free(make("4.5.6", "half"));
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_int_equal(put(&s, KEYS[1], 100), 0);
	scratch_put(about, "00000000-0000-0000-0000-000000000000 100\n", 0600);
	assert_int_equal(mkdir("gone.1.2.3", 0700), 0);
	assert_int_equal(mkdir(KEYS[2], 0700), 0); /* named by somebody else, or cut off */
	assert_false(has(&s, KEYS[1]));
	assert_false(has(&s, KEYS[2]));
	layer_store_sweep(&s, &gone);
	assert_int_equal(gone.n, 4);
	assert_true(has(&s, KEYS[0]));
	assert_int_equal(access(KEYS[1], F_OK), -1);
	assert_int_equal(access(KEYS[2], F_OK), -1);
	strs_finish(&gone);
	const struct layer_store small = store(50);
	layer_store_sweep(&small, &gone);
	assert_false(has(&small, KEYS[0]));
}

/* Its name leads nowhere. */
static void
a_link_is_no_layer(void **state)
{
	const struct layer_store s = store(250);

	(void)state;
	assert_int_equal(put(&s, KEYS[0], 100), 0);
	assert_int_equal(symlink(KEYS[0], KEYS[1]), 0);
	assert_true(has(&s, KEYS[0]));
	assert_false(has(&s, KEYS[1]));
	assert_int_equal(layer_store_sum(&s).n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(what_is_kept_is_found),
		SCRATCH_TEST(the_first_one_stays),
		SCRATCH_TEST(the_least_recently_used_goes),
		SCRATCH_TEST(one_in_use_stays),
		SCRATCH_TEST(one_that_is_too_large_is_not_kept),
		SCRATCH_TEST(a_start_finds_what_is_whole),
		SCRATCH_TEST(a_link_is_no_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
