/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - what no single key can tell: defaults that follow from other keys, and keys that
 * contradict each other.
 */
#ifndef CONFIG_CONFIG_CHECK_H
#define CONFIG_CONFIG_CHECK_H

#include "config/config.h"
#include "config/yaml.h"

/* Fills api_url, kinds, providers and the built-in agents. */
void config_complete(struct config *c);

/* After config_complete. The tree gives the messages their places. */
int config_check(const struct config *c, const struct yaml *tree, struct err *e);

#endif
