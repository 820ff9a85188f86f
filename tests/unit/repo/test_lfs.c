/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Git LFS: pointers as git-lfs writes them, the batch request and its answers, and the layer in
 * which git takes the contents for the pointers.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "repo/extra.h"
#include "repo/lfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define V1  "version https://git-lfs.github.com/spec/v1\n"
#define OID "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"

/* ---- Pointers ---- */

static const struct {
	const char *what;
	const char *text;
	int64_t size; /* -1: none */
} POINTERS[] = {
	{ "the one of the specification", V1 "oid sha256:" OID "\nsize 12345\n", 12345 },
	{ "of nothing", V1 "oid sha256:" OID "\nsize 0\n", 0 },
	{ "no newline at the end", V1 "oid sha256:" OID "\nsize 1", -1 },
	{ "no size", V1 "oid sha256:" OID "\n", -1 },
	{ "no number", V1 "oid sha256:" OID "\nsize \n", -1 },
	{ "a negative size", V1 "oid sha256:" OID "\nsize -1\n", -1 },
	{ "a size beyond all numbers", V1 "oid sha256:" OID "\nsize 99999999999999999999\n", -1 },
	{ "something behind it", V1 "oid sha256:" OID "\nsize 1\nx\n", -1 },
	{ "an extension", V1 "ext-0-foo sha256:" OID "\noid sha256:" OID "\nsize 1\n", -1 },
	{ "another hash", V1 "oid md5:d41d8cd98f00b204e9800998ecf8427e\nsize 1\n", -1 },
	{ "upper case",
		V1 "oid sha256:"
		   "4D7A214614AB2935C943F9E0FF69D22EADBB8F32B1258DAAA5E2CA24D17E2393\nsize 1\n",
		-1 },
	{ "a path for an id",
		V1 "oid sha256:"
		   "../../../../../../../../../../../../../../../../../../../etc/passwd\nsize 1\n",
		-1 },
	{ "another version", "version https://hawser.github.com/spec/v1\noid sha256:" OID, -1 },
	{ "a text", "version 2\n", -1 },
	{ "nothing", "", -1 },
};

static void
pointers_are_what_git_lfs_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(POINTERS) / sizeof(POINTERS[0]); i++) {
		struct repo_lfs got = { 0 };
		bool is_one = repo_lfs_pointer(POINTERS[i].text, strlen(POINTERS[i].text), &got);

		if (is_one != (POINTERS[i].size >= 0) || (is_one && got.size != POINTERS[i].size))
			fail_msg("%s", POINTERS[i].what);
		if (is_one)
			assert_string_equal(got.oid, OID);
		row_finish(REPO_LFS_ROWS, &got);
	}
}

/* ---- The request ---- */

static void
a_question_is_the_batch_apis(void **state)
{
	char oid[] = OID;
	const struct repo_lfs v[] = { { oid, 12 } };
	auto_buf struct buf out = BUF_INIT(KIB(4));
	struct err e = { 0 };

	(void)state;
	assert_int_equal(repo_lfs_ask(v, 1, &out, &e), 0);
	assert_string_equal(buf_str(&out), "{\"operation\":\"download\",\"transfers\":[\"basic\"],"
					   "\"objects\":[{\"oid\":\"" OID "\",\"size\":12}]}");
}

#define OBJECT(more) "{\"objects\":[{\"oid\":\"" OID "\",\"size\":12" more "}]}"

static const struct {
	const char *what;
	const char *text;
	int code;
	const char *href; /* NULL: it is not given out */
	const char *auth;
} ANSWERS[] = {
	{ "a place",
		OBJECT(",\"actions\":{\"download\":{\"href\":\"https://x/y\",\"expires_in\":9}}"),
		0, "https://x/y", NULL },
	{ "a place with a credential",
		OBJECT(",\"authenticated\":true,\"actions\":{\"download\":{\"href\":\"https://x/"
		       "y\","
		       "\"header\":{\"Authorization\":\"Bearer z\"}}}"),
		0, "https://x/y", "Bearer z" },
	{ "an error", OBJECT(",\"error\":{\"code\":404,\"message\":\"no\"}"), 0, NULL, NULL },
	{ "no action", OBJECT(""), 0, NULL, NULL },
	{ "another object", "{\"objects\":[{\"oid\":\"x\",\"size\":12}]}", 0, NULL, NULL },
	{ "nothing", "{}", 0, NULL, NULL },
	{ "a line break in a credential",
		OBJECT(",\"actions\":{\"download\":{\"href\":\"https://x/y\","
		       "\"header\":{\"Authorization\":\"a\\r\\nb: c\"}}}"),
		0, NULL, NULL },
	{ "another transfer", "{\"transfer\":\"tus\",\"objects\":[]}", ERR_PROTOCOL, NULL, NULL },
	{ "no JSON", "<html>", ERR_PROTOCOL, NULL, NULL },
};

static void
answers_are_read(void **state)
{
	char oid[] = OID;
	const struct repo_lfs v[] = { { oid, 12 } };

	(void)state;
	for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++) {
		struct row_list got = { 0 };
		struct err e = { 0 };
		int rc = repo_lfs_read(ANSWERS[i].text, strlen(ANSWERS[i].text), v, 1, &got, &e);
		const struct repo_lfs_place *p = got.v;

		if (rc != ANSWERS[i].code)
			fail_msg("%s: %d %s", ANSWERS[i].what, rc, e.text);
		if (rc == 0 && (got.n != 1 || !str_eq(p->href, ANSWERS[i].href) ||
				       !str_eq(p->auth, ANSWERS[i].auth)))
			fail_msg("%s", ANSWERS[i].what);
		repo_lfs_places_finish(&got);
	}
}

static void
only_the_forges_own_address_is_near(void **state)
{
	static const char forge[] = "https://forge.example:3000/base";

	(void)state;
	assert_true(repo_lfs_is_near(forge, "https://forge.example:3000/anywhere"));
	assert_true(repo_lfs_is_near(forge, "HTTPS://Forge.Example:3000/x?y"));
	assert_false(repo_lfs_is_near(forge, "http://forge.example:3000/x"));
	assert_false(repo_lfs_is_near(forge, "https://forge.example/x"));
	assert_false(repo_lfs_is_near(forge, "https://forge.example:30000/x"));
	assert_false(repo_lfs_is_near(forge, "https://forge.example:3000@evil/x"));
	assert_false(repo_lfs_is_near(forge, "https://x@forge.example:3000/x"));
	assert_false(repo_lfs_is_near(forge, "https://forge.example:3000?@evil/x"));
	assert_false(repo_lfs_is_near(forge, "https://evil/https://forge.example:3000/"));
	assert_false(repo_lfs_is_near(forge, "/relative"));
	assert_false(repo_lfs_is_near(forge, ""));
}

/* ---- The layer ---- */

static char *
pointer_of(const char *content)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	crypto_sha256_hex(content, strlen(content), hex);
	return mem_fmt(V1 "oid sha256:%s\nsize %zu\n", hex, strlen(content));
}

static void
write_pointer(struct scene *s, const char *path, const char *content)
{
	auto_free char *text = pointer_of(content);

	scene_write(s->work, path, text);
}

/* As the courier leaves one in the cache. */
static void
keep_object(const char *dir, const char *name_of, const char *content)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	crypto_sha256_hex(name_of, strlen(name_of), hex);
	auto_free char *path = repo_lfs_path(dir, hex);
	scene_write(dir, path + strlen(dir) + 1, content);
}

static void
make_repository(struct scene *s)
{
	auto_free char *program = mem_fmt("%s/bin/tool.bin", s->work);

	scene_write(s->work, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
	scene_write(s->work, "docs/.gitattributes", "*.bin !filter\n*.psd filter=lfs -text\n");
	write_pointer(s, "a.bin", "the content of a");
	write_pointer(s, "art/same as a.bin", "the content of a");
	write_pointer(s, "bin/tool.bin", "#!/bin/sh\n");
	assert_int_equal(chmod(program, 0755), 0);
	write_pointer(s, "lost.bin", "nobody has this");
	write_pointer(s, "docs/example.bin", "only an example");
	write_pointer(s, "docs/deep/x.psd", "a picture");
	write_pointer(s, "pointer.txt", "no attribute");
	scene_write(s->work, "raw.bin",
		"never was a pointer, though it is just as long as one is: "
		"not everything that has an attribute is what the "
		"attribute says it were, is it?\n");
	scene_commit(s, "lfs", s->base);
	scene_mirror(s);
}

static void
assert_text(const char *dir, const char *name, const char *want)
{
	auto_free char *text = scene_read(dir, name);

	if (!str_eq(text, want))
		fail_msg("%s: %s", name, text ? text : "absent");
}

static void
a_box_has_contents_and_git_sees_pointers(void **state)
{
	struct scene *s = *state;
	struct row_list none = { 0 };
	struct row_list missing = { 0 };
	size_t left = 1;
	struct err e = { 0 };
	auto_free char *cache = mem_fmt("%s/cache", s->dir);

	make_repository(s);
	auto_free char *checkout = scene_checkout(s);
	assert_true(repo_extra_wanted(s->trees, s->base, REPO_EXTRA_LFS));
	assert_int_equal(repo_lfs_scan(s->trees, s->base, &e), 0);
	assert_int_equal(repo_lfs_missing(s->trees, s->base, cache, &missing, &left, &e), 0);
	assert_int_equal(missing.n, 4); /* a once, tool, lost, x */
	assert_int_equal(left, 0);
	repo_lfs_finish(&missing);
	keep_object(cache, "the content of a", "the content of a");
	keep_object(cache, "#!/bin/sh\n", "#!/bin/sh\n");
	keep_object(cache, "a picture", "a picture");
	assert_int_equal(repo_lfs_missing(s->trees, s->base, cache, &missing, &left, &e), 0);
	assert_int_equal(missing.n, 1);
	struct repo_extra x = { s->trees, s->base, "extra.l.0", &none, cache, NULL, false };
	if (repo_extra_make(&x, &e) < 0)
		fail_msg("%s", e.text);
	auto_free char *layer = repo_extra_path(s->trees, s->base, x.name);
	auto_free char *box = scene_overlay(s, checkout, layer);
	auto_free char *lost = pointer_of("nobody has this");
	auto_free char *example = pointer_of("only an example");
	auto_free char *text = pointer_of("no attribute");
	assert_text(box, "a.bin", "the content of a");
	assert_text(box, "art/same as a.bin", "the content of a");
	assert_text(box, "bin/tool.bin", "#!/bin/sh\n");
	assert_text(box, "docs/deep/x.psd", "a picture");
	assert_text(box, "lost.bin", lost);
	assert_text(box, "docs/example.bin", example);
	assert_text(box, "pointer.txt", text);
	scene_assert_git(box, "status --porcelain", "");
	scene_assert_git(box, "diff", "");
	auto_free char *tool = mem_fmt("%s/bin/tool.bin", box);
	assert_int_equal(access(tool, X_OK), 0);
	/* What is changed is seen. */
	scene_write(box, "a.bin", "other content than before");
	scene_assert_git(box, "status --porcelain", " M a.bin");
	/* The other name of the same object did not change with it. */
	assert_text(layer, "art/same as a.bin", "the content of a");
	repo_lfs_finish(&missing);
}

static void
a_broken_object_is_removed(void **state)
{
	struct scene *s = *state;
	struct row_list none = { 0 };
	struct row_list missing = { 0 };
	size_t left = 1;
	struct err e = { 0 };
	auto_free char *cache = mem_fmt("%s/cache", s->dir);

	make_repository(s);
	free(scene_checkout(s));
	keep_object(cache, "the content of a", "the con");
	assert_int_equal(repo_lfs_scan(s->trees, s->base, &e), 0);
	assert_int_equal(repo_lfs_missing(s->trees, s->base, cache, &missing, &left, &e), 0);
	assert_int_equal(missing.n, 4);
	struct repo_extra x = { s->trees, s->base, "extra.l.0", &none, cache, NULL, false };
	assert_int_equal(repo_extra_make(&x, &e), ERR_BUSY);
	auto_free char *layer = repo_extra_path(s->trees, s->base, x.name);
	assert_int_not_equal(access(layer, F_OK), 0);
	assert_int_equal(repo_extra_make(&x, &e), 0); /* without it */
	repo_lfs_finish(&missing);
}

static void
too_large_ones_are_counted(void **state)
{
	struct scene *s = *state;
	struct row_list missing = { 0 };
	size_t left = 0;
	struct err e = { 0 };

	scene_write(s->work, ".gitattributes", "*.bin filter=lfs -text\n");
	scene_write(s->work, "huge.bin", V1 "oid sha256:" OID "\nsize 99999999999\n");
	scene_commit(s, "lfs", s->base);
	scene_mirror(s);
	free(scene_checkout(s));
	assert_int_equal(repo_lfs_scan(s->trees, s->base, &e), 0);
	assert_int_equal(repo_lfs_missing(s->trees, s->base, s->dir, &missing, &left, &e), 0);
	assert_int_equal(missing.n, 0);
	assert_int_equal(left, 1);
	repo_lfs_finish(&missing);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_are_what_git_lfs_writes),
		cmocka_unit_test(a_question_is_the_batch_apis),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(only_the_forges_own_address_is_near),
		TEST(a_box_has_contents_and_git_sees_pointers),
		TEST(a_broken_object_is_removed),
		TEST(too_large_ones_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
