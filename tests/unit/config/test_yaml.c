/* SPDX-License-Identifier: Apache-2.0 */
/* yaml - the tree, the places, and what is refused how fast. */
#include "config/yaml.h"

#include "base/buf.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

static void
builds_a_tree_with_places(void **state)
{
	static const char text[] = "# comment\n"
				   "a: 1\n"
				   "list: [x, 'true', \"y z\"]\n"
				   "map:\n"
				   "  inner: { deep: ~ }\n"
				   "  empty:\n";
	auto_yaml struct yaml y = { 0 };
	const struct yaml_node *n, *map;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), "f.yaml", &y, &e), 0);
	n = yaml_child(&y, yaml_root(&y), "a");
	assert_int_equal(n->type, YAML_SCALAR);
	assert_string_equal(n->value, "1");
	assert_int_equal(n->line, 2);
	assert_int_equal(n->column, 1);
	n = yaml_first(&y, yaml_child(&y, yaml_root(&y), "list"));
	assert_string_equal(n->value, "x");
	assert_int_equal(n->line, 3);
	assert_int_equal(n->column, 8);
	assert_null(n->key);
	n = yaml_next(&y, n);
	assert_string_equal(n->value, "true");
	assert_false(n->is_plain);
	n = yaml_next(&y, n);
	assert_string_equal(n->value, "y z");
	assert_null(yaml_next(&y, n));
	map = yaml_child(&y, yaml_root(&y), "map");
	assert_int_equal(map->type, YAML_MAP);
	n = yaml_child(&y, yaml_child(&y, map, "inner"), "deep");
	assert_string_equal(n->value, "~");
	assert_int_equal(n->line, 5);
	n = yaml_child(&y, map, "empty");
	assert_string_equal(n->value, "");
	assert_true(n->is_plain);
	assert_null(yaml_child(&y, map, "a"));
	assert_null(yaml_child(&y, NULL, "a"));
}

static void
nothing_is_an_empty_map(void **state)
{
	static const char *const texts[] = { "", "\n", "# only a comment\n", "---\n...\n",
		"\xef\xbb\xbf" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_yaml struct yaml y = { 0 };

		assert_int_equal(yaml_parse(texts[i], strlen(texts[i]), "f", &y, NULL), 0);
		assert_int_equal(yaml_root(&y)->type, YAML_MAP);
		assert_null(yaml_first(&y, yaml_root(&y)));
	}
}

static void
refuses(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *want;
	} rows[] = {
		{ "an anchor", "a: &x 1\n", "f:1:4: anchors" },
		{ "an anchor on a map", "a: &x { b: 1 }\n", "f:1:4: anchors" },
		{ "an anchor on a key", "&x a: 1\n", "f:1:1: anchors" },
		{ "an alias", "a: *x\n", "f:1:4: aliases" },
		{ "a merge key", "a: { b: 1 }\nc: { <<: *a }\n", "f:2:10: aliases" },
		{ "a tag", "a: !!python/object x\n", "f:1:4: tags" },
		{ "a tag on a list", "a: !x [1]\n", "f:1:4: tags" },
		{ "the same key twice", "a: 1\nb: 2\na: 3\n", "f:3:1: key \"a\" is there twice" },
		{ "the same inner key twice", "m: { a: 1, a: 2 }\n",
			"f:1:12: key \"a\" is there twice" },
		{ "a list for a key", "? [a]\n: 1\n", "f:1:3: a key must be a word" },
		{ "a map for a key", "{ a: 1 }: 1\n", "f:1:1: a key must be a word" },
		{ "a second document", "a: 1\n---\nb: 1\n", "f:2:1: a second document" },
		{ "a NUL", "a: \"x\\0y\"\n", "f:1:4: NUL" },
		{ "a tab for an indent", "a:\n\tb: 1\n", "f:2:1: " },
		{ "an open list", "a: [1, 2\n", "f:2:1: " },
		{ "an open quote", "a: \"x\n", "f:2:1: " },
		{ "bytes that are no UTF-8", "a: \xff\n", "f: byte 3: " },
		{ "UTF-16",
			"\xff\xfe"
			"a\0",
			"f: byte 0: " },
		{ "a control character", "a: \x01\n", "f: byte 3: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct yaml y = { 0 };
		struct err e = { 0 };

		if (yaml_parse(rows[i].text, strlen(rows[i].text), "f", &y, &e) != ERR_INVALID ||
			!str_starts(e.text, rows[i].want))
			fail_msg("%s: %s", rows[i].name, e.text);
		assert_null(y.nodes);
	}
}

/* 100 KB of each. The first of them keeps a plain libyaml busy for most of a minute. */
static void
bombs_end_within_50_ms(void **state)
{
	static const char *const units[] = { "[", "{", "[{", "{[", "{a: ", "[a, ", "- ", "? ",
		"? - ", "a: ", "- a: ", "!a ", "&a ", "*a ", "[]", "{}", "[],", "a,", "'", "\"",
		"|\n", ">\n ", "a\n", "a: 1\n", "- 1\n", "\n", " ", "#", "# \n", "%A\n", "---\n",
		"...\n", "\\", "]", "}", ",", ":", ": ", "\t", "&", "*", "!", "a: [", "\"a\": {",
		"- [", "a:\n ", "? a\n: ", "[a: ", "\"\\x00\" " };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100 * 1024);
		auto_yaml struct yaml y = { 0 };
		struct err e;
		clock_t start; /* of our own work: the machine may be busy */
		long took;

		while (buf_adds(&b, units[i]) == 0)
			;
		start = clock();
		(void)yaml_parse(b.data, b.len, "f", &y, &e);
		took = (long)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		if (took >= 50)
			fail_msg("\"%s\" took %ld ms", units[i], took);
	}
}

static void
nesting_and_numbers_are_bounded(void **state)
{
	auto_buf struct buf b = BUF_INIT(100 * 1024);
	struct yaml y = { 0 };
	struct err e;

	(void)state;
	for (int i = 0; i < 65; i++)
		(void)buf_addc(&b, '[');
	assert_int_equal(yaml_parse(b.data, b.len, "f", &y, &e), ERR_LIMIT);
	assert_string_equal(e.text, "f:1:65: nested deeper than any honest file is");
	buf_reset(&b);
	for (int i = 0; i < 5000; i++)
		(void)buf_adds(&b, "- 1\n");
	assert_int_equal(yaml_parse(b.data, b.len, "f", &y, &e), ERR_LIMIT);
	assert_null(y.nodes);
}

static void
errors_carry_the_nodes_place(void **state)
{
	static const char text[] = "a: 1\n";
	auto_yaml struct yaml y = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), "f.yaml", &y, &e), 0);
	assert_int_equal(yaml_err(&y, yaml_first(&y, yaml_root(&y)), &e, "x %d", 7), ERR_INVALID);
	assert_string_equal(e.text, "f.yaml:1:1: x 7");
	assert_int_equal(yaml_err(&y, NULL, &e, "x"), ERR_INVALID);
	assert_string_equal(e.text, "f.yaml: x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_a_tree_with_places),
		cmocka_unit_test(nothing_is_an_empty_map),
		cmocka_unit_test(refuses),
		cmocka_unit_test(bombs_end_within_50_ms),
		cmocka_unit_test(nesting_and_numbers_are_bounded),
		cmocka_unit_test(errors_carry_the_nodes_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
