/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a box takes at the models: counted from the answers, told to the runner, and ended when the
 * budget is used up, by the running and confined gateway.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/bot/box_client.h"
#include "tests/unit/bot/gateway_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct gateway_rig g;
	int requests;
	int status;         /* of the upstream's next answers */
	const char *answer; /* their body */
	bool is_half;       /* it breaks off */
};

static const char STREAM[] =
	"event: response.output_text.delta\ndata: {\"delta\":\"hi\"}\n\n"
	"event: response.completed\ndata: {\"response\":{\"usage\":{\"input_tokens\":1000,"
	"\"input_tokens_details\":{\"cached_tokens\":600},\"output_tokens\":50}}}\n\n";
static const char MESSAGE[] = "{\"usage\":{\"input_tokens\":500,\"output_tokens\":7}}";

static enum http_server_next
on_upstream(void *ctx, const char *raw, struct buf *out)
{
	struct fixture *f = ctx;

	(void)raw;
	f->requests++;
	(void)buf_addf(out, "HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n",
		f->status, strlen(f->answer), f->answer);
	if (f->is_half)
		return SERVER_KEEP;
	(void)buf_adds(out, "0\r\n\r\n");
	return SERVER_KEEP;
}

static void
open_box(struct fixture *f, int64_t fence, int64_t tokens_max, int64_t cost_max, char *usage)
{
	struct wire_box b = { .task = 7,
		.fence = fence,
		.models = true,
		.usage = usage,
		.tokens_max = tokens_max,
		.cost_max = cost_max };

	gateway_rig_open(&f->g, &b);
}

static const struct wire_usage *
close_box(struct fixture *f, int64_t fence)
{
	struct wire_box b = { .task = 7, .fence = fence };

	role_case_ask(&f->g.c, &(struct msg_out){ .type = WIRE_BOX_CLOSE, .obj = &b });
	assert_int_equal(f->g.c.type, WIRE_BOX_USAGE);
	assert_true(f->g.c.usage.ok);
	return &f->g.c.usage;
}

static char *
ask(struct fixture *f, const char *path, const char *body)
{
	auto_free char *request = mem_fmt("POST %s HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n"
					  "Content-Type: application/json\r\n"
					  "Content-Length: %zu\r\n\r\n%s",
		path, strlen(body), body);

	return gateway_rig_ask(&f->g, request);
}

#define CODEX  "/llm/openai/responses", "{\"model\":\"gpt-5\",\"stream\":true}"
#define CLAUDE "/llm/claude/v1/messages", "{\"model\":\"opus\"}"

static int
setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	f->status = 200;
	f->answer = STREAM;
	gateway_rig_init(&f->g, on_upstream, f,
		"models:\n  openai: { url: \"UPSTREAM/v1\", key_file: /k, "
		"prices: [\"gpt-* in 2 cached 0.5 out 10\"] }\n"
		"  claude: { kind: anthropic, url: UPSTREAM, key_file: /k }\n");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	gateway_rig_finish(&f->g);
	free(f);
	return 0;
}

static void
what_the_answers_say_is_told_by_model(void **state)
{
	struct fixture *f = *state;

	open_box(f, 1, 0, 0, NULL);
	free(ask(f, CODEX));
	free(ask(f, CODEX));
	f->answer = MESSAGE;
	free(ask(f, CLAUDE));
	/* 2 x (400 in, 600 cached, 50 out): 2 x (0.0008 + 0.0003 + 0.0005) dollars. */
	assert_string_equal(
		close_box(f, 1)->usage, "gpt-5 2 800 1200 0 100 3200\nopus 1 500 0 0 7 -1\n");
	assert_string_equal(f->g.c.said_spent, f->g.c.usage.usage);
	assert_null(f->g.c.usage.spent);
}

static void
a_new_gateway_goes_on_counting(void **state)
{
	struct fixture *f = *state;

	char counted[] = "gpt-5 1 1000 0 0 0 5\n";

	open_box(f, 1, 2500, 0, counted);
	free(ask(f, CODEX));
	assert_string_equal(close_box(f, 1)->usage, "gpt-5 2 1400 600 0 50 1605\n");
}

static void
the_end_of_a_budget_stops_each_client_in_its_way(void **state)
{
	struct fixture *f = *state;

	open_box(f, 1, 1000, 0, NULL);
	/* It crosses the line: the answer ends there, with the event that stops Codex. */
	auto_free char *crossing = ask(f, CODEX);
	assert_true(str_starts(crossing, "HTTP/1.1 200 "));
	assert_non_null(strstr(crossing, "insufficient_quota"));
	assert_true(str_ends(crossing, "0\r\n\r\n"));
	auto_free char *codex = ask(f, CODEX);
	assert_true(str_starts(codex, "HTTP/1.1 200 "));
	assert_non_null(strstr(codex, "event: response.failed\ndata: {"));
	assert_non_null(strstr(codex, "\"code\":\"insufficient_quota\""));
	auto_free char *at_once = ask(f, "/llm/openai/responses", "{\"model\":\"gpt-5\"}");
	assert_true(str_starts(at_once, "HTTP/1.1 400 "));
	assert_non_null(strstr(at_once, "insufficient_quota"));
	auto_free char *claude = ask(f, CLAUDE);
	assert_true(str_starts(claude, "HTTP/1.1 403 "));
	auto_free char *chat = ask(f, "/llm/openai/chat/completions", "{\"model\":\"gpt-5\"}");
	assert_true(str_starts(chat, "HTTP/1.1 403 "));
	assert_int_equal(f->requests, 1);
	assert_string_equal(close_box(f, 1)->spent, "the task's budget of tokens is used up");
}

static void
money_is_a_budget_too(void **state)
{
	struct fixture *f = *state;

	open_box(f, 1, 0, 1600, NULL);
	free(ask(f, CODEX));
	auto_free char *second = ask(f, CODEX);
	assert_non_null(strstr(second, "insufficient_quota"));
	assert_int_equal(f->requests, 1);
	assert_non_null(strstr(close_box(f, 1)->spent, "money"));

	/* What has no price cannot be kept within a limit. */
	open_box(f, 2, 0, 1600, NULL);
	auto_free char *claude = ask(f, CLAUDE);
	assert_true(str_starts(claude, "HTTP/1.1 403 "));
	assert_int_equal(f->requests, 1);
}

static void
a_question_that_is_larger_than_the_budget_is_not_asked(void **state)
{
	struct fixture *f = *state;
	auto_free char *words = mem_zero(5000);

	memset(words, 'a', 4999);
	auto_free char *body = mem_fmt("{\"model\":\"opus\",\"x\":\"%s\"}", words);
	open_box(f, 1, 1000, 0, NULL);
	auto_free char *answer = ask(f, "/llm/claude/v1/messages", body);
	assert_true(str_starts(answer, "HTTP/1.1 403 "));
	assert_int_equal(f->requests, 0);
}

static void
who_hangs_up_pays_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct box_client cl;
	static const char body[] = "{\"model\":\"gpt-5\",\"stream\":true,\"i\":\"abcdefghijkl\"}";
	auto_free char *request = mem_fmt("POST /llm/openai/responses HTTP/1.1\r\n"
					  "Host: 127.0.0.1:3128\r\nContent-Type: "
					  "application/json\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);

	open_box(f, 1, 0, 0, NULL);
	f->is_half = true;
	f->answer = "data: {}\n\ndata: {}\n\n";
	box_client_open(&cl, f->g.c.loop, f->g.port, request);
	while (!strstr(buf_str(&cl.in), "data: {}\n\ndata: {}"))
		role_case_wait(&f->g.c);
	box_client_close(&cl);
	assert_string_equal(close_box(f, 1)->usage, "gpt-5 1 12 0 0 2 44\n");
}

static void
a_storm_of_errors_ends(void **state)
{
	struct fixture *f = *state;
	int asked = 0;

	f->status = 500;
	f->answer = "{}";
	open_box(f, 1, 0, 0, NULL);
	for (; asked < 29; asked++)
		free(ask(f, CLAUDE));
	f->status = 200; /* one that works starts the count anew */
	free(ask(f, CLAUDE));
	f->status = 429;
	for (asked = 0; asked < 30; asked++) {
		auto_free char *answer = ask(f, CLAUDE);

		assert_true(str_starts(answer, "HTTP/1.1 429 "));
	}
	auto_free char *answer = ask(f, CLAUDE);
	assert_true(str_starts(answer, "HTTP/1.1 403 "));
	assert_int_equal(f->requests, 60);
	assert_non_null(strstr(close_box(f, 1)->spent, "errors"));
	/* Errors take no tokens. */
	assert_true(str_starts(f->g.c.usage.usage, "opus 60 4 0 0 0 -1"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_the_answers_say_is_told_by_model),
		T(a_new_gateway_goes_on_counting),
		T(the_end_of_a_budget_stops_each_client_in_its_way),
		T(money_is_a_budget_too),
		T(a_question_that_is_larger_than_the_budget_is_not_asked),
		T(who_hangs_up_pays_all_the_same),
		T(a_storm_of_errors_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
