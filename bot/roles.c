/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles - which roles there are. A new role is a file and a row.
 */
#include "bot/roles.h"

const struct role_spec *const ROLES[ROLE_COUNT] = {
	[ROLE_COURIER] = &ROLE_SPEC_COURIER,
	[ROLE_DECODER] = &ROLE_SPEC_DECODER,
	[ROLE_GATEWAY] = &ROLE_SPEC_GATEWAY,
	[ROLE_KEEPER] = &ROLE_SPEC_KEEPER,
	[ROLE_QUEUE] = &ROLE_SPEC_QUEUE,
	[ROLE_RUNNER] = &ROLE_SPEC_RUNNER,
	[ROLE_WEB] = &ROLE_SPEC_WEB,
};
