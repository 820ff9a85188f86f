/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a checkout has besides its own files, from a real forge: submodules by .agent.yml, and what
 * is said of those that could not be had.
 */
#include "base/clean.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/git_child.h"
#include "tests/unit/bot/git_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Repositories ---- */

/* The repository acme/<name> of the forge, with one file; its commit's id. */
static void
make_repo(struct git_rig *r, const char *name, char sha[REPO_SHA_LEN + 1])
{
	auto_free char *work = mem_fmt("%s/%s", r->s->dir, name);
	auto_free char *init = mem_fmt("init -q -b main %s", name);
	auto_free char *clone =
		mem_fmt("clone -q --bare %s %s/forge/acme/%s.git", work, r->s->dir, name);
	auto_buf struct buf out = BUF_INIT(KIB(1));

	if (!scene_exists(r->s->dir, name))
		scene_git(r->s->dir, init, NULL);
	scene_write(work, "name.txt", name);
	scene_git(work, "add -A", NULL);
	scene_git(work, "commit -q -m one", NULL);
	scene_git(r->s->dir, clone, NULL);
	scene_git(work, "rev-parse HEAD", &out);
	memcpy(sha, buf_str(&out), REPO_SHA_LEN + 1);
}

/* Adds a submodule to what is in the index of the work tree. */
static void
add_module(const char *work, const char *path, const char *url, const char *sha)
{
	auto_free char *text = scene_read(work, ".gitmodules");
	auto_free char *more = mem_fmt("%s[submodule \"%s\"]\n\tpath = %s\n\turl = %s\n",
		text ? text : "", path, path, url);
	auto_free char *link = mem_fmt("update-index --add --cacheinfo 160000,%s,%s", sha, path);

	scene_write(work, ".gitmodules", more);
	scene_git(work, "add .gitmodules", NULL);
	scene_git(work, link, NULL);
}

/* Commits the index of acme/widget and pushes it; the settings with it. */
static void
push_widget(struct git_rig *r, const char *settings)
{
	auto_free char *push = mem_fmt("push -q %s main", r->bare);

	scene_write(r->s->work, ".agent.yml", settings);
	scene_git(r->s->work, "add .agent.yml", NULL);
	scene_git(r->s->work, "commit -q --allow-empty -m modules", NULL);
	scene_git(r->s->work, push, NULL);
}

static void
prepare(struct git_rig *r)
{
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
}

static void
assert_file(struct git_rig *r, const char *name, const char *want)
{
	assert_non_null(r->prepared.extra_dir);
	auto_free char *text = scene_read(r->prepared.extra_dir, name);
	if (!str_eq(text, want))
		fail_msg("%s: %s; %s", name, text ? text : "absent",
			r->prepared.notes ? r->prepared.notes : "no notes");
}

/* ---- Tests ---- */

static void
submodules_come_along(void **state)
{
	struct git_rig *r = *state;
	char inner[REPO_SHA_LEN + 1];
	char lib[REPO_SHA_LEN + 1];
	auto_free char *lib_work = mem_fmt("%s/lib", r->s->dir);
	auto_free char *url = mem_fmt("%s/acme/lib", r->b.url);

	make_repo(r, "inner", inner);
	scene_git(r->s->dir, "init -q -b main lib", NULL);
	add_module(lib_work, "src/inner", "../inner.git", inner);
	scene_git(lib_work, "commit -q -m inner", NULL);
	/* add -A would take the empty directory of a gitlink for its removal. */
	auto_free char *dir = mem_fmt("%s/src/inner", lib_work);
	assert_int_equal(fs_mkdirs(dir, 0755, NULL), 0);
	make_repo(r, "lib", lib);
	add_module(r->s->work, "vendor/lib", "../lib.git", lib);
	add_module(r->s->work, "again", url, lib);
	push_widget(r, "submodules: true\n");
	git_rig_start(r, "");
	prepare(r);
	assert_null(r->prepared.notes);
	assert_file(r, "vendor/lib/name.txt", "lib");
	assert_file(r, "vendor/lib/src/inner/name.txt", "inner");
	assert_file(r, "again/name.txt", "lib");
	assert_file(r, "vendor/lib/.git", "gitdir: ../../.git/modules/vendor/lib\n");
	assert_false(scene_exists(r->prepared.checkout_dir, "vendor/lib/name.txt"));
	struct stat st;
	assert_int_equal(lstat(r->prepared.extra_dir, &st), 0);
	assert_int_equal(r->prepared.owner_uid, st.st_uid);
	/* widget, lib, inner */
	assert_int_equal(r->b.shared->fetches, 3);
	int64_t requests = r->b.shared->requests;
	auto_free char *first = mem_str(r->prepared.extra_dir);
	prepare(r);
	assert_string_equal(r->prepared.extra_dir, first);
	assert_int_equal(r->b.shared->requests, requests + 1);
	/* Another commit with the same submodules fetches only itself. */
	scene_write(r->s->work, "NEWS", "new\n");
	scene_git(r->s->work, "add NEWS", NULL);
	push_widget(r, "submodules: true\n");
	prepare(r);
	assert_string_not_equal(r->prepared.extra_dir, first);
	assert_file(r, "vendor/lib/src/inner/name.txt", "inner");
	assert_int_equal(r->b.shared->fetches, 4);
	git_rig_end(r);
}

static void
nobody_gets_what_he_did_not_ask_for(void **state)
{
	struct git_rig *r = *state;
	char lib[REPO_SHA_LEN + 1];

	make_repo(r, "lib", lib);
	add_module(r->s->work, "vendor/lib", "../lib.git", lib);
	push_widget(r, "gate:\n  test: make check\n");
	git_rig_start(r, "");
	prepare(r);
	assert_null(r->prepared.extra_dir);
	assert_string_equal(r->prepared.notes, "Submodules were not checked out.");
	prepare(r); /* from memory */
	assert_string_equal(r->prepared.notes, "Submodules were not checked out.");
	assert_int_equal(r->b.shared->fetches, 1);
	push_widget(r, "submodules: true\n");
	prepare(r);
	assert_file(r, "vendor/lib/name.txt", "lib");
	git_rig_end(r);
}

/* Of a branch that is not the default one, only the commits of the gitlinks are taken. */
static void
the_default_branch_decides(void **state)
{
	struct git_rig *r = *state;
	char lib[REPO_SHA_LEN + 1];
	auto_free char *push = mem_fmt("push -q %s main other", r->bare);

	make_repo(r, "lib", lib);
	add_module(r->s->work, "vendor/lib", "../lib.git", lib);
	push_widget(r, "submodules: false\n");
	scene_git(r->s->work, "checkout -q -b other", NULL);
	scene_write(r->s->work, ".agent.yml", "submodules: true\n");
	scene_git(r->s->work, "add .agent.yml", NULL);
	scene_git(r->s->work, "commit -q -m greedy", NULL);
	scene_git(r->s->work, push, NULL);
	git_rig_start(r, "");
	git_rig_prepare(r, "other");
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_null(r->prepared.extra_dir);
	assert_int_equal(r->b.shared->fetches, 1);
	git_rig_end(r);
}

static void
what_cannot_be_had_is_said(void **state)
{
	static const char *const lines[] = {
		"The submodule foreign was not checked out: it is on another host than this "
		"repository.",
		"The submodule ssh was not checked out: its address is neither relative nor "
		"http(s), and no other is followed.",
		"The submodule secret was not checked out: its repository is not one of those that "
		"this server works on.",
		"The submodule absent was not checked out: ",
		"The submodule wrong was not checked out: ",
	};
	struct git_rig *r = *state;
	char lib[REPO_SHA_LEN + 1];
	char secret[REPO_SHA_LEN + 1];

	make_repo(r, "lib", lib);
	make_repo(r, "secret", secret);
	add_module(r->s->work, "vendor/lib", "../lib.git", lib);
	add_module(r->s->work, "foreign", "http://127.0.0.2:1/acme/lib.git", lib);
	add_module(r->s->work, "ssh", "git@127.0.0.1:acme/lib.git", lib);
	add_module(r->s->work, "secret", "../secret.git", secret);
	add_module(r->s->work, "absent", "../absent.git", lib);
	add_module(r->s->work, "wrong", "../lib.git", "0123456789012345678901234567890123456789");
	push_widget(r, "submodules: true\n");
	git_rig_start(r, "    repos: [\"acme/*\", \"!acme/secret\"]\n");
	prepare(r);
	assert_file(r, "vendor/lib/name.txt", "lib");
	assert_non_null(r->prepared.notes);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!strstr(r->prepared.notes, lines[i]))
			fail_msg("%s", r->prepared.notes);
	}
	assert_null(strstr(r->prepared.notes, "vendor/lib"));
	assert_false(scene_exists(r->prepared.extra_dir, "secret/name.txt"));
	/* The layer is kept for a while with what is known. */
	int64_t requests = r->b.shared->requests;
	auto_free char *notes = mem_str(r->prepared.notes);
	prepare(r);
	assert_int_equal(r->b.shared->requests, requests + 1);
	assert_string_equal(r->prepared.notes, notes);
	git_rig_end(r);
}

static void
a_chain_of_submodules_ends(void **state)
{
	static const char *const names[] = { "five", "four", "three", "two", "one" };
	struct git_rig *r = *state;
	char sha[REPO_SHA_LEN + 1] = "0123456789012345678901234567890123456789";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_free char *work = mem_fmt("%s/%s", r->s->dir, names[i]);
		auto_free char *init = mem_fmt("init -q -b main %s", names[i]);
		auto_free char *dir = mem_fmt("%s/sub", work);
		auto_free char *url = mem_fmt("../%s", i > 0 ? names[i - 1] : "none");

		scene_git(r->s->dir, init, NULL);
		add_module(work, "sub", url, sha);
		assert_int_equal(fs_mkdirs(dir, 0755, NULL), 0);
		make_repo(r, names[i], sha);
	}
	add_module(r->s->work, "sub", "../one", sha);
	push_widget(r, "submodules: true\n");
	git_rig_start(r, "");
	prepare(r);
	assert_file(r, "sub/sub/sub/name.txt", "three");
	assert_false(scene_exists(r->prepared.extra_dir, "sub/sub/sub/sub/name.txt"));
	assert_string_equal(r->prepared.notes,
		"The submodule sub/sub/sub/sub was not checked out: it is over 3 submodules deep.");
	git_rig_end(r);
}

/* ---- Git LFS ---- */

/* A pointer in the work tree, and its object at the forge: `stored` NULL leaves it out. */
static void
add_pointer(struct git_rig *r, const char *path, const char *content, const char *stored)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	auto_free char *root = mem_fmt("%s/forge/lfs", r->s->dir);

	crypto_sha256_hex(content, strlen(content), hex);
	auto_free char *pointer =
		mem_fmt("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %zu\n",
			hex, strlen(content));
	auto_free char *add = mem_fmt("add %s", path);
	scene_write(r->s->work, path, pointer);
	scene_git(r->s->work, add, NULL);
	if (stored)
		scene_write(root, hex, stored);
}

static void
use_lfs(struct git_rig *r)
{
	scene_write(r->s->work, ".gitattributes", "*.bin filter=lfs -text\n");
	scene_git(r->s->work, "add .gitattributes", NULL);
}

static void
objects_come_along(void **state)
{
	struct git_rig *r = *state;

	use_lfs(r);
	for (int i = 0; i < 7; i++) {
		auto_free char *path = mem_fmt("art/%d.bin", i);
		auto_free char *content = mem_fmt("this is the picture number %d", i);

		add_pointer(r, path, content, content);
	}
	push_widget(r, "lfs: true\n");
	git_rig_start(r, "");
	prepare(r);
	assert_null(r->prepared.notes);
	assert_file(r, "art/0.bin", "this is the picture number 0");
	assert_file(r, "art/6.bin", "this is the picture number 6");
	int64_t requests = r->b.shared->requests;
	prepare(r);
	assert_int_equal(r->b.shared->requests, requests + 1);
	/* Of another commit only what is new is fetched. */
	add_pointer(r, "new.bin", "new", "new");
	push_widget(r, "lfs: true\n");
	requests = r->b.shared->requests;
	prepare(r);
	assert_file(r, "art/6.bin", "this is the picture number 6");
	assert_file(r, "new.bin", "new");
	/* ls-refs; refs, ls-refs and pack of the fetch; batch, object. */
	assert_int_equal(r->b.shared->requests, requests + 6);
	git_rig_end(r);
}

static void
objects_that_cannot_be_had_are_counted(void **state)
{
	struct git_rig *r = *state;

	use_lfs(r);
	add_pointer(r, "good.bin", "good", "good");
	add_pointer(r, "absent.bin", "absent", NULL);
	push_widget(r, "lfs: true\n");
	git_rig_start(r, "");
	prepare(r);
	assert_file(r, "good.bin", "good");
	assert_false(scene_exists(r->prepared.extra_dir, "absent.bin"));
	assert_string_equal(r->prepared.notes, "1 of 2 objects of Git LFS were left as pointers: "
					       "the forge does not have them.");
	git_rig_end(r);
}

static void
objects_are_what_their_pointers_say(void **state)
{
	struct git_rig *r = *state;

	use_lfs(r);
	add_pointer(r, "other.bin", "good", "evil");
	add_pointer(r, "longer.bin", "short", "very much longer");
	add_pointer(r, "shorter.bin", "very much longer", "short");
	push_widget(r, "lfs: true\n");
	git_rig_start(r, "");
	prepare(r);
	assert_false(scene_exists(r->prepared.extra_dir, "other.bin"));
	assert_false(scene_exists(r->prepared.extra_dir, "longer.bin"));
	assert_false(scene_exists(r->prepared.extra_dir, "shorter.bin"));
	assert_string_equal(r->prepared.notes, "3 of 3 objects of Git LFS were left as pointers: "
					       "the forge gives out something else than the "
					       "pointers say.");
	git_rig_end(r);
}

static void
another_host_is_not_asked(void **state)
{
	struct git_rig *r = *state;

	use_lfs(r);
	add_pointer(r, "good.bin", "good", "good");
	push_widget(r, "lfs: true\n");
	(void)snprintf(
		r->b.shared->lfs_places, sizeof(r->b.shared->lfs_places), "http://127.0.0.2:1");
	git_rig_start(r, "");
	prepare(r);
	assert_false(scene_exists(r->prepared.extra_dir, "good.bin"));
	assert_string_equal(r->prepared.notes,
		"1 of 1 objects of Git LFS were left as pointers: the forge keeps them on another "
		"host, and the bot asks none.");
	git_rig_end(r);
}

/* A forge that is not there for a moment is no reason to work without the objects. */
static void
a_forge_without_time_is_asked_again(void **state)
{
	struct git_rig *r = *state;

	use_lfs(r);
	add_pointer(r, "good.bin", "good", "good");
	push_widget(r, "lfs: true\n");
	(void)snprintf(r->b.shared->lfs_places, sizeof(r->b.shared->lfs_places), "%s", r->b.url);
	r->b.shared->is_busy = 1;
	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, ERR_BUSY);
	r->b.shared->is_busy = 0;
	prepare(r);
	assert_file(r, "good.bin", "good");
	git_rig_end(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, git_rig_setup, git_rig_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(submodules_come_along),
		TEST(nobody_gets_what_he_did_not_ask_for),
		TEST(the_default_branch_decides),
		TEST(what_cannot_be_had_is_said),
		TEST(a_chain_of_submodules_ends),
		TEST(objects_come_along),
		TEST(objects_that_cannot_be_had_are_counted),
		TEST(objects_are_what_their_pointers_say),
		TEST(another_host_is_not_asked),
		TEST(a_forge_without_time_is_asked_again),
	};

	/* The role starts its own program again, which is this one. */
	if (argc == 3 && str_eq(argv[2], GIT_CHILD_ROLE))
		_exit(git_child_main());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
