/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - what all subcommands share.
 */
#include "bot/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

int
command_usage(const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "nightshift: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\nTry: nightshift help\n");
	return EX_USAGE;
}
