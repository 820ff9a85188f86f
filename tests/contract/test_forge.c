/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every forge driver promises, whatever its dialect: that it is complete, that it never builds
 * what the operation does not carry, and that no reply and no delivery makes it fall.
 */
#include "forge/forge.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct forge_conf CONF[FORGE_KIND_COUNT] = {
	[FORGE_GITHUB] = { FORGE_GITHUB, "gh", "https://github.test", "https://api.github.test" },
	[FORGE_GITEA] = { FORGE_GITEA, "home", "http://git.test:3000",
		"http://git.test:3000/api/v1" },
	[FORGE_FORGEJO] = { FORGE_FORGEJO, "fj", "http://fj.test:3000",
		"http://fj.test:3000/api/v1" },
	[FORGE_GITLAB] = { FORGE_GITLAB, "gl", "https://gitlab.test",
		"https://gitlab.test/api/v4" },
};

typedef void for_driver(const struct forge_driver *d, const struct forge_conf *f);

/* An operation that has everything. */
static void
full_op(struct forge_op *op, int64_t kind)
{
	*op = (struct forge_op){ .kind = kind,
		.installation_id = 5,
		.repo_id = 6,
		.number = 3,
		.id = 70,
		.user_id = 4,
		.state = STATUS_RUNNING,
		.since_ms = 1795339157000 };
	op->repo = mem_str("acme/widget");
	op->user = mem_str("alice");
	op->label = mem_str("agent");
	op->ref = mem_str("agent/17-x");
	op->base = mem_str("main");
	op->sha = mem_str("abc");
	op->title = mem_str("T");
	op->body = mem_str("B");
	op->marker = mem_str("<!-- m -->");
	op->context = mem_str("agent");
	op->url = mem_str("http://bot.test/t/1");
	op->external_id = mem_str("17");
	op->name = mem_str("a.txt");
	if (kind == OP_WHOAMI)
		op->id = 0;
}

static void
reply_init(struct http_reply *r, int status, const char *body)
{
	*r = (struct http_reply){ .status = status };
	buf_init(&r->body, MIB(1));
	(void)buf_adds(&r->body, body);
}

/* ---- Operations ---- */

static void
is_whole(const struct forge_driver *d, const struct forge_conf *f)
{
	(void)f;
	assert_non_null(d->name);
	assert_non_null(d->event_header);
	assert_non_null(d->guid_headers[0]);
	assert_non_null(d->proof_headers[0]);
	assert_non_null(d->verify);
	assert_in_range(d->caps.comment_bytes_max, 1000, LIMIT_COMMENT_BYTES);
	for (const char *s = d->event_header; *s; s++)
		assert_false(*s >= 'A' && *s <= 'Z');
}

/* Below the configured API, with the repository in it or none, by a known method, without a
 * credential among the headers. ERR_MISSING is allowed: the forge has no such thing. */
static void
builds_requests(const struct forge_driver *d, const struct forge_conf *f)
{
	for (int64_t k = 0; k < OP_KIND_COUNT; k++) {
		struct http_request q = { 0 };
		struct forge_op op;
		struct err e;
		int rc;

		full_op(&op, k);
		rc = forge_build(d, f, &op, &q, &e);
		if (rc < 0) {
			assert_int_equal(rc, ERR_MISSING);
			assert_null(q.url);
			assert_true(k == OP_ATTACH || k == OP_STATUS_FIND || k == OP_TOKEN ||
				    k == OP_INSTALLATION || k == OP_DELIVERIES ||
				    k == OP_DELIVERY || k == OP_HOOK);
		} else {
			assert_true(str_starts(q.url, f->api_url));
			assert_int_equal(q.url[strlen(f->api_url)], '/');
			assert_non_null(strstr("GET POST PATCH PUT DELETE", q.method));
			assert_null(q.auth);
			if (!forge_op_is_write(k) && k != OP_TOKEN)
				assert_string_equal(q.method, "GET");
		}
		for (size_t i = 0; i < q.headers.n; i++)
			assert_false(str_starts(q.headers.v[i], "Authorization"));
		http_request_finish(&q);
		forge_op_finish(&op);
	}
}

/* An operation without its members is refused before anything is asked; lists of all that a
 * credential may see need none. */
static void
refuses_what_is_not_whole(const struct forge_driver *d, const struct forge_conf *f)
{
	for (int64_t k = OP_REPO; k < OP_KIND_COUNT; k++) {
		struct http_request q = { 0 };

		if (k == OP_REPOS || k == OP_DELIVERIES)
			continue;
		const struct forge_op op = { .kind = k };
		struct err e;
		int rc = forge_build(d, f, &op, &q, &e);

		assert_true(rc == ERR_INVALID || rc == ERR_MISSING);
		http_request_finish(&q);
	}
}

static void
knows_no_other_operation(const struct forge_driver *d, const struct forge_conf *f)
{
	static const int64_t KINDS[] = { -1, OP_KIND_COUNT, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		struct http_request q = { 0 };
		struct forge_op op;
		struct err e;

		full_op(&op, KINDS[i]);
		assert_int_equal(forge_build(d, f, &op, &q, &e), ERR_MISSING);
		http_request_finish(&q);
		forge_op_finish(&op);
	}
}

/* What a person can put into a name ends as data, never as a part of the path or of a header. */
static void
encodes_names(const struct forge_driver *d, const struct forge_conf *f)
{
	static const char EVIL[] = "a/../b?c=1&d#e%2f\r\nX: y {z}[";

	for (int64_t k = 0; k < OP_KIND_COUNT; k++) {
		struct http_request q = { 0 };
		struct forge_op op;
		struct err e;

		full_op(&op, k);
		mem_set(&op.user, EVIL);
		mem_set(&op.label, EVIL);
		mem_set(&op.ref, EVIL);
		mem_set(&op.base, EVIL);
		mem_set(&op.sha, EVIL);
		mem_set(&op.context, EVIL);
		mem_set(&op.name, EVIL);
		if (forge_build(d, f, &op, &q, &e) == 0) {
			assert_null(strstr(q.url, "/../"));
			assert_null(strpbrk(q.url, "\r\n #{}[]"));
			for (size_t i = 0; i < q.headers.n; i++)
				assert_null(strpbrk(q.headers.v[i], "\r\n"));
		}
		http_request_finish(&q);
		forge_op_finish(&op);
	}
}

/* Long texts arrive, shorter, and as whole characters. */
static void
caps_what_it_sends(const struct forge_driver *d, const struct forge_conf *f)
{
	static const int64_t KINDS[] = { OP_COMMENT_CREATE, OP_COMMENT_EDIT, OP_PULL_CREATE,
		OP_PULL_EDIT, OP_STATUS_CREATE };
	struct buf text = BUF_INIT(200000);

	while (buf_adds(&text, "\xe4\xbd\xa0") == 0)
		;
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		struct http_request q = { 0 };
		struct forge_op op;
		struct err e;

		full_op(&op, KINDS[i]);
		mem_set(&op.body, text.data);
		mem_set(&op.title, text.data);
		assert_int_equal(forge_build(d, f, &op, &q, &e), 0);
		assert_in_range(q.body.len, 100, d->caps.comment_bytes_max + 1500);
		assert_true(str_utf8_ok(q.body.data, q.body.len));
		assert_null(strstr(q.body.data, "\xef\xbf\xbd"));
		http_request_finish(&q);
		forge_op_finish(&op);
	}
	buf_finish(&text);
}

/* Any reply to any first request: an answer, another step or an error, and nothing lost. */
static void
survives_replies(const struct forge_driver *d, const struct forge_conf *f)
{
	static const char *const BODIES[] = { "", "{}", "[]", "[[]]", "null", "17", "\"x\"", "{",
		"<html>", "{\"id\":\"x\",\"user\":[],\"head\":7,\"labels\":{},\"message\":[]}",
		"[null,1,{\"user\":null,\"body\":null,\"name\":null}]",
		"{\"check_runs\":[null,{}],\"slug\":1,\"token\":1}" };
	static const int STATUSES[] = { 0, 200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 500 };

	for (int64_t k = 0; k < OP_KIND_COUNT; k++) {
		for (size_t n = 0; n < sizeof(BODIES) / sizeof(BODIES[0]) * 12; n++) {
			struct forge_answer a = { 0 };
			struct http_reply r;
			struct forge_op op;
			struct err e = { 0 };
			int rc;

			full_op(&op, k);
			reply_init(&r, STATUSES[n % 12], BODIES[n / 12]);
			rc = forge_read(d, f, &op, &r, &a, &e);
			assert_in_range(rc + 10, 1, 11);
			if (rc < 0)
				assert_int_equal(e.code, rc);
			if (r.status == 401) /* or there is no such operation */
				assert_true(rc == ERR_DENIED || rc == ERR_MISSING);
			http_reply_finish(&r);
			forge_op_finish(&op);
			forge_answer_finish(&a);
		}
	}
}

static void
gives_credentials_their_form(const struct forge_driver *d, const struct forge_conf *f)
{
	auto_buf struct buf b = BUF_INIT(256);

	(void)f;
	d->auth_value("s3cret", false, &b);
	assert_true(str_ends(b.data, " s3cret"));
	buf_reset(&b);
	d->git_userinfo("s3cret", &b);
	assert_true(str_ends(b.data, ":s3cret"));
	assert_int_equal(strcspn(b.data, ":"), b.len - 7);
}

/* ---- Deliveries ---- */

/* How a dialect says that somebody commented: the words for made, changed and taken back, and the
 * payload around the action and the text's end. GitLab tells nobody of a note that is taken back.
 */
#define AT_GITHUB                                                                                  \
	"{\"repository\":{\"id\":6,\"full_name\":\"acme/widget\"},"                                \
	"\"issue\":{\"number\":3,\"id\":30},\"sender\":{\"login\":\"alice\",\"id\":4},"            \
	"\"action\":\"%s\",\"comment\":{\"id\":70,\"body\":\"" SAID "%s\"}}"
#define AT_GITLAB                                                                                  \
	"{\"object_kind\":\"note\",\"project\":{\"id\":6,\"path_with_namespace\":"                 \
	"\"acme/widget\"},\"issue\":{\"iid\":3,\"id\":30},"                                        \
	"\"user\":{\"username\":\"alice\",\"id\":4},\"object_attributes\":{\"id\":70,"             \
	"\"noteable_type\":\"Issue\",\"action\":\"%s\",\"note\":\"" SAID "%s\"}}"
#define SAID "/agent fix \\u0000\\ud83d it\\r\\n\\n"

static const struct words {
	const char *issue; /* value of the event header */
	const char *comment;
	const char *created, *edited, *deleted;
} GITHUB_WORDS = { "issues", "issue_comment", "created", "edited", "deleted" },
  GITLAB_WORDS = { "Issue Hook", "Note Hook", "create", "update", "update" };

static const struct words *
words_of(const struct forge_conf *f)
{
	return f->kind == FORGE_GITLAB ? &GITLAB_WORDS : &GITHUB_WORDS;
}

static char *
comment_of(const struct forge_conf *f, const char *action, const char *end)
{
	return f->kind == FORGE_GITLAB ? mem_fmt(AT_GITLAB, action, end)
				       : mem_fmt(AT_GITHUB, action, end);
}

static void
survives_deliveries(const struct forge_driver *d, const struct forge_conf *f)
{
	static const char *const EVENTS[] = { "issues", "issue_comment", "pull_request", "ping",
		"repository", "installation", "push", "", "Issue Hook", "Note Hook",
		"Merge Request Hook", NULL };
	static const char *const BODIES[] = { "{}", "[]", "null",
		"{\"action\":\"created\",\"issue\":null,\"comment\":7,\"repository\":[]}",
		"{\"action\":\"labeled\",\"issue\":{\"labels\":7,\"number\":\"x\"},\"label\":"
		"\"agent\"}",
		"{\"action\":[],\"pull_request\":{\"head\":null,\"labels\":[null,[],{}]}}",
		"{\"action\":\"created\",\"issue\":{\"number\":3},\"comment\":{\"id\":1,\"body\":"
		"\"/agent fix\"},"
		"\"repository\":{\"id\":6,\"full_name\":\"../..\"}}",
		"{\"object_kind\":\"note\",\"object_attributes\":[],\"issue\":7}",
		"{\"object_kind\":\"issue\",\"object_attributes\":{\"action\":\"update\",\"iid\":3}"
		","
		"\"changes\":{\"labels\":{\"previous\":7,\"current\":[null,[],{}]}}}",
		"{\"object_kind\":\"merge_request\",\"object_attributes\":{\"iid\":-3},"
		"\"project\":{\"id\":6,\"path_with_namespace\":\"../..\"}}" };

	(void)f;
	for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]); i++) {
		for (size_t n = 0; n < sizeof(BODIES) / sizeof(BODIES[0]); n++) {
			auto_free char *event = mem_str(EVENTS[i]);
			const struct forge_delivery in = { .event = event };
			struct forge_event ev;
			struct err e;

			assert_int_equal(d->decode(&in, BODIES[n], strlen(BODIES[n]), &ev, &e), 0);
			assert_non_null(ev.name);
			assert_true(ev.kind == EVENT_NONE || ev.kind == EVENT_PING ||
				    ev.kind == EVENT_REPO);
			forge_event_finish(&ev);
		}
	}
}

static void
refuses_what_is_not_json(const struct forge_driver *d, const struct forge_conf *f)
{
	auto_free char *event = mem_str(words_of(f)->issue);
	const struct forge_delivery in = { .event = event };
	struct forge_event ev;
	struct err e;

	assert_int_equal(d->decode(&in, "{", 1, &ev, &e), ERR_INVALID);
	assert_int_equal(d->decode(&in, "", 0, &ev, &e), ERR_INVALID);
	assert_int_equal(d->decode(&in, "payload=%7B%7D", 14, &ev, &e), ERR_INVALID);
}

/* The commands of a created comment, and only of a created one; of the whole text or not at all. */
static void
reads_commands(const struct forge_driver *d, const struct forge_conf *f)
{
	const struct words *w = words_of(f);
	const char *const actions[] = { w->created, w->edited, w->deleted };
	auto_free char *event = mem_str(w->comment);
	const struct forge_delivery in = { .event = event };
	auto_free char *filler = mem_zero(LIMIT_BODY_BYTES + 1);

	(void)memset(filler, 'x', LIMIT_BODY_BYTES);
	for (size_t i = 0; i < 4; i++) {
		auto_free char *body = comment_of(f, actions[i % 3], i == 3 ? filler : "");
		struct forge_event ev;
		struct err e;

		assert_int_equal(d->decode(&in, body, strlen(body), &ev, &e), 0);
		assert_int_equal(ev.kind, i % 3 == 0 ? EVENT_COMMENT : EVENT_COMMENT_EDITED);
		assert_int_equal(ev.commands.n, i == 0 ? 1 : 0);
		assert_int_equal(ev.comment_id, 70);
		assert_int_equal(ev.number, 3);
		assert_string_equal(ev.actor, "alice");
		if (i == 0)
			assert_string_equal(((struct forge_command *)ev.commands.v)->args,
				"\xef\xbf\xbd\xef\xbf\xbd it");
		forge_event_finish(&ev);
	}
}

static const struct promise {
	const char *name;
	for_driver *test;
} PROMISES[] = {
	{ "is whole", is_whole },
	{ "builds requests", builds_requests },
	{ "refuses what is not whole", refuses_what_is_not_whole },
	{ "knows no other operation", knows_no_other_operation },
	{ "encodes names", encodes_names },
	{ "caps what it sends", caps_what_it_sends },
	{ "survives replies", survives_replies },
	{ "gives credentials their form", gives_credentials_their_form },
	{ "survives deliveries", survives_deliveries },
	{ "refuses what is not JSON", refuses_what_is_not_json },
	{ "reads commands", reads_commands },
};

static void
keeps_its_promises(void **state)
{
	const enum forge_kind kind = *(const enum forge_kind *)*state;

	for (size_t i = 0; i < sizeof(PROMISES) / sizeof(PROMISES[0]); i++) {
		print_message("%s\n", PROMISES[i].name);
		PROMISES[i].test(forge_driver_get(kind), &CONF[kind]);
	}
}

int
main(void)
{
	static enum forge_kind github = FORGE_GITHUB, gitea = FORGE_GITEA, forgejo = FORGE_FORGEJO,
			       gitlab = FORGE_GITLAB;
	const struct CMUnitTest tests[] = {
		{ "github", keeps_its_promises, NULL, NULL, &github },
		{ "gitea", keeps_its_promises, NULL, NULL, &gitea },
		{ "forgejo", keeps_its_promises, NULL, NULL, &forgejo },
		{ "gitlab", keeps_its_promises, NULL, NULL, &gitlab },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
