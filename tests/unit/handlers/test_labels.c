/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_labels - who may set a task off with a label, and when.
 */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

#include <string.h>

static void
labelled(struct scene *s, const char *label, bool added)
{
	scene_begin(s, EVENT_LABELS);
	s->event.label = mem_str(label);
	s->event.label_added = added;
}

static void
the_label_by_a_writer_makes_a_task(void **state)
{
	struct scene s;
	const struct intent *task;

	(void)state;
	labelled(&s, "agent", true);
	scene_permission(&s, PERMISSION_WRITE);
	scene_issue(&s, "agent");
	scene_fact(&s, OP_LABEL_EVENT, NULL, 0)->id = 4711;
	scene_decide(&s);
	task = scene_intent(&s, INTENT_TASK);
	assert_non_null(task);
	assert_string_equal(task->key, "label:gh:1:7:agent:e4711");
	assert_string_equal(task->task.repo, "acme/widget");
	assert_string_equal(task->task.actor, "alice");
	assert_int_equal(task->task.verb, VERB_FIX);
	assert_int_equal(strlen(task->task.input_hash), 64);
	assert_non_null(strstr(task->task.prompt, "It crashes."));
	assert_true(scene_intent(&s, INTENT_GENERATION)->on);
	assert_non_null(scene_effect(&s, OP_REACT));
	scene_end(&s);
}

static void
everything_missing_is_asked_at_once(void **state)
{
	struct scene s;
	size_t asked = 0;

	(void)state;
	labelled(&s, "agent", true);
	scene_decide(&s);
	for (size_t i = 0; i < s.out.n; i++) {
		assert_int_equal(s.out.v[i].kind, INTENT_FACT);
		asked++;
	}
	assert_int_equal(asked, 3);
	assert_true(intents_want_facts(&s.out));
	scene_end(&s);
}

/* A forge without ids of labellings counts generations; a copy of an old delivery meets a label
 * that is gone. */
static void
without_label_ids_the_generation_is_the_key(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", true);
	s.caps.has_label_events = false;
	s.world.generation = 2;
	scene_permission(&s, PERMISSION_ADMIN);
	scene_issue(&s, "agent");
	scene_decide(&s);
	assert_string_equal(scene_intent(&s, INTENT_TASK)->key, "label:gh:1:7:agent:g3");
	s.world.label_is_on = true;
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_TASK));
	scene_end(&s);
}

struct refusal {
	const char *name;
	enum forge_permission permission;
	int64_t permission_code;
	int64_t permission_user; /* id in the answer */
	bool bot;
	const char *label_now;
	bool closed_now;
	const char *why; /* part of the reason */
};

static const struct refusal REFUSALS[] = {
	{ "a reader", PERMISSION_READ, 0, 3, false, "agent", false, "write permission" },
	{ "a triager", PERMISSION_TRIAGE, 0, 3, false, "agent", false, "write permission" },
	{ "a stranger", PERMISSION_NONE, 0, 3, false, "agent", false, "write permission" },
	{ "nobody the forge knows", PERMISSION_NONE, ERR_MISSING, 0, false, "agent", false,
		"no permission" },
	{ "the forge does not answer", PERMISSION_ADMIN, ERR_TIMEOUT, 3, false, "agent", false,
		"could not be asked" },
	{ "a login that changed hands", PERMISSION_ADMIN, 0, 4, false, "agent", false,
		"another person" },
	{ "a bot with admin rights", PERMISSION_ADMIN, 0, 3, true, "agent", false, "bots" },
	{ "a label that is gone again", PERMISSION_WRITE, 0, 3, false, NULL, false, "gone again" },
	{ "an issue closed meanwhile", PERMISSION_WRITE, 0, 3, false, "agent", true, "closed" },
};

static void
refusals_make_no_task(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
		const struct refusal *r = &REFUSALS[i];
		struct forge_answer *a;
		struct scene s;

		labelled(&s, "agent", true);
		s.event.actor_is_bot = r->bot;
		a = scene_fact(&s, OP_PERMISSION, "alice", r->permission_code);
		a->permission = r->permission;
		a->user_id = r->permission_user;
		scene_issue(&s, r->label_now);
		s.facts.v[1].answer.is_closed = r->closed_now;
		(void)scene_fact(&s, OP_LABEL_EVENT, NULL, 0);
		scene_decide(&s);
		if (scene_intent(&s, INTENT_TASK) || !scene_intent(&s, INTENT_IGNORE) ||
			!strstr(scene_intent(&s, INTENT_IGNORE)->text, r->why))
			fail_msg("%s", r->name);
		scene_end(&s);
	}
}

/* Who may set labels may know why nothing comes of it; it is said once for each labelling. */
static void
why_not_is_told_to_who_may_know(void **state)
{
	static const struct {
		const char *name;
		enum forge_permission permission;
		bool from_fork;
		bool has_label_events;
		const char *text; /* NULL: nothing is said */
		const char *marker;
	} rows[] = {
		{ "a triager", PERMISSION_TRIAGE, false, true, "Write permission", "reply=e55" },
		{ "a triager, where labellings have no id", PERMISSION_TRIAGE, false, false,
			"Write permission", "reply=g3" },
		{ "a writer on a fork's pull request", PERMISSION_WRITE, true, true, "from a fork",
			"reply=e55" },
		{ "a triager on a fork's pull request", PERMISSION_TRIAGE, true, true,
			"Write permission", "reply=e55" },
		{ "a reader", PERMISSION_READ, false, true, NULL, NULL },
		{ "a stranger on a fork's pull request", PERMISSION_NONE, true, true, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct forge_op *op;
		struct scene s;

		labelled(&s, "agent", true);
		s.caps.has_label_events = rows[i].has_label_events;
		s.world.generation = 2;
		s.event.is_pull = rows[i].from_fork;
		scene_permission(&s, rows[i].permission);
		scene_issue(&s, "agent");
		scene_fact(&s, OP_LABEL_EVENT, NULL, 0)->id = 55;
		if (rows[i].from_fork)
			scene_fact(&s, OP_PULL, NULL, 0)->head_repo_id = 2;
		scene_decide(&s);
		op = scene_effect(&s, OP_COMMENT_CREATE);
		assert_null(scene_intent(&s, INTENT_TASK));
		assert_non_null(scene_intent(&s, INTENT_IGNORE));
		if (!rows[i].text ? op != NULL : !op || !strstr(op->body, rows[i].text))
			fail_msg("%s: %s", rows[i].name, op ? op->body : "nothing");
		if (op)
			assert_string_equal(op->marker, rows[i].marker);
		scene_end(&s);
	}
}

/* Not what cannot be read: that is no fork. */
static void
a_pull_request_that_cannot_be_read_is_not_called_a_fork(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", true);
	s.event.is_pull = true;
	scene_permission(&s, PERMISSION_WRITE);
	scene_issue(&s, "agent");
	scene_fact(&s, OP_LABEL_EVENT, NULL, 0)->id = 55;
	(void)scene_fact(&s, OP_PULL, NULL, ERR_MISSING);
	scene_decide(&s);
	assert_null(scene_effect(&s, OP_COMMENT_CREATE));
	assert_string_equal(
		scene_intent(&s, INTENT_IGNORE)->text, "label: the pull request could not be read");
	scene_end(&s);
}

static void
our_own_labelling_does_nothing(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", true);
	s.event.actor_id = 99;
	scene_issue(&s, "agent");
	(void)scene_fact(&s, OP_LABEL_EVENT, NULL, 0);
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_TASK));
	assert_non_null(scene_intent(&s, INTENT_IGNORE));
	scene_end(&s);
}

static void
another_label_does_nothing(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "bug", true);
	scene_decide(&s);
	assert_int_equal(s.out.n, 1);
	assert_int_equal(s.out.v[0].kind, INTENT_IGNORE);
	scene_end(&s);
}

static void
a_label_while_a_task_is_at_work_does_nothing(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", true);
	scene_live(&s);
	scene_decide(&s);
	assert_int_equal(s.out.v[0].kind, INTENT_IGNORE);
	scene_end(&s);
}

static void
a_repository_that_is_not_served_does_nothing(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", true);
	strs_add(&s.repos, "other/*");
	scene_decide(&s);
	assert_int_equal(s.out.n, 1);
	assert_int_equal(s.out.v[0].kind, INTENT_IGNORE);
	scene_end(&s);
}

static void
taking_the_label_off_stops(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", false);
	scene_live(&s);
	s.world.label_is_on = true;
	scene_permission(&s, PERMISSION_WRITE);
	scene_issue(&s, NULL);
	scene_decide(&s);
	assert_int_equal(scene_intent(&s, INTENT_STOP)->id, 17);
	assert_false(scene_intent(&s, INTENT_GENERATION)->on);
	scene_end(&s);
}

/* Gitea tells of an issue's opening by a list of its labels, which may be without the label that
 * was put on a moment later. */
static void
a_list_of_before_the_label_does_not_stop(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, EVENT_LABELS);
	s.event.labels_known = true;
	scene_live(&s);
	s.world.label_is_on = true;
	scene_permission(&s, PERMISSION_WRITE);
	scene_issue(&s, "agent");
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_STOP));
	assert_null(scene_intent(&s, INTENT_GENERATION));
	assert_non_null(scene_intent(&s, INTENT_IGNORE));
	scene_end(&s);
}

static void
a_stranger_cannot_stop(void **state)
{
	struct scene s;

	(void)state;
	labelled(&s, "agent", false);
	scene_live(&s);
	s.world.label_is_on = true;
	scene_permission(&s, PERMISSION_READ);
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_STOP));
	scene_end(&s);
}

/* The bot took its trigger label off when it began: lists without it mean nothing by then. */
static void
another_label_on_a_forge_with_lists_does_not_stop(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, EVENT_LABELS);
	s.event.labels_known = true;
	strs_add(&s.event.labels, "bug");
	strs_add(&s.event.labels, "agent:running");
	scene_live(&s);
	s.world.running_is_on = true;
	scene_permission(&s, PERMISSION_WRITE);
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_STOP));
	scene_end(&s);
}

static void
taking_the_running_label_off_stops(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, EVENT_LABELS);
	s.event.labels_known = true;
	scene_live(&s);
	s.world.running_is_on = true;
	scene_permission(&s, PERMISSION_WRITE);
	scene_issue(&s, NULL);
	scene_decide(&s);
	assert_non_null(scene_intent(&s, INTENT_STOP));
	scene_end(&s);
}

static void
a_pull_request_gets_its_branch(void **state)
{
	struct scene s;
	struct forge_answer *pull;

	(void)state;
	labelled(&s, "agent", true);
	s.event.is_pull = true;
	scene_permission(&s, PERMISSION_WRITE);
	scene_issue(&s, "agent");
	(void)scene_fact(&s, OP_LABEL_EVENT, NULL, 0);
	pull = scene_fact(&s, OP_PULL, NULL, 0);
	pull->ref = mem_str("feature");
	pull->sha = mem_str("abc");
	pull->head_repo_id = 1;
	scene_decide(&s);
	assert_string_equal(scene_intent(&s, INTENT_TASK)->task.base_ref, "feature");
	s.facts.v[3].answer.head_repo_id = 2;
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_TASK));
	scene_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_label_by_a_writer_makes_a_task),
		cmocka_unit_test(everything_missing_is_asked_at_once),
		cmocka_unit_test(without_label_ids_the_generation_is_the_key),
		cmocka_unit_test(refusals_make_no_task),
		cmocka_unit_test(why_not_is_told_to_who_may_know),
		cmocka_unit_test(a_pull_request_that_cannot_be_read_is_not_called_a_fork),
		cmocka_unit_test(our_own_labelling_does_nothing),
		cmocka_unit_test(another_label_does_nothing),
		cmocka_unit_test(a_label_while_a_task_is_at_work_does_nothing),
		cmocka_unit_test(a_repository_that_is_not_served_does_nothing),
		cmocka_unit_test(taking_the_label_off_stops),
		cmocka_unit_test(a_list_of_before_the_label_does_not_stop),
		cmocka_unit_test(a_stranger_cannot_stop),
		cmocka_unit_test(another_label_on_a_forge_with_lists_does_not_stop),
		cmocka_unit_test(taking_the_running_label_off_stops),
		cmocka_unit_test(a_pull_request_gets_its_branch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
