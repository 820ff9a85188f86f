/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy - who may make the bot work.
 *
 * Write permission or better, asked of the forge now, for the numeric user; bots never, the bot
 * itself never. What cannot be asked is denied.
 */
#ifndef HANDLERS_POLICY_H
#define HANDLERS_POLICY_H

#include "handlers/handlers.h"

enum policy_verdict {
	POLICY_ASK, /* a fact is missing; it was appended to out */
	POLICY_ALLOW,
	POLICY_DENY,      /* and the asker is told nothing */
	POLICY_DENY_TELL, /* and the asker, who has some role in the project, may know why */
};

/* *why is a literal. */
enum policy_verdict policy_actor(
	const struct handler_in *in, struct intents *out, const char **why);

/* The event is our own doing, or another machine's. *why is a literal. */
bool policy_is_machine(const struct handler_in *in, const char **why);

bool policy_serves(const struct handler_conf *conf, const char *repo);

#endif
