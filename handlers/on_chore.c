/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_chore - a chore is due.
 *
 * Nobody asked, so nobody's permission is looked up: the configuration is the order. What becomes
 * of the pull request of the last time decides where the work goes: while it is open it is added
 * to, so that there is never a second one.
 */
#include "handlers/events.h"
#include "handlers/intents.h"
#include "handlers/prompt.h"

#include "base/mem.h"

#include <inttypes.h>

static bool
can_be_added_to(const struct handler_in *in, const struct fact *pull)
{
	return pull && pull->code == 0 && !pull->answer.is_closed &&
	       pull->answer.head_repo_id == in->event->repo_id && pull->answer.ref;
}

void
on_chore(const struct handler_in *in, struct intents *out)
{
	const struct forge_event *ev = in->event;
	const struct forge_command *chore = ev->commands.v;
	const struct fact *pull = NULL;
	auto_free char *key = NULL;
	struct task *t;

	if (ev->commands.n != 1 || str_is_empty(ev->body)) {
		intent_ignore(out, "a chore without a name or a prompt");
		return;
	}
	if (ev->number != 0) {
		pull = intent_need(in, out, OP_PULL, NULL);
		if (!pull)
			return;
		if (pull->code != 0 && pull->code != ERR_MISSING) {
			intent_ignore(out,
				"chore %s: the forge does not say whether #%" PRId64 " is open",
				chore->verb, ev->number);
			return;
		}
	}
	key = mem_fmt("chore:%s:%" PRId64 ":%s:%" PRId64, in->forge, ev->repo_id, chore->verb,
		ev->updated_ms);
	t = intent_task(in, out, key);
	t->verb = VERB_CHORE;
	mem_set(&t->actor, chore->verb);
	t->agent = mem_str(str_is_empty(chore->args) ? NULL : chore->args);
	t->is_pull = can_be_added_to(in, pull);
	t->number = t->is_pull ? ev->number : 0;
	if (t->is_pull) {
		t->base_ref = mem_str(pull->answer.ref);
		t->base_sha = mem_str(pull->answer.sha);
	}
	t->prompt = prompt_make(in, t, ev->body);
}
