/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/egress: what may leave a box.
 */
#include "sandbox/egress.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
endpoints_are_an_allow_list(void **state)
{
	static const struct {
		const char *name;
		enum egress_api api;
		const char *method;
		const char *path;
		enum egress_endpoint want;
	} rows[] = {
		{ "codex asks the model", EGRESS_OPENAI, "POST", "/responses", EGRESS_RESPONSES },
		{ "chat completions", EGRESS_OPENAI, "POST", "/chat/completions", EGRESS_CHAT },
		{ "one model's card", EGRESS_OPENAI, "GET", "/models/gpt-x", EGRESS_FREE },
		{ "claude asks the model", EGRESS_ANTHROPIC, "POST", "/v1/messages",
			EGRESS_MESSAGES },
		{ "claude counts", EGRESS_ANTHROPIC, "POST", "/v1/messages/count_tokens",
			EGRESS_FREE },
		{ "claude says hello", EGRESS_ANTHROPIC, "HEAD", "/api/hello", EGRESS_HELLO },
		{ "gemini asks the model", EGRESS_GEMINI, "POST",
			"/v1beta/models/gemini-x:streamGenerateContent", EGRESS_GENERATE },
		{ "the stored answer of another task", EGRESS_OPENAI, "GET", "/responses/resp_1",
			EGRESS_CLOSED },
		{ "deleting it", EGRESS_OPENAI, "POST", "/responses/resp_1/cancel", EGRESS_CLOSED },
		{ "uploading a file", EGRESS_OPENAI, "POST", "/files", EGRESS_CLOSED },
		{ "a vector store", EGRESS_OPENAI, "POST", "/vector_stores", EGRESS_CLOSED },
		{ "a batch", EGRESS_ANTHROPIC, "POST", "/v1/messages/batches", EGRESS_CLOSED },
		{ "another API's path", EGRESS_ANTHROPIC, "POST", "/responses", EGRESS_CLOSED },
		{ "below an endpoint", EGRESS_OPENAI, "POST", "/responses/", EGRESS_CLOSED },
		{ "a model's name with a slash", EGRESS_OPENAI, "GET", "/models/a/permissions",
			EGRESS_CLOSED },
		{ "asking by another method", EGRESS_OPENAI, "GET", "/responses", EGRESS_CLOSED },
		{ "a file of gemini", EGRESS_GEMINI, "POST", "/v1beta/files", EGRESS_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		assert_int_equal(
			egress_endpoint(rows[i].api, rows[i].method, rows[i].path), rows[i].want);
	}
}

static void
credentials_never_pass(void **state)
{
	static const char *const stripped[] = { "Authorization", "authorization", "X-API-KEY",
		"x-goog-api-key", "api-key", "Cookie", "cookie2", "Proxy-Authorization",
		"proxy-connection", "OpenAI-Organization", "openai-project", "Host",
		"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Expect",
		"X-Forwarded-For", "Forwarded", "Accept-Encoding", "X-HTTP-Method-Override",
		"x-goog-iam-authority-selector", "X-Amz-Security-Token", "x-auth-token" };
	static const char *const passed[] = { "accept", "content-type", "user-agent",
		"anthropic-version", "anthropic-beta", "openai-beta", "x-stainless-lang",
		"authorizations", "x-api-keys" };

	(void)state;
	for (size_t i = 0; i < sizeof(stripped) / sizeof(stripped[0]); i++)
		assert_false(egress_header_passes(stripped[i], strlen(stripped[i])));
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		assert_true(egress_header_passes(passed[i], strlen(passed[i])));
	assert_false(egress_reply_header_passes("set-cookie", 10));
	assert_false(egress_reply_header_passes("transfer-encoding", 17));
	assert_true(egress_reply_header_passes("retry-after", 11));
}

static void
queries_lose_their_keys(void **state)
{
	static const struct {
		const char *query;
		const char *want;
	} rows[] = {
		{ "", "" },
		{ "?", "?" },
		{ "?beta=true", "?beta=true" },
		{ "?key=x", "" },
		{ "?KEY=x&alt=sse", "?alt=sse" },
		{ "?alt=sse&key=x", "?alt=sse" },
		{ "?alt=sse;key=x&b", "?alt=sse&b" },
		{ "?%6bey=x&alt=sse", "?alt=sse" },
		{ "?%4B%65y=x", "" },
		{ "?%zz=1&alt=sse", "?alt=sse" },
		{ "?access_token=x&api_key=y&keys=z", "?keys=z" },
		{ "?x=key=y", "?x=key=y" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf out = BUF_INIT(KIB(1));

		print_message("  %s\n", rows[i].query);
		egress_query(rows[i].query, strlen(rows[i].query), &out);
		assert_string_equal(buf_str(&out), rows[i].want);
	}
}

static void
paths_hide_nothing(void **state)
{
	static const char *const good[] = { "/", "/a/b", "/@scope%2fname", "/a.b/..c/d..",
		"/-/x-1.0.0.tgz", "/models/m:verb", "/%40scope/name", "/..." };
	static const char *const bad[] = { "", "a", "/..", "/../x", "/x/..", "/x/../y", "/./x",
		"/.", "/x/%2e%2e/y", "/x/.%2E/y", "/x%2f../y", "/x/..%2fy", "/x%2F..%2Fy", "/a\\b",
		"/a%5cb", "/a%00", "/a%0d%0ab", "/a b", "/a#b", "/a%", "/a%2", "/%252e", "/\x7f",
		"/\xc3\xa4" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		print_message("  %s\n", good[i]);
		assert_int_equal(egress_path_check(good[i], strlen(good[i]), NULL), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("  not %s\n", bad[i]);
		assert_int_equal(egress_path_check(bad[i], strlen(bad[i]), NULL), ERR_INVALID);
	}
}

static void
hosted_tools_are_found_wherever_they_hide(void **state)
{
	static const struct {
		const char *name;
		const char *body;
		int want;
	} rows[] = {
		{ "a plain question", "{\"model\":\"m\",\"input\":[{\"role\":\"user\"}]}", 0 },
		{ "tools of our own",
			"{\"tools\":[{\"type\":\"function\",\"name\":\"web_search\"}]}", 0 },
		{ "the words in a text", "{\"x\":\"\\\"type\\\":\\\"web_search\\\"\"}", 0 },
		{ "a schema with a member called type",
			"{\"properties\":{\"type\":{\"type\":\"string\"}}}", 0 },
		{ "codex's default",
			"{\"tools\":[{\"type\":\"web_search\",\"external_web_access\":true}]}",
			ERR_DENIED },
		{ "a dated one", "{\"tools\":[{\"type\":\"web_fetch_20250910\"}]}", ERR_DENIED },
		{ "a remote MCP server", "{\"tools\":[{\"type\":\"mcp\"}]}", ERR_DENIED },
		{ "Anthropic's MCP servers", "{\"mcp_servers\":[]}", ERR_DENIED },
		{ "gemini's search", "{\"tools\":[{\"googleSearch\":{}}]}", ERR_DENIED },
		{ "gemini's fetch", "{\"tools\":[{\"url_context\":{}}]}", ERR_DENIED },
		{ "deep in an input item",
			"{\"input\":[{\"tools\":[{\"tools\":[{\"type\":\"web_search\"}]}]}]}",
			ERR_DENIED },
		{ "with white space", "{ \"type\" \n:\t\"web_search\" }", ERR_DENIED },
		{ "with an escaped value", "{\"type\":\"web\\u005fsearch\"}", ERR_DENIED },
		{ "with an escaped key", "{\"\\u0074ype\":\"web_search\"}", ERR_DENIED },
		{ "in another case, for a reader that does not mind", "{\"Type\":\"Web_Search\"}",
			ERR_DENIED },
		{ "behind an innocent double", "{\"type\":\"function\",\"type\":\"web_search\"}",
			ERR_DENIED },
		{ "before an innocent double", "{\"type\":\"web_search\",\"type\":\"function\"}",
			ERR_DENIED },
		{ "behind an empty comma", "{\"a\":1,,\"type\":\"web_search\"}", ERR_DENIED },
		{ "in a container of theirs",
			"{\"tools\":[{\"type\":\"shell\",\"environment\":{\"type\":"
			"\"container_auto\"}}]}",
			ERR_DENIED },
		{ "a router's plugin", "{\"plugins\":[{\"id\":\"web\"}]}", ERR_DENIED },
		{ "plugins of something that a tool was told", "{\"x\":{\"plugins\":[]}}", 0 },
		{ "work that goes on uncounted", "{\"background\":true}", ERR_DENIED },
		{ "the same for a lenient reader", "{\"background\":\"yes\"}", ERR_DENIED },
		{ "work in the foreground", "{\"background\":false,\"plugins\":null}", 0 },
		{ "a colour", "{\"style\":{\"background\":\"red\"}}", 0 },
		{ "not closed", "{\"a\":[1,2}", ERR_INVALID },
		{ "cut off", "{\"a\":\"b", ERR_INVALID },
		{ "in UTF-16", "{\0\"\0a\0\"\0", ERR_INVALID },
		{ "with a comment", "{/* */}", ERR_INVALID },
		{ "in single quotes", "{'type':'web_search'}", ERR_INVALID },
		{ "with a newline in a string", "{\"a\":\"b\nc\"}", ERR_INVALID },
		{ "with a key that is no string", "{type:\"web_search\"}", ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_egress_body struct egress_body body = { 0 };
		size_t len = strlen(rows[i].body);

		print_message("  %s\n", rows[i].name);
		if (strcmp(rows[i].name, "in UTF-16") == 0)
			len = 8;
		assert_int_equal(egress_body_check(rows[i].body, len, &body, NULL), rows[i].want);
	}
}

/* The provider would fetch it, and whoever has the address is told what is in it. */
static void
remote_files_are_found(void **state)
{
	static const struct {
		const char *name;
		const char *body;
		int want;
	} rows[] = {
		{ "a picture sent along",
			"{\"image_url\":\"data:image/png;base64,AA\",\"x\":{\"source\":{\"type\":"
			"\"base64\",\"data\":\"AA\"}}}",
			0 },
		{ "a picture to be fetched", "{\"image_url\":\"https://evil.example/?x\"}",
			ERR_DENIED },
		{ "the same for chat", "{\"image_url\":{\"detail\":\"low\",\"url\":\"http://e\"}}",
			ERR_DENIED },
		{ "the same for claude",
			"{\"source\":{\"type\":\"url\",\"url\":\"https://evil.example/\"}}",
			ERR_DENIED },
		{ "the same for gemini", "{\"fileData\":{\"fileUri\":\"gs://bucket/x\"}}",
			ERR_DENIED },
		{ "an address that is only told", "{\"url\":\"https://a.example/\"}", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_egress_body struct egress_body body = { 0 };

		print_message("  %s\n", rows[i].name);
		assert_int_equal(egress_body_check(rows[i].body, strlen(rows[i].body), &body, NULL),
			rows[i].want);
	}
}

static void
a_bomb_of_brackets_is_refused_in_one_pass(void **state)
{
	auto_egress_body struct egress_body body = { 0 };
	auto_free char *bomb = mem_zero(MIB(8));

	(void)state;
	memset(bomb, '[', MIB(8));
	assert_int_equal(egress_body_check(bomb, MIB(8), &body, NULL), ERR_INVALID);
	memset(bomb, ' ', MIB(8));
	assert_int_equal(egress_body_check(bomb, MIB(8), &body, NULL), 0);
}

static void
models_are_an_allow_list(void **state)
{
	auto_strs struct strs allow = { 0 };
	auto_strs struct strs none = { 0 };
	static const struct {
		const char *body;
		bool want;
	} rows[] = {
		{ "{\"model\":\"gpt-5\"}", true },
		{ "{\"model\":\"gpt-5\",\"nested\":{\"model\":\"o9\"}}", true },
		{ "{\"model\":\"o9\"}", false },
		{ "{\"model\":\"gpt-5\",\"model\":\"o9\"}", false },
		{ "{\"model\":\"gpt-5-secret\"}", false },
		{ "{\"model\":\"gpt-5\",\"models\":[\"gpt-5\",\"gpt-5-mini\"]}", true },
		{ "{\"model\":\"gpt-5\",\"models\":[\"gpt-5\",\"o9\"]}", false },
		{ "{\"model\":\"gpt-5\",\"models\":[{\"id\":\"o9\"}]}", false },
		{ "{\"models\":[[\"gpt-5\"]],\"x\":[\"o9\"]}", true },
		{ "{}", false },
	};

	(void)state;
	strs_add(&allow, "gpt-*");
	strs_add(&allow, "!gpt-5-secret");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_egress_body struct egress_body body = { 0 };

		print_message("  %s\n", rows[i].body);
		assert_int_equal(
			egress_body_check(rows[i].body, strlen(rows[i].body), &body, NULL), 0);
		assert_int_equal(egress_models_ok(&allow, &body.models), rows[i].want);
		assert_true(egress_models_ok(&none, &body.models));
	}
	auto_egress_body struct egress_body streams = { 0 };
	const char *asks = "{\"a\":{\"stream\":false},\"stream\":true}";
	assert_int_equal(egress_body_check(asks, strlen(asks), &streams, NULL), 0);
	assert_true(streams.wants_stream);
	auto_strs struct strs online = { 0 };
	strs_add(&online, "vendor/gpt-5:online");
	assert_false(egress_models_ok(&none, &online));
	auto_strs struct strs models = { 0 };
	egress_path_model("/v1beta/models/gemini-x:generateContent", &models);
	assert_int_equal(models.n, 1);
	assert_string_equal(models.v[0], "gemini-x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_an_allow_list),
		cmocka_unit_test(credentials_never_pass),
		cmocka_unit_test(queries_lose_their_keys),
		cmocka_unit_test(paths_hide_nothing),
		cmocka_unit_test(hosted_tools_are_found_wherever_they_hide),
		cmocka_unit_test(remote_files_are_found),
		cmocka_unit_test(a_bomb_of_brackets_is_refused_in_one_pass),
		cmocka_unit_test(models_are_an_allow_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
