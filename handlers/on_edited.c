/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_edited - somebody changed text that a task was authorised for.
 *
 * What was authorised is the text at the time of the trigger. An edit never starts anything. A
 * later edit by somebody without permission voids the task, for the person who asked for it may
 * have read the other text.
 */
#include "handlers/events.h"
#include "handlers/intents.h"
#include "handlers/policy.h"

void
on_edited(const struct handler_in *in, struct intents *out)
{
	const struct forge_event *ev = in->event;
	const struct task *live = in->world->live;
	enum policy_verdict verdict;
	const char *why = NULL;

	if (!live || live->verb == VERB_CHORE) {
		intent_ignore(out, "edited, and no task goes by that text");
		return;
	}
	if (ev->kind == EVENT_COMMENT_EDITED && ev->comment_id != live->comment_id) {
		intent_ignore(out, "edited, but the task does not come from that comment");
		return;
	}
	if (policy_is_machine(in, &why)) {
		intent_ignore(out, "edited: %s", why);
		return;
	}
	verdict = policy_actor(in, out, &why);
	if (verdict == POLICY_ASK)
		return;
	if (verdict == POLICY_ALLOW)
		intent_ignore(out,
			"edited by somebody who may; the task works with the text of its trigger");
	else
		intent_stop(out, live->id, ev->actor,
			"its text was edited by somebody without write permission");
}
