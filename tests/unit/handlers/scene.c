/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene - an event, what is known, and what the handlers make of it.
 */
#include "scene.h"

#include "base/mem.h"

static const char *const AGENTS[] = { "codex", "mine", NULL };

void
scene_begin(struct scene *s, enum forge_event_kind kind)
{
	*s = (struct scene){ 0 };
	s->caps = (struct forge_caps){ .has_label_events = true, .has_checks = true };
	s->forge = (struct forge_conf){ FORGE_GITHUB, "gh", "https://forge.example",
		"https://api.forge.example" };
	s->conf = (struct handler_conf){
		.label = "agent",
		.bot_user = "nightshift-bot",
		.bot_user_id = 99,
		.public_url = "https://bot.example",
		.repos = &s->repos,
		.caps = &s->caps,
		.forge = &s->forge,
		.agents = AGENTS,
		.logs_to_git = true,
	};
	s->event.kind = kind;
	s->event.repo_id = 1;
	s->event.repo = mem_str("acme/widget");
	s->event.number = 7;
	s->event.issue_id = 70;
	s->event.title = mem_str("Crash on empty input");
	s->event.body = mem_str("It crashes.");
	s->event.author = mem_str("mallory");
	s->event.author_id = 5;
	s->event.actor = mem_str("alice");
	s->event.actor_id = 3;
	s->world.now_ms = 1000;
}

void
scene_end(struct scene *s)
{
	strs_finish(&s->repos);
	forge_event_finish(&s->event);
	facts_finish(&s->facts);
	task_finish(&s->live);
	task_finish(&s->last);
	intents_finish(&s->out);
}

void
scene_command(struct scene *s, const char *verb, const char *args)
{
	struct forge_command *c = row_list_add(&s->event.commands, sizeof(*c));

	c->verb = mem_str(verb);
	c->args = mem_str(args);
	s->event.comment_id = 500;
	mem_set(&s->event.comment_body, "a comment");
}

struct forge_answer *
scene_fact(struct scene *s, enum forge_op_kind kind, const char *user, int64_t code)
{
	struct fact *f;

	s->facts.v = mem_grow(s->facts.v, s->facts.n + 1, sizeof(*f));
	f = &s->facts.v[s->facts.n++];
	*f = (struct fact){ .kind = kind, .user = mem_str(user), .code = code };
	return &f->answer;
}

void
scene_permission(struct scene *s, enum forge_permission p)
{
	struct forge_answer *a = scene_fact(s, OP_PERMISSION, s->event.actor, 0);

	a->permission = p;
	a->user_id = s->event.actor_id;
}

void
scene_issue(struct scene *s, const char *label)
{
	struct forge_answer *a = scene_fact(s, OP_ISSUE, NULL, 0);

	if (label)
		strs_add(&a->labels, label);
}

void
scene_live(struct scene *s)
{
	s->live.id = 17;
	s->live.state = TASK_RUNNING;
	s->live.attempt = 1;
	s->world.live = &s->live;
}

void
scene_decide(struct scene *s)
{
	const struct handler_in in = {
		.conf = &s->conf,
		.forge = "gh",
		.event = &s->event,
		.facts = &s->facts,
		.world = &s->world,
	};

	intents_finish(&s->out);
	handlers_decide(&in, &s->out);
}

const struct intent *
scene_intent(const struct scene *s, enum intent_kind kind)
{
	for (size_t i = 0; i < s->out.n; i++) {
		if (s->out.v[i].kind == kind)
			return &s->out.v[i];
	}
	return NULL;
}

const struct forge_op *
scene_effect(const struct scene *s, enum forge_op_kind kind)
{
	for (size_t i = 0; i < s->out.n; i++) {
		if (s->out.v[i].kind == INTENT_EFFECT && s->out.v[i].op.kind == (int64_t)kind)
			return &s->out.v[i].op;
	}
	return NULL;
}
