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
#include "bot/serve.h"

#include <getopt.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

/* Whom a role asks for what it cannot do without; these must run beside it. What only asks it is
 * not here: without web there is polling, without runner and gateway nothing is worked on. */
static const struct {
	enum role role;
	unsigned needs;
} NEEDS[] = {
	{ ROLE_COURIER, ROLE_BIT(ROLE_KEEPER) | ROLE_BIT(ROLE_QUEUE) },
	{ ROLE_DECODER, ROLE_BIT(ROLE_QUEUE) },
	{ ROLE_GATEWAY, ROLE_BIT(ROLE_KEEPER) | ROLE_BIT(ROLE_RUNNER) },
	{ ROLE_QUEUE, ROLE_BIT(ROLE_COURIER) | ROLE_BIT(ROLE_DECODER) | ROLE_BIT(ROLE_KEEPER) },
	{ ROLE_RUNNER, ROLE_BIT(ROLE_COURIER) | ROLE_BIT(ROLE_GATEWAY) | ROLE_BIT(ROLE_QUEUE) },
	{ ROLE_WEB, ROLE_BIT(ROLE_KEEPER) | ROLE_BIT(ROLE_QUEUE) },
};

static int
check_needs(unsigned only, struct err *e)
{
	for (size_t i = 0; i < sizeof(NEEDS) / sizeof(NEEDS[0]); i++) {
		unsigned missing = NEEDS[i].needs & ~only;

		if ((only & ROLE_BIT(NEEDS[i].role)) && missing)
			return err_set(e, ERR_INVALID, "serve --only: %s needs %s beside it",
				role_name(NEEDS[i].role),
				role_name((unsigned)ffs((int)missing) - 1));
	}
	return 0;
}

int
serve_roles(const char *list, unsigned *only, struct err *e)
{
	unsigned bits = 0;

	while (*list) {
		size_t len = strcspn(list, ",");
		auto_free char *name = mem_strn(list, len);
		int role = role_parse(name);

		if (role <= ROLE_MASTER || !ROLES[role])
			return err_set(
				e, ERR_INVALID, "serve --only: there is no role \"%s\"", name);
		bits |= ROLE_BIT(role);
		list += len + (list[len] == ',');
	}
	if (!bits)
		return err_set(e, ERR_INVALID, "serve --only needs names of roles");
	int rc = check_needs(bits, e);
	if (rc == 0)
		*only = bits;
	return rc;
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
		else if (serve_roles(optarg, &only, &e) < 0)
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
