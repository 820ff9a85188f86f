/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_registry - what kinds of package registries there are: where their files are, which
 * addresses in their answers must lead back to the gateway, and which answers never change. Pure.
 */
#ifndef BOT_GATEWAY_REGISTRY_H
#define BOT_GATEWAY_REGISTRY_H

#include "bot/gateway_route.h"

#define REGISTRY_INDEX_MS (INT64_C(2) * 60 * 1000) /* so old may what an index says be */
#define REGISTRY_FOREVER  INT64_MAX

/* The registry of "/name/..." or "/name-files/...", and which of the two; NULL: there is none. */
const struct config_registry *registry_by_name(
	const struct config *c, const char *name, bool *is_files);

/* The registry to which a proxy request for "http://host/path" belongs; *rest is what follows its
 * base. */
const struct config_registry *registry_by_address(
	const struct config *c, const char *address, size_t len, size_t *rest);

/* Fills in url, rewrites and keep_ms of a route to path (with its query) below the registry. */
void registry_route(const struct config_registry *reg, bool is_files, const char *path, size_t len,
	struct route *r);

#endif
