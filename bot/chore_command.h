/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chore_command - `nightshift chore next`: when the chores of a configuration are due.
 */
#ifndef BOT_CHORE_COMMAND_H
#define BOT_CHORE_COMMAND_H

/* The subcommand; returns the exit code. */
int chore_main(int argc, char **argv);

#endif
