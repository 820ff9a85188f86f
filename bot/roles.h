/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles - the row of each role, defined in the file of its name.
 */
#ifndef BOT_ROLES_H
#define BOT_ROLES_H

#include "bot/role.h"

extern const struct role_spec ROLE_SPEC_COURIER;
extern const struct role_spec ROLE_SPEC_DECODER;
extern const struct role_spec ROLE_SPEC_GATEWAY;
extern const struct role_spec ROLE_SPEC_KEEPER;
extern const struct role_spec ROLE_SPEC_QUEUE;
extern const struct role_spec ROLE_SPEC_RUNNER;
extern const struct role_spec ROLE_SPEC_WEB;

#endif
