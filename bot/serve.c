/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve - `nightshift serve`: all roles, in the foreground, until a signal.
 */
#include "base/err.h"
#include "bot/command.h"
#include "bot/master.h"

#include <getopt.h>
#include <sysexits.h>

int
command_serve(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ 0 },
	};
	const char *config = "nightshift.yaml";
	struct err e = { 0 };
	int exit_code = EX_OK;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (opt != 'c')
			return command_usage("serve takes -c FILE");
		config = optarg;
	}
	if (optind < argc)
		return command_usage("serve: what is \"%s\"?", argv[optind]);
	int rc = master_run(config, &exit_code, &e);
	if (rc == 0)
		return exit_code;
	(void)fprintf(stderr, "nightshift: %s\n", e.text);
	return err_exit(rc);
}
