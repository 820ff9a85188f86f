/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_stop - "/agent stop": end the task here.
 */
#include "handlers/commands.h"
#include "handlers/intents.h"

void
cmd_stop(const struct command_in *c, struct intents *out)
{
	const struct handler_in *in = c->in;

	if (!in->world->live) {
		intent_reply(in, out, c->n, "No task is at work here.");
		return;
	}
	intent_ack(in, out);
	intent_stop(out, in->world->live->id, in->event->actor, "stopped by command");
}
