/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime - a bad OCI runtime. What it does is in the name of its file:
 *
 *	fail     says why and ends
 *	nothing  ends well and has made no box
 *	hang     never ends
 *	leave    leaves processes behind, each below the other, that hold all it was given, and
 *fails
 */
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn static void
hang(void)
{
	for (;;)
		(void)pause();
}

static void
leave(void)
{
	for (int depth = 0; depth < 3; depth++) {
		if (fork() != 0) {
			if (depth > 0)
				hang();
			return;
		}
		(void)setsid();
	}
	hang();
}

int
main(void)
{
	char path[PATH_MAX] = "";
	const char *name;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return 2;
	name = basename(path);
	if (strcmp(name, "hang") == 0)
		hang();
	if (strcmp(name, "nothing") == 0)
		return 0;
	if (strcmp(name, "leave") == 0)
		leave();
	(void)fprintf(stderr, "a line about logs\nno box today\n");
	return 1;
}
