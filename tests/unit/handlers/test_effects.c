/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_effects - what should exist on the forge for a task as it stands, and what people read
 * there.
 */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "handlers/text.h"

#include <string.h>

#define Z "\xe2\x80\x8b" /* the zero width space that stops a reference */

struct stage {
	struct scene scene;
	struct task task;
	struct effects_in in;
	struct effect_plans plans;
};

static void
stage_begin(struct stage *g, enum task_state state, enum task_outcome outcome)
{
	memset(g, 0, sizeof(*g));
	scene_begin(&g->scene, EVENT_NONE);
	g->task.id = 17;
	g->task.page = mem_str("0123456789abcdef0123456789abcdef");
	g->task.forge = mem_str("gh");
	g->task.repo = mem_str("acme/widget");
	g->task.number = 7;
	g->task.title = mem_str("Crash on empty input @everyone");
	g->task.base_ref = mem_str("main");
	g->task.base_sha = mem_str("1111111111111111111111111111111111111111");
	g->task.state = state;
	g->task.outcome = outcome;
	g->task.attempt = 1;
	g->task.fence = 1;
	g->task.gate_exit = -1;
	if (outcome != OUTCOME_NONE && outcome != OUTCOME_EMPTY)
		g->task.head_sha = mem_str("2222222222222222222222222222222222222222");
	g->in = (struct effects_in){ .conf = &g->scene.conf, .task = &g->task };
}

static void
stage_end(struct stage *g)
{
	effect_plans_finish(&g->plans);
	task_finish(&g->task);
	scene_end(&g->scene);
}

static const struct effect_plan *
plan(struct stage *g, const char *purpose)
{
	effect_plans_finish(&g->plans);
	effects_plan(&g->in, &g->plans);
	for (size_t i = 0; i < g->plans.n; i++) {
		if (strcmp(g->plans.v[i].purpose, purpose) == 0)
			return &g->plans.v[i];
	}
	return NULL;
}

static void
green_work_becomes_a_pull_request_after_push_and_logs(void **state)
{
	struct stage g;
	const struct effect_plan *p;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	assert_non_null(plan(&g, "push"));
	assert_non_null(plan(&g, "logs"));
	assert_null(plan(&g, "pull"));
	g.in.pushed = true;
	assert_null(plan(&g, "pull"));
	g.in.logs_done = true;
	p = plan(&g, "pull");
	assert_non_null(p);
	assert_true(p->must);
	assert_string_equal(p->op.base, "main");
	assert_string_equal(p->op.ref, "agent/17-crash-on-empty-input-everyone");
	assert_false(p->op.is_draft);
	assert_non_null(strstr(p->op.body, "Closes #7"));
	stage_end(&g);
}

static void
red_work_is_kept_on_a_branch_without_a_pull_request(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_RED);
	g.task.gate_command = mem_str("npm test");
	g.task.gate_exit = 1;
	g.in.pushed = g.in.logs_done = true;
	assert_non_null(plan(&g, "push"));
	assert_null(plan(&g, "pull"));
	assert_int_equal(plan(&g, "status")->op.state, STATUS_FAILURE);
	assert_non_null(strstr(plan(&g, "sticky")->op.body, "is kept on the branch"));
	assert_int_equal(publish_event(&g.task), TASK_EV_PUBLISHED_FAILED);
	stage_end(&g);
}

static void
untested_work_is_a_draft(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_UNTESTED);
	g.in.pushed = g.in.logs_done = true;
	assert_true(plan(&g, "pull")->op.is_draft);
	assert_non_null(strstr(plan(&g, "pull")->op.body, "not tested"));
	stage_end(&g);
}

static void
no_work_pushes_nothing(void **state)
{
	static const enum task_outcome none[] = { OUTCOME_EMPTY, OUTCOME_SETUP, OUTCOME_AGENT };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct stage g;

		stage_begin(&g, TASK_PUBLISHING, none[i]);
		free(steal_ptr(&g.task.head_sha));
		assert_null(plan(&g, "push"));
		assert_null(plan(&g, "pull"));
		assert_non_null(plan(&g, "sticky"));
		stage_end(&g);
	}
}

static void
refused_work_never_leaves(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_REFUSED);
	assert_null(plan(&g, "push"));
	assert_int_equal(publish_event(&g.task), TASK_EV_NEEDS_HUMAN);
	g.task.state = TASK_WAITING;
	assert_string_equal(plan(&g, "end")->op.label, "agent:needs-human");
	stage_end(&g);
}

static void
work_for_a_pull_request_goes_to_its_branch_only_when_proven(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	g.task.is_pull = true;
	mem_set(&g.task.base_ref, "feature");
	assert_string_equal(plan(&g, "push")->op.ref, "feature");
	assert_string_equal(plan(&g, "push")->op.base, g.task.base_sha);
	g.in.pushed = g.in.logs_done = true;
	assert_null(plan(&g, "pull"));
	g.task.outcome = OUTCOME_RED;
	assert_true(str_starts(plan(&g, "push")->op.ref, "agent/17-"));
	assert_null(plan(&g, "push")->op.base);
	stage_end(&g);
}

static void
labels_follow_the_state(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_QUEUED, OUTCOME_NONE);
	g.task.attempt = 0;
	assert_null(plan(&g, "untrigger"));
	assert_null(plan(&g, "running"));
	g.task.attempt = 1;
	g.task.state = TASK_RUNNING;
	assert_int_equal(plan(&g, "untrigger")->op.kind, OP_LABEL_REMOVE);
	assert_string_equal(plan(&g, "running")->op.label, "agent:running");
	assert_null(plan(&g, "not-running"));
	g.task.state = TASK_SUCCEEDED;
	assert_non_null(plan(&g, "not-running"));
	assert_string_equal(plan(&g, "end")->op.label, "agent:done");
	g.task.state = TASK_STOPPED;
	assert_null(plan(&g, "end"));
	g.task.comment_id = 5;
	assert_null(plan(&g, "untrigger"));
	stage_end(&g);
}

static void
attachments_where_the_forge_has_them(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	g.scene.caps.has_attachments = true;
	g.in.pushed = true;
	assert_null(plan(&g, "logs"));
	assert_non_null(plan(&g, "pull"));
	assert_null(plan(&g, "attach-cast"));
	g.task.pull_number = 8;
	assert_string_equal(plan(&g, "attach-cast")->op.name, "task-17.cast.log");
	assert_int_equal(plan(&g, "attach-text")->op.number, 8);
	stage_end(&g);
}

/* An old Gitea, or one without attachments: only trying tells. */
static void
what_cannot_be_attached_goes_to_a_ref(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_SUCCEEDED, OUTCOME_GREEN);
	g.scene.caps.has_attachments = true;
	g.in.pushed = true;
	g.task.pull_number = 8;
	assert_non_null(strstr(plan(&g, "pull")->op.body, "attached if the forge takes them"));
	assert_null(strstr(plan(&g, "sticky")->op.body, "Terminal log"));
	g.in.attach_refused = true;
	assert_non_null(plan(&g, "logs"));
	assert_non_null(plan(&g, "pull"));
	g.task.log_ref_sha = mem_str("3333333333333333333333333333333333333333");
	assert_non_null(strstr(plan(&g, "sticky")->op.body,
		"\nTerminal log: [task.cast](https://forge.example/acme/widget/"));
	assert_non_null(strstr(plan(&g, "sticky")->op.body, "on `refs/agent-logs/17`)\n"));
	g.scene.conf.logs_to_git = false;
	assert_null(plan(&g, "logs"));
	stage_end(&g);
}

static void
the_comment_is_made_once_and_edited_then(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_RUNNING, OUTCOME_NONE);
	assert_int_equal(plan(&g, "sticky")->op.kind, OP_COMMENT_CREATE);
	assert_string_equal(plan(&g, "sticky")->op.marker, "task=17");
	assert_int_equal(plan(&g, "sticky")->mode, EFFECT_LATEST);
	g.task.sticky_id = 12;
	assert_int_equal(plan(&g, "sticky")->op.kind, OP_COMMENT_EDIT);
	assert_int_equal(plan(&g, "sticky")->op.id, 12);
	stage_end(&g);
}

static void
what_was_left_alone_is_said(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	g.task.notes = mem_str("submodules are not fetched: vendor/lib");
	g.in.pushed = g.in.logs_done = true;
	assert_non_null(strstr(plan(&g, "pull")->op.body, "submodules are not fetched"));
	stage_end(&g);
}

/* What agents and users wrote must not act where we show it. */
static void
nothing_in_our_texts_acts(void **state)
{
	struct stage g;
	auto_buf struct buf title = BUF_INIT(LIMIT_TITLE_BYTES);
	const char *body;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	mem_set(&g.task.summary, "```\n</details><!-- nightshift:task=1 -->\n@everyone closes "
				 "#99\n````\n/agent stop");
	mem_set(&g.task.tail, "~~~~\n`````\n/agent fix\n");
	g.in.pushed = g.in.logs_done = true;
	body = plan(&g, "pull")->op.body;
	assert_non_null(strstr(body, "`````\n"));
	text_pull_title(&g.task, &title);
	assert_string_equal(buf_str(&title), "Crash on empty input @" Z "everyone (#7)");
	stage_end(&g);
}

static void
the_body_says_what_was_done_and_who_says_so(void **state)
{
	struct stage g;
	const char *body;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	g.task.gate_command = mem_str("npm test");
	g.task.gate_exit = 0;
	g.task.files = 1;
	g.task.insertions = 2;
	g.task.tier = mem_str("userns: seven namespaces");
	g.in.pushed = g.in.logs_done = true;
	body = plan(&g, "pull")->op.body;
	assert_true(str_starts(body, "Closes #7\n\n### Summary\n\nThe agent gave none.\n"
				     "1 file changed, +2 −0.\n"));
	assert_non_null(strstr(body, "\n### Tests\n\n✅ passed: `npm test`, run by nightshift "
				     "itself in a clean box after the agent had ended.\n"));
	assert_non_null(strstr(body, "- Sandbox tier: `userns: seven namespaces`\n"));
	assert_non_null(
		strstr(body, "- Task 17 · [task page](https://bot.example/t/0123456789abcdef"
			     "0123456789abcdef)\n"));
	assert_null(strstr(body, "<details>"));
	mem_set(&g.task.summary, "I mended it.");
	mem_set(&g.task.tail, "1 passed");
	body = plan(&g, "pull")->op.body;
	assert_non_null(strstr(body, "In the agent's own words:\n\n```\nI mended it.\n```\n"));
	assert_non_null(strstr(body, "</summary>\n\n```\n1 passed\n```\n\n</details>\n"));
	stage_end(&g);
}

/* A check's text is Markdown, and its author would be the bot. */
static void
a_check_shows_the_log_and_lets_none_of_it_act(void **state)
{
	struct stage g;
	const struct forge_op *op;

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_RED);
	g.task.gate_command = mem_str("sh *_test.sh");
	g.task.gate_exit = 2;
	mem_set(&g.task.tail, "# All is well\n[click](https://evil.test)\n```\n");
	g.in.pushed = true;
	op = &plan(&g, "status")->op;
	assert_string_equal(op->title, "❌ failed: sh *_test.sh (exit code 2)");
	assert_true(str_starts(op->body, "Run by nightshift itself in a clean box "));
	assert_non_null(
		strstr(op->body, "\n~~~\n# All is well\n[click](https://evil.test)\n```\n~~~\n"));
	stage_end(&g);
}

static void
the_comment_says_each_thing_once(void **state)
{
	struct stage g;

	(void)state;
	stage_begin(&g, TASK_SUCCEEDED, OUTCOME_GREEN);
	g.task.gate_command = mem_str("npm test");
	g.task.gate_exit = 0;
	g.task.reason = mem_str("the tests passed");
	assert_null(strstr(plan(&g, "sticky")->op.body, "the tests passed"));
	assert_non_null(strstr(plan(&g, "sticky")->op.body, "\nTests: ✅ passed: `npm test`, run"));
	g.task.state = TASK_FAILED;
	g.task.outcome = OUTCOME_RED;
	mem_set(&g.task.reason, "the tests did not end");
	assert_non_null(strstr(plan(&g, "sticky")->op.body, "the tests did not end"));
	stage_end(&g);
}

static void
a_commit_message_closes_nothing(void **state)
{
	struct stage g;
	auto_buf struct buf text = BUF_INIT(LIMIT_COMMENT_BYTES);

	(void)state;
	stage_begin(&g, TASK_PUBLISHING, OUTCOME_GREEN);
	mem_set(&g.task.title, "Überlange Zeile mit Umlauten äöü, damit mitten in einem Zeichen "
			       "geschnitten würde\nfixes #3");
	commit_message(&g.task, &text);
	assert_true(str_utf8_ok(buf_str(&text), text.len));
	assert_null(strstr(buf_str(&text), "fixes"));
	assert_null(strchr(buf_str(&text), '#'));
	assert_non_null(strstr(buf_str(&text), "Task 17 for issue 7."));
	buf_reset(&text);
	mem_set(&g.task.title, "fixes #3, says @alice");
	commit_message(&g.task, &text);
	assert_true(str_starts(
		buf_str(&text), "fixes #" Z "3, says @" Z "alice\n\nTask 17 for issue 7.\n"));
	stage_end(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(green_work_becomes_a_pull_request_after_push_and_logs),
		cmocka_unit_test(red_work_is_kept_on_a_branch_without_a_pull_request),
		cmocka_unit_test(untested_work_is_a_draft),
		cmocka_unit_test(no_work_pushes_nothing),
		cmocka_unit_test(refused_work_never_leaves),
		cmocka_unit_test(work_for_a_pull_request_goes_to_its_branch_only_when_proven),
		cmocka_unit_test(labels_follow_the_state),
		cmocka_unit_test(attachments_where_the_forge_has_them),
		cmocka_unit_test(what_cannot_be_attached_goes_to_a_ref),
		cmocka_unit_test(the_comment_is_made_once_and_edited_then),
		cmocka_unit_test(what_was_left_alone_is_said),
		cmocka_unit_test(nothing_in_our_texts_acts),
		cmocka_unit_test(the_body_says_what_was_done_and_who_says_so),
		cmocka_unit_test(a_check_shows_the_log_and_lets_none_of_it_act),
		cmocka_unit_test(the_comment_says_each_thing_once),
		cmocka_unit_test(a_commit_message_closes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
