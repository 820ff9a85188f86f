/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - `nightshift check`: what is wrong with this server and how to mend it.
 *
 * Each question is an item: ok, a warning (the bot runs, but), or a failure (it will not). Nothing
 * is changed, and no secret is shown.
 */
#ifndef BOT_CHECK_H
#define BOT_CHECK_H

#include "base/row.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdio.h>

struct check_item {
	char *name;  /* "forges.gh.token" */
	char *state; /* ok, warning, failure */
	char *text;
	char *mend; /* NULL where the text says it, or nothing is to be mended */
};

struct check_report {
	FILE *out;             /* each item is printed when it is known; NULL: only kept */
	bool ok;               /* no failure; set when all is asked */
	struct row_list items; /* struct check_item */
	int exit_code;         /* of the first failure, see sysexits.h */
};

extern const struct row CHECK_ROWS[];

void check_ok(struct check_report *r, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void check_warn(struct check_report *r, const char *name, const char *mend, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void check_fail(struct check_report *r, const char *name, int exit_code, const char *mend,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void check_report_finish(struct check_report *r);
/* Says the sums, or prints all of it as JSON; finishes it and returns the exit code. */
int check_report_end(struct check_report *r, bool as_json);

/* check_machine.c: room, the listening address, kernel, agents, and git. */
void check_machine(struct check_report *r, const struct config *c);

/* check_rootfs.c: whether the box's own programs do. Nothing without sandbox.rootfs. */
void check_rootfs(struct check_report *r, const struct config *c);

/* True if a box would find a program there. Links of the tree lead to where they would in a box. */
bool check_rootfs_has(const struct config *c, const char *path);

/* check_caches.c: how full each is. */
void check_caches(struct check_report *r, const struct config *c);

/* check_agent.c: which agents a box could start, and what the others lack. */
void check_agents(struct check_report *r, const struct config *c);

/* check_git.c */
void check_git(struct check_report *r);

/* NULL if a git of this version ("2.39.5") takes hostile repositories without harm, else what is
 * wrong with it. */
const char *check_git_version(const char *version);

/* check_forge.c: asks each forge who we are and what we may. Needs the network. */
void check_forges(struct check_report *r, const struct config *c);

/* check_hook.c: whether deliveries can arrive. Pure. */
void check_hooks(struct check_report *r, const struct config *c);

/* check.c: files and variables of all secrets. */
void check_secrets(struct check_report *r, const struct config *c);

/* The subcommand; returns the exit code. */
int check_main(int argc, char **argv);

#endif
