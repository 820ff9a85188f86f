/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adopt - what a store that is lost has done about a trigger.
 *
 * A store may be lost, or be an older one out of a backup. What was done before stands on the
 * forge: one comment of ours with a mark that only we can make, made after the trigger; and a pull
 * request of the branch that is called after the mark's task. The comment is taken over, so that
 * there is never a second one, and what was over is over.
 */
#ifndef HANDLERS_ADOPT_H
#define HANDLERS_ADOPT_H

#include "handlers/handlers.h"

struct adopt {
	const struct fact *comment; /* NULL: there is nothing of ours */
	const struct fact *pull;    /* open; or NULL */
};

/* False: a fact is missing; it was appended to out. Nothing is asked about a trigger that came
 * after everything that could be forgotten. trigger_ms: the forge's clock. */
bool adopt_look(
	const struct handler_in *in, struct intents *out, int64_t trigger_ms, struct adopt *found);

/* The task gets the comment; if it was over, it is. */
void adopt_take(const struct adopt *found, struct task *t);

#endif
