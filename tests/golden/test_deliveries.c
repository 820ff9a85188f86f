/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real deliveries: what a Gitea server sent, byte by byte, and every example that GitHub publishes
 * (@octokit/webhooks-examples, a dependency of tests/e2e). All are accepted; what they mean is in
 * the .expected files, one line an event.
 */
#include "files.h"

#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define GITEA_SECRET   "s3cr3t-hook"
#define EXAMPLES_DIR   NS_SOURCE_DIR "/tests/e2e/node_modules/@octokit/webhooks-examples"
#define EXAMPLES_COUNT 329
#define EXPECTED_MAX   MIB(4)

static const char *const KINDS[EVENT_KIND_COUNT] = { "none", "ping", "labels", "comment",
	"comment_edited", "issue_edited", "closed", "pull_pushed", "repo" };

/* "name kind {members}"; an event that means nothing has no members. */
static void
describe(const char *name, const struct forge_event *ev, struct buf *out)
{
	assert_in_range(ev->kind, 0, EVENT_KIND_COUNT - 1);
	assert_non_null(ev->name);
	(void)buf_addf(out, "%s %s", name, KINDS[ev->kind]);
	if (ev->kind != EVENT_NONE) {
		(void)buf_addc(out, ' ');
		assert_int_equal(json_encode(FORGE_EVENT_ROWS, ev, out, NULL), 0);
	}
	(void)buf_addc(out, '\n');
}

static void
decode(const struct forge_driver *driver, struct forge_delivery *d, const char *body, size_t len,
	struct forge_event *ev)
{
	struct err e;

	if (driver->decode(d, body, len, ev, &e) < 0)
		fail_msg("%s: %s", d->event, e.text);
}

/* ---- Gitea ---- */

/* The value of a header of a recorded request, the caller's; NULL if it is absent. */
static char *
header(const char *raw, const char *name)
{
	const char *end = strstr(raw, "\r\n\r\n");
	const char *line = strstr(raw, "\r\n");
	size_t n = strlen(name);

	while (line && line < end) {
		line += 2;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			return mem_strn(line + n + 2, strcspn(line + n + 2, "\r"));
		line = strstr(line, "\r\n");
	}
	return NULL;
}

static void
check_signature(const char *raw, const char *body, size_t len)
{
	const struct forge_driver *gitea = forge_driver_get(FORGE_GITEA);
	auto_free char *signature = header(raw, gitea->proof_headers[0]);
	auto_strs struct strs values = { 0 };
	auto_buf struct buf secret = BUF_INIT(64);
	const struct forge_proof p = { .values = &values, .body = body, .len = len };

	assert_non_null(signature);
	strs_add(&values, signature);
	(void)buf_adds(&secret, GITEA_SECRET);
	assert_int_equal(gitea->verify(&p, &secret), 0);
	(void)buf_addc(&secret, 'x');
	assert_int_equal(gitea->verify(&p, &secret), ERR_DENIED);
}

static void
gitea_file(const char *name, struct buf *out)
{
	const struct forge_driver *gitea = forge_driver_get(FORGE_GITEA);
	auto_free char *path = mem_fmt("%s/gitea/deliveries/%s", GOLDEN_DIR, name);
	auto_free char *raw = golden_read(path, NULL);
	auto_free char *event = header(raw, gitea->event_header);
	auto_free char *event_type = header(raw, gitea->event_type_header);
	auto_buf struct buf json = BUF_INIT(MIB(1));
	struct forge_delivery d = { .event = event, .event_type = event_type };
	struct forge_event ev;
	const char *body = strstr(raw, "\r\n\r\n") + 4;

	assert_non_null(event);
	assert_non_null(event_type);
	if (str_starts(body, "payload=")) {
		assert_int_equal(str_unpercent(&json, body + 8, strcspn(body + 8, "&"), NULL), 0);
	} else {
		(void)buf_adds(&json, body);
		check_signature(raw, json.data, json.len);
	}
	decode(gitea, &d, json.data, json.len, &ev);
	describe(name, &ev, out);
	forge_event_finish(&ev);
}

static void
gitea_deliveries_mean_what_is_expected(void **state)
{
	auto_buf struct buf got = BUF_INIT(EXPECTED_MAX);
	auto_strs struct strs names = { 0 };

	(void)state;
	golden_list(GOLDEN_DIR "/gitea/deliveries", ".http", &names);
	for (size_t i = 0; i < names.n; i++)
		gitea_file(names.v[i], &got);
	assert_int_equal(names.n, 26);
	golden_compare(GOLDEN_DIR "/gitea/deliveries.expected", &got);
}

/* ---- GitHub ---- */

/* The examples are [{"name": "issues", ..., "examples": [payload, ...]}, ...]. A payload is what
 * opens at depth 3 below that key; its bytes are wanted, not its tree. */
struct slicer {
	const char *at;
	int depth;
	char *name; /* of the object that is open */
	bool in_examples;
};

static const char *
string_end(const char *s)
{
	for (s++; *s && *s != '"'; s++)
		s += *s == '\\';
	return s;
}

static bool
is_key(const char *s, const char *key)
{
	return strncmp(s + 1, key, strlen(key)) == 0 && s[1 + strlen(key)] == '"';
}

/* A string of the object at depth 2: its name, or the key of its examples. */
static void
take_string(struct slicer *s, const char *end)
{
	if (s->depth != 2)
		return;
	if (is_key(s->at, "examples"))
		s->in_examples = true;
	if (!is_key(s->at, "name") || end[1] != ':')
		return;
	end += strcspn(end + 1, "\"") + 1;
	free(s->name);
	s->name = mem_strn(end + 1, (size_t)(string_end(end) - end - 1));
}

/* The next payload, from *start to s->at; false at the end. */
static bool
next_payload(struct slicer *s, const char **start)
{
	for (; *s->at; s->at++) {
		if (*s->at == '"') {
			const char *end = string_end(s->at);

			take_string(s, end);
			s->at = end;
		} else if (strchr("{[", *s->at)) {
			if (s->depth++ == 3)
				*start = s->at;
		} else if (strchr("}]", *s->at)) {
			s->depth--;
			if (s->depth == 2)
				s->in_examples = false;
			if (s->depth == 3 && s->in_examples)
				return *++s->at;
		}
	}
	return false;
}

/* All of one index file; what is wanted of them goes to out if it is not NULL. Returns how many. */
static size_t
github_file(const char *path, struct buf *out)
{
	auto_free char *text = golden_read(path, NULL);
	struct slicer s = { .at = text };
	const char *start = NULL;
	size_t n = 0;

	while (next_payload(&s, &start)) {
		auto_free char *name = mem_fmt("%s[%zu]", s.name, n);
		struct forge_delivery d = { .event = s.name };
		struct forge_event ev;

		decode(forge_driver_get(FORGE_GITHUB), &d, start, (size_t)(s.at - start), &ev);
		if (out && ev.kind != EVENT_NONE)
			describe(name, &ev, out);
		forge_event_finish(&ev);
		n++;
	}
	free(s.name);
	return n;
}

static void
github_examples_mean_what_is_expected(void **state)
{
	auto_buf struct buf got = BUF_INIT(EXPECTED_MAX);

	(void)state;
	assert_int_equal(
		github_file(EXAMPLES_DIR "/api.github.com/index.json", &got), EXAMPLES_COUNT);
	golden_compare(GOLDEN_DIR "/github/deliveries.expected", &got);
}

static void
github_enterprise_examples_are_accepted(void **state)
{
	static const char *const VERSIONS[] = { "ghes-31", "ghes-32", "ghes-33", "ghes-34",
		"ghes-35" };

	(void)state;
	for (size_t i = 0; i < sizeof(VERSIONS) / sizeof(VERSIONS[0]); i++) {
		auto_free char *path = mem_fmt("%s/%s/index.json", EXAMPLES_DIR, VERSIONS[i]);

		assert_true(github_file(path, NULL) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gitea_deliveries_mean_what_is_expected),
		cmocka_unit_test(github_examples_mean_what_is_expected),
		cmocka_unit_test(github_enterprise_examples_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
