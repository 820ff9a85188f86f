/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a box can put into a bundle: each is refused, with its rule, and leaves nothing behind
 * that could be pushed or shown to a gate.
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
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct entry {
	const char *mode;
	const char *name;
	const char *text; /* of the blob; NULL: the tree or commit `id` */
	const char *id;
};

/* ---- Raw objects, written past every check of git's ---- */

static char *
write_object(struct scene *s, const char *type, const void *data, size_t len)
{
	auto_free char *args = mem_fmt("hash-object --literally -w --stdin -t %s", type);
	struct buf id = BUF_INIT(KIB(1));

	scene_git_in(s->work, args, data, len, &id);
	return buf_steal(&id);
}

static void
add_raw(struct scene *s, struct buf *tree, const struct entry *entry)
{
	auto_free char *id = entry->text ? write_object(s, "blob", entry->text, strlen(entry->text))
					 : mem_str(entry->id);
	uint8_t raw[REPO_SHA_LEN / 2];

	assert_int_equal(str_unhex(id, raw, sizeof(raw), NULL), 0);
	(void)buf_addf(tree, "%s %s", entry->mode, entry->name);
	(void)buf_addc(tree, '\0');
	assert_int_equal(buf_add(tree, raw, sizeof(raw)), 0);
}

static char *
write_tree(struct scene *s, const struct entry *entries, size_t n)
{
	auto_buf struct buf tree = BUF_INIT(MIB(1));

	for (size_t i = 0; i < n; i++)
		add_raw(s, &tree, &entries[i]);
	return write_object(s, "tree", tree.data ? tree.data : "", tree.len);
}

static char *
write_commit(struct scene *s, const char *tree)
{
	auto_free char *text = mem_fmt("tree %s\nparent %s\nauthor a <a@b> 1 +0000\n"
				       "committer a <a@b> 1 +0000\n\nx\n",
		tree, s->base);

	return write_object(s, "commit", text, strlen(text));
}

static int
harvest_commit(struct scene *s, const char *commit, struct err *e)
{
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };

	free(scene_checkout(s));
	auto_free char *ref = mem_fmt("update-ref refs/heads/hostile %s", commit);
	scene_git(s->work, ref, NULL);
	auto_fd int fd = scene_bundle(s, s->work, "refs/heads/hostile");
	int rc = repo_harvest(&h, fd, &got, e);
	repo_harvested_finish(&got);
	return rc;
}

static void
assert_nothing_left(struct scene *s)
{
	struct repo_harvest h = scene_harvest(s);
	auto_free char *accepted = mem_fmt("%s/refs/accepted", h.quarantine);
	auto_dir DIR *d = opendir(accepted);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		assert_int_equal(entry->d_name[0], '.');
	assert_false(scene_exists(h.delta_dir, ""));
}

static void
assert_refused(struct scene *s, const struct entry *entries, size_t n, const char *rule)
{
	auto_free char *tree = write_tree(s, entries, n);
	auto_free char *commit = write_commit(s, tree);
	struct err e = { 0 };
	int rc = harvest_commit(s, commit, &e);

	if (rc != ERR_DENIED || !strstr(e.text, rule))
		fail_msg("%s: %d \"%s\", wanted \"%s\"", entries[0].name, rc, e.text, rule);
	assert_nothing_left(s);
}

/* The same for a tree whose entry leads to something that is not in the bundle. */
static void
assert_raw_refused(struct scene *s, const struct entry *entry, const char *rule)
{
	auto_free char *tree = write_tree(s, entry, 1);
	auto_free char *commit = write_commit(s, tree);
	auto_free char *list = mem_fmt("%s\n%s\n", commit, tree);
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	free(scene_checkout(s));
	auto_fd int fd = scene_raw_bundle(s, list, commit);
	int rc = repo_harvest(&h, fd, &got, &e);
	if (rc != ERR_DENIED || !strstr(e.text, rule))
		fail_msg("%s %s: %d \"%s\"", entry->mode, entry->name, rc, e.text);
	assert_nothing_left(s);
}

/* ---- Names ---- */

static void
names_of_other_things(void **state)
{
	static const struct {
		const char *name;
		const char *rule;
	} rows[] = {
		{ ".git", "repository's own" },
		{ ".GIT", "repository's own" },
		{ ".Git ", "repository's own" },
		{ ".git...", "repository's own" },
		{ ".git::$INDEX_ALLOCATION", "repository's own" },
		{ "git~1", "repository's own" },
		{ "GIT~1", "repository's own" },
		{ "git~27", "repository's own" },
		{ ".g\xe2\x80\x8cit", "repository's own" },
		{ ".gi\xef\xbb\xbft", "repository's own" },
		{ "..", "not a name" },
		{ ".", "not a name" },
		{ "a/b", "slash" },
		{ "/etc/passwd", "slash" },
		{ "..\\..\\x", "slash" },
		{ "a\nb", "control" },
		{ "a\x1b[31mb", "control" },
		{ "a\x7f", "control" },
		{ "a\xc2\x9b", "control" },
		{ "gpj\xe2\x80\xae.exe", "direction" },
		{ "\xff\xfe", "UTF-8" },
		{ "...", "dots and spaces" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry entry = { "100644", rows[i].name, "x", NULL };
		assert_refused(s, &entry, 1, rows[i].rule);
		/* And as a directory, one level down. */
		struct entry inner = { "100644", "config", "[core]\n", NULL };
		auto_free char *tree = write_tree(s, &inner, 1);
		struct entry dir = { "40000", rows[i].name, NULL, tree };
		auto_free char *mid = write_tree(s, &dir, 1);
		struct entry top = { "40000", "sub", NULL, mid };
		assert_refused(s, &top, 1, rows[i].rule);
	}
}

static void
long_and_deep_names(void **state)
{
	struct scene *s = *state;
	char name[LIMIT_NAME_COMPONENT_BYTES + 2];
	auto_free char *tree = NULL;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct entry file = { "100644", name, "x", NULL };
	assert_refused(s, &file, 1, "name of over");
	name[200] = '\0';
	tree = write_tree(s, &file, 1);
	for (int i = 0; i < 30; i++) {
		struct entry dir = { "40000", name, NULL, tree };
		char *outer = write_tree(s, &dir, 1);

		free(tree);
		tree = outer;
	}
	struct entry top = { "40000", name, NULL, tree };
	assert_refused(s, &top, 1, "path over");
	free(tree);
	struct entry small = { "100644", "f", "x", NULL };
	tree = write_tree(s, &small, 1);
	for (int i = 0; i < LIMIT_HARVEST_DEPTH; i++) {
		struct entry dir = { "40000", "d", NULL, tree };
		char *outer = write_tree(s, &dir, 1);

		free(tree);
		tree = outer;
	}
	struct entry deep = { "40000", "d", NULL, tree };
	assert_refused(s, &deep, 1, "directories deep");
}

/* ---- Modes, links, submodules ---- */

static void
modes_that_are_none(void **state)
{
	static const char *const modes[] = { "100664", "100600", "104755", "120777", "060000",
		"10644", "0", "777777" };
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct entry entry = { modes[i], "file", "x", NULL };
		auto_free char *tree = write_tree(s, &entry, 1);
		auto_free char *commit = write_commit(s, tree);
		struct err e = { 0 };

		assert_true(harvest_commit(s, commit, &e) < 0);
		assert_nothing_left(s);
	}
	/* Zeros in front change nothing but the id: two trees that look the same. */
	struct entry padded = { "0100644", "file", "x", NULL };
	assert_refused(s, &padded, 1, "another way");
}

static void
links_that_lead_out(void **state)
{
	static const struct {
		const char *target;
		const char *rule;
	} rows[] = {
		{ "/etc/passwd", "absolute" },
		{ "../../etc/passwd", "out of the tree" },
		{ "..", "out of the tree" },
		{ "a/../../x", "out of the tree" },
		{ "a/b/c/../../..", "out of the tree" },
		{ ".git/config", "repository's own" },
		{ "x/.GIT/hooks", "repository's own" },
		{ "", "empty" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry entry = { "120000", "link", rows[i].target, NULL };
		assert_refused(s, &entry, 1, rows[i].rule);
	}
	auto_free char *twelve = mem_zero(LIMIT_SYMLINK_BYTES + 2);
	memset(twelve, 'a', LIMIT_SYMLINK_BYTES + 1);
	struct entry huge = { "120000", "link", twelve, NULL };
	assert_refused(s, &huge, 1, "too long");
	struct entry attributes = { "120000", ".gitattributes", "README.md", NULL };
	assert_refused(s, &attributes, 1, "that git reads");
	struct entry disguised = { "120000", "GITATT~1", "README.md", NULL };
	assert_refused(s, &disguised, 1, "that git reads");
}

static void
links_that_stay_in(void **state)
{
	struct scene *s = *state;
	struct entry inner = { "120000", "up", "../README.md", NULL };
	auto_free char *sub = write_tree(s, &inner, 1);
	struct entry entries[] = {
		{ "100644", "README.md", "x", NULL },
		{ "120000", "here", "./README.md", NULL },
		{ "40000", "sub", NULL, sub },
	};
	auto_free char *tree = write_tree(s, entries, 3);
	auto_free char *commit = write_commit(s, tree);
	struct err e = { 0 };

	if (harvest_commit(s, commit, &e) < 0)
		fail_msg("%s", e.text);
}

static void
submodules(void **state)
{
	struct scene *s = *state;
	struct entry link = { "160000", "vendored", NULL, s->base };
	assert_refused(s, &link, 1, "submodule");
	struct entry modules = { "100644", ".gitmodules", "[submodule \"x\"]\n\turl = -u\n", NULL };
	assert_refused(s, &modules, 1, "submodule settings");
	struct entry disguised = { "100644", ".gitMODULES", "[submodule \"x\"]\n", NULL };
	assert_refused(s, &disguised, 1, "submodule settings");
	struct entry short_name = { "100644", "GITMOD~1", "[submodule \"x\"]\n", NULL };
	assert_refused(s, &short_name, 1, "submodule settings");
}

/* ---- Trees that are not as git writes them ---- */

static void
broken_trees(void **state)
{
	struct scene *s = *state;
	struct entry inner = { "100644", "f", "x", NULL };
	auto_free char *sub = write_tree(s, &inner, 1);
	struct entry unsorted[] = { { "100644", "b", "x", NULL }, { "100644", "a", "x", NULL } };
	struct entry twice[] = { { "100644", "a", "x", NULL }, { "100644", "a", "y", NULL } };
	struct entry twins[] = {
		{ "120000", "a", "b", NULL },
		{ "100644", "a-b", "y", NULL },
		{ "40000", "a", NULL, sub },
	};
	assert_refused(s, unsorted, 2, "unsorted");
	assert_refused(s, twice, 2, "unsorted or repeated");
	assert_refused(s, twins, 3, "one name");
	struct entry commit_as_tree = { "40000", "d", NULL, s->base };
	assert_raw_refused(s, &commit_as_tree, "not a directory");
	struct entry tree_as_file = { "100644", "d", NULL, sub };
	assert_raw_refused(s, &tree_as_file, "did not send");
	struct entry nothing = { "100644", "d", NULL, "0000000000000000000000000000000000000000" };
	assert_raw_refused(s, &nothing, "did not send");
}

/* An id of something in the mirror that the box was never shown. */
static void
ids_of_secrets(void **state)
{
	struct scene *s = *state;
	char secret[REPO_SHA_LEN + 1];
	auto_buf struct buf blob = BUF_INIT(KIB(1));
	auto_buf struct buf tree_id = BUF_INIT(KIB(1));

	scene_git(s->work, "checkout -q -b secret", NULL);
	scene_write(s->work, "secret/key.txt", "the combination is 12345\n");
	scene_commit(s, "secret", secret);
	scene_git(s->work, "rev-parse HEAD:secret/key.txt", &blob);
	scene_git(s->work, "rev-parse HEAD:secret", &tree_id);
	auto_free char *push = mem_fmt("push -q %s secret:refs/branch/secret", s->mirror);
	scene_git(s->work, push, NULL);
	/* git would put the blob into the bundle; a hostile box leaves it out. */
	free(scene_checkout(s));
	for (int as_tree = 0; as_tree < 2; as_tree++) {
		struct entry entry = { as_tree ? "40000" : "100644", "mine", NULL,
			as_tree ? buf_str(&tree_id) : buf_str(&blob) };
		assert_raw_refused(s, &entry, "did not send");
	}
}

/* ---- Size ---- */

static void
too_many_and_too_large(void **state)
{
	struct scene *s = *state;
	auto_buf struct buf tree = BUF_INIT(MIB(4));
	auto_free char *blob = write_object(s, "blob", "x", 1);
	struct err e = { 0 };

	for (int i = 0; i <= LIMIT_HARVEST_FILES; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%05d", i);
		struct entry entry = { "100644", name, NULL, blob };
		add_raw(s, &tree, &entry);
	}
	auto_free char *many = write_object(s, "tree", tree.data, tree.len);
	auto_free char *commit = write_commit(s, many);
	assert_int_equal(harvest_commit(s, commit, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "changed files"));
	auto_free char *zeros = mem_zero(LIMIT_HARVEST_FILE_BYTES + 1);
	auto_free char *large = write_object(s, "blob", zeros, LIMIT_HARVEST_FILE_BYTES + 1);
	struct entry big = { "100644", "big", NULL, large };
	assert_refused(s, &big, 1, "bytes, at most");
}

/* 10^10 files, and as many directories without a file. */
static void
bombs(void **state)
{
	struct scene *s = *state;

	for (int with_file = 0; with_file < 2; with_file++) {
		struct entry leaf = { "100644", "f", "boom", NULL };
		auto_free char *tree = write_tree(s, &leaf, (size_t)with_file);
		struct err e = { 0 };

		for (int level = 0; level < 10; level++) {
			struct entry dirs[10];
			static const char *const names[] = { "0", "1", "2", "3", "4", "5", "6", "7",
				"8", "9" };

			for (int i = 0; i < 10; i++)
				dirs[i] = (struct entry){ "40000", names[i], NULL, tree };
			char *outer = write_tree(s, dirs, 10);
			free(tree);
			tree = outer;
		}
		auto_free char *commit = write_commit(s, tree);
		int rc = harvest_commit(s, commit, &e);
		assert_true(rc == ERR_DENIED || rc == ERR_LIMIT);
		assert_nothing_left(s);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_of_other_things),
		TEST(long_and_deep_names),
		TEST(modes_that_are_none),
		TEST(links_that_lead_out),
		TEST(links_that_stay_in),
		TEST(submodules),
		TEST(broken_trees),
		TEST(ids_of_secrets),
		TEST(too_many_and_too_large),
		TEST(bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
