/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - the program: finds the subcommand and runs it.
 */
#include "base/str.h"
#include "bot/check.h"
#include "bot/chore_command.h"
#include "bot/command.h"
#include "bot/git_child.h"
#include "bot/role.h"
#include "bot/store_command.h"

#include <errno.h>
#include <sysexits.h>

static int
run_role(int argc, char **argv)
{
	if (argc == 2 && str_eq(argv[1], GIT_CHILD_ROLE))
		return git_child_main();
	if (argc != 2)
		return command_usage("--role needs a name");
	return role_main(argv[1]);
}

static int
run_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)printf("nightshift %s\n", NS_VERSION);
	return EX_OK;
}

static int run_help(int argc, char **argv);

/* Alphabetical. */
static const struct command commands[] = {
	{ "--help", NULL, NULL, run_help },
	{ "--role", NULL, NULL, run_role },
	{ "--version", NULL, NULL, run_version },
	{ "check", "[-c FILE] [--json]", "what is wrong here, and how to mend it", check_main },
	{ "chore", "next [-c FILE] [-n TIMES]", "when chores are due", chore_main },
	{ "help", "", "this text", run_help },
	{ "serve", "[-c FILE] [--only ROLE,...]", "run the bot in the foreground", command_serve },
	{ "store", "check|backup|restore|copy", "the database: is it whole, copy it, go back",
		store_main },
	{ "version", "", "name and number of this version", run_version },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int
run_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)printf("nightshift - label an issue, get a pull request\n\n"
		     "usage: nightshift COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].args)
			(void)printf("  %-8s %-24s %s\n", commands[i].name, commands[i].args,
				commands[i].help);
	}
	(void)printf("\nThe configuration is nightshift.yaml in this directory, or -c FILE.\n"
		     "Exit codes are those of sysexits.h.\n");
	return EX_OK;
}

static int
unknown(const char *name)
{
	const char *names[COMMANDS];
	size_t n = 0;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].args)
			names[n++] = commands[i].name;
	}
	const char *nearest = str_nearest(name, names, n);
	if (nearest)
		return command_usage("no command \"%s\"; did you mean \"%s\"?", name, nearest);
	return command_usage("no command \"%s\"", name);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		(void)run_help(argc, argv);
		return EX_USAGE;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (str_eq(commands[i].name, argv[1]))
			return commands[i].run(argc - 1, argv + 1);
	}
	return unknown(argv[1]);
}
