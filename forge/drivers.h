/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drivers - the dialects, for the registry only. Everybody else asks forge_driver_get.
 */
#ifndef FORGE_DRIVERS_H
#define FORGE_DRIVERS_H

#include "forge/forge.h"

extern const struct forge_driver GITHUB_DRIVER;
extern const struct forge_driver GITEA_DRIVER;
extern const struct forge_driver FORGEJO_DRIVER;
extern const struct forge_driver GITLAB_DRIVER;

#endif
