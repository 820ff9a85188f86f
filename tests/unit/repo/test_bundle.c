/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles whose bytes lie: heads, counts, sizes, deltas. Each is refused quickly, within a small
 * memory limit.
 */
#include "tests/unit/repo/scene.h"

#include "repo/bundle.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA        "0123456789abcdef0123456789abcdef01234567"
#define ODD        "1123456789abcdef0123456789abcdef01234567"
#define PACK       "PACK\0\0\0\2\0\0\0\1"
#define MEMORY_MAX (LIMIT_HARVEST_MEMORY_BYTES / 2)
#define SOON_MS    20000

/* ---- The head: pure ---- */

static void
heads(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "# v2 git bundle\n" SHA " HEAD\n\n", 0 },
		{ "# v2 git bundle\n-" SHA "\n" ODD " refs/heads/x\n\n", 0 },
		{ "# v2 git bundle\n-" SHA " a comment\n" ODD " HEAD\n" ODD " refs/heads/x\n\n",
			0 },
		{ "# v3 git bundle\n@object-format=sha1\n" SHA " HEAD\n\n", 0 },
		{ "# v3 git bundle\n@object-format=sha256\n" SHA " HEAD\n\n", ERR_PROTOCOL },
		{ "# v3 git bundle\n@filter=blob:none\n" SHA " HEAD\n\n", ERR_PROTOCOL },
		{ "# v4 git bundle\n" SHA " HEAD\n\n", ERR_PROTOCOL },
		{ SHA " HEAD\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n" SHA " HEAD\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n" SHA "\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n" SHA "0 HEAD\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n0123 HEAD\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n" SHA " a\n" ODD " b\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n-" SHA "\n-" ODD "\n" SHA " a\n\n", ERR_PROTOCOL },
		{ "# v2 git bundle\n-xyz\n" SHA " a\n\n", ERR_PROTOCOL },
		{ "", ERR_PROTOCOL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(KIB(4));
		struct bundle_head head;
		struct err e = { 0 };

		(void)buf_adds(&b, rows[i].text);
		(void)buf_add(&b, PACK, sizeof(PACK) - 1);
		assert_int_equal(bundle_head_parse(b.data, b.len, &head, &e), rows[i].code);
		if (rows[i].code == 0)
			assert_int_equal(head.len, strlen(rows[i].text));
		/* Cut anywhere it is never accepted, nor read beyond. */
		for (size_t len = 0; len < b.len; len++) {
			auto_free char *cut = mem_dup(b.data, len ? len : 1);
			assert_true(bundle_head_parse(cut, len, &head, &e) < 0);
		}
	}
}

static void
counts_of_the_pack(void **state)
{
	static const char head[] = "# v2 git bundle\n" SHA " HEAD\n\n";
	static const struct {
		const char *pack;
		int code;
	} rows[] = {
		{ "PACK\0\0\0\2\0\0\xc3\x50", 0 },
		{ "PACK\0\0\0\2\0\0\xc3\x51", ERR_LIMIT },
		{ "PACK\0\0\0\2\xff\xff\xff\xff", ERR_LIMIT },
		{ "PACK\0\0\0\3\0\0\0\1", ERR_PROTOCOL },
		{ "KCAP\0\0\0\2\0\0\0\1", ERR_PROTOCOL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(KIB(4));
		struct bundle_head out;

		(void)buf_adds(&b, head);
		(void)buf_add(&b, rows[i].pack, 12);
		assert_int_equal(bundle_head_parse(b.data, b.len, &out, NULL), rows[i].code);
	}
}

/* ---- Packs made by hand ---- */

enum { COMMIT = 1, TREE = 2, BLOB = 3, OFS_DELTA = 6, REF_DELTA = 7 };

static void
add_head(struct buf *b, unsigned type, uint64_t size)
{
	uint64_t rest = size >> 4;
	unsigned c = type << 4 | (unsigned)(size & 15);

	for (; rest; rest >>= 7) {
		(void)buf_addc(b, (char)(c | 0x80));
		c = (unsigned)(rest & 0x7f);
	}
	(void)buf_addc(b, (char)c);
}

/* zlib (RFC 1950, 1951) without compressing: one stored block. */
static void
add_stored(struct buf *b, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t s1 = 1;
	uint32_t s2 = 0;

	assert_true(len < 65536);
	for (size_t i = 0; i < len; i++) {
		s1 = (s1 + p[i]) % 65521;
		s2 = (s2 + s1) % 65521;
	}
	(void)buf_add(b, "\x78\x01\x01", 3);
	for (int i = 0; i < 2; i++)
		(void)buf_addc(b, (char)(len >> (8 * i)));
	for (int i = 0; i < 2; i++)
		(void)buf_addc(b, (char)(~len >> (8 * i)));
	(void)buf_add(b, data, len);
	uint32_t sum = s2 << 16 | s1;
	for (int i = 3; i >= 0; i--)
		(void)buf_addc(b, (char)(sum >> (8 * i)));
}

static void
add_size(struct buf *b, uint64_t size)
{
	for (; size >= 0x80; size >>= 7)
		(void)buf_addc(b, (char)(size | 0x80));
	(void)buf_addc(b, (char)size);
}

static void
start_pack(struct scene *s, struct buf *b, unsigned count)
{
	(void)buf_addf(b, "# v2 git bundle\n-%s\n" SHA " HEAD\n\n", s->base);
	(void)buf_add(b, "PACK\0\0\0\2\0\0\0", 11);
	(void)buf_addc(b, (char)count);
}

/* The trailer is the SHA-1 of the pack. */
static void
end_pack(struct buf *b)
{
	const char *argv[] = { "/usr/bin/sha1sum", NULL };
	const char *pack = memmem(b->data, b->len, "PACK", 4);
	auto_buf struct buf out = BUF_INIT(KIB(1));
	uint8_t raw[20];

	assert_int_equal(
		scene_run("/", argv, NULL, pack, b->len - (size_t)(pack - b->data), &out), 0);
	buf_cut(&out, REPO_SHA_LEN);
	assert_int_equal(str_unhex(out.data, raw, sizeof(raw), NULL), 0);
	assert_int_equal(buf_add(b, raw, sizeof(raw)), 0);
}

static void
assert_pack_refused(struct scene *s, const struct buf *b)
{
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	int64_t start = clock_boot_ms();

	free(scene_checkout(s));
	auto_fd int fd = scene_file(s, b->data, b->len);
	int rc = repo_harvest(&h, fd, &got, &e);
	if (rc != ERR_PROTOCOL && rc != ERR_LIMIT)
		fail_msg("%d %s", rc, e.text);
	assert_true(clock_boot_ms() - start < SOON_MS);
	assert_false(scene_exists(h.delta_dir, ""));
}

static void
sizes_that_are_lies(void **state)
{
	static const uint64_t sizes[] = { 5, (uint64_t)1 << 31, (uint64_t)1 << 43, UINT64_MAX >> 4,
		UINT64_MAX };
	static const unsigned types[] = { COMMIT, TREE, BLOB, 0, 5 };
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++) {
			auto_buf struct buf b = BUF_INIT(KIB(64));

			start_pack(s, &b, 1);
			add_head(&b, types[j], sizes[i]);
			add_stored(&b, "boom", 4);
			end_pack(&b);
			assert_pack_refused(s, &b);
		}
	}
}

/* libgit2's indexer believes the size that stands before an object (1.5.1), so the lie goes on to
 * whoever reads the commit that the bundle names. */
static void
a_tip_that_lies_of_its_size(void **state)
{
	static const uint64_t sizes[] = { 100, (uint64_t)1 << 26, (uint64_t)1 << 31,
		(uint64_t)1 << 43 };
	struct scene *s = *state;
	const char *argv[] = { "/usr/bin/sha1sum", NULL };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		auto_buf struct buf b = BUF_INIT(KIB(64));
		auto_buf struct buf object = BUF_INIT(KIB(4));
		auto_buf struct buf id = BUF_INIT(KIB(1));
		auto_free char *text = mem_fmt("tree %s\nauthor a <a@b> 1 +0000\n\nx\n", SHA);

		(void)buf_addf(&object, "commit %llu", (unsigned long long)sizes[i]);
		(void)buf_addc(&object, '\0');
		(void)buf_adds(&object, text);
		assert_int_equal(scene_run("/", argv, NULL, object.data, object.len, &id), 0);
		start_pack(s, &b, 1);
		char *tip = memmem(b.data, b.len, "\n" SHA " HEAD", 10);
		memcpy(tip + 1, id.data, REPO_SHA_LEN);
		add_head(&b, COMMIT, sizes[i]);
		add_stored(&b, text, strlen(text));
		end_pack(&b);
		assert_pack_refused(s, &b);
	}
}

/* "copy 16 MiB from the base" is a few bytes of delta, a result of petabytes a few more. */
static void
delta_bombs(void **state)
{
	static const uint64_t results[] = { (uint64_t)1 << 28, (uint64_t)1 << 31, (uint64_t)1 << 43,
		UINT64_MAX };
	struct scene *s = *state;
	char base[60000];

	memset(base, 'x', sizeof(base));
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		auto_buf struct buf b = BUF_INIT(MIB(1));
		auto_buf struct buf delta = BUF_INIT(KIB(64));

		start_pack(s, &b, 2);
		size_t at = b.len;
		add_head(&b, BLOB, sizeof(base));
		add_stored(&b, base, sizeof(base));
		add_size(&delta, sizeof(base));
		add_size(&delta, results[i]);
		for (int n = 0; n < 6000; n++)
			(void)buf_add(&delta, "\xb0\x60\xea", 3); /* copy 60,000 from 0 */
		size_t back = b.len - at;
		add_head(&b, OFS_DELTA, delta.len);
		/* gitformat-pack: the offset, base 128 with carries. */
		unsigned char offset[4] = { (unsigned char)((((back >> 7) - 1) >> 7) - 1) | 0x80,
			(unsigned char)(((back >> 7) - 1) & 0x7f) | 0x80,
			(unsigned char)(back & 0x7f) };
		(void)buf_add(&b, offset, 3);
		add_stored(&b, delta.data, delta.len);
		end_pack(&b);
		assert_pack_refused(s, &b);
	}
}

static void
deltas_on_nothing(void **state)
{
	struct scene *s = *state;
	auto_buf struct buf b = BUF_INIT(KIB(64));

	start_pack(s, &b, 2);
	for (int i = 0; i < 2; i++) {
		add_head(&b, REF_DELTA, 6);
		for (int j = 0; j < 20; j++)
			(void)buf_addc(&b, (char)(i ? 0x11 : 0x22));
		add_stored(&b, "\4\4\4boom", 6);
	}
	end_pack(&b);
	assert_pack_refused(s, &b);
}

static void
counts_that_are_lies(void **state)
{
	static const unsigned counts[] = { 0, 1, 3, 255 };
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		auto_buf struct buf b = BUF_INIT(KIB(64));

		start_pack(s, &b, counts[i]);
		for (int j = 0; j < 2; j++) {
			add_head(&b, BLOB, 1);
			add_stored(&b, j ? "a" : "b", 1);
		}
		end_pack(&b);
		assert_pack_refused(s, &b);
	}
}

static void
cut_and_bent_packs(void **state)
{
	struct scene *s = *state;
	auto_buf struct buf b = BUF_INIT(KIB(64));

	start_pack(s, &b, 1);
	add_head(&b, BLOB, 4);
	add_stored(&b, "boom", 4);
	end_pack(&b);
	for (size_t cut = 1; cut < 30; cut += 7) {
		struct buf part = b;

		part.len -= cut;
		assert_pack_refused(s, &part);
	}
	b.data[b.len - 1] = (char)(b.data[b.len - 1] ^ 1);
	assert_pack_refused(s, &b);
}

/* ---- Files that are none, and bundles of somewhere else ---- */

static void
what_is_not_a_file(void **state)
{
	struct scene *s = *state;
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	int ends[2];

	free(scene_checkout(s));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	auto_fd int rd = ends[0];
	auto_fd int wr = ends[1];
	auto_fd int dir = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int empty = scene_file(s, "", 0);
	assert_int_equal(repo_harvest(&h, rd, &got, NULL), ERR_PROTOCOL);
	assert_int_equal(repo_harvest(&h, dir, &got, NULL), ERR_PROTOCOL);
	assert_int_equal(repo_harvest(&h, empty, &got, NULL), ERR_PROTOCOL);
	assert_true(wr >= 0);
}

static void
a_file_that_is_too_large(void **state)
{
	struct scene *s = *state;
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };

	free(scene_checkout(s));
	auto_fd int fd = open(s->dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, (off_t)8 << 40), 0); /* sparse */
	assert_int_equal(repo_harvest(&h, fd, &got, NULL), ERR_LIMIT);
}

static void
another_base(void **state)
{
	struct scene *s = *state;
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	char first[REPO_SHA_LEN + 1];
	char second[REPO_SHA_LEN + 1];
	struct err e = { 0 };

	memcpy(first, s->base, sizeof(first));
	scene_write(s->work, "a", "a\n");
	scene_commit(s, "second", s->base);
	memcpy(second, s->base, sizeof(second));
	scene_mirror(s);
	free(scene_checkout(s));
	h = scene_harvest(s);
	memcpy(s->base, first, sizeof(first));
	auto_fd int fd = scene_bundle(s, s->work, "HEAD");
	h.base_sha = second;
	assert_int_equal(repo_harvest(&h, fd, &got, &e), ERR_PROTOCOL);
	assert_non_null(strstr(e.text, "bundle starts from"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(counts_of_the_pack),
		TEST(sizes_that_are_lies),
		TEST(a_tip_that_lies_of_its_size),
		TEST(delta_bombs),
		TEST(deltas_on_nothing),
		TEST(counts_that_are_lies),
		TEST(cut_and_bent_packs),
		TEST(what_is_not_a_file),
		TEST(a_file_that_is_too_large),
		TEST(another_base),
	};

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	const struct rlimit memory = { MEMORY_MAX, RLIM_INFINITY };

	if (setrlimit(RLIMIT_DATA, &memory) < 0)
		return 1;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
