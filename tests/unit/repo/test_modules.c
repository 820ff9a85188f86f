/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submodules: their file read as git reads it, their addresses turned into names on our forge or
 * refused, and the layer that a box sees, with git's own words as the judge.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "repo/extra.h"
#include "repo/gitmodules.h"
#include "repo/modules.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FORGE "https://forge.example/base"

/* ---- The file ---- */

static const struct {
	const char *what;
	const char *text;
	const char *want; /* "name|path|url" a line, "-" for nothing; NULL: refused */
} FILES[] = {
	{ "nothing", "", "" },
	{ "as git writes it", "[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../lib\n",
		"lib|vendor/lib|../lib\n" },
	{ "without a newline at the end", "[submodule \"a\"]\npath=b", "a|b|-\n" },
	{ "CRLF", "[submodule \"a\"]\r\n\tpath = b\r\n\turl = c\r\n", "a|b|c\n" },
	{ "a byte order mark", "\xef\xbb\xbf[submodule \"a\"]\n\tpath = b\n", "a|b|-\n" },
	{ "comments", "# x\n; y\n[submodule \"a\"] # z\n\tpath = b ; c\n\turl = \"d#e\" # f\n",
		"a|b|d#e\n" },
	{ "quotes and spaces", "[submodule \"a b\"]\n\tpath = \"  c d \"  \n\turl = e   f\t\n",
		"a b|  c d |e   f\n" },
	{ "escapes", "[submodule \"a\\\"\\\\b\"]\n\tpath = \"c\\\\d\\\"\\te\"\n",
		"a\"\\b|c\\d\"\te|-\n" },
	{ "a continued line", "[submodule \"a\"]\n\tpath = b\\\nc\n", "a|bc|-\n" },
	{ "case of section and key", "[SubModule \"A\"]\n\tPATH = b\n", "A|b|-\n" },
	{ "a key behind the header", "[submodule \"a\"] path = b\n", "a|b|-\n" },
	{ "the last one wins", "[submodule \"a\"]\n\tpath = b\n\tpath = c\n", "a|c|-\n" },
	{ "two parts of one section",
		"[submodule \"a\"]\n\tpath = b\n[core]\n\tx = y\n[submodule \"a\"]\n\turl = c\n",
		"a|b|c\n" },
	{ "other keys and sections",
		"[include]\n\tpath = /etc/passwd\n[submodule \"a\"]\n\tupdate = !rm\n\tpath = b\n",
		"a|b|-\n" },
	{ "no name", "[submodule]\n\tpath = b\n", "" },
	{ "a header that does not end", "[submodule \"a\"\n\tpath = b\n", NULL },
	{ "a name over two lines", "[submodule \"a\nb\"]\n\tpath = c\n", NULL },
	{ "a quote that does not end", "[submodule \"a\"]\n\tpath = \"b\n", NULL },
	{ "an unknown escape", "[submodule \"a\"]\n\tpath = \\q\n", NULL },
	{ "a key that is none", "[submodule \"a\"]\n\t1path = b\n", NULL },
	{ "a key without '='", "[submodule \"a\"]\n\tpath b\n", NULL },
};

static void
print_list(const struct row_list *modules, struct buf *out)
{
	const struct repo_module *m = modules->v;

	for (size_t i = 0; i < modules->n; i++)
		(void)buf_addf(out, "%s|%s|%s\n", m[i].name, m[i].path ? m[i].path : "-",
			m[i].url ? m[i].url : "-");
}

/* git itself, for one name and key; "-" if it has none or refuses the file. */
static void
ask_git(struct scene *s, const char *name, const char *key, struct buf *out)
{
	auto_free char *path = mem_fmt("%s/gitmodules", s->dir);
	auto_free char *full = mem_fmt("submodule.%s.%s", name, key);
	const char *argv[] = { "/usr/bin/git", "config", "-f", path, full, NULL };

	if (scene_run("/", argv, NULL, NULL, 0, out) != 0)
		(void)buf_adds(out, "-");
}

static void
its_file_is_read_as_git_does(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
		struct row_list got = { 0 };
		auto_buf struct buf text = BUF_INIT(KIB(4));
		struct err e = { 0 };
		int rc = gitmodules_parse(FILES[i].text, strlen(FILES[i].text), &got, &e);

		if ((rc == 0) != (FILES[i].want != NULL))
			fail_msg("%s: %d %s", FILES[i].what, rc, e.text);
		print_list(&got, &text);
		if (rc == 0 && strcmp(buf_str(&text), FILES[i].want) != 0)
			fail_msg("%s: %s", FILES[i].what, buf_str(&text));
		scene_write(s->dir, "gitmodules", FILES[i].text);
		const struct repo_module *m = got.v;
		for (size_t k = 0; rc == 0 && k < got.n; k++) {
			auto_buf struct buf path = BUF_INIT(KIB(4));
			auto_buf struct buf url = BUF_INIT(KIB(4));

			ask_git(s, m[k].name, "path", &path);
			ask_git(s, m[k].name, "url", &url);
			assert_string_equal(m[k].path ? m[k].path : "-", buf_str(&path));
			assert_string_equal(m[k].url ? m[k].url : "-", buf_str(&url));
		}
		repo_modules_finish(&got);
	}
}

static void
a_file_has_a_bound(void **state)
{
	auto_buf struct buf text = BUF_INIT(MIB(1));
	struct row_list got = { 0 };
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i <= LIMIT_MODULES; i++)
		(void)buf_addf(&text, "[submodule \"m%d\"]\n\tpath = m%d\n", i, i);
	assert_int_equal(gitmodules_parse(buf_str(&text), text.len, &got, &e), ERR_LIMIT);
	assert_int_equal(got.n, LIMIT_MODULES);
	assert_int_equal(gitmodules_parse("[core]\0", 7, &got, &e), ERR_INVALID);
	repo_modules_finish(&got);
}

/* ---- The address ---- */

static const struct {
	const char *url;
	const char *want; /* NULL: refused */
	const char *why;
} ADDRESSES[] = {
	{ "../lib.git", "acme/lib", NULL },
	{ "../lib", "acme/lib", NULL },
	{ "../lib/", "acme/lib", NULL },
	{ "./../lib", "acme/lib", NULL },
	{ "../../other/lib.git", "other/lib", NULL },
	{ FORGE "/other/lib.git", "other/lib", NULL },
	{ FORGE "/other/lib", "other/lib", NULL },
	{ "HTTPS://Forge.Example/base/other/lib", "other/lib", NULL },
	{ "./lib", NULL, "not that of a repository" }, /* below ourselves */
	{ "../../lib", NULL, "not that of a repository" },
	{ "../../../lib", NULL, "out of the forge" },
	{ "../../../../up/lib", NULL, "out of the forge" },
	{ "../../../../../../../../../../lib", NULL, "out of the forge" },
	{ "../../../base/acme/../x", NULL, "not that of a repository" },
	{ "https://forge.example/Base/other/lib", NULL, "another host" },
	{ "https://forge.example.evil/base/a/b", NULL, "another host" },
	{ "https://forge.example@evil/base/a/b", NULL, "another host" },
	{ "https://user:pw@forge.example/base/a/b", NULL, "another host" },
	{ "https://forge.example:444/base/a/b", NULL, "another host" },
	{ "http://forge.example/base/a/b", NULL, "another host" },
	{ "https://forge.example/base/a/../b/c", NULL, "not that of a repository" },
	{ "https://forge.example/base/a/b?x=y", NULL, "not that of a repository" },
	{ "https://forge.example/base/-a/b", NULL, "not that of a repository" },
	{ "https://forge.example/base/a/%2e%2e", NULL, "not that of a repository" },
	{ "https://forge.example/base/", NULL, "not that of a repository" },
	{ "https://forge.example/base", NULL, "another host" },
	{ "git@forge.example:other/lib.git", NULL, "neither relative nor http" },
	{ "ssh://git@forge.example/other/lib.git", NULL, "neither relative nor http" },
	{ "ext::sh -c id", NULL, "neither relative nor http" },
	{ "-u./payload", NULL, "neither relative nor http" },
	{ "file:///etc", NULL, "neither relative nor http" },
	{ "/etc", NULL, "neither relative nor http" },
	{ "lib", NULL, "neither relative nor http" },
	{ "", NULL, "neither relative nor http" },
};

static void
addresses_become_names_on_the_forge(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++) {
		auto_free char *got = NULL;
		struct err e = { 0 };
		int rc = repo_module_repo(FORGE, "acme/widget", ADDRESSES[i].url, &got, &e);

		if (rc == 0 && !str_eq(got, ADDRESSES[i].want))
			fail_msg("%s: %s", ADDRESSES[i].url, got);
		if (rc == 0)
			continue;
		if (ADDRESSES[i].want || !strstr(e.text, ADDRESSES[i].why))
			fail_msg("%s: %s", ADDRESSES[i].url, e.text);
		assert_int_equal(rc, ERR_DENIED);
	}
}

/* ---- The commit ---- */

#define LINK "0123456789012345678901234567890123456789"

static void
add_link(struct scene *s, const char *path, const char *sha)
{
	auto_free char *args = mem_fmt("update-index --add --cacheinfo 160000,%s,%s", sha, path);

	scene_git(s->work, args, NULL);
}

static void
commit_index(struct scene *s)
{
	auto_buf struct buf out = BUF_INIT(KIB(1));

	scene_git(s->work, "add .gitmodules", NULL);
	scene_git(s->work, "commit -q -m modules", NULL);
	scene_git(s->work, "rev-parse HEAD", &out);
	memcpy(s->base, buf_str(&out), sizeof(s->base));
	scene_mirror(s);
}

static void
a_commits_modules_are_its_gitlinks(void **state)
{
	struct scene *s = *state;
	struct row_list got = { 0 };
	struct err e = { 0 };

	assert_int_equal(repo_modules_read(s->mirror, s->base, &got, &e), 0);
	assert_int_equal(got.n, 0);
	assert_false(repo_modules_has(s->mirror, s->base));
	scene_write(s->work, ".gitmodules",
		"[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../lib\n"
		"[submodule \"gone\"]\n\tpath = gone\n\turl = ../gone\n"
		"[submodule \"file\"]\n\tpath = README.md\n\turl = ../file\n"
		"[submodule \"../../hooks\"]\n\tpath = evil\n\turl = ../evil\n"
		"[submodule \"lib/sub\"]\n\tpath = inner\n\turl = ../inner\n"
		"[submodule \"mute\"]\n\tpath = mute\n"
		"[submodule \"-u\"]\n\tpath = dash\n\turl = ../dash\n");
	add_link(s, "vendor/lib", LINK);
	add_link(s, "evil", LINK);
	add_link(s, "inner", LINK);
	add_link(s, "mute", LINK);
	add_link(s, "dash", LINK);
	commit_index(s);
	assert_int_equal(repo_modules_read(s->mirror, s->base, &got, &e), 0);
	const struct repo_module *m = got.v;
	assert_int_equal(got.n, 5);
	assert_string_equal(m[0].path, "vendor/lib");
	assert_string_equal(m[0].sha, LINK);
	assert_null(m[0].why);
	for (size_t i = 1; i < got.n; i++)
		assert_non_null(m[i].why);
	assert_true(repo_modules_has(s->mirror, s->base));
	repo_modules_finish(&got);
}

static void
a_broken_file_is_said(void **state)
{
	struct scene *s = *state;
	struct row_list got = { 0 };
	struct err e = { 0 };

	scene_write(s->work, ".gitmodules", "[submodule \"lib\"]\n\tpath = \"vendor\n");
	add_link(s, "vendor/lib", LINK);
	commit_index(s);
	assert_int_equal(repo_modules_read(s->mirror, s->base, &got, &e), 0);
	assert_int_equal(got.n, 1);
	assert_non_null(strstr(((struct repo_module *)got.v)->why, ".gitmodules:2"));
	repo_modules_finish(&got);
}

/* ---- The layer ---- */

/* A submodule's repository with its mirror and checkout. Returns the trees, the caller's. */
static char *
make_module(struct scene *s, const char *name, const char *link, char sha[REPO_SHA_LEN + 1])
{
	auto_free char *work = mem_fmt("%s/%s", s->dir, name);
	auto_free char *mirror = mem_fmt("%s/%s.git", s->dir, name);
	auto_free char *init = mem_fmt("init -q -b main %s", name);
	auto_free char *push = mem_fmt("push -q %s +main:refs/branch/x", mirror);
	auto_free char *trees = mem_fmt("%s/%s.trees", s->dir, name);
	auto_buf struct buf out = BUF_INIT(KIB(1));
	struct err e = { 0 };

	scene_git(s->dir, init, NULL);
	scene_write(work, "file.txt", "content\n");
	scene_write(work, "src/deep/x.c", "int x;\n");
	scene_git(work, "add -A", NULL);
	if (link) {
		auto_free char *args =
			mem_fmt("update-index --add --cacheinfo 160000,%s,src/inner", link);
		scene_write(work, ".gitmodules",
			"[submodule \"in\"]\n\tpath = src/inner\n\turl = ../in\n");
		scene_git(work, "add .gitmodules", NULL);
		scene_git(work, args, NULL);
	}
	scene_git(work, "commit -q -m one", NULL);
	scene_git(work, "rev-parse HEAD", &out);
	memcpy(sha, buf_str(&out), REPO_SHA_LEN + 1);
	assert_int_equal(repo_mirror_create(mirror, &e), 0);
	scene_git(work, push, NULL);
	struct repo_checkout c = { mirror, trees, sha };
	assert_int_equal(repo_checkout_make(&c, &e), 0);
	return steal_ptr(&trees);
}

static void
add_extra(struct row_list *list, const char *path, const char *git_dir, const char *parent,
	const char *name, const char *trees, const char *sha)
{
	struct repo_extra_module *m = row_list_add(list, sizeof(*m));

	m->path = mem_str(path);
	m->git_dir = mem_str(git_dir);
	m->parent = mem_str(parent);
	m->name = mem_str(name);
	m->url = mem_fmt(FORGE "/acme/%s.git", name);
	m->trees = mem_str(trees);
	m->sha = mem_str(sha);
}

static void
a_box_sees_what_submodule_update_leaves(void **state)
{
	struct scene *s = *state;
	char lib[REPO_SHA_LEN + 1];
	char inner[REPO_SHA_LEN + 1];
	auto_free char *inner_trees = make_module(s, "inner", NULL, inner);
	auto_free char *lib_trees = make_module(s, "lib", inner, lib);
	struct row_list modules = { 0 };
	struct err e = { 0 };

	scene_write(s->work, ".gitmodules",
		"[submodule \"the lib\"]\n\tpath = vendor/lib\n\turl = ../lib\n");
	add_extra(&modules, "vendor/lib", "modules/the lib", NULL, "the lib", lib_trees, lib);
	add_extra(&modules, "vendor/lib/src/inner", "modules/the lib/modules/in", "modules/the lib",
		"in", inner_trees, inner);
	add_link(s, "vendor/lib", lib);
	commit_index(s);
	auto_free char *checkout = scene_checkout(s);
	assert_true(repo_extra_wanted(s->trees, s->base, REPO_EXTRA_MODULES));
	assert_false(repo_extra_wanted(s->trees, s->base, REPO_EXTRA_LFS));
	auto_free char *name = repo_extra_name(s->trees, s->base, "s");
	struct repo_extra x = { s->trees, s->base, name, &modules, NULL, "one note", false };
	if (repo_extra_make(&x, &e) < 0)
		fail_msg("%s", e.text);
	auto_free char *layer = repo_extra_path(s->trees, s->base, name);
	auto_free char *box = scene_overlay(s, checkout, layer);
	auto_free char *in_lib = mem_fmt("%s/vendor/lib", box);
	auto_free char *in_inner = mem_fmt("%s/vendor/lib/src/inner", box);
	scene_assert_git(box, "status --porcelain", "");
	auto_free char *ready = mem_fmt(" %s vendor/lib (%.7s)", lib, lib);
	scene_assert_git(box, "submodule status", ready);
	scene_assert_git(box, "submodule update --init --recursive", "");
	scene_assert_git(in_lib, "rev-parse HEAD", lib);
	scene_assert_git(in_lib, "status --porcelain", "");
	scene_assert_git(in_lib, "fsck --strict", "");
	scene_assert_git(in_inner, "rev-parse HEAD", inner);
	scene_assert_git(in_inner, "status --porcelain", "");
	scene_assert_git(in_lib, "config submodule.in.url", FORGE "/acme/in.git");
	scene_write(box, "vendor/lib/file.txt", "changed\n");
	scene_assert_git(box, "status --porcelain", " M vendor/lib");
	/* The same files, not other ones. */
	auto_free char *mine = mem_fmt("%s/vendor/lib/src/deep/x.c", layer);
	struct stat st;
	assert_int_equal(stat(mine, &st), 0);
	assert_int_equal(st.st_nlink, 2);
	repo_extra_modules_finish(&modules);
}

static void
a_layer_is_found_again(void **state)
{
	struct scene *s = *state;
	struct row_list none = { 0 };
	auto_free char *notes = NULL;
	struct err e = { 0 };

	struct repo_extra x = { s->trees, s->base, "extra.s.0", &none, NULL, NULL, false };
	assert_int_equal(repo_extra_make(&x, &e), ERR_MISSING); /* no checkout */
	free(scene_checkout(s));
	assert_null(repo_extra_find(s->trees, s->base, "s", &notes));
	assert_int_equal(repo_extra_make(&x, &e), 0);
	assert_null(repo_extra_find(s->trees, s->base, "sl", &notes));
	assert_null(repo_extra_find(s->trees, s->base, "l", &notes));
	auto_free char *first = repo_extra_find(s->trees, s->base, "s", &notes);
	assert_string_equal(first, "extra.s.0");
	assert_null(notes);
	auto_free char *second = repo_extra_name(s->trees, s->base, "s");
	assert_string_equal(second, "extra.s.1");
	x.name = second;
	x.notes = "not all";
	x.is_partial = true;
	assert_int_equal(repo_extra_make(&x, &e), 0);
	auto_free char *found = repo_extra_find(s->trees, s->base, "s", &notes);
	assert_string_equal(found, "extra.s.1");
	assert_string_equal(notes, "not all");
	auto_free char *partial = mem_fmt("%s/%s/extra.s.1/partial", s->trees, s->base);
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	assert_int_equal(utimensat(AT_FDCWD, partial, old, 0), 0);
	free(steal_ptr(&notes));
	assert_null(repo_extra_find(s->trees, s->base, "s", &notes));
	assert_null(notes);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_file_is_read_as_git_does),
		cmocka_unit_test(a_file_has_a_bound),
		cmocka_unit_test(addresses_become_names_on_the_forge),
		TEST(a_commits_modules_are_its_gitlinks),
		TEST(a_broken_file_is_said),
		TEST(a_box_sees_what_submodule_update_leaves),
		TEST(a_layer_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
