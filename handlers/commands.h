/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands - one handler per command, in a table.
 *
 * A handler is called for a person who may give orders. It may still ask for facts.
 */
#ifndef HANDLERS_COMMANDS_H
#define HANDLERS_COMMANDS_H

#include "handlers/handlers.h"

/* The n-th command of the event's comment. */
struct command_in {
	const struct handler_in *in;
	const struct forge_command *command;
	size_t n;
};

typedef void command_do(const struct command_in *c, struct intents *out);

struct command_row {
	const char *verb;
	const char *usage; /* "fix [--agent NAME] [--base BRANCH] [words]" */
	const char *help;
	command_do *handler;
};

/* Alphabetical; ends with a row without a verb. */
extern const struct command_row COMMANDS[];

const struct command_row *command_get(const char *verb);

command_do cmd_fix, cmd_help, cmd_retry, cmd_run, cmd_status, cmd_stop;

/* What fix and run share: options, facts, the task. ERR_INVALID texts become a reply. */
void command_start(const struct command_in *c, struct intents *out, enum task_verb verb);

#endif
