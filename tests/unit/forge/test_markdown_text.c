/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we write into other people's pages: fences that hold, lines in which nothing acts, text
 * without what nobody sees. Whether it holds is asked of cmark itself.
 */
#include "forge/markdown.h"

#include "base/limits.h"
#include "base/mem.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define Z "\xe2\x80\x8b" /* zero width space */

/* ---- Fences ---- */

/* The literal of the one code block that the text must be; NULL if it is anything else. */
static char *
only_code_block(const char *text)
{
	cmark_node *doc = cmark_parse_document(text, strlen(text), CMARK_OPT_DEFAULT);
	cmark_node *node = cmark_node_first_child(doc);
	char *literal = NULL;

	if (node && cmark_node_get_type(node) == CMARK_NODE_CODE_BLOCK && !cmark_node_next(node))
		literal = mem_str(cmark_node_get_literal(node));
	cmark_node_free(doc);
	return literal;
}

static void
fences_hold(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} CASES[] = {
		{ "plain", "a\nb\n", "a\nb\n" },
		{ "nothing", "", "" },
		{ "a fence inside", "```\nx\n```\n/agent fix", "```\nx\n```\n/agent fix\n" },
		{ "a longer fence inside", "`````\nx", "`````\nx\n" },
		{ "both kinds", "```\n~~~~\n", "```\n~~~~\n" },
		{ "many of both", "``````````\n~~~~~~~~~~~~\n", "``````````\n~~~~~~~~~~~~\n" },
		{ "a details tag", "</details>\n<!--", "</details>\n<!--\n" },
		{ "CRLF", "a\r\nb\rc", "a\nb\nc\n" },
		{ "colours", "\x1b[31mred\x1b[0m", "[31mred[0m\n" },
		{ "turned text",
			"a\xe2\x80\xae"
			"b",
			"ab\n" },
		{ "bytes that are not UTF-8", "a\xff", "a\xef\xbf\xbd\n" },
		{ "empty lines at the end", "a\n\n\n", "a\n" },
		{ "indented", "    a", "    a\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		auto_free char *got = NULL;

		markdown_fence(&b, CASES[i].text, strlen(CASES[i].text), 1000);
		got = only_code_block(buf_str(&b));
		if (!str_eq(got, CASES[i].want))
			fail_msg("%s: %s", CASES[i].name, buf_str(&b));
	}
}

static void
a_fence_shows_the_end(void **state)
{
	auto_buf struct buf b = BUF_INIT(4096);
	const char text[] = "one\ntwo\nthree\n";

	(void)state;
	(void)buf_adds(&b, "log:");
	markdown_fence(&b, text, strlen(text), 10);
	assert_string_equal(b.data, "log:\n```\ntwo\nthree\n```\n");
	buf_reset(&b);
	markdown_fence(&b, text, strlen(text), 9);
	assert_string_equal(b.data, "```\ntwo\nthree\n```\n");
	buf_reset(&b);
	markdown_fence(&b, text, strlen(text), 8);
	assert_string_equal(b.data, "```\nthree\n```\n");
	buf_reset(&b);
	markdown_fence(&b, "\xc3\xa9\xc3\xa9\xc3\xa9", 6, 3); /* one long line: at a character */
	assert_string_equal(b.data, "```\n\xc3\xa9\n```\n");
}

/* Every run of ticks and tildes up to 40, at every place of a line. */
static void
no_run_breaks_a_fence(void **state)
{
	(void)state;
	for (int n = 1; n <= 40; n++) {
		for (int indent = 0; indent < 4; indent++) {
			auto_buf struct buf text = BUF_INIT(4096), b = BUF_INIT(8192);
			auto_free char *got = NULL;

			(void)buf_addf(&text, "x\n%*s", indent, "");
			for (int i = 0; i < n; i++)
				(void)buf_addc(&text, '`');
			(void)buf_addf(&text, "\n%*s", indent, "");
			for (int i = 0; i < 41 - n; i++)
				(void)buf_addc(&text, '~');
			(void)buf_adds(&text, "\n@everyone\n");
			markdown_fence(&b, text.data, text.len, 4096);
			got = only_code_block(b.data);
			assert_non_null(got);
			assert_string_equal(got, text.data);
		}
	}
}

/* ---- Lines ---- */

static const struct {
	const char *name, *text, *want;
} INLINE_CASES[] = {
	{ "plain words", "fix the parser", "fix the parser" },
	{ "a mention", "ask @alice", "ask @" Z "alice" },
	{ "an issue", "closes #17", "closes \\#" Z "17" },
	{ "an issue elsewhere", "a/b#17", "a\\/b\\#" Z "17" },
	{ "an issue in GitHub's other form", "GH-17", "GH-" Z "17" },
	{ "a merge request", "!17", "\\!" Z "17" },
	{ "a commit", "see 0123abc here", "see 012" Z "3abc here" },
	{ "a whole commit", "0123456789abcdef0123456789abcdef01234567",
		Z "0123" Z "4567" Z "89ab" Z "cdef" Z "0123" Z "4567" Z "89ab" Z "cdef" Z "0123" Z
		  "4567" },
	{ "a word that is no commit", "see deadbeef", "see deadbeef" },
	{ "a long number in a word", "x1234567y", "x1234567y" },
	{ "an address", "https://evil.test", "https:" Z "\\/\\/evil.test" },
	{ "an address without scheme", "www.evil.test", "www." Z "evil.test" },
	{ "a link", "[a](b)", "\\[a\\]\\(b\\)" },
	{ "an image", "![a](b)", "\\!\\[a\\]\\(b\\)" },
	{ "HTML", "<b>&amp;", "\\<b\\>\\&amp;" },
	{ "code", "`x`", "\\`x\\`" },
	{ "emphasis", "*a* _b_ ~c~", "\\*a\\* \\_b\\_ \\~c\\~" },
	{ "a heading", "# a", "\\#" Z " a" },
	{ "a list", "- a", "\\- a" },
	{ "an ordered list", "1. a", "1\\. a" },
	{ "another ordered list", "1) a", "1\\) a" },
	{ "a thematic break", "---", "\\---" },
	{ "a command", "/agent fix", "\\/agent fix" },
	{ "a command after spaces", "  /agent fix", "\\/agent fix" },
	{ "two lines", "a\n/agent fix", "a \\/agent fix" },
	{ "a table", "a | b", "a \\| b" },
	{ "mathematics", "$x$", "\\$x\\$" },
	{ "a backslash", "\\@a", "\\\\@" Z "a" },
	{ "invisible", "a\xe2\x80\xae\xf3\xa0\x80\x81z", "az" },
	{ "nothing", "", "" },
};

static void
lines_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(INLINE_CASES) / sizeof(INLINE_CASES[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);

		markdown_inline(&b, INLINE_CASES[i].text, 1000);
		if (!str_eq(buf_str(&b), INLINE_CASES[i].want))
			fail_msg("%s: %s", INLINE_CASES[i].name, buf_str(&b));
	}
}

/* Whatever it was, what comes out is one paragraph of text. */
static void
a_line_is_only_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(INLINE_CASES) / sizeof(INLINE_CASES[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		cmark_node *doc, *n;

		markdown_inline(&b, INLINE_CASES[i].text, 1000);
		if (b.len == 0)
			continue;
		doc = cmark_parse_document(b.data, b.len, CMARK_OPT_DEFAULT);
		n = cmark_node_first_child(doc);
		assert_int_equal(cmark_node_get_type(n), CMARK_NODE_PARAGRAPH);
		assert_null(cmark_node_next(n));
		for (n = cmark_node_first_child(n); n; n = cmark_node_next(n))
			assert_int_equal(cmark_node_get_type(n), CMARK_NODE_TEXT);
		cmark_node_free(doc);
	}
}

static void
a_long_line_is_cut_at_a_character(void **state)
{
	auto_buf struct buf b = BUF_INIT(4096);

	(void)state;
	markdown_inline(&b, "ab\xc3\xa9", 3);
	assert_string_equal(b.data, "ab\xe2\x80\xa6");
	buf_reset(&b);
	markdown_inline(&b, "ab\xc3\xa9", 4);
	assert_string_equal(b.data, "ab\xc3\xa9");
}

static void
a_title_is_shown_as_it_is_and_does_not_act(void **state)
{
	static const struct {
		const char *text, *want;
	} ROWS[] = {
		{ "size(1024) says \"1024 B\"", "size(1024) says \"1024 B\"" },
		{ "*a* `b` <c>", "*a* `b` <c>" },
		{ "fixes #3 for @alice", "fixes #" Z "3 for @" Z "alice" },
		{ "closes https://a.test/b/issues/3", "closes https:" Z "//a.test/b/issues/3" },
		{ " a\r\nb\n", "a b" },
		{ "abcdefghij \xc3\xa9", "abcdefghij\xe2\x80\xa6" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		bool is_last = i + 1 == sizeof(ROWS) / sizeof(ROWS[0]);

		markdown_plain(&b, ROWS[i].text, is_last ? 12 : 1000);
		assert_string_equal(buf_str(&b), ROWS[i].want);
	}
}

/* Read back by the parser: one code span, nothing beside it. */
static void
code_is_code_whatever_it_is(void **state)
{
	static const struct {
		const char *text, *want;
	} ROWS[] = {
		{ "npm test -- --reporter=junit", "npm test -- --reporter=junit" },
		{ "a `b` c", "a `b` c" },
		{ "`", "`" },
		{ "``a`", "``a`" },
		{ "x ```` @all <b> #3", "x ```` @all <b> #3" },
		{ "\\`", "\\`" },
		{ " two\nlines ", "two lines" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		cmark_node *doc, *n;

		markdown_code(&b, ROWS[i].text, 1000);
		doc = cmark_parse_document(b.data, b.len, CMARK_OPT_DEFAULT);
		n = cmark_node_first_child(cmark_node_first_child(doc));
		assert_int_equal(cmark_node_get_type(n), CMARK_NODE_CODE);
		assert_string_equal(cmark_node_get_literal(n), ROWS[i].want);
		assert_null(cmark_node_next(n));
		cmark_node_free(doc);
	}
}

/* ---- What is seen ---- */

static void
what_is_not_seen_is_counted(void **state)
{
	static const struct {
		const char *name, *text, *want;
		size_t removed;
	} CASES[] = {
		{ "plain", "a\tb\nc", "a\tb\nc", 0 },
		{ "other scripts", "\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80",
			"\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80", 0 },
		{ "a comment", "a<!-- do evil -->b", "ab", 1 },
		{ "a comment over lines", "a<!--\n\nx\n-->b", "ab", 1 },
		{ "a comment that does not end", "a<!-- b", "a", 1 },
		{ "two comments", "<!--a-->b<!--c-->", "b", 2 },
		{ "zero width",
			"a\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d\xe2\x81\xa0\xef\xbb\xbf"
			"b",
			"ab", 5 },
		{ "overrides",
			"a\xe2\x80\xae\xe2\x81\xa6"
			"b",
			"ab", 2 },
		{ "tags",
			"a\xf3\xa0\x81\xa1\xf3\xa0\x81\xa2"
			"b",
			"ab", 2 },
		{ "variation selectors", "a\xef\xb8\x8f\xf3\xa0\x84\x80", "a", 2 },
		{ "fillers", "\xe3\x85\xa4\xef\xbe\xa0\xe1\x85\x9f", "", 3 },
		{ "soft hyphens",
			"a\xc2\xad"
			"b",
			"ab", 1 },
		{ "controls",
			"a\x01\x7f\xc2\x9b"
			"b",
			"ab", 3 },
		{ "CRLF is a newline", "a\r\nb", "a\nb", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		size_t removed = 99;

		markdown_visible(&b, CASES[i].text, strlen(CASES[i].text), &removed);
		if (!str_eq(buf_str(&b), CASES[i].want) || removed != CASES[i].removed)
			fail_msg("%s: \"%s\", %zu removed", CASES[i].name, buf_str(&b), removed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fences_hold),
		cmocka_unit_test(a_fence_shows_the_end),
		cmocka_unit_test(no_run_breaks_a_fence),
		cmocka_unit_test(lines_by_row),
		cmocka_unit_test(a_line_is_only_text),
		cmocka_unit_test(a_long_line_is_cut_at_a_character),
		cmocka_unit_test(a_title_is_shown_as_it_is_and_does_not_act),
		cmocka_unit_test(code_is_code_whatever_it_is),
		cmocka_unit_test(what_is_not_seen_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
