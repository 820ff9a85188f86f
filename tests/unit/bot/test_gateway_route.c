/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of bot/gateway_route: where a box's request goes, or why it does not.
 */
#include "bot/gateway_route.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/gateway_registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char YAML[] =
	"public_url: http://127.0.0.1:1\n"
	"network: [\"*.open.example\"]\n"
	"forges:\n  gh: { kind: github, url: \"http://f.example\", token_file: /k, "
	"webhook_secret_file: /k }\n"
	"models:\n"
	"  openai: { url: \"https://api.example/v1\", key_file: /k }\n"
	"  claude: { kind: anthropic, url: \"https://claude.example\", key_file: /k }\n"
	"  gemini: { url: \"https://gemini.example\", key_file: /k }\n"
	"registries:\n"
	"  npm: { url: \"https://npm.example/base\" }\n"
	"  pip: { url: \"https://pypi.example/simple\" }\n"
	"  cargo: https://index.example\n"
	"  go: https://go.example/proxy\n"
	"  apt: http://deb.example/debian\n";

static int
setup(void **state)
{
	struct config *c = mem_zero(sizeof(*c));
	struct err e = { 0 };

	if (config_parse(YAML, strlen(YAML), "/t/nightshift.yaml", c, &e) < 0)
		fail_msg("%s", e.text);
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	config_finish(*state);
	free(*state);
	return 0;
}

/* "POST /llm/x" with a fitting Host; extra: more header lines. */
static void
route(const struct config *c, struct route_rights rights, const char *line, const char *extra,
	struct route *r)
{
	static char text[4096];
	struct http1_head h;
	struct err e = { 0 };

	(void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\n%s%s\r\n", line,
		strstr(extra, "Host:") ? "" : "Host: 127.0.0.1:3128\r\n", extra);
	if (http1_head_parse(text, strlen(text), &h, &e) != 1)
		fail_msg("%s: %s", line, e.text);
	gateway_route(c, rights, &h, r);
}

static char *const HOSTS[] = { (char[]){ "a.open.example" }, (char[]){ "example.com" } };
static const struct strs WANTED = { (char **)(uintptr_t)HOSTS, 2 };
static const struct route_rights ALL = { .models = true, .registries = true, .hosts = &WANTED };

static void
open_routes_lead_to_their_upstream(void **state)
{
	static const struct {
		const char *line;
		const char *url;
	} rows[] = {
		{ "POST /llm/openai/responses", "https://api.example/v1/responses" },
		{ "POST /llm/openai/v1/responses", "https://api.example/v1/responses" },
		{ "GET /llm/openai/models?limit=3", "https://api.example/v1/models?limit=3" },
		{ "POST /llm/claude/v1/messages?beta=true",
			"https://claude.example/v1/messages?beta=true" },
		{ "POST /llm/gemini/v1beta/models/g:generateContent?key=dummy",
			"https://gemini.example/v1beta/models/g:generateContent" },
		{ "POST /llm/gemini/v1beta/models/g:streamGenerateContent?alt=sse&KEY=x&b=2",
			"https://gemini.example/v1beta/models/"
			"g:streamGenerateContent?alt=sse&b=2" },
		{ "POST /llm/gemini/v1beta/models/g:streamGenerateContent?key=x&alt=sse",
			"https://gemini.example/v1beta/models/g:streamGenerateContent?alt=sse" },
		{ "GET /npm/left-pad", "https://npm.example/base/left-pad" },
		{ "GET /npm/x?u=http://other.example/",
			"https://npm.example/base/x?u=http://other.example/" },
		{ "GET /npm/@types%2fnode", "https://npm.example/base/@types%2fnode" },
		{ "HEAD /npm/left-pad/-/left-pad-1.0.0.tgz",
			"https://npm.example/base/left-pad/-/left-pad-1.0.0.tgz" },
		{ "GET /registry/npm/left-pad", "https://npm.example/base/left-pad" },
		{ "GET /pypi/simple/requests/", "https://pypi.example/simple/requests/" },
		{ "GET /pypi-files/packages/a/b.whl",
			"https://files.pythonhosted.org/packages/a/b.whl" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route r;

		print_message("  %s\n", rows[i].line);
		route(*state, ALL, rows[i].line, "", &r);
		assert_int_not_equal(r.kind, ROUTE_REFUSED);
		assert_string_equal(r.url, rows[i].url);
		route_finish(&r);
	}
}

static void
answers_that_never_change_are_known(void **state)
{
	static const struct {
		const char *line;
		const char *extra;
		const char *url;
		int64_t keep_ms;
		bool is_turned;
	} rows[] = {
		{ "GET /npm/@a/b/-/b-1.0.0.tgz", "", "https://npm.example/base/@a/b/-/b-1.0.0.tgz",
			REGISTRY_FOREVER, false },
		{ "GET /npm/@a%2fb", "", "https://npm.example/base/@a%2fb", REGISTRY_INDEX_MS,
			true },
		{ "GET /npm/-/v1/search?text=x", "", "https://npm.example/base/-/v1/search?text=x",
			0, true },
		{ "GET /npm/x/-/x.tgz?v=1", "", "https://npm.example/base/x/-/x.tgz?v=1", 0, true },
		{ "GET /pypi/simple/a/", "", "https://pypi.example/simple/a/", REGISTRY_INDEX_MS,
			true },
		{ "GET /pypi-files/packages/a.whl", "",
			"https://files.pythonhosted.org/packages/a.whl", REGISTRY_FOREVER, false },
		{ "GET /cargo/config.json", "", "https://index.example/config.json",
			REGISTRY_INDEX_MS, true },
		{ "GET /cargo/se/rd/serde", "", "https://index.example/se/rd/serde",
			REGISTRY_INDEX_MS, false },
		{ "GET /cargo-files/crates/serde/1.0.0/download", "",
			"https://static.crates.io/crates/serde/1.0.0/download", REGISTRY_FOREVER,
			false },
		{ "GET /go/example.org/m/@v/list", "",
			"https://go.example/proxy/example.org/m/@v/list", REGISTRY_INDEX_MS,
			false },
		{ "GET /go/example.org/m/@v/v1.0.0.zip", "",
			"https://go.example/proxy/example.org/m/@v/v1.0.0.zip", REGISTRY_FOREVER,
			false },
		{ "GET /go/sumdb/sum.example/tile/8/0/001", "",
			"https://go.example/proxy/sumdb/sum.example/tile/8/0/001", REGISTRY_FOREVER,
			false },
		{ "GET /go/sumdb/sum.example/latest", "",
			"https://go.example/proxy/sumdb/sum.example/latest", REGISTRY_INDEX_MS,
			false },
		{ "GET http://deb.example/debian/pool/main/a/a_1.deb", "Host: deb.example\r\n",
			"http://deb.example/debian/pool/main/a/a_1.deb", REGISTRY_FOREVER, false },
		{ "GET http://DEB.example/debian/dists/x/InRelease", "Host: deb.example\r\n",
			"http://deb.example/debian/dists/x/InRelease", REGISTRY_INDEX_MS, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route r;

		print_message("  %s\n", rows[i].line);
		route(*state, ALL, rows[i].line, rows[i].extra, &r);
		assert_int_equal(r.kind, ROUTE_REGISTRY);
		assert_string_equal(r.url, rows[i].url);
		assert_true(r.keep_ms == rows[i].keep_ms);
		assert_int_equal(r.rewrites[0].from != NULL, rows[i].is_turned);
		route_finish(&r);
	}
}

static void
everything_else_is_refused(void **state)
{
	static const struct {
		const char *line;
		const char *extra;
		int status;
		const char *blocked;
	} rows[] = {
		{ "CONNECT example.com:443", "Host: example.com:443\r\n", 403, "example.com" },
		{ "CONNECT example.com:80", "Host: example.com:80\r\n", 403, "example.com:80" },
		{ "CONNECT 127.0.0.1:3128", "Host: 127.0.0.1:3128\r\n", 403, "127.0.0.1:3128" },
		{ "CONNECT a.open.example:443", "Host: b.open.example:443\r\n", 400, NULL },
		{ "CONNECT a.open.example:443", "", 400, NULL },
		{ "CONNECT a.open.example:443", "Host: a.open.example\r\nContent-Length: 1\r\n",
			400, NULL },
		{ "CONNECT a.open.example:443",
			"Host: a.open.example:443\r\nTransfer-Encoding: chunked\r\n", 400, NULL },
		{ "CONNECT c.open.example:443", "Host: c.open.example:443\r\n", 403,
			"c.open.example" },
		{ "GET http://example.com/x", "", 403, "example.com" },
		{ "GET http://user:pw@example.com:81/x", "", 403, "example.com:81" },
		{ "GET http://example.com?x", "", 403, "example.com" },
		{ "GET http://127.0.0.1:3128/npm/x", "", 403, "127.0.0.1:3128" },
		{ "GET /npm/left-pad", "Host: registry.example\r\n", 403, "registry.example" },
		{ "CONNECT a(b:443", "Host: a(b:443\r\n", 403, "a?b:443" },
		{ "DELETE /llm/openai/responses", "", 405, NULL },
		{ "GET http://deb.example/other/x", "Host: deb.example\r\n", 403, "deb.example" },
		{ "GET http://deb.example/debianx/x", "Host: deb.example\r\n", 403, "deb.example" },
		{ "GET http://deb.example/debian/x", "Host: evil.example\r\n", 400, NULL },
		{ "GET http://deb.example/debian/../x", "Host: deb.example\r\n", 400, NULL },
		{ "POST http://deb.example/debian/x", "Host: deb.example\r\n", 405, NULL },
		{ "GET /npm-files/x", "", 404, NULL },
		{ "OPTIONS *", "", 405, NULL },
		{ "GET /", "", 404, NULL },
		{ "GET /unknown/x", "", 404, NULL },
		{ "POST /npm/-/npm/v1/security/audits", "", 405, NULL },
		{ "GET /npm/x", "Content-Length: 5\r\n", 405, NULL },
		{ "POST /llm/other/responses", "", 404, NULL },
		{ "POST /llm/openai/files", "", 403, NULL },
		{ "GET /llm/openai/responses/resp_123", "", 403, NULL },
		{ "POST /llm/openai", "", 403, NULL },
		{ "POST /llm/openai/../claude/v1/messages", "", 400, NULL },
		{ "GET /npm/..%2f..%2fsecret", "", 400, NULL },
		{ "GET /npm/%2e%2e/secret", "", 400, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route r;

		print_message("  %s\n", rows[i].line);
		route(*state, ALL, rows[i].line, rows[i].extra, &r);
		assert_int_equal(r.kind, ROUTE_REFUSED);
		assert_int_equal(r.status, rows[i].status);
		assert_true(str_eq(r.blocked, rows[i].blocked));
		assert_null(r.url);
		route_finish(&r);
	}
}

static void
a_step_has_only_its_rights(void **state)
{
	const struct route_rights none = { 0 };
	struct route r;

	route(*state, none, "POST /llm/openai/responses", "", &r);
	assert_int_equal(r.status, 403);
	route_finish(&r);
	route(*state, none, "GET /npm/left-pad", "", &r);
	assert_int_equal(r.status, 403);
	assert_string_equal(r.blocked, "npm");
	route_finish(&r);
	route(*state, (struct route_rights){ .registries = true }, "GET /npm/left-pad", "", &r);
	assert_int_equal(r.kind, ROUTE_REGISTRY);
	route_finish(&r);
}

static void
a_registry_can_be_opened_by_its_name(void **state)
{
	char *const npm[] = { (char[]){ "npm" } };
	const struct strs names = { (char **)(uintptr_t)npm, 1 };
	const struct route_rights rights = { .hosts = &names };
	struct route r;

	route(*state, rights, "GET /npm/left-pad", "", &r);
	assert_int_equal(r.kind, ROUTE_REGISTRY);
	route_finish(&r);
	route(*state, rights, "GET /go/x/@v/list", "", &r);
	assert_int_equal(r.status, 403);
	assert_string_equal(r.blocked, "go");
	route_finish(&r);
}

static void
a_tunnel_needs_both_lists(void **state)
{
	static const char *const lines[] = { "CONNECT a.open.example:443",
		"CONNECT A.Open.Example.:443" };
	struct route r;

	for (size_t i = 0; i < 2; i++) {
		auto_free char *host = mem_fmt("Host: %s\r\n", lines[i] + strlen("CONNECT "));

		route(*state, ALL, lines[i], host, &r);
		assert_int_equal(r.kind, ROUTE_TUNNEL);
		assert_string_equal(r.host, "a.open.example");
		assert_null(r.url);
		route_finish(&r);
		route(*state, (struct route_rights){ .models = true }, lines[i], host, &r);
		assert_int_equal(r.kind, ROUTE_REFUSED);
		route_finish(&r);
	}
}

static void
headers_go_on_without_credentials(void **state)
{
	struct route r;

	route(*state, ALL, "POST /llm/claude/v1/messages",
		"X-Api-Key: dummy\r\nAuthorization: Bearer x\r\nCookie: a=b\r\n"
		"Anthropic-Version: 2023-06-01\r\nConnection: keep-alive\r\n"
		"Content-Type: application/json\r\nContent-Length: 2\r\n",
		&r);
	assert_int_equal(r.kind, ROUTE_MODEL);
	assert_int_equal(r.api, EGRESS_ANTHROPIC);
	assert_int_equal(r.headers.n, 2);
	assert_string_equal(r.headers.v[0], "Anthropic-Version: 2023-06-01");
	assert_string_equal(r.headers.v[1], "Content-Type: application/json");
	route_finish(&r);
}

/* In pieces of every size, so that every border falls into every address. */
static void
turn_in_pieces(const struct route *r, const char *text, const char *want)
{
	size_t len = strlen(text);

	for (size_t size = 1; size <= len + 1; size++) {
		auto_buf struct buf pending = BUF_INIT(KIB(4));
		auto_buf struct buf out = BUF_INIT(KIB(4));

		for (size_t at = 0; at < len; at += size) {
			assert_int_equal(
				buf_add(&pending, text + at, len - at < size ? len - at : size), 0);
			assert_int_equal(route_rewrite(r, &pending, false, &out), 0);
		}
		assert_int_equal(route_rewrite(r, &pending, true, &out), 0);
		assert_string_equal(buf_str(&out), want);
		assert_int_equal(pending.len, 0);
	}
}

static void
what_a_client_adds_to_its_question_goes_on(void **state)
{
	struct route r;

	route(*state, ALL, "POST /llm/claude/v1/messages?beta=true",
		"Anthropic-Beta: a-2025-01-01,b-2025-02-02\r\nX-Unknown: 1\r\n"
		"X-HTTP-Method-Override: DELETE\r\nContent-Length: 2\r\n",
		&r);
	assert_int_equal(r.kind, ROUTE_MODEL);
	assert_int_equal(r.endpoint, EGRESS_MESSAGES);
	assert_int_equal(r.headers.n, 2);
	assert_string_equal(r.headers.v[0], "Anthropic-Beta: a-2025-01-01,b-2025-02-02");
	assert_string_equal(r.headers.v[1], "X-Unknown: 1");
	route_finish(&r);
	route(*state, ALL, "HEAD /llm/claude/api/hello", "", &r);
	assert_int_equal(r.kind, ROUTE_HELLO);
	assert_null(r.url);
	route_finish(&r);
}

static void
addresses_of_an_index_lead_back(void **state)
{
	static const char npm[] =
		"{\"dist\":{\"integrity\":\"sha512-https://npm.example/base/x\",\"tarball\": "
		"\"https://npm.example/base/left-pad/-/left-pad-1.0.0.tgz\"},"
		"\"homepage\":\"https://other.example/\",\"readme\":\"see "
		"https://npm.example/base/\"}";
	static const char npm_want[] =
		"{\"dist\":{\"integrity\":\"sha512-https://npm.example/base/x\",\"tarball\": "
		"\"http://127.0.0.1:3128/npm/left-pad/-/left-pad-1.0.0.tgz\"},"
		"\"homepage\":\"https://other.example/\",\"readme\":\"see "
		"https://npm.example/base/\"}";
	static const char pypi[] =
		"<a href=\"https://files.pythonhosted.org/packages/a.whl#sha256=1\">a</a>"
		"<a href='https://pypi.example/b'>b</a>";
	static const char pypi_want[] =
		"<a href=\"http://127.0.0.1:3128/pypi-files/packages/a.whl#sha256=1\">a</a>"
		"<a href='http://127.0.0.1:3128/pypi/b'>b</a>";
	struct route r;

	route(*state, ALL, "GET /npm/left-pad", "", &r);
	turn_in_pieces(&r, npm, npm_want);
	route_finish(&r);
	route(*state, ALL, "GET /pypi/simple/a/", "", &r);
	turn_in_pieces(&r, pypi, pypi_want);
	turn_in_pieces(&r, "", "");
	turn_in_pieces(&r, "\"https://pypi.example", "\"https://pypi.example");
	route_finish(&r);
	/* A tarball is bytes, whatever it holds. */
	route(*state, ALL, "GET /npm/x/-/x-1.0.0.tgz", "", &r);
	assert_null(r.rewrites[0].from);
	route_finish(&r);
}

int
main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(open_routes_lead_to_their_upstream),
		T(answers_that_never_change_are_known),
		T(everything_else_is_refused),
		T(a_step_has_only_its_rights),
		T(a_registry_can_be_opened_by_its_name),
		T(a_tunnel_needs_both_lists),
		T(headers_go_on_without_credentials),
		T(what_a_client_adds_to_its_question_goes_on),
		T(addresses_of_an_index_lead_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
