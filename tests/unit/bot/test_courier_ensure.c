/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An effect happens once: what is looked for, adopted, made right, made, and never made twice.
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

#define MARK       "<!-- nightshift:task=17:0123abcd -->"
#define BODY       MARK "\nworking"
#define LIST       "GET /repos/acme/widget/issues/3/comments"
#define POST       "POST /repos/acme/widget/issues/3/comments"
#define CREATED    "201 {\"id\":70,\"html_url\":\"http://forge/c/70\"}"
#define SETTLED_MS 10000

static char repo[] = "acme/widget", body[] = BODY;

static struct forge_op
comment_op(void)
{
	return (struct forge_op){
		.kind = OP_COMMENT_CREATE, .repo_id = 6, .repo = repo, .number = 3, .body = body
	};
}

static void
ensure(struct forge_case *f, const struct forge_op *op, int64_t id, int64_t unknown_ms)
{
	const struct courier_effect effect = {
		.work = { .forge = f->forge, .op = op },
		.id = id,
		.unknown_ms = unknown_ms,
	};

	courier_ensure(&f->courier, &effect, forge_case_answered, f);
}

/* One effect against a script, to its answer. */
static void
play(struct forge_case *f, bool app, const struct forge_line *script, const struct forge_op *op,
	int64_t unknown_ms)
{
	forge_case_init(f, app, script);
	ensure(f, op, 1, unknown_ms);
	forge_case_run(f, 1);
}

static void
a_comment_that_is_not_there_is_made(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 []", 1 },
		{ POST, CREATED, 1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.id, 70);
	assert_int_equal(f.script.requests.n, 2);
	forge_case_finish(&f);
}

static void
a_comment_that_is_there_is_adopted(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 [{\"id\":69,\"body\":\"" MARK "\\nworking\",\"user\":{\"id\":99}}]",
			1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.id, 69);
	assert_int_equal(f.script.requests.n, 1);
	forge_case_finish(&f);
}

static void
an_adopted_comment_is_made_right(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 [{\"id\":69,\"body\":\"" MARK "\\nqueued\",\"user\":{\"id\":99}}]",
			1 },
		{ "PATCH /repos/acme/widget/issues/comments/69", "200 {\"id\":69}", 1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.id, 69);
	assert_string_equal(f.script.requests.v[1],
		"PATCH /repos/acme/widget/issues/comments/69 token pat-1 "
		"{\"body\":\"" MARK "\\nworking\"}");
	forge_case_finish(&f);
}

static void
a_forged_marker_is_not_ours(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 [{\"id\":69,\"body\":\"" MARK "\\nworking\",\"user\":{\"id\":98}}]",
			1 },
		{ POST, CREATED, 1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.answer.id, 70);
	forge_case_finish(&f);
}

static void
who_we_are_is_asked_first(void **state)
{
	const struct forge_line script[] = {
		{ "GET /user", "200 {\"id\":12,\"login\":\"robot\"}", 1 },
		{ LIST, "200 [{\"id\":69,\"body\":\"" MARK "\\nworking\",\"user\":{\"id\":12}}]",
			1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	mem_set(&f.forge->bot_user, NULL);
	ensure(&f, &op, 1, 0);
	forge_case_run(&f, 1);
	assert_int_equal(f.answer.id, 69);
	assert_string_equal(f.forge->bot_user, "robot");
	forge_case_finish(&f);
}

/* Where the list cannot be read, nothing is made; and nothing is called unknown. */
static void
without_a_look_nothing_is_made(void **state)
{
	const struct forge_line script[] = { { LIST, "502 {}", 0 }, { 0 } };
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, ERR_BUSY);
	assert_int_equal(forge_case_count(&f, "POST"), 0);
	forge_case_finish(&f);
}

static void
an_unknown_outcome_is_said_and_not_repeated(void **state)
{
	static const char *const REPLIES[] = { "drop", "502 {}", "500 {}", "201 {\"id\":7" };

	(void)state;
	for (size_t i = 0; i < sizeof(REPLIES) / sizeof(REPLIES[0]); i++) {
		const struct forge_line script[] = {
			{ LIST, "200 []", 1 },
			{ POST, REPLIES[i], 1 },
			{ 0 },
		};
		const struct forge_op op = comment_op();
		struct forge_case f;

		play(&f, false, script, &op, 0);
		assert_int_equal(f.rc, ERR_TIMEOUT);
		assert_int_equal(f.script.requests.n, 2);
		forge_case_finish(&f);
	}
}

/* The earlier try is seen only by the second look. */
static void
after_an_unknown_outcome_the_list_may_be_stale(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 []", 1 },
		{ LIST, "200 [{\"id\":69,\"body\":\"" MARK "\\nworking\",\"user\":{\"id\":99}}]",
			1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	rig_clock_start();
	rig_clock_stall(100); /* a machine that stands still does not let it settle */
	int64_t start = clock_boot_ms();
	play(&f, false, script, &op, clock_wall_ms() - SETTLED_MS + 300);
	assert_int_equal(f.answer.id, 69);
	assert_true(clock_boot_ms() - start >= 250);
	assert_int_equal(f.script.requests.n, 2);
	forge_case_finish(&f);
}

static void
after_an_unknown_outcome_it_is_made_when_it_is_surely_not_there(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 []", 2 },
		{ POST, CREATED, 1 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, clock_wall_ms() - SETTLED_MS);
	assert_int_equal(f.answer.id, 70);
	assert_int_equal(f.script.requests.n, 3);
	forge_case_finish(&f);
}

static void
the_same_effect_sent_twice_is_made_once(void **state)
{
	const struct forge_line script[] = {
		{ LIST, "200 []", 1 },
		{ POST, CREATED, 1 },
		{ LIST, "200 [{\"id\":70,\"body\":\"" MARK "\\nworking\",\"user\":{\"id\":99}}]",
			0 },
		{ 0 },
	};
	const struct forge_op op = comment_op();
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	for (int i = 0; i < 5; i++)
		ensure(&f, &op, 1, 0);
	forge_case_run(&f, 5);
	assert_int_equal(f.answer.id, 70);
	assert_int_equal(forge_case_count(&f, "POST"), 1);
	forge_case_finish(&f);
}

static void
a_label_is_made_once_in_a_repository(void **state)
{
	const struct forge_line script[] = {
		{ "GET /repos/acme/widget/labels", "200 []", 1 },
		{ "GET /orgs/acme/labels", "404 {}", 1 },
		{ "POST /repos/acme/widget/labels", "201 {\"id\":4,\"name\":\"agent\"}", 1 },
		{ "GET /repos/acme/widget/labels", "200 [{\"id\":4,\"name\":\"agent\"}]", 0 },
		{ "POST /repos/acme/widget/issues/", "200 []", 0 },
		{ 0 },
	};
	char label[] = "agent";
	struct forge_op op = { .kind = OP_LABEL_ADD, .repo = repo, .number = 1, .label = label };
	struct forge_case f;

	(void)state;
	forge_case_init(&f, false, script);
	for (op.number = 1; op.number <= 4; op.number++)
		ensure(&f, &op, op.number, 0);
	forge_case_run(&f, 4);
	assert_int_equal(f.rc, 0);
	assert_int_equal(forge_case_count(&f, "POST /repos/acme/widget/labels"), 1);
	assert_int_equal(forge_case_count(&f, "POST /repos/acme/widget/issues/"), 4);
	forge_case_finish(&f);
}

static struct forge_op
pull_op(void)
{
	static char title[] = "t", ref[] = "agent/17-x", base[] = "main";

	return (struct forge_op){ .kind = OP_PULL_CREATE,
		.repo_id = 6,
		.repo = repo,
		.title = title,
		.body = body,
		.ref = ref,
		.base = base };
}

#define PULL                                                                                       \
	"{\"id\":1,\"number\":8,\"state\":\"open\",\"head\":{\"ref\":\"agent/"                     \
	"17-x\",\"sha\":\"a\","                                                                    \
	"\"repo\":{\"id\":6}},\"base\":{\"ref\":\"main\",\"repo\":{\"id\":6}}}"

static void
a_pull_request_that_appeared_meanwhile_is_adopted(void **state)
{
	const struct forge_line script[] = {
		{ "GET /repos/acme/widget/pulls", "200 []", 1 },
		{ "POST /repos/acme/widget/pulls", "409 {\"message\":\"exists\"}", 1 },
		{ "GET /repos/acme/widget/pulls", "200 [" PULL "]", 1 },
		{ 0 },
	};
	const struct forge_op op = pull_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.number, 8);
	forge_case_finish(&f);
}

static void
a_conflict_that_is_not_ours_stays_one(void **state)
{
	const struct forge_line script[] = {
		{ "GET /repos/acme/widget/pulls", "200 []", 2 },
		{ "POST /repos/acme/widget/pulls", "409 {\"message\":\"exists\"}", 1 },
		{ 0 },
	};
	const struct forge_op op = pull_op();
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, ERR_CONFLICT);
	assert_int_equal(forge_case_count(&f, "POST"), 1);
	forge_case_finish(&f);
}

static void
a_check_run_is_found_by_its_external_id(void **state)
{
	const struct forge_line script[] = {
		{ "POST /app", "201 {\"token\":\"t\",\"expires_at\":\"2099-01-01T00:00:00Z\"}", 1 },
		{ "GET /repos/acme/widget/commits/abc/check-runs",
			"200 {\"check_runs\":[{\"id\":5,\"external_id\":\"16\"},"
			"{\"id\":6,\"external_id\":\"17\"}]}",
			1 },
		{ "PATCH /repos/acme/widget/check-runs/6", "200 {\"id\":6}", 1 },
		{ 0 },
	};
	char sha[] = "abc", external_id[] = "17", context[] = "agent";
	const struct forge_op op = { .kind = OP_STATUS_CREATE,
		.installation_id = 5,
		.repo_id = 6,
		.repo = repo,
		.sha = sha,
		.context = context,
		.external_id = external_id,
		.state = STATUS_SUCCESS };
	struct forge_case f;

	(void)state;
	play(&f, true, script, &op, 0);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.id, 6);
	forge_case_finish(&f);
}

static void
a_commit_status_has_nothing_to_be_found_by(void **state)
{
	const struct forge_line script[] = {
		{ "POST /repos/acme/widget/statuses/abc", "201 {\"id\":6}", 1 },
		{ 0 },
	};
	char sha[] = "abc", context[] = "agent";
	const struct forge_op op = {
		.kind = OP_STATUS_CREATE, .repo_id = 6, .repo = repo, .sha = sha, .context = context
	};
	struct forge_case f;

	(void)state;
	play(&f, false, script, &op, 0);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.answer.id, 0);
	forge_case_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_comment_that_is_not_there_is_made),
		cmocka_unit_test(a_comment_that_is_there_is_adopted),
		cmocka_unit_test(an_adopted_comment_is_made_right),
		cmocka_unit_test(a_forged_marker_is_not_ours),
		cmocka_unit_test(who_we_are_is_asked_first),
		cmocka_unit_test(without_a_look_nothing_is_made),
		cmocka_unit_test(an_unknown_outcome_is_said_and_not_repeated),
		cmocka_unit_test(after_an_unknown_outcome_the_list_may_be_stale),
		cmocka_unit_test(after_an_unknown_outcome_it_is_made_when_it_is_surely_not_there),
		cmocka_unit_test(the_same_effect_sent_twice_is_made_once),
		cmocka_unit_test(a_label_is_made_once_in_a_repository),
		cmocka_unit_test(a_pull_request_that_appeared_meanwhile_is_adopted),
		cmocka_unit_test(a_conflict_that_is_not_ours_stays_one),
		cmocka_unit_test(a_check_run_is_found_by_its_external_id),
		cmocka_unit_test(a_commit_status_has_nothing_to_be_found_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
