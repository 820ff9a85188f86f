/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of bot/gateway_cache: what is kept is whole or is not there.
 */
#include "bot/gateway_cache.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FOREVER INT64_MAX

static struct cache *
make(int64_t quota)
{
	struct cache *c = NULL;

	assert_int_equal(cache_create(scratch_dir, quota, &c, NULL), 0);
	return c;
}

static void
put(struct cache *c, const char *name, const char *body, size_t len, bool is_whole)
{
	char key[CACHE_KEY_BYTES];
	struct http_reply head = { .status = 200 };

	cache_key(name, key);
	strs_add(&head.headers, "content-type: text/x");
	strs_add(&head.headers, "set-cookie: a=b");
	strs_addf(&head.headers, "content-length: %zu", len);
	struct cache_writer *w = cache_write(c, key, &head);
	assert_non_null(w);
	for (size_t at = 0; at < len; at += 7)
		cache_writer_add(w, body + at, len - at < 7 ? len - at : 7);
	cache_writer_end(w, is_whole);
	http_reply_finish(&head);
}

/* Its body, or NULL if it is not there; "broken" if it turns out so. */
static char *
get(struct cache *c, const char *name, int64_t keep_ms)
{
	char key[CACHE_KEY_BYTES];
	auto_buf struct buf out = BUF_INIT(MIB(4));
	char piece[10];
	int64_t n;

	cache_key(name, key);
	struct cache_reader *r = cache_open(c, key, keep_ms);
	if (!r)
		return NULL;
	while ((n = cache_read(r, piece, sizeof(piece))) > 0)
		(void)buf_add(&out, piece, (size_t)n);
	cache_reader_destroy(r);
	return mem_str(n < 0 ? "broken" : buf_str(&out));
}

static size_t
count_files(void)
{
	auto_dir DIR *d = opendir(scratch_dir);
	size_t n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	return n;
}

static void
what_was_kept_comes_back(void **state)
{
	struct cache *c = make(MIB(1));
	char key[CACHE_KEY_BYTES];

	(void)state;
	assert_null(get(c, "a", FOREVER));
	put(c, "a", "twenty-one bytes here", 21, true);
	put(c, "empty", "", 0, true);
	auto_free char *a = get(c, "a", FOREVER);
	assert_string_equal(a, "twenty-one bytes here");
	auto_free char *empty = get(c, "empty", FOREVER);
	assert_string_equal(empty, "");
	cache_key("a", key);
	struct cache_reader *r = cache_open(c, key, FOREVER);
	const struct http_reply *head = cache_reader_head(r);
	assert_int_equal(head->status, 200);
	assert_string_equal(http_reply_header(head, "content-type"), "text/x");
	assert_string_equal(http_reply_header(head, "content-length"), "21");
	assert_null(http_reply_header(head, "set-cookie"));
	cache_reader_destroy(r);
	/* A later life has it too. */
	cache_destroy(c);
	c = make(MIB(1));
	auto_free char *again = get(c, "a", FOREVER);
	assert_string_equal(again, a);
	assert_null(get(c, "a", -1)); /* too old for who wants it newer */
	cache_destroy(c);
}

static void
what_broke_off_is_not_there(void **state)
{
	struct cache *c = make(MIB(1));
	struct http_reply error = { .status = 404 };
	struct http_reply endless = { .status = 200 };
	struct http_reply packed = { .status = 200 };
	char key[CACHE_KEY_BYTES];

	(void)state;
	put(c, "a", "half", 4, false);
	assert_null(get(c, "a", FOREVER));
	assert_int_equal(count_files(), 0);
	cache_key("b", key);
	strs_add(&error.headers, "content-length: 1");
	strs_add(&packed.headers, "content-length: 1");
	strs_add(&packed.headers, "content-encoding: gzip");
	assert_null(cache_write(c, key, &error));
	assert_null(cache_write(c, key, &endless));
	assert_null(cache_write(c, key, &packed));
	http_reply_finish(&error);
	http_reply_finish(&packed);
	/* What a killed gateway left is swept up. */
	scratch_put("tmp.17", "x", 0600);
	cache_destroy(c);
	c = make(MIB(1));
	assert_int_equal(count_files(), 0);
	cache_destroy(c);
}

static void
a_changed_byte_breaks_it_and_it_is_gone(void **state)
{
	struct cache *c = make(MIB(1));
	char key[CACHE_KEY_BYTES];
	struct stat st;

	(void)state;
	cache_key("a", key);
	for (off_t back = 1; back <= 21; back += 10) {
		put(c, "a", "twenty-one bytes here", 21, true);
		auto_fd int fd = open(key, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(pwrite(fd, "X", 1, st.st_size - back), 1);
		auto_free char *a = get(c, "a", FOREVER);
		assert_string_equal(a, "broken");
		assert_null(get(c, "a", FOREVER));
	}
	put(c, "a", "twenty-one bytes here", 21, true);
	assert_int_equal(truncate(key, 60), 0);
	assert_null(get(c, "a", FOREVER));
	scratch_put(key, "nsreg01", 0600);
	assert_null(get(c, "a", FOREVER));
	assert_int_equal(unlink(key), 0);
	assert_int_equal(symlink("/etc/passwd", key), 0);
	assert_null(get(c, "a", FOREVER));
	cache_destroy(c);
}

static void
the_least_recently_used_go(void **state)
{
	struct cache *c = make(KIB(40));
	auto_free char *body = mem_zero(KIB(9));
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	static const char *const names[] = { "a", "b", "c", "d" };
	char key[CACHE_KEY_BYTES];

	(void)state;
	memset(body, 'x', KIB(9));
	for (int i = 0; i < 4; i++) {
		put(c, names[i], body, KIB(9), true);
		cache_key(names[i], key);
		old[1].tv_sec += 10;
		assert_int_equal(utimensat(AT_FDCWD, key, old, 0), 0);
	}
	free(get(c, "a", FOREVER)); /* used now */
	put(c, "e", body, KIB(9), true);
	auto_free char *a = get(c, "a", FOREVER);
	auto_free char *d = get(c, "d", FOREVER);
	auto_free char *e = get(c, "e", FOREVER);
	assert_true(a && d && e);
	assert_null(get(c, "b", FOREVER));
	assert_null(get(c, "c", FOREVER));
	/* One alone may not take all. */
	put(c, "large", body, KIB(9), true);
	auto_free char *whole = mem_zero(KIB(11));
	memset(whole, 'x', KIB(11));
	put(c, "too-large", whole, KIB(11), true);
	assert_null(get(c, "too-large", FOREVER));
	cache_destroy(c);
	/* A smaller quota holds from the start. */
	c = make(1);
	assert_int_equal(count_files(), 0);
	cache_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(what_was_kept_comes_back),
		SCRATCH_TEST(what_broke_off_is_not_there),
		SCRATCH_TEST(a_changed_byte_breaks_it_and_it_is_gone),
		SCRATCH_TEST(the_least_recently_used_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
