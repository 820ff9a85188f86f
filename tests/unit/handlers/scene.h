/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene - an event, what is known, and what the handlers make of it.
 */
#ifndef TESTS_UNIT_HANDLERS_SCENE_H
#define TESTS_UNIT_HANDLERS_SCENE_H

#include "handlers/handlers.h"

struct scene {
	struct strs repos;
	struct forge_caps caps;
	struct forge_conf forge;
	struct handler_conf conf;
	struct forge_event event;
	struct facts facts;
	struct handler_world world;
	struct task live, last;
	struct intents out;
};

/* Issue 7 of acme/widget, by "mallory"; what happens is done by "alice" (id 3). No facts, no task.
 */
void scene_begin(struct scene *s, enum forge_event_kind kind);
void scene_end(struct scene *s);

void scene_command(struct scene *s, const char *verb, const char *args);
/* The answer of a fact to come; returns it for more. user NULL for all but OP_PERMISSION. */
struct forge_answer *scene_fact(
	struct scene *s, enum forge_op_kind kind, const char *user, int64_t code);
void scene_permission(struct scene *s, enum forge_permission p);
/* The issue as the forge has it now, with one label or none. */
void scene_issue(struct scene *s, const char *label);
void scene_live(struct scene *s); /* task 17 is at work here */

void scene_decide(struct scene *s);
/* The first intent of the kind, or NULL. */
const struct intent *scene_intent(const struct scene *s, enum intent_kind kind);
/* The first INTENT_EFFECT of the operation, or NULL. */
const struct forge_op *scene_effect(const struct scene *s, enum forge_op_kind kind);

#endif
