/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_retry - "/agent retry": the last task here once more, from the start.
 *
 * A new task with the text of today, authorised by who asks now; only what the old one was told by
 * its command is taken over.
 */
#include "handlers/commands.h"
#include "handlers/intents.h"

void
cmd_retry(const struct command_in *c, struct intents *out)
{
	const struct task *last = c->in->world->last;
	struct forge_command again = { .verb = c->command->verb, .args = NULL };
	struct command_in as = *c;

	if (!last) {
		intent_reply(c->in, out, c->n,
			"There is nothing to retry: there has been no task here.");
		return;
	}
	again.args = last->instruction;
	as.command = &again;
	command_start(&as, out, last->verb == VERB_RUN ? VERB_RUN : VERB_FIX);
}
