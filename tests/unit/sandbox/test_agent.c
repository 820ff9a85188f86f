/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/agent: how agents are started, and how what they say is read.
 */
#include "sandbox/agent.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool
has_pair(const struct strs *s, const char *first, const char *second)
{
	for (size_t i = 0; i + 1 < s->n; i++) {
		if (str_eq(s->v[i], first) && str_eq(s->v[i + 1], second))
			return true;
	}
	return false;
}

static void
codex_talks_to_the_gateway_only(void **state)
{
	struct agent_ask ask = { .kind = "codex",
		.program = "/opt/codex",
		.model = "gpt-x",
		.provider = "openai",
		.key = "task-7" };
	auto_box_spec struct box_spec s = { 0 };

	(void)state;
	assert_int_equal(agent_fill(&ask, &s, NULL), 0);
	assert_string_equal(s.argv.v[0], "/opt/codex");
	assert_string_equal(s.argv.v[1], "exec");
	assert_true(has_pair(&s.argv, "-c", "model=\"gpt-x\""));
	assert_true(has_pair(&s.argv, "-c", "web_search=\"disabled\""));
	bool found = false;
	for (size_t i = 0; i < s.argv.n; i++)
		found |= strstr(s.argv.v[i], "base_url=\"http://127.0.0.1:3128/llm/openai/v1\"") !=
			 NULL;
	assert_true(found);
	assert_true(strs_has(&s.env, "GATEWAY_KEY=task-7"));
	assert_string_equal(s.events, "codex");
}

static void
without_a_model_the_flag_goes_too(void **state)
{
	struct agent_ask ask = { .kind = "codex", .provider = "openai", .key = "k" };
	auto_box_spec struct box_spec s = { 0 };

	(void)state;
	assert_int_equal(agent_fill(&ask, &s, NULL), 0);
	assert_string_equal(s.argv.v[0], "codex");
	for (size_t i = 0; i < s.argv.n; i++) {
		assert_null(strstr(s.argv.v[i], "{model}"));
		assert_false(str_starts(s.argv.v[i], "model="));
		assert_false(str_eq(s.argv.v[i], "-c") &&
			     (i + 1 == s.argv.n || str_eq(s.argv.v[i + 1], "-c")));
	}
}

static void
a_command_is_taken_as_it_is(void **state)
{
	auto_strs struct strs command = { 0 };
	struct agent_ask ask = { .kind = "command", .command = &command, .key = "k" };

	(void)state;
	strs_add(&command, "/opt/mine");
	strs_add(&command, "--fast {model} $HOME");
	for (int i = 0; i < 2; i++) {
		auto_box_spec struct box_spec s = { 0 };

		ask.provider = i ? "openai" : NULL;
		assert_int_equal(agent_fill(&ask, &s, NULL), 0);
		assert_int_equal(s.argv.n, 2);
		assert_string_equal(s.argv.v[1], "--fast {model} $HOME");
		assert_null(s.events);
		assert_int_equal(strs_has(&s.env, "OPENAI_API_KEY=k"), i);
		assert_int_equal(
			strs_has(&s.env, "OPENAI_BASE_URL=http://127.0.0.1:3128/llm/openai/v1"), i);
	}
}

static void
what_cannot_run_is_refused(void **state)
{
	static const struct {
		const char *name;
		struct agent_ask ask;
		const char *word;
	} rows[] = {
		{ "no such kind", { .kind = "hal9000" }, "hal9000" },
		{ "no kind", { .kind = NULL }, "cannot" },
		{ "command without words", { .kind = "command" }, "no command" },
		{ "codex without a provider", { .kind = "codex" }, "provider" },
		{ "a model that ends its quotes",
			{ .kind = "codex", .provider = "o", .model = "x\",evil=\"" }, "model" },
		{ "a model with a backslash", { .kind = "codex", .provider = "o", .model = "x\\" },
			"model" },
		{ "a model with a line", { .kind = "codex", .provider = "o", .model = "x\ny" },
			"model" },
		{ "pi without a model", { .kind = "pi", .provider = "o" }, "model" },
		{ "a session that is an option",
			{ .kind = "codex",
				.provider = "o",
				.session = "--evil",
				.is_resumed = true },
			"session" },
		{ "to go on with nothing", { .kind = "codex", .provider = "o", .is_resumed = true },
			"go on" },
		{ "to go on where there is no way",
			{ .kind = "cline",
				.provider = "o",
				.model = "m",
				.session = "s",
				.is_resumed = true },
			"go on" },
		{ "a provider with braces", { .kind = "codex", .provider = "{key}" }, "provider" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_box_spec struct box_spec s = { 0 };
		struct err e = { 0 };

		assert_int_equal(agent_fill(&rows[i].ask, &s, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, rows[i].word));
	}
}

static void
every_box_has_an_environment(void **state)
{
	auto_strs struct strs tools = { 0 };
	auto_box_spec struct box_spec with = { 0 };
	auto_box_spec struct box_spec without = { 0 };

	(void)state;
	strs_add(&tools, "/opt/tools");
	box_env_fill(
		&(struct box_env){ .task = 7, .npm = true, .pypi = true, .tools = &tools }, &with);
	box_env_fill(&(struct box_env){ .task = 7 }, &without);
	assert_true(strs_has(&with.env, "NIGHTSHIFT_TASK=7"));
	assert_true(strs_has(&with.env, "HOME=/home/agent"));
	assert_true(strs_has(&with.env, "npm_config_registry=http://127.0.0.1:3128/npm/"));
	assert_true(strs_has(&with.env, "PIP_INDEX_URL=http://127.0.0.1:3128/pypi/simple/"));
	assert_true(
		strs_has(&with.env, "PATH=/opt/tools/bin:/opt/tools:/usr/local/sbin:/usr/local/bin:"
				    "/usr/sbin:/usr/bin:/sbin:/bin"));
	for (size_t i = 0; i < without.env.n; i++)
		assert_null(strstr(without.env.v[i], "3128"));
	assert_int_equal(with.files.n, 1);
}

static char *
read_all(const char *in, size_t piece, char **summary, char **error)
{
	struct agent_reader *r = agent_reader_create(agent_row_find("codex"));
	struct buf show = BUF_INIT(MIB(8));
	size_t len = strlen(in);

	for (size_t i = 0; i < len; i += piece)
		agent_reader_feed(r, in + i, len - i < piece ? len - i : piece, &show);
	agent_reader_end(r, &show);
	struct agent_said said;
	agent_reader_said(r, &said);
	*summary = mem_str(said.summary);
	*error = mem_str(said.error);
	agent_reader_destroy(r);
	(void)buf_adds(&show, "");
	return buf_steal(&show);
}

/* Lines as codex 0.169 wrote them, through a terminal. */
static const char CODEX[] =
	"Reading prompt from stdin...\r\n"
	"{\"type\":\"thread.started\",\"thread_id\":\"1\"}\r\n"
	"{\"type\":\"turn.started\"}\r\n"
	"{\"type\":\"item.completed\",\"item\":{\"id\":\"i0\",\"type\":\"reasoning\",\"text\":"
	"\"think\"}}\r\n"
	"{\"type\":\"item.started\",\"item\":{\"id\":\"i1\",\"type\":\"command_execution\","
	"\"command\":\"sh test.sh\"}}\r\n"
	"{\"type\":\"item.completed\",\"item\":{\"id\":\"i1\",\"type\":\"command_execution\","
	"\"command\":\"sh test.sh\","
	"\"aggregated_output\":\"0 passed\\n1 "
	"failed\\n\",\"exit_code\":1,\"status\":\"failed\"}}\r\n"
	"{\"type\":\"item.completed\",\"item\":{\"id\":\"i2\",\"type\":\"file_change\",\"changes\":"
	"[{\"path\":\"/workspace/add.js\",\"kind\":\"update\"}],\"status\":\"completed\"}}\r\n"
	"{\"type\":\"item.completed\",\"item\":{\"id\":\"i3\",\"type\":\"agent_message\",\"text\":"
	"\"First.\"}}\r\n"
	"{\"type\":\"item.completed\",\"item\":{\"id\":\"i4\",\"type\":\"agent_message\",\"text\":"
	"\"Fixed it.\"}}\r\n"
	"{\"type\":\"from.next.year\",\"x\":[1]}\r\n"
	"{not json\r\n"
	"{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":10,\"output_tokens\":2}}";

static void
events_become_a_log(void **state)
{
	static const size_t pieces[] = { 1, 7, 4096 };

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		char *summary, *error;
		char *out = read_all(CODEX, pieces[i], &summary, &error);

		assert_non_null(strstr(out, "Reading prompt from stdin...\r\n"));
		assert_non_null(strstr(out, "$ sh test.sh"));
		assert_non_null(strstr(out, "0 passed\r\n1 failed\r\n"));
		assert_non_null(strstr(out, "[exit code 1]"));
		assert_non_null(strstr(out, "update /workspace/add.js"));
		assert_non_null(strstr(out, "{not json\r\n"));
		assert_non_null(strstr(out, "10 in, 2 out"));
		assert_null(strstr(out, "from.next.year"));
		assert_string_equal(summary, "Fixed it.");
		assert_null(error);
		free(out);
		free(summary);
	}
}

/* Gemini sends what it says as the model sends it. */
static void
pieces_become_one_message(void **state)
{
	static const char in[] =
		"{\"type\":\"init\",\"session_id\":\"s\"}\n"
		"{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"First\",\"delta\":true}"
		"\n"
		"{\"type\":\"message\",\"role\":\"assistant\",\"content\":\" of all.\",\"delta\":"
		"true}\n"
		"{\"type\":\"tool_use\",\"parameters\":{\"command\":\"make\"}}\n"
		"{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"It \",\"delta\":true}\n"
		"{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"works.\",\"delta\":"
		"true}"
		"\n";
	struct agent_reader *r = agent_reader_create(agent_row_find("gemini"));
	auto_buf struct buf show = BUF_INIT(KIB(64));
	struct agent_said said;

	(void)state;
	agent_reader_feed(r, in, sizeof(in) - 1, &show);
	agent_reader_end(r, &show);
	agent_reader_said(r, &said);
	assert_string_equal(
		buf_str(&show), "First of all.\r\n\033[1m$ make\033[0m\r\nIt works.\r\n");
	assert_string_equal(said.summary, "It works.");
	assert_true(said.has_begun);
	assert_false(said.is_done);
	agent_reader_destroy(r);
}

static void
names_of_sessions_are_harmless(void **state)
{
	auto_free char *long_one = mem_zero(100);

	(void)state;
	assert_true(agent_session_ok("01a204bb-7db0_Z"));
	memset(long_one, 'a', 80);
	assert_true(agent_session_ok(long_one));
	memset(long_one, 'a', 81);
	assert_false(agent_session_ok(long_one));
	assert_false(agent_session_ok(NULL));
	assert_false(agent_session_ok(""));
	assert_false(agent_session_ok("-c"));
	assert_false(agent_session_ok("../x"));
	assert_false(agent_session_ok("a b"));
	assert_false(agent_session_ok("a\"b"));
}

static void
a_failure_is_kept(void **state)
{
	char *summary, *error;
	char *out =
		read_all("{\"type\":\"turn.failed\",\"error\":{\"message\":\"Quota exceeded\"}}\n",
			5, &summary, &error);

	(void)state;
	assert_string_equal(error, "Quota exceeded");
	assert_null(summary);
	free(out);
	free(error);
}

static void
a_line_of_megabytes_is_left_out(void **state)
{
	size_t len = MIB(3);
	char *in = mem_array(len + 100, 1);
	char *summary, *error;

	(void)state;
	memset(in, 'x', len);
	in[0] = '{';
	memcpy(in + len, "\n{\"type\":\"error\",\"message\":\"after\"}\n", 37);
	char *out = read_all(in, 4000, &summary, &error);
	assert_true(strlen(out) < 1000);
	assert_non_null(strstr(out, "bytes left out"));
	assert_string_equal(error, "after");
	free(in);
	free(out);
	free(error);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codex_talks_to_the_gateway_only),
		cmocka_unit_test(without_a_model_the_flag_goes_too),
		cmocka_unit_test(a_command_is_taken_as_it_is),
		cmocka_unit_test(what_cannot_run_is_refused),
		cmocka_unit_test(every_box_has_an_environment),
		cmocka_unit_test(events_become_a_log),
		cmocka_unit_test(pieces_become_one_message),
		cmocka_unit_test(names_of_sessions_are_harmless),
		cmocka_unit_test(a_failure_is_kept),
		cmocka_unit_test(a_line_of_megabytes_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
