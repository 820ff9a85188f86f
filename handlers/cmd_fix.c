/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_fix - "/agent fix": mend what the issue says, or what is said about a pull request.
 */
#include "handlers/commands.h"

void
cmd_fix(const struct command_in *c, struct intents *out)
{
	command_start(c, out, VERB_FIX);
}
