/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve - which roles `nightshift serve --only` starts.
 */
#ifndef BOT_SERVE_H
#define BOT_SERVE_H

#include "base/err.h"

/* "web,queue,..." to a bit mask of ROLE_BIT. ERR_INVALID: no such role, none at all, or one that
 * would ask another that is not there. */
int serve_roles(const char *list, unsigned *only, struct err *e);

#endif
