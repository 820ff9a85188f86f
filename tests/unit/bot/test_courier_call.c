/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens, refusals, repetitions and limits of a single operation.
 */
#include "queue_rig.h"
#include "tests/unit/bot/forge_case.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN_OF_AN_HOUR "201 {\"token\":\"ghs_1\",\"expires_at\":\"2099-01-01T00:00:00Z\"}"
#define ISSUE            "200 {\"id\":1,\"number\":3,\"state\":\"open\"}"
#define GET_ISSUE        "GET /repos/acme/widget/issues/3"

static char repo[] = "acme/widget";

static struct forge_op
issue_op(void)
{
	return (struct forge_op){
		.kind = OP_ISSUE, .installation_id = 5, .repo_id = 6, .repo = repo, .number = 3
	};
}

static void
ask(struct forge_case *f, const struct forge_op *op)
{
	const struct courier_work work = { .forge = f->forge, .op = op };

	courier_call(&f->courier, &work, forge_case_answered, f);
}

struct call_row {
	const char *name;
	bool is_app;
	int64_t installation_id;
	int n_asks; /* one after the other */
	struct forge_line script[6];
	/* of the last answer, and of all requests */
	int rc;
	const char *text;
	size_t n_requests;
	int keeper_asked;
	int64_t retry_after_ms;
};

#define INSTALLATION "GET /repos/acme/widget/installation"
#define TOKEN_OF(n)  "POST /app/installations/" n "/access_tokens"
#define EXP          "{\"message\":\"'Expiration time' claim ('exp') is too far in the future\"}"

static const struct call_row ROWS[] = {
	{ "a token that has ended is not kept", true, 5, 2,
		{ { TOKEN_OF("5"),
			  "201 {\"token\":\"ghs_1\",\"expires_at\":\"2001-01-01T00:00:00Z\"}", 2 },
			{ GET_ISSUE, ISSUE, 0 } },
		0, NULL, 4, 1, 0 },
	{ "an unknown installation is looked up", true, 0, 1,
		{ { INSTALLATION, "200 {\"id\":55}", 1 }, { TOKEN_OF("55"), TOKEN_OF_AN_HOUR, 1 },
			{ GET_ISSUE, ISSUE, 0 } },
		0, NULL, 3, 1, 0 },
	{ "an installation that is gone is looked up once", true, 5, 1,
		{ { TOKEN_OF("5"), "404 {}", 1 }, { INSTALLATION, "200 {\"id\":55}", 1 },
			{ TOKEN_OF("55"), "404 {\"message\":\"gone\"}", 1 } },
		ERR_MISSING, "token: status 404: gone", 3, 1, 0 },
	{ "a suspended installation is told", true, 0, 1,
		{ { INSTALLATION, "200 {\"id\":55,\"suspended_at\":\"2026-01-01T00:00:00Z\"}",
			1 } },
		ERR_DENIED, "installation: the installation is suspended", 1, 1, 0 },
	{ "a fresh token may be refused for a moment", true, 5, 1,
		{ { TOKEN_OF("5"), TOKEN_OF_AN_HOUR, 1 },
			{ GET_ISSUE, "401 {\"message\":\"Bad credentials\"}", 1 },
			{ GET_ISSUE, ISSUE, 1 } },
		0, NULL, 3, 1, 0 },
	{ "a JWT that is refused is signed once more", true, 5, 1,
		{ { TOKEN_OF("5"), "401 {\"message\":\"no\"}", 2 } }, ERR_DENIED,
		"token: status 401: no", 2, 2, 0 },
	{ "a JWT of the wrong time is signed once more", true, 5, 1,
		{ { TOKEN_OF("5"), "401 date: Sun, 22 Nov 2020 09:19:17 GMT\r\n " EXP, 2 } },
		ERR_DENIED,
		"token: status 401: 'Expiration time' claim ('exp') is too far in the future", 2, 2,
		0 },
	{ "a missing thing is not asked for again", false, 5, 1,
		{ { GET_ISSUE, "404 {\"message\":\"Not Found\"}", 0 } }, ERR_MISSING,
		"issue: status 404: Not Found", 1, 1, 0 },
	{ "a limit without an end is a minute", false, 5, 1,
		{ { GET_ISSUE, "403 {\"message\":\"You have exceeded a secondary rate limit\"}",
			1 } },
		ERR_BUSY, NULL, 1, 1, 60000 },
};

static void
one_operation(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct call_row *row = &ROWS[i];
		struct forge_op op = issue_op();
		struct forge_case f;

		print_message("%s\n", row->name);
		forge_case_init(&f, row->is_app, row->script);
		op.installation_id = row->installation_id;
		for (int n = 1; n <= row->n_asks; n++) {
			ask(&f, &op);
			forge_case_run(&f, n);
		}
		assert_int_equal(f.rc, row->rc);
		if (row->text)
			assert_string_equal(f.e.text, row->text);
		assert_int_equal(f.script.requests.n, row->n_requests);
		assert_int_equal(f.keeper_asked, row->keeper_asked);
		assert_int_equal(f.answer.retry_after_ms, row->retry_after_ms);
		forge_case_finish(&f);
	}
}

/* Our clock is wrong: the forge's own date tells by how much, and the next JWT is signed for it. */
static void
a_wrong_clock_is_mended_by_the_forges(void **state)
{
	const struct forge_line script[] = {
		{ TOKEN_OF("5"), "401 date: Sun, 22 Nov 2020 09:19:17 GMT\r\n " EXP, 1 },
		{ TOKEN_OF("5"),
			"201 {\"token\":\"ghs_1\",\"expires_at\":\"2020-11-22T10:19:17Z\"}", 1 },
		{ GET_ISSUE, ISSUE, 0 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.keeper_asked, 2);
	assert_in_range(f.signed_skew_ms + clock_wall_ms(), 1606036757000, 1606036757000 + 60000);
	ask(&f, &op); /* the token's hour is one of the forge's clock: it is still good */
	forge_case_run(&f, 2);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.script.requests.n, 4);
	forge_case_finish(&f);
}

/* What the forge said holds when somebody sets our clock right, or wrong again. */
static void
a_clock_that_is_set_is_not_mended_twice(void **state)
{
	const struct forge_line script[] = {
		{ TOKEN_OF("5"),
			"201 {\"token\":\"ghs_1\",\"expires_at\":\"2020-11-22T10:19:17Z\"}", 1 },
		{ GET_ISSUE, ISSUE, 0 },
		{ 0 },
	};
	const int64_t there_ms = 1606036757000;
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	rig_clock_start();
	forge_case_init(&f, true, script);
	courier_clock_refused(f.forge, there_ms);
	rig_clock_set(there_ms - clock_wall_ms());
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_in_range(f.signed_skew_ms, 0, 60000);
	forge_case_finish(&f);
}

static void
one_token_for_twenty_askers(void **state)
{
	const struct forge_line script[] = {
		{ "POST /app/installations/5/access_tokens", TOKEN_OF_AN_HOUR, 1 },
		{ GET_ISSUE, ISSUE, 0 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	for (int i = 0; i < 20; i++)
		ask(&f, &op);
	forge_case_run(&f, 20);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.keeper_asked, 1);
	assert_int_equal(forge_case_count(&f, "POST"), 1);
	assert_int_equal(forge_case_count(&f, GET_ISSUE " Bearer ghs_1"), 20);
	assert_string_equal(f.script.requests.v[0],
		"POST /app/installations/5/access_tokens Bearer jwt-1 {\"repository_ids\":[6],"
		"\"permissions\":{\"contents\":\"write\",\"issues\":\"write\","
		"\"pull_requests\":\"write\",\"checks\":\"write\",\"metadata\":\"read\"}}");
	forge_case_finish(&f);
}

/* Five minutes before its end it is asked for again: what begins with it must be able to end. */
static void
a_token_is_renewed_before_it_ends(void **state)
{
	static const struct {
		int64_t left_ms;
		size_t asked;
	} rows[] = { { 6 * 60 * 1000, 1 }, { 4 * 60 * 1000, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char until[32];
		auto_free char *token = NULL;
		const struct forge_op op = issue_op();
		struct forge_case f;

		str_time_print(clock_wall_ms() + rows[i].left_ms, until);
		token = mem_fmt("201 {\"token\":\"ghs_1\",\"expires_at\":\"%s\"}", until);
		const struct forge_line script[] = {
			{ TOKEN_OF("5"), token, 0 },
			{ GET_ISSUE, ISSUE, 0 },
			{ 0 },
		};
		forge_case_init(&f, true, script);
		for (int n = 1; n <= 2; n++) {
			ask(&f, &op);
			forge_case_run(&f, n);
			assert_int_equal(f.rc, 0);
		}
		assert_int_equal(forge_case_count(&f, "POST"), rows[i].asked);
		forge_case_finish(&f);
	}
}

static void
another_repository_gets_another_token(void **state)
{
	const struct forge_line script[] = {
		{ "POST /app/installations/5/access_tokens", TOKEN_OF_AN_HOUR, 2 },
		{ GET_ISSUE, ISSUE, 0 },
		{ 0 },
	};
	struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	ask(&f, &op);
	op.repo_id = 8;
	ask(&f, &op);
	forge_case_run(&f, 2);
	assert_int_equal(forge_case_count(&f, "POST"), 2);
	assert_int_equal(f.keeper_asked, 1); /* one JWT serves both */
	forge_case_finish(&f);
}

static void
a_refused_token_is_asked_for_once_more(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "401 {\"message\":\"no\"}", 1 },
		{ GET_ISSUE, ISSUE, 1 },
		{ GET_ISSUE, "401 {\"message\":\"no\"}", 0 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_string_equal(f.script.requests.v[1], GET_ISSUE " token pat-2 ");
	ask(&f, &op);
	forge_case_run(&f, 2);
	/* That it is not known says nothing about what was asked. */
	assert_int_equal(f.rc, ERR_BUSY);
	assert_int_equal(f.keeper_asked, 3);
	forge_case_finish(&f);
}

static void
without_a_secret_nothing_is_sent(void **state)
{
	const struct forge_line script[] = { { 0 } };
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	f.keeper_refuses = true;
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, ERR_DENIED);
	assert_int_equal(f.script.requests.n, 0);
	forge_case_finish(&f);
}

static void
a_read_is_repeated_a_little(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "502 {}", 1 },
		{ GET_ISSUE, "drop", 1 },
		{ GET_ISSUE, ISSUE, 1 },
		{ GET_ISSUE, "200 {\"id\":1,", 0 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.script.requests.n, 3);
	ask(&f, &op);
	forge_case_run(&f, 2);
	assert_int_equal(f.rc, ERR_BUSY); /* never "unknown": nothing was written */
	assert_int_equal(f.script.requests.n, 6);
	forge_case_finish(&f);
}

static void
a_limit_holds_for_the_whole_installation(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "403 retry-after: 70\r\n {\"message\":\"secondary rate limit\"}", 1 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, ERR_BUSY);
	assert_int_equal(f.answer.retry_after_ms, 70000);
	ask(&f, &op);
	forge_case_run(&f, 2);
	assert_int_equal(f.rc, ERR_BUSY);
	assert_in_range(f.answer.retry_after_ms, 60000, 70000);
	assert_int_equal(f.script.requests.n, 1);
	forge_case_finish(&f);
}

/* An App whose installation nobody named still makes a check run, not a commit status. */
static void
a_check_run_without_a_named_installation(void **state)
{
	const struct forge_line script[] = {
		{ "GET /repos/acme/widget/installation", "200 {\"id\":55}", 1 },
		{ "POST /app/installations/55/access_tokens", TOKEN_OF_AN_HOUR, 1 },
		{ "POST /repos/acme/widget/check-runs", "201 {\"id\":6}", 1 },
		{ 0 },
	};
	char sha[] = "abc", context[] = "agent";
	struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	op.kind = OP_STATUS_CREATE;
	op.installation_id = 0;
	op.sha = sha;
	op.context = context;
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.id, 6);
	forge_case_finish(&f);
}

static void
an_unchanged_answer_is_the_old_one(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "200 etag: W/\"x\"\r\n {\"id\":1,\"number\":3,\"title\":\"old\"}", 1 },
		{ GET_ISSUE, "304 etag: W/\"x\"\r\n {}", 1 },
		{ GET_ISSUE, "200 etag: W/\"y\"\r\n {\"id\":1,\"number\":3,\"title\":\"new\"}", 1 },
		{ GET_ISSUE, "304 {}", 1 },
		{ "GET /repos/acme/widget/issues/4", "304 {}", 0 },
		{ 0 },
	};
	static const char *const TITLES[] = { "old", "old", "new", "new" };
	struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	for (int i = 0; i < 4; i++) {
		ask(&f, &op);
		forge_case_run(&f, i + 1);
		assert_int_equal(f.rc, 0);
		assert_string_equal(f.answer.title, TITLES[i]);
	}
	assert_string_equal(f.script.requests.v[0], GET_ISSUE " token pat-1 ");
	assert_string_equal(f.script.requests.v[1], GET_ISSUE " token pat-1 W/\"x\"");
	assert_string_equal(f.script.requests.v[3], GET_ISSUE " token pat-1 W/\"y\"");
	op.number = 4; /* never seen: a 304 is nonsense then */
	ask(&f, &op);
	forge_case_run(&f, 5);
	assert_int_equal(f.rc, ERR_BUSY);
	forge_case_finish(&f);
}

static void
an_answer_that_was_cut_off_is_not_kept(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "200 etag: W/\"x\"\r\n {\"id\":1,\"numb", 1 },
		{ GET_ISSUE, "200 etag: W/\"x\"\r\n {\"id\":1,\"number\":3,\"title\":\"whole\"}",
			1 },
		{ 0 },
	};
	struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_string_equal(f.answer.title, "whole");
	assert_string_equal(f.script.requests.v[1], GET_ISSUE " token pat-1 ");
	forge_case_finish(&f);
}

static void
sixty_writes_a_minute(void **state)
{
	const struct forge_line script[] = { { "POST", "201 {}", 0 }, { 0 } };
	struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	op.kind = OP_REACT;
	for (int i = 0; i < 61; i++) {
		ask(&f, &op);
		forge_case_run(&f, i + 1);
		assert_int_equal(f.rc, i < 60 ? 0 : ERR_BUSY);
	}
	assert_in_range(f.answer.retry_after_ms, 30000, 60000);
	assert_int_equal(f.script.requests.n, 60);
	forge_case_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_operation),
		cmocka_unit_test(a_wrong_clock_is_mended_by_the_forges),
		cmocka_unit_test(one_token_for_twenty_askers),
		cmocka_unit_test(a_token_is_renewed_before_it_ends),
		cmocka_unit_test(another_repository_gets_another_token),
		cmocka_unit_test(a_refused_token_is_asked_for_once_more),
		cmocka_unit_test(without_a_secret_nothing_is_sent),
		cmocka_unit_test(a_read_is_repeated_a_little),
		cmocka_unit_test(a_limit_holds_for_the_whole_installation),
		cmocka_unit_test(a_check_run_without_a_named_installation),
		cmocka_unit_test(an_unchanged_answer_is_the_old_one),
		cmocka_unit_test(an_answer_that_was_cut_off_is_not_kept),
		cmocka_unit_test(sixty_writes_a_minute),
		/* The last: from there on time is the rig's. */
		cmocka_unit_test(a_clock_that_is_set_is_not_mended_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
