/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_command - `nightshift store check|backup|restore`: what a person does with the database.
 */
#ifndef BOT_STORE_COMMAND_H
#define BOT_STORE_COMMAND_H

#include "bot/check.h"

/* The subcommand; returns the exit code. */
int store_main(int argc, char **argv);

/* What is wrong with the store of this configuration, and with its backups. */
void store_check(struct check_report *r, const struct config *c, bool is_quick);

/* ---- what its files share ---- */

/* Says it and returns the exit code. */
int store_failed(int rc, const struct err *e);
/* Nobody may start nightshift meanwhile; ERR_BUSY: it runs. */
int store_lock_state(const struct config *c, int *out_fd, struct err *e);
/* store_copy.c; returns the exit code. */
int store_copy_run(const struct config *c, const char *from, const char *to);

/* Of the server that the store is on; NULL: none. Also for the queue, while it may still read it.
 */
int store_password(const struct config *c, char **out, struct err *e);
void store_password_finish(char *take_password);

#endif
