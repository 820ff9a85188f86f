/* SPDX-License-Identifier: Apache-2.0 */
/* json - bounded parsing, mending, lenient decoding, encoding. */
#include "base/json.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#define FFFD "\xef\xbf\xbd"

static const struct json_limits SMALL = { 4096, 100, 8 };

static void
parses_values(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *want; /* of "a" */
	} rows[] = {
		{ "a plain string", "{\"a\":\"x\"}", "x" },
		{ "a byte order mark is dropped", "\xef\xbb\xbf{\"a\":\"x\"}", "x" },
		{ "U+0000 becomes a replacement character", "{\"a\":\"x\\u0000y\"}", "x" FFFD "y" },
		{ "a lone high surrogate is replaced", "{\"a\":\"x\\ud83dy\"}", "x" FFFD "y" },
		{ "a lone low surrogate is replaced", "{\"a\":\"\\udc00\"}", FFFD },
		{ "two high surrogates are replaced one by one", "{\"a\":\"\\ud83d\\ud83d\"}",
			FFFD FFFD },
		{ "a high surrogate before another escape", "{\"a\":\"\\ud83d\\n\"}", FFFD "\n" },
		{ "a surrogate pair is one character", "{\"a\":\"\\ud83d\\ude00\"}",
			"\xf0\x9f\x98\x80" },
		{ "a raw byte that is no UTF-8 is replaced", "{\"a\":\"x\xff\"}", "x" FFFD },
		{ "an encoded surrogate is replaced byte by byte", "{\"a\":\"\xed\xa0\x80\"}",
			FFFD FFFD FFFD },
		{ "an escaped backslash before u0000 is text", "{\"a\":\"\\\\u0000\"}", "\\u0000" },
		{ "an escaped quote does not end the string", "{\"a\":\"x\\\"y\"}", "x\"y" },
		{ "a number over 64 bits is a string of its digits",
			"{\"a\":123456789012345678901234567890}",
			"123456789012345678901234567890" },
		{ "a number that overflows a double is a string", "{\"a\":1e999}", "1e999" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_json struct json *j = NULL;
		struct err e = { 0 };

		if (json_parse(rows[i].text, strlen(rows[i].text), &SMALL, &j, &e) < 0)
			fail_msg("%s: %s", rows[i].name, e.text);
		if (!json_str(j, "a") || strcmp(json_str(j, "a"), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, json_str(j, "a"));
	}
}

static void
refuses_what_is_no_json(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int code;
	} rows[] = {
		{ "nothing at all", "", ERR_INVALID },
		{ "an open object", "{", ERR_INVALID },
		{ "an open string", "{\"a", ERR_INVALID },
		{ "a backslash at the end", "\"\\", ERR_INVALID },
		{ "a broken unicode escape", "\"\\u12g4\"", ERR_INVALID },
		{ "a unicode escape that is cut off", "\"\\u12", ERR_INVALID },
		{ "a second document", "{} {}", ERR_INVALID },
		{ "a leading zero", "[01]", ERR_INVALID },
		{ "a lone minus", "[-]", ERR_INVALID },
		{ "an exponent without digits", "[1e]", ERR_INVALID },
		{ "a point without digits", "[1.]", ERR_INVALID },
		{ "a long number with a leading zero is not repaired",
			"[00000000000000000000000001]", ERR_INVALID },
		{ "a literal of another language", "[None]", ERR_INVALID },
		{ "a raw newline in a string", "\"a\nb\"", ERR_INVALID },
		{ "nine levels", "[[[[[[[[[1]]]]]]]]]", ERR_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json *j = NULL;
		struct err e = { 0 };
		int rc = json_parse(rows[i].text, strlen(rows[i].text), &SMALL, &j, &e);

		if (rc != rows[i].code || j)
			fail_msg("%s: code %d, %s", rows[i].name, rc, e.text);
	}
}

static void
an_error_does_not_quote_the_text(void **state)
{
	static const char text[] = "{\"token\": ghs_secret}";
	struct json *j = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &SMALL, &j, &e), ERR_INVALID);
	assert_null(strstr(e.text, "ghs_secret"));
}

/* Each bomb is at the size cap of its limit; the pass before the parser answers, in time that is
 * linear. */
static void
answers_bombs_quickly(void **state)
{
	static const struct {
		const char *name;
		const char *unit;
	} rows[] = {
		{ "opening brackets", "[" },
		{ "opening braces with keys", "{\"a\":" },
		{ "empty objects", "{}," },
		{ "empty arrays", "[]," },
		{ "zeros", "0," },
		{ "commas", "," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT((size_t)8 << 20);
		struct json *j = NULL;
		struct err e = { 0 };
		clock_t start; /* of our own work: the machine may be busy */

		assert_int_equal(buf_addc(&b, '['), 0);
		while (buf_adds(&b, rows[i].unit) == 0)
			;
		start = clock();
		if (json_parse(b.data, b.len, &JSON_LIMITS_DELIVERY, &j, &e) != ERR_LIMIT)
			fail_msg("%s: %s", rows[i].name, e.text);
		assert_true(clock() - start < CLOCKS_PER_SEC);
	}
}

static void
counts_values_exactly(void **state)
{
	struct json_limits limits = { 4096, 4, 8 };
	auto_json struct json *ok = NULL;
	struct json *j = NULL;
	struct err e;

	(void)state;
	assert_int_equal(json_parse("[1,2,3]", 7, &limits, &ok, &e), 0);
	assert_int_equal(json_parse("[1,2,3,4]", 9, &limits, &j, &e), ERR_LIMIT);
	limits.bytes_max = 6;
	assert_int_equal(json_parse("[1,2,3]", 7, &limits, &j, &e), ERR_LIMIT);
}

static void
paths_reach_inner_values(void **state)
{
	static const char text[] =
		"{\"issue\":{\"user\":{\"login\":\"amy\",\"id\":7,\"admin\":true},"
		"\"id\":\"42\",\"gone\":null,\"labels\":[{\"name\":\"agent\"},3]}}";
	auto_json struct json *j = NULL;
	struct err e;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &SMALL, &j, &e), 0);
	assert_string_equal(json_str(j, "issue.user.login"), "amy");
	assert_int_equal(json_i64(j, "issue.user.id"), 7);
	assert_int_equal(json_i64(j, "issue.id"), 42);
	assert_true(json_bool(j, "issue.user.admin"));
	assert_true(json_is_null(j, "issue.gone"));
	assert_true(json_is_null(j, "issue.nothing.there"));
	assert_true(json_is_object(j, "issue.user"));
	assert_int_equal(json_len(j, "issue.labels"), 2);
	assert_string_equal(json_str(json_at(j, "issue.labels", 0), "name"), "agent");
	assert_null(json_at(j, "issue.labels", 2));

	/* Another type is as good as absent. */
	assert_null(json_str(j, "issue.user"));
	assert_null(json_str(j, "issue.user.id"));
	assert_null(json_get(j, "issue.user.login.deeper"));
	assert_int_equal(json_i64(j, "issue.user.login"), 0);
	assert_false(json_bool(j, "issue.user.login"));
	assert_int_equal(json_len(j, "issue"), 0);
	assert_false(json_is_object(j, "issue.labels"));
	assert_null(json_str(NULL, "a"));
	assert_null(json_at(NULL, "a", 0));
}

struct label {
	char *name;
	int64_t id;
};

struct issue {
	char *title;
	char *login;
	int64_t id;
	bool is_open;
	struct strs topics;
	struct row_list labels;
};

static const struct row LABEL_ROWS[] = {
	ROW_S(struct label, name, "name", 8),
	ROW_I(struct label, id, "meta.id"),
	ROW_DONE,
};

static const struct row ISSUE_ROWS[] = {
	ROW_S(struct issue, title, "title", 8),
	ROW_S(struct issue, login, "issue.user.login", 64),
	ROW_I(struct issue, id, "issue.user.id"),
	ROW_B(struct issue, is_open, "issue.open"),
	ROW_SS(struct issue, topics, "topics", 4, 3),
	ROW_L(struct issue, labels, "labels", 2, LABEL_ROWS, struct label),
	ROW_DONE,
};

static void
decodes_by_row(void **state)
{
	static const char text[] =
		"{\"title\":\"123456\xe2\x82\xac\",\"issue\":{\"user\":{\"login\":\"amy\",\"id\":"
		"\"9007199254740993\"},"
		"\"open\":true},\"topics\":[\"a\",1,\"bcdefg\",null,\"c\",\"d\"],"
		"\"labels\":[{\"name\":\"agent\",\"meta\":{\"id\":5}},7,{\"name\":\"cut off\"}]}";
	auto_json struct json *j = NULL;
	struct issue got;
	struct label *labels;
	struct err e;

	(void)state;
	memset(&got, 0xee, sizeof(got));
	assert_int_equal(json_parse(text, strlen(text), &SMALL, &j, &e), 0);
	json_decode(j, ISSUE_ROWS, &got);
	assert_string_equal(got.title, "123456"); /* the euro sign would end at byte 9 */
	assert_string_equal(got.login, "amy");
	assert_true(got.id == INT64_C(9007199254740993));
	assert_true(got.is_open);
	assert_int_equal(got.topics.n, 3);
	assert_string_equal(got.topics.v[1], "bcde");
	assert_string_equal(got.topics.v[2], "c");
	assert_int_equal(got.labels.n, 2);
	labels = got.labels.v;
	assert_string_equal(labels[0].name, "agent");
	assert_int_equal(labels[0].id, 5);
	assert_null(labels[1].name);
	row_finish(ISSUE_ROWS, &got);
}

static void
decodes_nonsense_to_nothing(void **state)
{
	static const char *const texts[] = { "[]", "7", "null",
		"{\"title\":{},\"issue\":[],\"labels\":{}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_json struct json *j = NULL;
		struct issue got;
		struct err e;

		assert_int_equal(json_parse(texts[i], strlen(texts[i]), &SMALL, &j, &e), 0);
		json_decode(j, ISSUE_ROWS, &got);
		assert_null(got.title);
		assert_int_equal(got.labels.n, 0);
		assert_int_equal(got.topics.n, 0);
		row_finish(ISSUE_ROWS, &got);
	}
}

static void
encodes_nested_objects(void **state)
{
	char title[] = "a\"\n\x1b";
	char login[] = "amy";
	char bug[] = "bug";
	struct label labels[2] = { { bug, 1 }, { NULL, 2 } };
	struct issue in = { .title = title, .login = login, .id = -3, .labels = { labels, 2 } };
	auto_buf struct buf out = BUF_INIT(1024);
	struct buf tiny = BUF_INIT(20);
	struct err e;

	(void)state;
	assert_int_equal(json_encode(ISSUE_ROWS, &in, &out, &e), 0);
	assert_string_equal(buf_str(&out),
		"{\"title\":\"a\\\"\\n\\u001b\",\"issue\":{\"user\":{\"login\":\"amy\",\"id\":-3},"
		"\"open\":false},"
		"\"labels\":[{\"name\":\"bug\",\"meta\":{\"id\":1}},{\"meta\":{\"id\":2}}]}");
	assert_int_equal(json_encode(ISSUE_ROWS, &in, &tiny, &e), ERR_LIMIT);
	assert_int_equal(tiny.len, 0);
	buf_finish(&tiny);
}

static void
encoding_closes_what_it_opened(void **state)
{
	struct deep {
		bool a, b, c, d;
	};
	static const struct row rows[] = {
		ROW_B(struct deep, a, "x.y.z.a"),
		ROW_B(struct deep, b, "x.q.b"),
		ROW_B(struct deep, c, "xy.c"),
		ROW_B(struct deep, d, "d"),
		ROW_DONE,
	};
	struct deep in = { .a = true };
	auto_buf struct buf out = BUF_INIT(1024);

	(void)state;
	assert_int_equal(json_encode(rows, &in, &out, NULL), 0);
	assert_string_equal(buf_str(&out), "{\"x\":{\"y\":{\"z\":{\"a\":true}},\"q\":{\"b\":false}}"
					   ",\"xy\":{\"c\":false},\"d\":false}");
}

static void
quotes_hostile_text(void **state)
{
	auto_buf struct buf out = BUF_INIT(64);

	(void)state;
	assert_int_equal(json_quote(&out, "a\0b\xff\\", 5), 0);
	assert_string_equal(buf_str(&out), "\"a" FFFD "b" FFFD "\\\\\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_values),
		cmocka_unit_test(refuses_what_is_no_json),
		cmocka_unit_test(an_error_does_not_quote_the_text),
		cmocka_unit_test(answers_bombs_quickly),
		cmocka_unit_test(counts_values_exactly),
		cmocka_unit_test(paths_reach_inner_values),
		cmocka_unit_test(decodes_by_row),
		cmocka_unit_test(decodes_nonsense_to_nothing),
		cmocka_unit_test(encodes_nested_objects),
		cmocka_unit_test(encoding_closes_what_it_opened),
		cmocka_unit_test(quotes_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
