/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier as it runs, confined, between a scripted forge and a test that plays queue and
 * keeper: what it does for them, and what it does not.
 */
#include "tests/unit/bot/forge_case.h"
#include "tests/unit/bot/role_case.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "token-0123456789abcdef"
#define LIST  "GET /api/v1/repos/acme/widget/issues/3/comments"
#define POST  "POST /api/v1/repos/acme/widget/issues/3/comments"

struct rig {
	struct role_case c; /* its peer is the queue */
	struct forge_script forge;
	struct msg_link *keeper;
	const char *token; /* that it has */
	int answers;
	struct wire_answer answer; /* the last one */
};

static char gt[] = "gt", other[] = "other", repo[] = "acme/widget", body[] = "<!-- nightshift: -->";

static void
on_keeper(void *ctx, struct msg_link *link, struct msg *m)
{
	const struct rig *r = ctx;
	const struct wire_verdict v = { .ok = true };
	const struct msg_out out = {
		.type = WIRE_SECRET, .obj = &v, .blob = r->token, .blob_len = strlen(r->token)
	};

	assert_int_equal(m->type, WIRE_TOKEN);
	assert_string_equal(((const struct wire_name *)m->obj)->name, "gt");
	assert_int_equal(msg_reply(link, m->id, &out, NULL), 0);
}

static void
start(struct rig *r, const struct forge_line *script, const char *more)
{
	auto_free char *url = NULL, *yaml = NULL;

	*r = (struct rig){ .token = TOKEN };
	role_case_init(&r->c, ROLE_COURIER);
	forge_script_init(&r->forge, r->c.loop, script);
	url = forge_script_url(&r->forge);
	yaml = mem_fmt("forges:\n  gt:\n    kind: gitea\n    url: %s\n"
		       "    token_file: %s/token\n    webhook_secret_file: %s/hook\n%s",
		url, r->c.dir, r->c.dir, more);
	(void)role_case_file(&r->c, "token", TOKEN "\n");
	(void)role_case_file(&r->c, "hook", "secret-0123456789\n");
	role_case_start(&r->c, yaml, ROLE_QUEUE);
	r->keeper = role_case_add_peer(&r->c, ROLE_KEEPER, on_keeper, r);
}

static void
end(struct rig *r)
{
	assert_int_equal(role_case_stop(&r->c), 0);
	msg_link_destroy(r->keeper);
	forge_script_finish(&r->forge);
	role_case_finish(&r->c);
	row_finish(WIRE_ANSWER_ROWS, &r->answer);
}

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct rig *r = ctx;

	if (!m)
		fail_msg("no answer: %s", e->text);
	assert_int_equal(m->type, WIRE_ANSWER);
	row_finish(WIRE_ANSWER_ROWS, &r->answer);
	r->answer = *(struct wire_answer *)m->obj;
	*(struct wire_answer *)m->obj = (struct wire_answer){ 0 };
	r->answers = 1;
}

static void
ask(struct rig *r, const struct msg_out *out)
{
	r->answers = 0;
	(void)msg_call(r->c.peer, out, 15000, on_answer, r);
	role_case_until(&r->c, &r->answers);
}

static void
ask_fact(struct rig *r, const struct forge_op *op)
{
	ask(r, &(struct msg_out){ .type = WIRE_FACT, .obj = op });
}

static void
ask_effect(struct rig *r, struct forge_op *op)
{
	const struct wire_effect effect = { .effect = 1, .task = 17, .op = { op, op != NULL } };

	ask(r, &(struct msg_out){ .type = WIRE_EFFECT, .obj = &effect });
}

static const struct forge_answer *
answer(const struct rig *r)
{
	assert_int_equal(r->answer.answer.n, 1);
	return r->answer.answer.v;
}

static void
a_fact_is_fetched(void **state)
{
	const struct forge_line script[] = {
		{ "GET /api/v1/repos/acme/widget ", "200 {\"id\":6,\"default_branch\":\"main\"}",
			1 },
		{ "GET /api/v1/repos/acme/widget/issues?",
			"200 [{\"number\":3,\"id\":30,\"title\":\"T\"},{\"number\":4,\"id\":31}]",
			1 },
		{ "GET /api/v1/repos/acme/widget/issues/3 ", "404 {\"message\":\"gone\"}", 1 },
		{ 0 },
	};
	char label[] = "agent";
	struct forge_op op = { .kind = OP_REPO, .forge = gt, .repo = repo, .label = label };
	struct rig r;

	(void)state;
	start(&r, script, "");
	ask_fact(&r, &op);
	assert_int_equal(r.answer.code, 0);
	assert_string_equal(answer(&r)->ref, "main");
	assert_true(str_ends(r.forge.requests.v[0], " token " TOKEN " "));
	op.kind = OP_ISSUES_LABELED;
	ask_fact(&r, &op);
	assert_int_equal(r.answer.items.n, 2);
	assert_int_equal(((const struct forge_item *)r.answer.items.v)[1].number, 4);
	op.kind = OP_ISSUE;
	op.number = 3;
	ask_fact(&r, &op);
	assert_int_equal(r.answer.code, ERR_MISSING);
	assert_string_equal(r.answer.text, "issue: status 404: gone");
	end(&r);
}

/* As after a reload. A token that the forge still takes may be another account's by then. */
static void
each_keeper_is_asked_for_the_token(void **state)
{
	const struct forge_line script[] = {
		{ "GET /api/v1/repos/acme/widget ", "200 {\"id\":6,\"default_branch\":\"main\"}",
			2 },
		{ 0 },
	};
	struct forge_op op = { .kind = OP_REPO, .forge = gt, .repo = repo };
	struct rig r;

	(void)state;
	start(&r, script, "");
	ask_fact(&r, &op);
	r.token = "fresh-0123456789abcdef";
	msg_link_destroy(r.keeper);
	r.keeper = role_case_add_peer(&r.c, ROLE_KEEPER, on_keeper, &r);
	ask_fact(&r, &op);
	assert_true(str_ends(r.forge.requests.v[0], " token " TOKEN " "));
	assert_true(str_ends(r.forge.requests.v[1], " token fresh-0123456789abcdef "));
	end(&r);
}

static void
an_effect_is_performed(void **state)
{
	const struct forge_line script[] = {
		{ "GET /api/v1/user", "200 {\"id\":99,\"login\":\"bot\"}", 1 },
		{ LIST, "200 []", 1 },
		{ POST, "201 {\"id\":70,\"html_url\":\"http://forge/c/70\"}", 1 },
		{ 0 },
	};
	struct forge_op op = {
		.kind = OP_COMMENT_CREATE, .forge = gt, .repo = repo, .number = 3, .body = body
	};
	struct rig r;

	(void)state;
	start(&r, script, "");
	ask_effect(&r, &op);
	assert_int_equal(r.answer.code, 0);
	assert_int_equal(answer(&r)->id, 70);
	assert_string_equal(answer(&r)->url, "http://forge/c/70");
	end(&r);
}

static void
what_it_does_not_do(void **state)
{
	const struct forge_line script[] = { { 0 } };
	struct forge_op op = { .kind = OP_TOKEN, .forge = gt, .repo = repo, .number = 3 };
	struct rig r;

	(void)state;
	start(&r, script, "");
	ask_fact(&r, &op); /* a token is for nobody */
	assert_int_equal(r.answer.code, ERR_INVALID);
	op.kind = OP_COMMENT_CREATE;
	ask_fact(&r, &op); /* a write is not a question */
	assert_int_equal(r.answer.code, ERR_INVALID);
	op.kind = OP_REPO;
	ask_effect(&r, &op); /* and a question not an effect */
	assert_int_equal(r.answer.code, ERR_INVALID);
	op.kind = -1;
	ask_effect(&r, &op);
	assert_int_equal(r.answer.code, ERR_INVALID);
	ask_effect(&r, NULL);
	assert_int_equal(r.answer.code, ERR_INVALID);
	op.kind = OP_REPO;
	op.forge = other;
	ask_fact(&r, &op);
	assert_int_equal(r.answer.code, ERR_INVALID);
	op.kind = OP_REACT;
	ask_effect(&r, &op);
	assert_int_equal(r.answer.code, ERR_INVALID);
	op.forge = NULL;
	ask_fact(&r, &op);
	assert_int_equal(r.answer.code, ERR_INVALID);
	assert_int_equal(r.forge.requests.n, 0);
	end(&r);
}

static void
a_dry_run_writes_nothing(void **state)
{
	const struct forge_line script[] = {
		{ "GET /api/v1/repos/acme/widget ", "200 {\"id\":6,\"default_branch\":\"main\"}",
			1 },
		{ 0 },
	};
	struct forge_op op = { .kind = OP_REACT, .forge = gt, .repo = repo, .number = 3 };
	struct rig r;

	(void)state;
	start(&r, script, "dry_run: true\n");
	ask_effect(&r, &op);
	assert_int_equal(r.answer.code, 0);
	assert_int_equal(r.forge.requests.n, 0);
	op.kind = OP_REPO;
	ask_fact(&r, &op);
	assert_int_equal(r.answer.code, 0);
	end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fact_is_fetched),
		cmocka_unit_test(each_keeper_is_asked_for_the_token),
		cmocka_unit_test(an_effect_is_performed),
		cmocka_unit_test(what_it_does_not_do),
		cmocka_unit_test(a_dry_run_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
