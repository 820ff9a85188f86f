/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's tree is what git checkout makes of the commit, byte for byte: line ends, keywords,
 * encodings, and attributes that change without the files. git is the judge.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "repo/convert.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Trees ---- */

/* A file with NULs, which scene_write does not know. */
static void
write_bytes(const char *dir, const char *name, const void *data, size_t len)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);

	scene_write(dir, name, "");
	auto_fd int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
}

/* Checkout and layer against a clone. */
static void
assert_as_cloned(struct scene *s, const char *agent)
{
	auto_free char *checkout = repo_checkout_path(s->trees, s->base);
	auto_free char *real = mem_fmt("%s/real", s->dir);
	auto_free char *clone = mem_fmt("clone -q %s %s", agent, real);
	auto_free char *box = scene_overlay(s, checkout, scene_harvest(s).delta_dir);
	const char *diff[] = { "/usr/bin/diff", "-r", "-q", "-x", ".git", real, box, NULL };
	auto_buf struct buf out = BUF_INIT(MIB(1));

	scene_git(s->dir, clone, NULL);
	if (scene_run("/", diff, NULL, NULL, 0, &out) != 0)
		fail_msg("%s", buf_str(&out));
}

/* What an agent leaves is not normalised yet: its commit is, by git add. */
static void
harvest_and_compare(struct scene *s, const char *agent, const char *notes)
{
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	scene_agent_commit(agent);
	if (scene_take(s, agent, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_non_null(got.sha);
	if (!str_eq(got.notes, notes))
		fail_msg("%s", got.notes);
	repo_harvested_finish(&got);
	assert_as_cloned(s, agent);
}

/* Attributes first, then the base's files, then the agent's. */
static const char ATTRIBUTES[] = "*.bat eol=crlf\n"
				 "*.txt text=auto eol=crlf\n"
				 "*.lf text eol=lf\n"
				 "*.text text\n"
				 "*.old crlf=input\n"
				 "*.older crlf eol=crlf\n"
				 "*.raw -text eol=crlf\n"
				 "*.bin binary eol=crlf\n"
				 "*.odd text=unheard-of eol=crlf\n"
				 "*.id ident\n"
				 "*.both ident eol=crlf\n"
				 "[attr]windows text eol=crlf\n"
				 "*.mac windows\n"
				 "docs/** eol=crlf\n"
				 "with?space.x eol=crlf\n"
				 "/root.x eol=crlf\n"
				 "a/**/deep.y eol=crlf\n"
				 "**/any.z eol=crlf\n"
				 "[xy].q eol=crlf\n"
				 "sub/ eol=crlf\n"
				 "*.last eol=crlf\n"
				 "*.last -text\n"
				 "*.none eol=crlf\n"
				 "*.none !eol\n"
				 "# *.c eol=crlf\n"
				 "   *.lead\teol=crlf   ident  \n"
				 "*.u16 working-tree-encoding=UTF-16\n"
				 "*.u16le text working-tree-encoding=UTF-16LE eol=crlf\n"
				 "*.u16be working-tree-encoding=utf-16be\n"
				 "*.bom working-tree-encoding=UTF-16LE-BOM\n"
				 "*.u32 working-tree-encoding=UTF-32\n"
				 "*.u32le working-tree-encoding=UTF-32LE\n"
				 "*.l1 working-tree-encoding=ISO-8859-1\n"
				 "*.u8 working-tree-encoding=UTF-8\n";

static const char *const NAMES[] = { "a.bat", "a.txt", "a.lf", "a.text", "a.old", "a.older",
	"a.raw", "a.bin", "a.odd", "a.id", "a.both", "a.mac", "docs/a/b/c.c", "with space.x",
	"deep/er/a.bat", "plain", "root.x", "sub/root.x", "a/b/c/deep.y", "a/deep.y", "k/any.z",
	"any.z", "x.q", "z.q", "sub/plain.c", "a.last", "a.none", "a.lead" };

static const char *const CONTENTS[] = {
	"one\ntwo\n",
	"one\r\ntwo\r\n",
	"one\r\ntwo\n",
	"one\rtwo\n",
	"no end",
	"\n\n\n",
	"",
	"$Id$\n$Id: 0123 $ $Id: of another system $ $Id:\n$ Id$ $Idx$ $Id$$Id$",
	"$",
	"\x01\x02\x03\x04\n",
	"text with an old end\n\x1a",
	"\xff\xfe not UTF-8\n",
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Each name with each content: written by the agent, over one that the base has. */
static void
line_ends_and_keywords(void **state)
{
	struct scene *s = *state;

	scene_write(s->work, ".gitattributes", ATTRIBUTES);
	for (size_t i = 0; i < N(NAMES); i++)
		scene_write(s->work, NAMES[i], "base\nbase\n");
	scene_commit(s, "base", s->base);
	scene_mirror(s);
	auto_free char *agent = scene_agent(s);
	for (size_t i = 0; i < N(NAMES); i++) {
		scene_write(agent, NAMES[i], "agent\nagent\n");
		for (size_t k = 0; k < N(CONTENTS); k++) {
			auto_free char *name = mem_fmt("%zu/%s", k, NAMES[i]);

			scene_write(agent, name, CONTENTS[k]);
		}
		auto_free char *nul = mem_fmt("nul/%s", NAMES[i]);
		write_bytes(agent, nul, "a\nb\0c\n", 6);
	}
	harvest_and_compare(s, agent, NULL);
}

/* "aä€😀\n" in UTF-16LE. */
static const char U16LE[] = "a\0\xe4\0\xac\x20\x3d\xd8\x00\xde\n\0";
static const char U16BE[] = "\0a\0\xe4\x20\xac\xd8\x3d\xde\x00\0\n";
static const char U16[] = "\xff\xfe"
			  "a\0\xe4\0\xac\x20\x3d\xd8\x00\xde\n\0";
static const char U32LE[] = "a\0\0\0\xe4\0\0\0\xac\x20\0\0\x00\xf6\x01\0\n\0\0\0";
static const char U32[] = "\xff\xfe\0\0"
			  "a\0\0\0\xe4\0\0\0\xac\x20\0\0\x00\xf6\x01\0\n\0\0\0";

static void
encodings(void **state)
{
	struct scene *s = *state;

	scene_write(s->work, ".gitattributes", ATTRIBUTES);
	scene_commit(s, "base", s->base);
	scene_mirror(s);
	auto_free char *agent = scene_agent(s);
	write_bytes(agent, "a.u16", U16, sizeof(U16) - 1);
	write_bytes(agent, "a.u16le", U16LE, sizeof(U16LE) - 1);
	write_bytes(agent, "a.u16be", U16BE, sizeof(U16BE) - 1);
	write_bytes(agent, "a.bom", U16, sizeof(U16) - 1);
	write_bytes(agent, "a.u32", U32, sizeof(U32) - 1);
	write_bytes(agent, "a.u32le", U32LE, sizeof(U32LE) - 1);
	write_bytes(agent, "a.l1", "\xe4\n", 2);
	write_bytes(agent, "a.u8", "\xc3\xa4\n", 3);
	scene_write(agent, "empty.u16le", "");
	harvest_and_compare(s, agent, NULL);
}

static void
an_encoding_that_is_not_known_is_said(void **state)
{
	struct scene *s = *state;
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	scene_write(s->work, ".gitattributes", "*.jis working-tree-encoding=SHIFT-JIS\n");
	scene_commit(s, "base", s->base);
	scene_mirror(s);
	auto_free char *agent = scene_agent(s);
	write_bytes(agent, "a.jis", "\x83\x65\n", 3);
	scene_agent_commit(agent);
	assert_int_equal(scene_take(s, agent, &got, &e), 0);
	assert_string_equal(got.notes,
		"The tests saw a.jis in UTF-8: its working-tree-encoding is not known here.");
	auto_free char *text = scene_read(scene_harvest(s).delta_dir, "a.jis");
	assert_string_equal(text, "\xe3\x83\x86\n");
	repo_harvested_finish(&got);
}

/* Nothing but .gitattributes changes, and with it what others have on their disks. */
static void
attributes_that_change_alone(void **state)
{
	struct scene *s = *state;

	scene_write(s->work, ".gitattributes", "*.id ident\n*.was eol=crlf\n");
	scene_write(s->work, "lib/.gitattributes", "*.sub eol=crlf\n");
	scene_write(s->work, "a.bat", "one\ntwo\n");
	scene_write(s->work, "deep/er/a.bat", "one\ntwo\n");
	scene_write(s->work, "deep/one-line.bat", "none");
	scene_write(s->work, "a.was", "one\ntwo\n");
	scene_write(s->work, "a.id", "$Id$\n");
	scene_write(s->work, "lib/a.sub", "one\n");
	scene_write(s->work, "other/a.sub", "one\n");
	scene_write(s->work, "kept.txt", "one\n");
	scene_commit(s, "base", s->base);
	scene_mirror(s);
	auto_free char *agent = scene_agent(s);
	scene_write(agent, ".gitattributes", "*.bat eol=crlf\n*.sub eol=crlf\n");
	scene_write(agent, "lib/.gitattributes", "*.sub eol=lf\n");
	harvest_and_compare(s, agent, NULL);
	const char *delta = scene_harvest(s).delta_dir;
	assert_true(scene_exists(delta, "deep/er/a.bat"));
	assert_true(scene_exists(delta, "lib/a.sub"));
	assert_false(scene_exists(delta, "deep/one-line.bat"));
	assert_false(scene_exists(delta, "kept.txt"));
}

/* What the checkout itself is: git wrote it. */
static void
a_base_with_all_of_it_is_clean(void **state)
{
	struct scene *s = *state;

	scene_write(s->work, ".gitattributes", ATTRIBUTES);
	for (size_t i = 0; i < N(NAMES); i++)
		scene_write(s->work, NAMES[i], "one\n$Id$\n");
	write_bytes(s->work, "a.u16", U16, sizeof(U16) - 1);
	scene_commit(s, "base", s->base);
	scene_mirror(s);
	auto_free char *agent = scene_agent(s);
	auto_free char *bat = scene_read(agent, "a.bat");
	assert_string_equal(bat, "one\r\n$Id$\r\n");
	scene_assert_git(agent, "status --porcelain", "");
	scene_write(agent, "a.bat", "one\n$Id$\n"); /* only its line ends */
	scene_write(agent, "new.bat", "new\r\n");
	scene_agent_commit(agent);
	scene_assert_git(agent, "show --name-only --format= HEAD", "new.bat");
	scene_assert_git(agent, "cat-file -s HEAD:new.bat", "4");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(line_ends_and_keywords),
		TEST(encodings),
		TEST(an_encoding_that_is_not_known_is_said),
		TEST(attributes_that_change_alone),
		TEST(a_base_with_all_of_it_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
