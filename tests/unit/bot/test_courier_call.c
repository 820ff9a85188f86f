/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens, refusals, repetitions and limits of a single operation.
 */
#include "tests/unit/bot/forge_case.h"

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
a_token_that_ends_soon_is_not_kept(void **state)
{
	const struct forge_line script[] = {
		{ "POST", "201 {\"token\":\"ghs_1\",\"expires_at\":\"2001-01-01T00:00:00Z\"}", 2 },
		{ GET_ISSUE, ISSUE, 0 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	ask(&f, &op);
	forge_case_run(&f, 2);
	assert_int_equal(f.rc, 0);
	assert_int_equal(forge_case_count(&f, "POST"), 2);
	forge_case_finish(&f);
}

static void
an_unknown_installation_is_looked_up(void **state)
{
	const struct forge_line script[] = {
		{ "GET /repos/acme/widget/installation", "200 {\"id\":55}", 1 },
		{ "POST /app/installations/55/access_tokens", TOKEN_OF_AN_HOUR, 1 },
		{ GET_ISSUE, ISSUE, 0 },
		{ 0 },
	};
	struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	op.installation_id = 0;
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.script.requests.n, 3);
	forge_case_finish(&f);
}

static void
an_installation_that_is_gone_is_looked_up_once(void **state)
{
	const struct forge_line script[] = {
		{ "POST /app/installations/5/access_tokens", "404 {}", 1 },
		{ "GET /repos/acme/widget/installation", "200 {\"id\":55}", 1 },
		{ "POST /app/installations/55/access_tokens", "404 {\"message\":\"gone\"}", 1 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, ERR_MISSING);
	assert_string_equal(f.e.text, "token: status 404: gone");
	assert_int_equal(f.script.requests.n, 3);
	forge_case_finish(&f);
}

static void
a_fresh_token_may_be_refused_for_a_moment(void **state)
{
	const struct forge_line script[] = {
		{ "POST", TOKEN_OF_AN_HOUR, 1 },
		{ GET_ISSUE, "401 {\"message\":\"Bad credentials\"}", 1 },
		{ GET_ISSUE, ISSUE, 1 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, true, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_int_equal(forge_case_count(&f, "POST"), 1);
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
	assert_int_equal(f.rc, ERR_DENIED);
	assert_int_equal(f.script.requests.n, 4);
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
a_missing_thing_is_not_asked_for_again(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "404 {\"message\":\"Not Found\"}", 0 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, ERR_MISSING);
	assert_int_equal(f.script.requests.n, 1);
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

static void
a_limit_without_an_end_is_a_minute(void **state)
{
	const struct forge_line script[] = {
		{ GET_ISSUE, "403 {\"message\":\"You have exceeded a secondary rate limit\"}", 1 },
		{ 0 },
	};
	const struct forge_op op = issue_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	ask(&f, &op);
	forge_case_run(&f, 1);
	assert_int_equal(f.rc, ERR_BUSY);
	assert_int_equal(f.answer.retry_after_ms, 60000);
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
		cmocka_unit_test(one_token_for_twenty_askers),
		cmocka_unit_test(another_repository_gets_another_token),
		cmocka_unit_test(a_token_that_ends_soon_is_not_kept),
		cmocka_unit_test(an_unknown_installation_is_looked_up),
		cmocka_unit_test(an_installation_that_is_gone_is_looked_up_once),
		cmocka_unit_test(a_fresh_token_may_be_refused_for_a_moment),
		cmocka_unit_test(a_refused_token_is_asked_for_once_more),
		cmocka_unit_test(without_a_secret_nothing_is_sent),
		cmocka_unit_test(a_read_is_repeated_a_little),
		cmocka_unit_test(a_missing_thing_is_not_asked_for_again),
		cmocka_unit_test(a_limit_holds_for_the_whole_installation),
		cmocka_unit_test(a_limit_without_an_end_is_a_minute),
		cmocka_unit_test(a_check_run_without_a_named_installation),
		cmocka_unit_test(an_unchanged_answer_is_the_old_one),
		cmocka_unit_test(sixty_writes_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
