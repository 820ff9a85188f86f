/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy - who may make the bot work.
 *
 * Labels and author_association are hints that anybody may forge or that hide private members; the
 * permission API is not.
 */
#include "handlers/policy.h"

#include "handlers/intents.h"

bool
policy_is_machine(const struct handler_in *in, const char **why)
{
	const struct forge_event *ev = in->event;

	if (in->conf->bot_user_id > 0 && ev->actor_id == in->conf->bot_user_id) {
		*why = "our own doing";
		return true;
	}
	if (in->conf->bot_user && str_eq(ev->actor, in->conf->bot_user)) {
		*why = "our own doing";
		return true;
	}
	if (ev->actor_is_bot || (ev->actor && str_ends(ev->actor, "[bot]"))) {
		*why = "bots may not give orders";
		return true;
	}
	return false;
}

bool
policy_serves(const struct handler_conf *conf, const char *repo)
{
	if (!conf->repos || conf->repos->n == 0)
		return true;
	return str_glob_list(conf->repos, repo);
}

enum policy_verdict
policy_actor(const struct handler_in *in, struct intents *out, const char **why)
{
	const struct fact *f;

	if (policy_is_machine(in, why))
		return POLICY_DENY;
	if (str_is_empty(in->event->actor)) {
		*why = "the forge does not say who did it";
		return POLICY_DENY;
	}
	f = intent_need(in, out, OP_PERMISSION, in->event->actor);
	if (!f)
		return POLICY_ASK;
	if (f->code == ERR_MISSING) {
		*why = "no permission in this repository";
		return POLICY_DENY;
	}
	if (f->code != 0) {
		*why = "denied, the forge could not be asked for the permission";
		return POLICY_DENY;
	}
	if (in->event->actor_id > 0 && f->answer.user_id > 0 &&
		f->answer.user_id != in->event->actor_id) {
		*why = "the login belongs to another person by now";
		return POLICY_DENY;
	}
	if (f->answer.user_is_bot) {
		*why = "bots may not give orders";
		return POLICY_DENY;
	}
	if (f->answer.permission >= PERMISSION_WRITE)
		return POLICY_ALLOW;
	*why = "write permission is needed";
	return f->answer.permission == PERMISSION_TRIAGE ? POLICY_DENY_TELL : POLICY_DENY;
}
