/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role_user - which paths a role may touch, and whom it becomes. Used by role.c and master.c.
 */
#ifndef BOT_ROLE_USER_H
#define BOT_ROLE_USER_H

#include "bot/role.h"

#define ROLE_UID_BASE 70000 /* + enum role: outside of what Debian or systemd give away */

/* NULL-terminated lists for struct confine. */
struct role_paths {
	struct strs reads;
	struct strs writes;
};

void role_paths_fill(struct role_paths *out, const struct role_spec *spec, const struct config *c,
	const char *exe);
void role_paths_finish(struct role_paths *p);

#define auto_role_paths auto_cleanup(role_paths_finish)

/* The path of this program; the caller's to free. */
char *role_exe(void);

#endif
