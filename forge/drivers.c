/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drivers - the registry of dialects. Apart from forge.c, so that whoever only passes operations on
 * links none of them.
 */
#include "forge/drivers.h"

static const struct forge_driver *const DRIVERS[FORGE_KIND_COUNT] = {
	[FORGE_GITHUB] = &GITHUB_DRIVER,
	[FORGE_GITEA] = &GITEA_DRIVER,
	[FORGE_FORGEJO] = &FORGEJO_DRIVER,
	[FORGE_GITLAB] = &GITLAB_DRIVER,
};

const struct forge_driver *
forge_driver_get(enum forge_kind kind)
{
	return DRIVERS[kind];
}
