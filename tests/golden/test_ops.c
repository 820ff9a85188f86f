/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations as conversations: <dialect>/<op>.ops holds cases of
 *
 *	== a name in plain words
 *	op {members of struct forge_op}
 *	file bytes of an attachment
 *	> METHOD /path             what the driver asks
 *	> name: value              a header that must be there
 *	> {the whole body}         as it is sent, byte for byte
 *	< status
 *	< name: value
 *	< {the whole body}         what the forge answers, in as many lines as it likes
 *	answer {members of struct forge_answer}     (items beside them), or
 *	error code text            the text as it begins, or
 *	retry ms                   beside an error
 *
 * A case may have many pairs of > and <; the last one ends the operation.
 */
#include "files.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define API "http://forge.test/api"

static const struct row ITEMS_ROWS[] = {
	ROW_L(struct forge_answer, items, "items", LIMIT_ITEMS, FORGE_ITEM_ROWS, struct forge_item),
	ROW_DONE,
};

/* One case while it is played. */
struct play {
	const struct forge_driver *driver;
	struct forge_conf conf;
	const char *file; /* of the case */
	const char *name; /* up to the end of its line */
	const char *at;   /* the next line */
	struct forge_op op;
	char *bytes;
	struct forge_answer answer;
	int rc;
	struct err e;
};

/* ---- Lines ---- */

static bool
is_line(const struct play *p, const char *prefix)
{
	return str_starts(p->at, prefix);
}

/* The rest of the line behind the prefix, the caller's; steps over the line. */
static char *
take_line(struct play *p, const char *prefix)
{
	const char *s = p->at + strlen(prefix);
	size_t n = strcspn(s, "\n");

	p->at = s + n + (s[n] == '\n');
	return mem_strn(s, n);
}

static void
skip_space(struct play *p)
{
	while (*p->at == '\n' || *p->at == '#')
		p->at += strcspn(p->at, "\n") + 1;
}

#define fail_case(p, ...)                                                                          \
	do {                                                                                       \
		print_error("%s: %.*s\n", (p)->file, (int)strcspn((p)->name, "\n"), (p)->name);    \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

static void
parse(struct play *p, const char *text, struct json **out)
{
	struct err e;

	if (json_parse(text, strlen(text), &JSON_LIMITS_REPLY, out, &e) < 0)
		fail_case(p, "%s in %s", e.text, text);
}

/* ---- Both sides of a request ---- */

static int64_t
op_kind(struct play *p, const char *name)
{
	for (int64_t k = 0; k < OP_KIND_COUNT; k++) {
		if (str_eq(name, forge_op_name(k)))
			return k;
	}
	fail_case(p, "no operation %s", name ? name : "");
	return 0;
}

static void
take_op(struct play *p)
{
	auto_free char *text = take_line(p, "op ");
	auto_json struct json *j = NULL;

	parse(p, text, &j);
	json_decode(j, FORGE_OP_ROWS, &p->op);
	p->op.kind = op_kind(p, json_str(j, "kind"));
	if (is_line(p, "file "))
		p->bytes = take_line(p, "file ");
}

static void
expect(struct play *p, const char *what, const char *got, const char *want)
{
	if (!str_eq(got, want))
		fail_case(p, "%s\n got  %s\n want %s", what, got ? got : "(none)", want);
}

static bool
is_body(const struct play *p)
{
	return is_line(p, "> {") || is_line(p, "> [") || is_line(p, "> \"");
}

static void
check_request(struct play *p, const struct http_request *q)
{
	auto_free char *line = mem_fmt("%s %s", q->method, q->url + strlen(API));
	auto_free char *want = take_line(p, "> ");
	auto_free char *body = NULL;

	assert_true(str_starts(q->url, API));
	expect(p, "request", line, want);
	while (is_line(p, "> ") && !is_body(p)) {
		auto_free char *header = take_line(p, "> ");

		if (!strs_has(&q->headers, header))
			fail_case(p, "no header %s", header);
	}
	if (is_body(p))
		body = take_line(p, "> ");
	if (body && *body == '"') { /* escaped, because it has lines of its own */
		auto_json struct json *j = NULL;

		parse(p, body, &j);
		expect(p, "body", buf_str(&q->body), json_str(j, NULL));
	} else {
		expect(p, "body", buf_str(&q->body), body ? body : "");
	}
}

static void
take_reply(struct play *p, struct http_reply *r)
{
	auto_free char *status = take_line(p, "< ");
	int64_t n;

	if (str_i64(status, 0, 599, &n, NULL) < 0)
		fail_case(p, "not a status: %s", status);
	*r = (struct http_reply){ .status = (int)n };
	buf_init(&r->body, MIB(1));
	while (is_line(p, "< ")) {
		auto_free char *line = take_line(p, "< ");

		if (r->body.len || strchr("[{<", *line))
			(void)buf_adds(&r->body, line);
		else
			strs_add(&r->headers, line);
	}
}

/* ---- The end ---- */

/* Both go through the same rows, so that members which are absent and empty are the same. */
static void
check_answer(struct play *p)
{
	auto_free char *text = take_line(p, "answer ");
	auto_json struct json *j = NULL;
	auto_buf struct buf got = BUF_INIT(MIB(4)), want = BUF_INIT(MIB(4));
	struct forge_answer wanted = { 0 };

	if (p->rc < 0)
		fail_case(p, "failed: %s", p->e.text);
	parse(p, text, &j);
	json_decode(j, FORGE_ANSWER_ROWS, &wanted);
	json_decode(j, ITEMS_ROWS, &wanted);
	wanted.token = mem_str(json_str(j, "token"));
	wanted.token_expires_ms = json_i64(j, "token_expires_ms");
	(void)json_encode(FORGE_ANSWER_ROWS, &p->answer, &got, NULL);
	(void)json_encode(ITEMS_ROWS, &p->answer, &got, NULL);
	(void)json_encode(FORGE_ANSWER_ROWS, &wanted, &want, NULL);
	(void)json_encode(ITEMS_ROWS, &wanted, &want, NULL);
	expect(p, "answer", buf_str(&got), buf_str(&want));
	if (wanted.token)
		expect(p, "token", p->answer.token, wanted.token);
	assert_int_equal(p->answer.token_expires_ms, wanted.token_expires_ms);
	forge_answer_finish(&wanted);
}

static void
check_error(struct play *p)
{
	auto_free char *want = take_line(p, "error ");
	auto_free char *got = mem_fmt("%s %s", err_name(p->rc), p->e.text);

	if (p->rc >= 0)
		fail_case(p, "no error, want %s", want);
	assert_int_equal(p->e.code, p->rc);
	if (!str_starts(got, want))
		expect(p, "error", got, want);
	if (is_line(p, "retry ")) {
		auto_free char *retry = take_line(p, "retry ");
		auto_free char *ms = mem_fmt("%lld", (long long)p->answer.retry_after_ms);

		expect(p, "retry", ms, retry);
	} else if (p->answer.retry_after_ms) {
		fail_case(p, "retry %lld", (long long)p->answer.retry_after_ms);
	}
}

/* One request and its reply. True if the operation goes on. */
static bool
play_step(struct play *p)
{
	struct http_request q = { 0 };
	struct http_reply r;

	if (p->bytes) {
		buf_init(&q.body, MIB(1));
		(void)buf_adds(&q.body, p->bytes);
	}
	p->rc = forge_build(p->driver, &p->conf, &p->op, &q, &p->e);
	if (p->rc == 0) {
		if (!is_line(p, "> "))
			fail_case(p, "one request too many: %s %s", q.method, q.url);
		check_request(p, &q);
		take_reply(p, &r);
		p->rc = forge_read(p->driver, &p->conf, &p->op, &r, &p->answer, &p->e);
		http_reply_finish(&r);
	}
	http_request_finish(&q);
	return p->rc == 1;
}

static void
play_case(struct play *p)
{
	p->op = (struct forge_op){ 0 };
	p->answer = (struct forge_answer){ 0 };
	take_op(p);
	while (play_step(p))
		;
	if (is_line(p, "answer "))
		check_answer(p);
	else if (is_line(p, "error "))
		check_error(p);
	else
		fail_case(p, "neither an answer nor an error at %.*s", (int)strcspn(p->at, "\n"),
			p->at);
	forge_op_finish(&p->op);
	forge_answer_finish(&p->answer);
	free(steal_ptr(&p->bytes));
}

static void
play_dialect(enum forge_kind kind, const char *dir)
{
	auto_strs struct strs files = { 0 };
	size_t n = 0;

	golden_list(dir, ".ops", &files);
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *path = mem_fmt("%s/%s", dir, files.v[i]);
		auto_free char *text = golden_read(path, NULL);
		struct play p = {
			.driver = forge_driver_get(kind),
			.conf = { kind, "forge", "http://forge.test", API },
			.file = files.v[i],
			.at = text,
		};

		for (skip_space(&p); *p.at; skip_space(&p), n++) {
			p.name = p.at;
			free(take_line(&p, "== "));
			play_case(&p);
		}
	}
	print_message("%zu conversations in %zu files\n", n, files.n);
}

static void
github_conversations(void **state)
{
	(void)state;
	play_dialect(FORGE_GITHUB, GOLDEN_DIR "/github");
}

static void
gitea_conversations(void **state)
{
	(void)state;
	play_dialect(FORGE_GITEA, GOLDEN_DIR "/gitea");
}

static void
gitlab_conversations(void **state)
{
	(void)state;
	play_dialect(FORGE_GITLAB, GOLDEN_DIR "/gitlab");
}

/* Each operation has a file in each dialect, also those which a dialect does not have. */
static void
every_operation_is_there(void **state)
{
	static const char *const DIRS[] = { GOLDEN_DIR "/github", GOLDEN_DIR "/gitea",
		GOLDEN_DIR "/gitlab" };

	(void)state;
	for (size_t i = 0; i < sizeof(DIRS) / sizeof(DIRS[0]); i++) {
		for (int64_t k = 0; k < OP_KIND_COUNT; k++) {
			auto_free char *path = mem_fmt("%s/%s.ops", DIRS[i], forge_op_name(k));

			free(golden_read(path, NULL));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(github_conversations),
		cmocka_unit_test(gitea_conversations),
		cmocka_unit_test(gitlab_conversations),
		cmocka_unit_test(every_operation_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
