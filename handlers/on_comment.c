/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_comment - a comment was written; perhaps it holds commands.
 *
 * Most comments are not for us, so those without a command are dropped before anything is asked.
 * Strangers get no answer: a bot that answers anybody can be made to talk without end.
 */
#include "handlers/commands.h"
#include "handlers/events.h"
#include "handlers/intents.h"
#include "handlers/policy.h"

#include "base/mem.h"

static void
unknown(const struct command_in *c, struct intents *out)
{
	const char *verbs[32];
	size_t n = 0;
	const char *near;
	auto_free char *text = NULL;

	for (const struct command_row *row = COMMANDS; row->verb && n < 32; row++)
		verbs[n++] = row->verb;
	near = str_nearest(c->command->verb, verbs, n);
	if (near)
		text = mem_fmt(
			"I do not know that command. Did you mean `%s`? `help` lists all.", near);
	else
		text = mem_fmt("I do not know that command; `help` lists those that I know.");
	intent_reply(c->in, out, c->n, text);
}

static void
run_commands(const struct handler_in *in, struct intents *out)
{
	const struct forge_command *v = in->event->commands.v;

	for (size_t n = 0; n < in->event->commands.n; n++) {
		const struct command_in c = { .in = in, .command = &v[n], .n = n };
		const struct command_row *row = command_get(v[n].verb);

		if (row)
			row->handler(&c, out);
		else
			unknown(&c, out);
	}
}

void
on_comment(const struct handler_in *in, struct intents *out)
{
	enum policy_verdict verdict;
	const char *why = NULL;

	if (in->event->commands.n == 0) {
		intent_ignore(out, "comment without a command");
		return;
	}
	verdict = policy_actor(in, out, &why);
	switch (verdict) {
	case POLICY_ASK:
		return;
	case POLICY_ALLOW:
		run_commands(in, out);
		return;
	case POLICY_DENY_TELL:
		intent_reply(in, out, 0, "Write permission in this repository is needed for that.");
		intent_ignore(out, "command: %s", why);
		return;
	case POLICY_DENY:
		intent_ignore(out, "command: %s", why);
		return;
	}
}
