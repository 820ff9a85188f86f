/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, addresses and rows.
 */
#include "forge/forge.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct forge_conf CONF[FORGE_KIND_COUNT] = {
	[FORGE_GITHUB] = { FORGE_GITHUB, "gh", "https://github.com", "https://api.github.com" },
	[FORGE_GITEA] = { FORGE_GITEA, "home", "http://git:3000", "http://git:3000/api/v1" },
	[FORGE_FORGEJO] = { FORGE_FORGEJO, "fj", "http://fj:3000", "http://fj:3000/api/v1" },
	[FORGE_GITLAB] = { FORGE_GITLAB, "gl", "https://gitlab.com", "https://gitlab.com/api/v4" },
};

static void
kinds_by_name(void **state)
{
	(void)state;
	assert_int_equal(forge_kind_parse("github"), FORGE_GITHUB);
	assert_int_equal(forge_kind_parse("gitea"), FORGE_GITEA);
	assert_int_equal(forge_kind_parse("forgejo"), FORGE_FORGEJO);
	assert_int_equal(forge_kind_parse("gitlab"), FORGE_GITLAB);
	assert_int_equal(forge_kind_parse("gitlub"), -1);
	assert_int_equal(forge_kind_parse(""), -1);
	assert_int_equal(forge_kind_parse(NULL), -1);
}

static void
operations_have_names(void **state)
{
	(void)state;
	for (int64_t k = 0; k < OP_KIND_COUNT; k++)
		assert_non_null(forge_op_name(k));
	assert_string_equal(forge_op_name(OP_PULL_CREATE), "pull_create");
	assert_string_equal(forge_op_name(-1), "unknown");
	assert_string_equal(forge_op_name(OP_KIND_COUNT), "unknown");
	assert_true(forge_op_is_write(OP_ATTACH));
	assert_false(forge_op_is_write(OP_COMMENT_FIND));
	assert_false(forge_op_is_write(OP_TOKEN));
	assert_false(forge_op_is_write(OP_KIND_COUNT));
	assert_false(forge_op_is_write(-1));
}

static void
names_of_repositories(void **state)
{
	static const char *const GOOD[] = { "acme/widget", "a/b", "A-b_c.d/e.f", "a/.github",
		"a/...", "0/1" };
	static const char *const BAD[] = { "", "a", "a/", "/b", "a/b/c", "a//b", "../b", "a/..",
		"a/.", "./b", "a b/c", "a/b?x", "a/b#x", "a/b%2f", "a\\b/c", "a/b\n",
		"\xc3\xa9/b" };
	char longest[204];

	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
		assert_true(forge_repo_ok(FORGE_GITHUB, GOOD[i]));
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_false(forge_repo_ok(FORGE_GITEA, BAD[i]));
	assert_false(forge_repo_ok(FORGE_GITLAB, NULL));
	(void)memset(longest, 'a', sizeof(longest));
	longest[100] = '/';
	longest[201] = '\0';
	assert_true(forge_repo_ok(FORGE_GITHUB, longest));
	longest[201] = 'a';
	longest[202] = '\0';
	assert_false(forge_repo_ok(FORGE_GITHUB, longest));
}

static void
groups_in_groups(void **state)
{
	static const char *const GOOD[] = { "a/b", "a/b/c", "acme/tools/.github/x",
		"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/name" };
	static const char *const BAD[] = { "", "a", "a/", "/b", "a//b", "a/b/", "a/../b", "a/b/..",
		"a/./b", "a/b/-/c d", "a/b%2fc",
		"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/name" };

	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
		assert_true(forge_repo_ok(FORGE_GITLAB, GOOD[i]));
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_false(forge_repo_ok(FORGE_GITLAB, BAD[i]));
}

static void
references(void **state)
{
	auto_buf struct buf b = BUF_INIT(64);

	(void)state;
	forge_reference(12, &b);
	forge_reference(-12, &b);
	assert_string_equal(buf_str(&b), "#12!12");
	assert_int_equal(forge_number(-12), 12);
	assert_int_equal(forge_number(12), 12);
}

static void
addresses_come_from_the_configuration(void **state)
{
	static const struct {
		enum forge_kind kind;
		const char *clone, *issue, *pull, *blob;
	} CASES[] = {
		{ FORGE_GITHUB, "https://github.com/acme/widget.git",
			"https://github.com/acme/widget/issues/3",
			"https://github.com/acme/widget/pull/3",
			"https://github.com/acme/widget/blob/abc/logs/a%20b.txt" },
		{ FORGE_GITEA, "http://git:3000/acme/widget.git",
			"http://git:3000/acme/widget/issues/3",
			"http://git:3000/acme/widget/pulls/3",
			"http://git:3000/acme/widget/src/commit/abc/logs/a%20b.txt" },
		{ FORGE_GITLAB, "https://gitlab.com/acme/widget.git",
			"https://gitlab.com/acme/widget/-/issues/3",
			"https://gitlab.com/acme/widget/-/merge_requests/3",
			"https://gitlab.com/acme/widget/-/blob/abc/logs/a%20b.txt" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		const struct forge_conf *f = &CONF[CASES[i].kind];
		auto_buf struct buf b = BUF_INIT(1024);

		assert_int_equal(forge_clone_url(f, "acme/widget", &b, NULL), 0);
		assert_string_equal(b.data, CASES[i].clone);
		buf_reset(&b);
		assert_int_equal(forge_issue_url(f, "acme/widget", 3, false, &b, NULL), 0);
		assert_string_equal(b.data, CASES[i].issue);
		buf_reset(&b);
		assert_int_equal(forge_issue_url(f, "acme/widget", 3, true, &b, NULL), 0);
		assert_string_equal(b.data, CASES[i].pull);
		buf_reset(&b);
		assert_int_equal(
			forge_blob_url(f, "acme/widget", "abc", "logs/a b.txt", &b, NULL), 0);
		assert_string_equal(b.data, CASES[i].blob);
	}
}

static void
a_bad_name_makes_no_address(void **state)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct err e;

	(void)state;
	assert_int_equal(forge_clone_url(&CONF[FORGE_GITHUB], "../../etc", &b, &e), ERR_INVALID);
	assert_int_equal(
		forge_issue_url(&CONF[FORGE_GITEA], "a/b/c", 1, true, &b, &e), ERR_INVALID);
	assert_int_equal(forge_blob_url(&CONF[FORGE_GITEA], "a", "s", "p", &b, &e), ERR_INVALID);
	assert_int_equal(b.len, 0);
}

static void
what_travels_comes_back(void **state)
{
	struct forge_event ev = { .kind = EVENT_COMMENT, .repo_id = 6, .number = 3 }, got;
	struct forge_command *c = row_list_add(&ev.commands, sizeof(*c));
	auto_buf struct buf b = BUF_INIT(65536);

	(void)state;
	ev.repo = mem_str("acme/widget");
	c->verb = mem_str("fix");
	c->args = mem_str("");
	strs_add(&ev.labels, "agent");
	assert_int_equal(row_pack(FORGE_EVENT_ROWS, &ev, &b, NULL), 0);
	assert_int_equal(row_unpack(FORGE_EVENT_ROWS, &got, b.data, b.len, NULL), 0);
	assert_string_equal(got.repo, "acme/widget");
	assert_int_equal(got.commands.n, 1);
	assert_string_equal(((struct forge_command *)got.commands.v)->verb, "fix");
	assert_string_equal(((struct forge_command *)got.commands.v)->args, "");
	assert_true(strs_has(&got.labels, "agent"));
	forge_event_finish(&ev);
	forge_event_finish(&got);
	assert_null(ev.repo);
	assert_null(got.commands.v);
}

/* Neither a cursor that leads anywhere nor a token comes from another role. */
static void
private_members_do_not_travel(void **state)
{
	struct forge_op op = { .kind = OP_REPO, .step = 3 }, op_got;
	struct forge_answer a = { .id = 1, .token_expires_ms = 5 }, a_got;
	auto_buf struct buf b = BUF_INIT(65536);

	(void)state;
	op.cursor = mem_str("2 http://evil.test/");
	assert_int_equal(row_pack(FORGE_OP_ROWS, &op, &b, NULL), 0);
	op_got = (struct forge_op){ 0 };
	assert_int_equal(row_unpack(FORGE_OP_ROWS, &op_got, b.data, b.len, NULL), 0);
	assert_null(op_got.cursor);
	assert_int_equal(op_got.step, 0);
	buf_reset(&b);
	a.token = mem_str("ghs_secret");
	assert_int_equal(row_pack(FORGE_ANSWER_ROWS, &a, &b, NULL), 0);
	assert_null(memmem(b.data, b.len, "ghs_secret", 10));
	a_got = (struct forge_answer){ 0 };
	assert_int_equal(row_unpack(FORGE_ANSWER_ROWS, &a_got, b.data, b.len, NULL), 0);
	assert_null(a_got.token);
	assert_int_equal(a_got.id, 1);
	forge_op_finish(&op);
	forge_op_finish(&op_got);
	forge_answer_finish(&a);
	forge_answer_finish(&a_got);
	assert_null(a.token);
	assert_null(op.cursor);
	forge_op_finish(NULL);
	forge_answer_finish(NULL);
	forge_event_finish(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_by_name),
		cmocka_unit_test(operations_have_names),
		cmocka_unit_test(names_of_repositories),
		cmocka_unit_test(groups_in_groups),
		cmocka_unit_test(references),
		cmocka_unit_test(addresses_come_from_the_configuration),
		cmocka_unit_test(a_bad_name_makes_no_address),
		cmocka_unit_test(what_travels_comes_back),
		cmocka_unit_test(private_members_do_not_travel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
