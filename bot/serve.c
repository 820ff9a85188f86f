/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve - `nightshift serve`: all roles, or those that --only names, in the foreground, until a
 * signal.
 */
#include "base/clean.h"
#include "base/err.h"
#include "base/mem.h"
#include "bot/command.h"
#include "bot/master.h"
#include "bot/role.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

/* "web,queue" to a bit mask. */
static int
parse_only(const char *list, unsigned *only, struct err *e)
{
	*only = 0;
	while (*list) {
		size_t len = strcspn(list, ",");
		auto_free char *name = mem_strn(list, len);
		int role = role_parse(name);

		if (role <= ROLE_MASTER || !ROLES[role])
			return err_set(
				e, ERR_INVALID, "serve --only: there is no role \"%s\"", name);
		*only |= ROLE_BIT(role);
		list += len + (list[len] == ',');
	}
	return *only ? 0 : err_set(e, ERR_INVALID, "serve --only needs names of roles");
}

int
command_serve(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "only", required_argument, NULL, 'o' },
		{ 0 },
	};
	const char *config = "nightshift.yaml";
	struct err e = { 0 };
	int exit_code = EX_OK;
	unsigned only = ~0u;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (opt == 'c')
			config = optarg;
		else if (opt != 'o')
			return command_usage("serve takes -c FILE and --only ROLE,ROLE");
		else if (parse_only(optarg, &only, &e) < 0)
			return command_usage("%s", e.text);
	}
	if (optind < argc)
		return command_usage("serve: what is \"%s\"?", argv[optind]);
	int rc = master_run(config, only, &exit_code, &e);
	if (rc == 0)
		return exit_code;
	(void)fprintf(stderr, "nightshift: %s\n", e.text);
	return err_exit(rc);
}
