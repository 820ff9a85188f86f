/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master - starts the roles, introduces them to each other, and starts again what ends.
 */
#ifndef BOT_MASTER_H
#define BOT_MASTER_H

#include "base/err.h"

/* `nightshift serve`: only is a bit mask of the roles to start (ROLE_BIT). Runs until SIGTERM or
 * SIGINT and every role has ended, or until a role cannot start: *exit_code is that role's then,
 * else 0. config_path is read again on SIGHUP. */
int master_run(const char *config_path, unsigned only, int *exit_code, struct err *e);

#endif
