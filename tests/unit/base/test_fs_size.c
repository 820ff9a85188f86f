/* SPDX-License-Identifier: Apache-2.0 */
/* fs_measure - trees that are ordinary, deep, wide, linked, closed and moving. */
#include "base/fs.h"

#include "base/mem.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES 100000

static struct fs_size
measure(const char *path)
{
	struct fs_size size;
	struct err e = { 0 };

	if (fs_measure(path, ENTRIES, &size, &e) < 0)
		fail_msg("%s", e.text);
	return size;
}

static void
counts_all_that_lies_below(void **state)
{
	char text[10001] = { 0 };

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = 'x';
	assert_int_equal(mkdir("tree", 0755), 0);
	int64_t empty = measure("tree").bytes;
	assert_int_equal(measure("tree").entries, 1);
	for (int i = 0; i < 5; i++) {
		auto_free char *dir = mem_fmt("tree/%d", i);
		auto_free char *file = mem_fmt("tree/%d/file", i);

		assert_int_equal(mkdir(dir, 0755), 0);
		scratch_put(file, text, 0644);
	}
	assert_int_equal(symlink("/usr", "tree/link"), 0);
	assert_int_equal(mkfifo("tree/pipe", 0600), 0);
	assert_int_equal(measure("tree").entries, 13);
	assert_true(measure("tree").bytes >= empty + 50000);
	assert_true(measure("tree").bytes < 2000000); /* not what the link shows */
	/* A hole takes nothing. */
	scratch_put("tree/sparse", "", 0644);
	assert_int_equal(truncate("tree/sparse", (off_t)1 << 40), 0);
	assert_true(measure("tree").bytes < 2000000);
}

/* Each level has a name before and one behind the next level's, in whatever order they are read. */
static void
goes_up_where_it_went_down(void **state)
{
	int levels = 300;

	(void)state;
	assert_int_equal(mkdir("deep", 0755), 0);
	assert_int_equal(chdir("deep"), 0);
	for (int i = 0; i < levels; i++) {
		scratch_put("a", "", 0644);
		scratch_put("z", "", 0644);
		assert_int_equal(mkdir("b", 0755), 0);
		assert_int_equal(mkdir("y", 0755), 0);
		assert_int_equal(chdir("y"), 0);
	}
	assert_int_equal(chdir(scratch_dir), 0);
	assert_int_equal(measure("deep").entries, 1 + 4 * levels);
}

static void
says_when_it_is_too_much(void **state)
{
	struct fs_size size;
	struct err e;

	(void)state;
	assert_int_equal(mkdir("wide", 0755), 0);
	for (int i = 0; i < 50; i++) {
		auto_free char *name = mem_fmt("wide/%d", i);

		scratch_put(name, "", 0644);
	}
	assert_int_equal(fs_measure("wide", 51, &size, &e), 0);
	assert_int_equal(fs_measure("wide", 50, &size, &e), ERR_LIMIT);
	assert_int_equal(mkdir("deep", 0755), 0);
	assert_int_equal(chdir("deep"), 0);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(mkdir("d", 0755), 0);
		assert_int_equal(chdir("d"), 0);
	}
	assert_int_equal(chdir(scratch_dir), 0);
	assert_int_equal(fs_measure("deep", ENTRIES, &size, &e), ERR_LIMIT);
	assert_int_equal(fs_measure("nothing", ENTRIES, &size, &e), ERR_MISSING);
	assert_int_equal(symlink("wide", "link"), 0);
	assert_true(fs_measure("link", ENTRIES, &size, &e) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(counts_all_that_lies_below),
		SCRATCH_TEST(goes_up_where_it_went_down),
		SCRATCH_TEST(says_when_it_is_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
