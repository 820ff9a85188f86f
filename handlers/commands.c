/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands - the table of what people may say. A new command is a file cmd_<verb>.c and a row here.
 */
#include "handlers/commands.h"

const struct command_row COMMANDS[] = {
	{ "fix", "fix [--agent NAME] [--base BRANCH] [words]",
		"mend what the issue says, or what you say about the pull request", cmd_fix },
	{ "help", "help", "this list", cmd_help },
	{ "retry", "retry", "do the last task here once more, from the start", cmd_retry },
	{ "run", "run [--agent NAME] [--base BRANCH] words", "do exactly what the words say",
		cmd_run },
	{ "status", "status", "what the task here is doing", cmd_status },
	{ "stop", "stop", "end the task here; work so far is kept on a branch", cmd_stop },
	{ NULL, NULL, NULL, NULL },
};

const struct command_row *
command_get(const char *verb)
{
	for (const struct command_row *row = COMMANDS; row->verb; row++) {
		if (str_eq(row->verb, verb))
			return row;
	}
	return NULL;
}
