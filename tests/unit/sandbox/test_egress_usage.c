/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/egress_usage: tokens out of the answers of all families.
 */
#include "sandbox/egress_usage.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ASKED 400 /* bytes, so 100 tokens where nobody says it better */

struct row {
	const char *name;
	enum egress_api api;
	const char *answer;
	struct egress_usage want;
};

static const struct row ROWS[] = {
	{ "codex's stream", EGRESS_OPENAI,
		"event: response.created\ndata: "
		"{\"type\":\"response.created\",\"response\":{\"usage\":"
		"null}}\n\n"
		"event: response.completed\ndata: "
		"{\"response\":{\"id\":\"r\",\"output\":[{\"usage\":"
		"{\"input_tokens\":9}}],\"usage\":{\"input_tokens\":1200,\"input_tokens_details\":"
		"{\"cached_tokens\":1000},\"output_tokens\":34,\"total_tokens\":1234}}}\n\n",
		{ .in = 200, .cached = 1000, .out = 34 } },
	{ "a response in one piece", EGRESS_OPENAI,
		"{\n  \"usage\": {\n    \"input_tokens\": 12,\n    \"output_tokens\": 3\n  }\n}\n",
		{ .in = 12, .out = 3 } },
	{ "chat's stream", EGRESS_OPENAI,
		"data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n"
		"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":7,"
		"\"prompt_tokens_details\":{\"cached_tokens\":20}}}\n\ndata: [DONE]\n\n",
		{ .in = 30, .cached = 20, .out = 7 } },
	{ "chat's stream that was asked to say nothing", EGRESS_OPENAI,
		"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
		"data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\ndata: [DONE]\n\n",
		{ .in = 100, .out = 3 } },
	{ "claude's stream", EGRESS_ANTHROPIC,
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
		"\"input_tokens\":10,\"cache_creation_input_tokens\":300,"
		"\"cache_read_input_tokens\":4000,\"output_tokens\":1}}}\n\n"
		"event: message_delta\ndata: {\"delta\":{},\"usage\":{\"output_tokens\":250}}\n\n",
		{ .in = 10, .cached = 4000, .written = 300, .out = 250 } },
	{ "claude's stream, broken off", EGRESS_ANTHROPIC,
		"data: {\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":2}}}\n\n"
		"data: {\"delta\":{}}\n\ndata: {\"delta\":{}}\n\ndata: {\"del",
		{ .in = 10, .out = 4 } },
	{ "gemini's stream", EGRESS_GEMINI,
		"data: "
		"{\"usageMetadata\":{\"promptTokenCount\":90,\"candidatesTokenCount\":5}}\r\n\r\n"
		"data: {\"usageMetadata\":{\"promptTokenCount\":90,\"candidatesTokenCount\":11,"
		"\"thoughtsTokenCount\":4,\"cachedContentTokenCount\":40}}\r\n\r\n",
		{ .in = 50, .cached = 40, .out = 15 } },
	{ "gemini's list", EGRESS_GEMINI,
		"[{\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":9}}\n,\n"
		"{\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":2}}]",
		{ .in = 9, .out = 2 } },
	{ "what the model wrote is not what it took", EGRESS_ANTHROPIC,
		"{\"content\":[{\"type\":\"tool_use\",\"input\":{\"usage\":{\"output_tokens\":0}}},"
		"{\"type\":\"text\",\"text\":\"\\\"usage\\\":{\\\"input_tokens\\\":1}\"}],"
		"\"x\":{\"usage\":{\"input_tokens\":7}},"
		"\"usage\":{\"input_tokens\":80,\"output_tokens\":6}}",
		{ .in = 80, .out = 6 } },
	{ "numbers that are none", EGRESS_OPENAI,
		"{\"usage\":{\"input_tokens\":-5,\"prompt_tokens\":1e9,\"output_tokens\":\"7\"},"
		"\"aaaaaaaaaaaaaaaaaaaaaaa\":1}",
		{ .in = 100, .out = 24 } },
	{ "nothing", EGRESS_OPENAI, "", { .in = 100 } },
	{ "no JSON", EGRESS_OPENAI, "<html>]]}}}}{{{{{{{{{{[[[[", { .in = 100 } },
};

static void
feed(const struct row *row, size_t piece, struct egress_usage *out)
{
	struct egress_meter m;
	size_t len = strlen(row->answer);

	egress_meter_init(&m, row->api, ASKED);
	for (size_t at = 0; at < len; at += piece)
		egress_meter_feed(&m, row->answer + at, len - at < piece ? len - at : piece);
	egress_meter_read(&m, out);
}

static void
tokens_are_read_off_whatever_the_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		print_message("  %s\n", ROWS[i].name);
		for (size_t piece = 1; piece <= strlen(ROWS[i].answer) + 1; piece++) {
			struct egress_usage got;

			feed(&ROWS[i], piece, &got);
			assert_int_equal(got.in, ROWS[i].want.in);
			assert_int_equal(got.cached, ROWS[i].want.cached);
			assert_int_equal(got.written, ROWS[i].want.written);
			assert_int_equal(got.out, ROWS[i].want.out);
		}
	}
}

static void
a_number_without_end_stays_a_number(void **state)
{
	struct egress_meter m;
	struct egress_usage got;

	(void)state;
	egress_meter_init(&m, EGRESS_OPENAI, 0);
	egress_meter_feed(&m, "{\"usage\":{\"output_tokens\":", 26);
	for (int i = 0; i < 1000; i++)
		egress_meter_feed(&m, "9", 1);
	egress_meter_feed(&m, "}}", 2);
	egress_meter_read(&m, &got);
	assert_true(got.out > 0 && got.out < INT64_C(100000000000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_read_off_whatever_the_pieces),
		cmocka_unit_test(a_number_without_end_stays_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
