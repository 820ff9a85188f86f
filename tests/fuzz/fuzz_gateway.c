/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request from a box at the gateway. What goes out goes to a base that the operator wrote down or
 * to a host that both have listed, in one line, without the box's credentials; and a registry's
 * answer is turned the same way however it is cut.
 */
#include "tests/fuzz/fuzz.h"

#include "base/mem.h"
#include "bot/gateway_route.h"

#include <string.h>
#include <strings.h>

static const char CONFIG[] =
	"public_url: http://127.0.0.1:8080\n"
	"state_dir: /var/lib/nightshift\n"
	"forges: {gh: {kind: github, token_file: /t, webhook_secret_file: /h}}\n"
	"models:\n"
	"  openai: {url: \"https://openai.test/v1\", key_file: /k, allow: [\"gpt-*\"]}\n"
	"  anthropic: {url: \"https://anthropic.test\", key_file: /k}\n"
	"registries: {npm: \"https://npm.test\", pypi: \"https://pypi.test/simple\"}\n"
	"network: [files.test]\n"
	"agents: {mine: {command: [/a]}}\n"
	"agent: mine\n";

static const char *const BASES[] = { "https://openai.test/v1", "https://anthropic.test",
	"https://npm.test", "https://pypi.test", "https://files.pythonhosted.org",
	"https://pypi.test/simple" };

static const struct config *
config_get(void)
{
	static struct config config;
	static bool is_read;
	struct err e = { 0 };

	if (!is_read && config_parse(CONFIG, strlen(CONFIG), "fuzz", &config, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		abort();
	}
	is_read = true;
	return &config;
}

static bool
is_known(const char *url)
{
	for (size_t i = 0; i < sizeof(BASES) / sizeof(BASES[0]); i++) {
		size_t len = strlen(BASES[i]);

		if (strncmp(url, BASES[i], len) == 0 && strchr("/?", url[len]))
			return true;
	}
	return false;
}

static void
look(const struct route *r)
{
	if (r->kind == ROUTE_MODEL || r->kind == ROUTE_REGISTRY) {
		assert(is_known(r->url));
		assert(!strpbrk(r->url, "\r\n \t"));
	}
	if (r->kind == ROUTE_TUNNEL)
		assert(strcmp(r->host, "files.test") == 0);
	for (size_t i = 0; i < r->headers.n; i++) {
		assert(!strpbrk(r->headers.v[i], "\r\n"));
		assert(strncasecmp(r->headers.v[i], "authorization:", 14) != 0);
		assert(strncasecmp(r->headers.v[i], "cookie:", 7) != 0);
	}
}

static void
turn(const struct route *r, const char *text, size_t size, size_t at)
{
	auto_buf struct buf whole = BUF_INIT(1 << 20), parts = BUF_INIT(1 << 20);
	auto_buf struct buf pending = BUF_INIT(1 << 20);

	(void)buf_add(&pending, text, size);
	int rc = route_rewrite(r, &pending, true, &whole);
	buf_reset(&pending);
	(void)buf_add(&pending, text, at);
	int again = route_rewrite(r, &pending, false, &parts);
	(void)buf_add(&pending, text + at, size - at);
	if (again == 0)
		again = route_rewrite(r, &pending, true, &parts);
	assert(rc == again);
	assert(rc < 0 || (whole.len == parts.len &&
				 memcmp(buf_str(&whole), buf_str(&parts), whole.len) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char file[] = "files.test";
	static char *hosts[] = { file };
	const struct strs wanted = { .v = hosts, .n = 1 };
	const struct route_rights rights = { true, size % 2, &wanted };
	static struct http1_head head;
	struct route r = { 0 };

	if (http1_head_parse((const char *)data, size, &head, NULL) != 1)
		return 0;
	gateway_route(config_get(), rights, &head, &r);
	look(&r);
	if (r.kind == ROUTE_REGISTRY) {
		const char *body = (const char *)data + head.head_len;
		size_t len = size - head.head_len;

		turn(&r, body, len, len / 2);
	}
	route_finish(&r);
	return 0;
}
