/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_run - "/agent run words": do exactly what the words say.
 */
#include "handlers/commands.h"
#include "handlers/intents.h"

void
cmd_run(const struct command_in *c, struct intents *out)
{
	if (str_is_empty(c->command->args)) {
		intent_reply(c->in, out, c->n,
			"`run` needs to be told what to do: the words after it are the task.");
		return;
	}
	command_start(c, out, VERB_RUN);
}
