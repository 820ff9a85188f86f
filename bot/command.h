/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - the subcommands of the program, each a row in main.c and a function in a file of its
 * own.
 */
#ifndef BOT_COMMAND_H
#define BOT_COMMAND_H

struct command {
	const char *name;
	const char *args; /* for help; NULL: not shown, for ourselves */
	const char *help; /* one line */
	/* argv[0] is the command's name. Returns the exit code, see sysexits.h. */
	int (*run)(int argc, char **argv);
};

int command_serve(int argc, char **argv);

/* Writes "nightshift: text" to standard error and the hint where help is; returns EX_USAGE. */
int command_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
