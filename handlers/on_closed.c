/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_closed - the issue or pull request was closed: nobody waits for the work any more.
 */
#include "handlers/events.h"
#include "handlers/intents.h"

void
on_closed(const struct handler_in *in, struct intents *out)
{
	if (in->world->live)
		intent_stop(out, in->world->live->id, in->event->actor, "it was closed");
	else
		intent_ignore(out, "closed, and no task is at work here");
}
