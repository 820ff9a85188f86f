/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_chores - where the work of a chore goes, what the agent is told, and what people read of it.
 */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/row.h"

#include <string.h>

static void
due(struct scene *s, int64_t pull)
{
	scene_begin(s, EVENT_CHORE);
	s->event.number = pull;
	s->event.is_pull = pull != 0;
	s->event.updated_ms = 4000;
	mem_set(&s->event.title, "Renew");
	mem_set(&s->event.body, "Renew\nwhat is old");
	scene_command(s, "deps", "");
}

static struct forge_answer *
pull_is(struct scene *s, int64_t code, bool is_closed)
{
	struct forge_answer *a = scene_fact(s, OP_PULL, NULL, code);

	a->is_closed = is_closed;
	a->head_repo_id = s->event.repo_id;
	a->ref = mem_str("agent/3-renew");
	a->sha = mem_str("abcd");
	return a;
}

static void
the_first_time_makes_a_task_of_no_issue(void **state)
{
	struct scene s;
	const struct intent *i;

	(void)state;
	due(&s, 0);
	scene_decide(&s);
	assert_int_equal(s.out.n, 1);
	i = scene_intent(&s, INTENT_TASK);
	assert_non_null(i);
	assert_string_equal(i->key, "chore:gh:1:deps:4000");
	assert_int_equal(i->task.verb, VERB_CHORE);
	assert_int_equal(i->task.number, 0);
	assert_false(i->task.is_pull);
	assert_string_equal(i->task.actor, "deps");
	assert_null(i->task.agent);
	assert_null(i->task.base_ref);
	assert_non_null(strstr(i->task.prompt, "what is old"));
	assert_non_null(strstr(i->task.prompt, "change nothing"));
	assert_null(strstr(i->task.prompt, "issue 0"));
	assert_null(strstr(i->task.prompt, "written by a user"));
	scene_end(&s);
}

static void
an_agent_is_handed_on(void **state)
{
	struct scene s;

	(void)state;
	due(&s, 0);
	mem_set(&((struct forge_command *)s.event.commands.v)->args, "claude");
	scene_decide(&s);
	assert_string_equal(scene_intent(&s, INTENT_TASK)->task.agent, "claude");
	scene_end(&s);
}

static void
an_open_pull_request_gets_the_work(void **state)
{
	struct scene s;
	const struct intent *i;

	(void)state;
	due(&s, 12);
	scene_decide(&s);
	assert_non_null(scene_intent(&s, INTENT_FACT));
	assert_int_equal(scene_intent(&s, INTENT_FACT)->op.number, 12);
	pull_is(&s, 0, false);
	scene_decide(&s);
	i = scene_intent(&s, INTENT_TASK);
	assert_true(i->task.is_pull);
	assert_int_equal(i->task.number, 12);
	assert_string_equal(i->task.base_ref, "agent/3-renew");
	assert_string_equal(i->task.base_sha, "abcd");
	assert_non_null(strstr(i->task.prompt, "pull request 12"));
	scene_end(&s);
}

/* Closed, gone, or in another repository. */
static void
any_other_pull_request_does_not(void **state)
{
	(void)state;
	for (int n = 0; n < 3; n++) {
		struct scene s;
		struct forge_answer *a;

		due(&s, 12);
		a = pull_is(&s, n == 1 ? ERR_MISSING : 0, n == 0);
		if (n == 2)
			a->head_repo_id++;
		scene_decide(&s);
		assert_int_equal(scene_intent(&s, INTENT_TASK)->task.number, 0);
		assert_false(scene_intent(&s, INTENT_TASK)->task.is_pull);
		scene_end(&s);
	}
}

static void
what_the_forge_does_not_say_is_not_guessed(void **state)
{
	struct scene s;

	(void)state;
	due(&s, 12);
	pull_is(&s, ERR_BUSY, false);
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_TASK));
	assert_non_null(strstr(scene_intent(&s, INTENT_IGNORE)->text, "#12"));
	scene_end(&s);
}

static void
a_repository_that_is_not_served_has_no_chores(void **state)
{
	struct scene s;

	(void)state;
	due(&s, 0);
	strs_add(&s.repos, "other/*");
	scene_decide(&s);
	assert_null(scene_intent(&s, INTENT_TASK));
	scene_end(&s);
}

/* ---- what is said ---- */

static const struct effect_plan *
planned(const struct effect_plans *p, const char *purpose)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->v[i].purpose, purpose) == 0)
			return &p->v[i];
	}
	return NULL;
}

static void
plan(struct scene *s, struct task *t, bool pushed, struct effect_plans *out)
{
	const struct effects_in in = {
		.conf = &s->conf, .task = t, .pushed = pushed, .logs_done = true
	};

	effect_plans_finish(out);
	effects_plan(&in, out);
}

static void
it_speaks_when_it_has_work(void **state)
{
	struct effect_plans p = { 0 };
	struct scene s;
	struct task t = {
		.id = 17,
		.verb = VERB_CHORE,
		.attempt = 1,
		.fence = 1,
		.gate_exit = -1,
		.forge = mem_str("gh"),
		.repo = mem_str("acme/widget"),
		.actor = mem_str("deps"),
		.title = mem_str("Renew"),
		.base_ref = mem_str("main"),
	};
	static const int64_t silent[] = { OUTCOME_EMPTY, OUTCOME_AGENT, OUTCOME_SETUP,
		OUTCOME_TIMEOUT, OUTCOME_STOPPED, OUTCOME_RED };

	(void)state;
	scene_begin(&s, EVENT_NONE);
	for (t.state = TASK_QUEUED; t.state < TASK_PUBLISHING; t.state++) {
		plan(&s, &t, false, &p);
		assert_int_equal(p.n, 0);
	}
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		t.outcome = silent[i];
		mem_set(&t.head_sha, silent[i] == OUTCOME_EMPTY ? NULL : "beef");
		plan(&s, &t, false, &p);
		assert_int_equal(p.n, 0);
	}
	t.outcome = OUTCOME_EMPTY;
	assert_int_equal(publish_event(&t), TASK_EV_PUBLISHED_OK);

	t.outcome = OUTCOME_GREEN;
	mem_set(&t.head_sha, "beef");
	plan(&s, &t, true, &p);
	assert_non_null(planned(&p, "push"));
	assert_string_equal(planned(&p, "pull")->op.title, "Renew");
	assert_non_null(strstr(planned(&p, "pull")->op.body, "The chore `deps`"));
	assert_null(strstr(planned(&p, "pull")->op.body, "Closes"));
	assert_null(planned(&p, "sticky"));
	assert_null(planned(&p, "running"));

	t.is_pull = true;
	t.number = 12;
	plan(&s, &t, false, &p);
	assert_null(planned(&p, "sticky"));
	plan(&s, &t, true, &p);
	assert_null(planned(&p, "pull"));
	assert_int_equal(planned(&p, "sticky")->op.number, 12);
	effect_plans_finish(&p);
	task_finish(&t);
	scene_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_time_makes_a_task_of_no_issue),
		cmocka_unit_test(an_agent_is_handed_on),
		cmocka_unit_test(an_open_pull_request_gets_the_work),
		cmocka_unit_test(any_other_pull_request_does_not),
		cmocka_unit_test(what_the_forge_does_not_say_is_not_guessed),
		cmocka_unit_test(a_repository_that_is_not_served_has_no_chores),
		cmocka_unit_test(it_speaks_when_it_has_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
