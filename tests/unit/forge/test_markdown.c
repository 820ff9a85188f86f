/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is a command and what is not. The rows are what people, their mail programs and their
 * enemies write; the expected text is "verb(args)" of each command, joined by spaces.
 */
#include "forge/markdown.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct row_case {
	const char *name;
	const char *body;
	const char *want;
};

static const struct row_case CASES[] = {
	/* what fires */
	{ "a line of its own", "/agent fix", "fix()" },
	{ "the word alone", "/agent", "()" },
	{ "the word and a newline", "/agent\n", "()" },
	{ "with arguments", "/agent fix the flaky test", "fix(the flaky test)" },
	{ "a verb in capitals", "/agent FIX it", "fix(it)" },
	{ "arguments keep their case", "/agent fix The Bug", "fix(The Bug)" },
	{ "spaces around", "/agent   fix    a  b   ", "fix(a  b)" },
	{ "a tab between", "/agent\tfix\tit\t", "fix(it)" },
	{ "CRLF", "/agent fix\r\n", "fix()" },
	{ "CRLF and a second line", "/agent fix it\r\nplease\r\n", "fix(it)" },
	{ "a bare CR ends a line", "hello\r/agent fix\rbye", "fix()" },
	{ "after a soft break", "hello\n/agent fix", "fix()" },
	{ "after a hard break of spaces", "hello  \n/agent fix", "fix()" },
	{ "after a hard break of a backslash", "hello\\\n/agent fix", "fix()" },
	{ "after a paragraph", "hello\n\n/agent fix", "fix()" },
	{ "before a paragraph", "/agent fix\n\nthanks", "fix()" },
	{ "two lines", "/agent stop\n/agent fix", "stop() fix()" },
	{ "two paragraphs", "/agent stop\n\n/agent fix x", "stop() fix(x)" },
	{ "one space of indent", " /agent fix", "fix()" },
	{ "three spaces of indent", "   /agent fix", "fix()" },
	{ "deep indent inside a paragraph", "hello\n        /agent fix", "fix()" },
	{ "a list item", "- /agent fix", "fix()" },
	{ "a star item", "* /agent fix", "fix()" },
	{ "a plus item", "+ /agent fix", "fix()" },
	{ "an ordered item", "1. /agent fix", "fix()" },
	{ "an ordered item with a bracket", "12) /agent fix", "fix()" },
	{ "a nested list", "- a\n  - /agent fix", "fix()" },
	{ "a list in a list on one line", "- 1. /agent fix", "fix()" },
	{ "lazy continuation of a list item", "- a\n/agent fix", "fix()" },
	{ "second paragraph of an item", "- a\n\n  /agent fix", "fix()" },
	{ "after a link reference", "[a]: /url\n/agent fix", "fix()" },
	{ "after a heading", "# title\n/agent fix", "fix()" },
	{ "after a table", "|a|\n|-|\n|b|\n\n/agent fix", "fix()" },
	{ "after closed details", "<details>\n\nx\n\n</details>\n\n/agent fix", "fix()" },
	{ "after a closed fence", "```\n/agent stop\n```\n/agent fix", "fix()" },
	{ "emphasis in the arguments", "/agent fix *this* `and` that", "fix(*this* `and` that)" },
	{ "an entity in the arguments stays raw", "/agent fix a &amp; b", "fix(a &amp; b)" },
	{ "HTML in the arguments", "/agent fix <b>x</b>", "fix(<b>x</b>)" },
	{ "words of other scripts", "/agent fix \xc3\xa9t\xc3\xa9", "fix(\xc3\xa9t\xc3\xa9)" },
	{ "options", "/agent fix --draft --base main", "fix(--draft --base main)" },
	{ "beside a mention", "@bob look\n/agent fix", "fix()" },
	{ "the same twice", "/agent fix\n/agent fix", "fix() fix()" },
	{ "eight at most",
		"/agent a\n/agent b\n/agent c\n/agent d\n/agent e\n/agent f\n/agent g\n"
		"/agent h\n/agent i",
		"a() b() c() d() e() f() g() h()" },
	{ "after a comment of HTML", "<!-- x -->\n\n/agent fix", "fix()" },
	{ "details only in a comment", "<!-- <details> -->\n\n/agent fix", "fix()" },
	{ "after a thematic break", "---\n/agent fix", "fix()" },

	/* another word */
	{ "nothing", "", "" },
	{ "no command", "hello", "" },
	{ "in the middle of a line", "please /agent fix", "" },
	{ "after punctuation", "(/agent fix)", "" },
	{ "a longer word", "/agents fix", "" },
	{ "a path", "/agent/fix", "" },
	{ "a hyphen", "/agent-fix", "" },
	{ "a colon", "/agent: fix", "" },
	{ "in capitals", "/AGENT fix", "" },
	{ "two slashes", "//agent fix", "" },
	{ "a no-break space after the word",
		"/agent\xc2\xa0"
		"fix",
		"" },
	{ "a zero width space after the word", "/agent\xe2\x80\x8b fix", "" },
	{ "a zero width space before", "\xe2\x80\x8b/agent fix", "" },
	{ "a byte order mark before", "\xef\xbb\xbf/agent fix", "" },
	{ "a fraction slash",
		"\xe2\x81\x84"
		"agent fix",
		"" },
	{ "a Cyrillic a", "/\xd0\xb0gent fix", "" },

	/* escaped */
	{ "an escaped slash", "\\/agent fix", "" },
	{ "an escaped slash in a later line", "hello\n\\/agent fix", "" },
	{ "a decimal entity", "&#47;agent fix", "" },
	{ "a hexadecimal entity", "&#x2F;agent fix", "" },
	{ "a named entity", "&sol;agent fix", "" },
	{ "an entity inside the word", "/&#97;gent fix", "" },
	{ "an escape inside the word", "/agent\\ fix", "" },

	/* code */
	{ "a code span", "`/agent fix`", "" },
	{ "a code span over lines", "a `b\n/agent fix\nc` d", "" },
	{ "a code span over lines, then the real one", "`b\n/agent stop\nc`\n/agent fix", "fix()" },
	{ "a fence", "```\n/agent fix\n```", "" },
	{ "a fence with a language", "```sh\n/agent fix\n```", "" },
	{ "a fence that is not closed", "```\n/agent fix\n", "" },
	{ "a fence of tildes", "~~~\n/agent fix\n~~~", "" },
	{ "a fence in a fence", "````\n```\n/agent fix\n```\n````", "" },
	{ "a fence in a list", "- ```\n  /agent fix\n  ```", "" },
	{ "a fence with CRLF", "```\r\n/agent fix\r\n```\r\n", "" },
	{ "indented code", "    /agent fix", "" },
	{ "indented code after a paragraph", "a\n\n    /agent fix", "" },
	{ "indented by a tab", "\t/agent fix", "" },
	{ "indented code in a list", "- a\n\n      /agent fix", "" },
	{ "code in HTML", "<pre>\n/agent fix\n</pre>", "" },
	{ "code in HTML with an empty line", "<pre>\n\n/agent fix\n\n</pre>", "" },

	/* quotes */
	{ "a quote", "> /agent fix", "" },
	{ "a quote without space", ">/agent fix", "" },
	{ "a nested quote", "> > /agent fix", "" },
	{ "lazy continuation of a quote", "> hello\n/agent fix", "" },
	{ "a quote in a list", "- > /agent fix", "" },
	{ "a list in a quote", "> - /agent fix", "" },
	{ "a quote, then the real one", "> /agent stop\n\n/agent fix", "fix()" },
	{ "a mail's quote", "On Monday bob wrote:\n> /agent fix\n> thanks\n\nno", "" },
	{ "many nested quotes", ">>>>>>>>>>>>>>>> /agent fix", "" },

	/* HTML */
	{ "a comment", "<!-- /agent fix -->", "" },
	{ "a comment over lines", "<!--\n/agent fix\n-->", "" },
	{ "a comment with an empty line", "<!--\n\n/agent fix\n\n-->", "" },
	{ "a comment that is not closed", "<!--\n\n/agent fix", "" },
	{ "a comment inside a line", "a <!-- b\n/agent fix\n--> c", "" },
	{ "a block of HTML", "<div>\n/agent fix\n</div>", "" },
	{ "an attribute over lines", "<a title=\"\n/agent fix\n\">x</a>", "" },
	{ "a script", "<script>\n/agent fix\n</script>", "" },
	{ "CDATA", "<![CDATA[\n/agent fix\n]]>", "" },
	{ "details", "<details>\n/agent fix\n</details>", "" },
	{ "details across empty lines", "<details>\n\n/agent fix\n\n</details>", "" },
	{ "details in capitals", "<DETAILS open>\n\n/agent fix\n\n</DETAILS>", "" },
	{ "details with a summary", "<details><summary>x</summary>\n\n/agent fix\n\n</details>",
		"" },
	{ "details that are not closed", "<details>\n\n/agent fix", "" },
	{ "details in details", "<details>\n\n<details>\n\n</details>\n\n/agent fix\n\n</details>",
		"" },
	{ "details closed only in a comment",
		"<details>\n\n<!-- </details> -->\n\n/agent fix\n\n</details>", "" },
	{ "details closed only in an attribute",
		"<details>\n\n<p title=\"</details>\">\n\n/agent fix\n\n</details>", "" },
	{ "details inside a line", "a <details>\n/agent fix\n</details>", "" },
	{ "details in a list", "- <details>\n\n  /agent fix\n\n  </details>", "" },
	{ "details whose tag is cut off", "<details\n\n/agent fix", "" },
	{ "details with an attribute that is not closed", "<details x=\"\n\n/agent fix", "" },

	/* links and images */
	{ "link text", "[\n/agent fix](http://a)", "" },
	{ "link text on its line", "[/agent fix](http://a)", "" },
	{ "link text over lines", "[a\n/agent fix\nb](http://a)", "" },
	{ "a reference link", "[a\n/agent fix][r]\n\n[r]: /x", "" },
	{ "an image's text", "![a\n/agent fix](http://a)", "" },
	{ "a link's title", "[a](http://a \"\n/agent fix\n\")", "" },
	{ "a link's address", "[a](\n/agent )", "" },
	{ "a reference's title", "[a]: /u '\n/agent fix\n'", "" },

	/* other blocks */
	{ "a heading", "# /agent fix", "" },
	{ "a setext heading", "/agent fix\n===", "" },
	{ "a setext heading of dashes", "/agent fix\n---", "" },
	{ "a table's head", "/agent fix | b\n---|---", "" },
	{ "a table's cell", "| a | b |\n|---|---|\n| /agent fix | x |", "" },
	{ "a table's row without bars", "a | b\n--- | ---\n/agent fix | x", "" },
	{ "a table's row of one cell", "| a |\n|---|\n/agent fix", "" },
	{ "a footnote", "a[^1]\n\n[^1]: /agent fix", "" },
	{ "a footnote's second paragraph", "a[^1]\n\n[^1]: b\n\n    /agent fix", "" },
	{ "emphasis", "*/agent fix*", "" },
	{ "emphasis over lines", "*a\n/agent fix\nb*", "" },
	{ "strong", "**/agent fix**", "" },
	{ "strong over lines", "**a\n/agent fix**", "" },
	{ "a task list", "- [ ] /agent fix", "" },

	/* forgeries of what the parser does inside */
	{ "its token",
		"\xee\x80\x80"
		"0123456789abcdef.0\n\n```\n/agent fix\n```",
		"" },
	{ "its token as an entity", "&#xe000;0123456789abcdef.0\n\n`\n/agent fix\n`", "" },
	{ "bytes that are not UTF-8", "\xff\xfe\n/agent fix \xc3", "fix(\xc3)" },
};

static char *
describe(const struct row_list *commands)
{
	struct buf b = BUF_INIT(MIB(1));

	for (size_t i = 0; i < commands->n; i++) {
		const struct forge_command *c = (const struct forge_command *)commands->v + i;

		(void)buf_addf(&b, "%s%s(%s)", i ? " " : "", c->verb, c->args);
	}
	(void)buf_adds(&b, "");
	return buf_steal(&b);
}

static char *
commands_of(const char *body)
{
	struct forge_event ev = { 0 };
	char *text;

	markdown_commands(body, &ev.commands);
	text = describe(&ev.commands);
	forge_event_finish(&ev);
	return text;
}

static void
commands_by_row(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		auto_free char *got = commands_of(CASES[i].body);

		if (strcmp(got ? got : "", CASES[i].want) == 0)
			continue;
		print_error("%s: got \"%s\", want \"%s\"\n", CASES[i].name, got, CASES[i].want);
		bad++;
	}
	assert_int_equal(bad, 0);
	assert_true(sizeof(CASES) / sizeof(CASES[0]) >= 80);
}

/* What an attacker repeats, up to the size that is still parsed. The decoder's deadline is 2 s. */
static void
hostile_text_is_quick(void **state)
{
	static const char *const PIECES[] = { "[", "![", "[a](", "*", "**a ", "_", "`", "``a", "<",
		"<a ", "<!--", "&", "&#", "> ", ">", "- ", "-", "1. ", "#", "|", "|a\n", "\\", "\t",
		"~~~\n", "<details>\n\n", "[a]: b\n", "a\n===\n", "[[a]", "](", "/agent x\n",
		"* a\n ", "\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
		struct buf b = BUF_INIT(LIMIT_BODY_BYTES);
		clock_t start; /* of our own work: the machine may be busy */
		long took;
		auto_free char *got = NULL;

		(void)buf_adds(&b, "/agent fix\n\n");
		while (buf_adds(&b, PIECES[i]) == 0)
			;
		start = clock();
		got = commands_of(buf_str(&b));
		took = (long)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		buf_finish(&b);
		if (took > 500)
			print_message("%zu KiB of \"%s\" took %ld ms\n",
				(size_t)LIMIT_BODY_BYTES / 1024, PIECES[i], took);
		assert_true(took < 2000);
		assert_true(strncmp(got, "fix()", 5) == 0);
	}
}

static void
too_long_is_not_parsed(void **state)
{
	struct buf b = BUF_INIT(KIB(500));
	auto_free char *got = NULL;

	(void)state;
	(void)buf_adds(&b, "/agent fix\n\n");
	while (buf_addc(&b, '[') == 0)
		;
	got = commands_of(buf_str(&b));
	buf_finish(&b);
	assert_string_equal(got, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_by_row),
		cmocka_unit_test(hostile_text_is_quick),
		cmocka_unit_test(too_long_is_not_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
