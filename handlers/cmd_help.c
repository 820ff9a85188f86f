/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_help - "/agent help": the list of commands.
 *
 * No line of it starts with a live command: another bot that quotes it must not set us off.
 */
#include "handlers/commands.h"
#include "handlers/intents.h"

#include "base/limits.h"

void
cmd_help(const struct command_in *c, struct intents *out)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_SUMMARY_BYTES);

	(void)buf_adds(&text, "Write one of these as the first words of a line:\n\n| command | "
			      "what it does |\n| --- | --- |\n");
	for (const struct command_row *row = COMMANDS; row->verb; row++)
		(void)buf_addf(&text, "| `/agent %s` | %s |\n", row->usage, row->help);
	(void)buf_addf(&text,
		"\nThe label `%s` on an issue or pull request does the same as `fix`.\n",
		c->in->conf->label);
	intent_reply(c->in, out, c->n, buf_str(&text));
}
