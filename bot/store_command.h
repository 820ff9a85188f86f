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

#endif
