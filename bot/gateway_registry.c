/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_registry - what kinds of package registries there are.
 */
#include "bot/gateway_registry.h"

#include "base/clean.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

#include <string.h>
#include <strings.h>

#define FILES "-files"

/* Patterns of str_glob, for paths below the registry or below its files ("/NAME-files"). What they
 * name is published once and never changed: by the registry's rules, or because its name has its
 * hash in it. All kinds check what they get against a hash of their own in the end. */
static const struct {
	const char *name;
	const char *forever[6];
	const char
		*turned; /* the index whose addresses are turned; NULL: all that is not forever */
} KINDS[] = {
	{ "apt", { "**/pool/**", "**/by-hash/**" }, "" },
	{ "cargo", { "/files/**.crate", "/files/**/download", "/**/download" }, "/config.json" },
	{ "go", { "/**/@v/*.info", "/**/@v/*.mod", "/**/@v/*.zip", "/sumdb/*/tile/**" }, "" },
	{ "npm", { "/**/-/*.tgz" }, NULL },
	{ "pypi", { "/files/**" }, NULL },
};

/* A name of the operator's own, of which nothing is known, is the last. */
static size_t
kind_of(const char *name)
{
	size_t i = 0;

	while (i < sizeof(KINDS) / sizeof(KINDS[0]) && !str_eq(KINDS[i].name, name))
		i++;
	return i;
}

const struct config_registry *
registry_by_name(const struct config *c, const char *name, bool *is_files)
{
	const struct config_registry *reg = config_registry_find(c, name);
	size_t len = strlen(name);

	*is_files = false;
	if (reg || !str_ends(name, FILES))
		return reg;
	auto_free char *base = mem_strn(name, len - strlen(FILES));
	reg = config_registry_find(c, base);
	*is_files = true;
	return reg && reg->files ? reg : NULL;
}

const struct config_registry *
registry_by_address(const struct config *c, const char *address, size_t len, size_t *rest)
{
	const struct config_registry *reg = c->registries.v;

	for (size_t i = 0; i < c->registries.n; i++) {
		const char *base = strstr(reg[i].url, "://") + strlen("://");
		size_t host = strcspn(base, "/");
		size_t n = strlen(base);

		if (len > n && address[n] == '/' && strncasecmp(address, base, host) == 0 &&
			memcmp(address + host, base + host, n - host) == 0) {
			*rest = n;
			return &reg[i];
		}
	}
	return NULL;
}

/* Below what the registry answers. A Python index is configured as ".../simple" by habit, and that
 * part comes from the client too. */
static char *
base_of(const struct config_registry *reg, bool is_files)
{
	size_t len = strlen(reg->url);

	if (is_files)
		return mem_str(reg->files);
	return mem_strn(reg->url, str_ends(reg->url, "/simple") ? len - strlen("/simple") : len);
}

static bool
is_forever(size_t kind, bool is_files, const char *path)
{
	auto_free char *full = mem_fmt("%s%s", is_files ? "/files" : "", path);

	for (const char *const *p = KINDS[kind].forever; *p; p++) {
		if (str_glob(*p, full))
			return true;
	}
	return false;
}

static void
add_rewrites(const struct config_registry *reg, const char *base, struct route *r)
{
	r->rewrites[0].from = mem_fmt("%s/", base);
	r->rewrites[0].to = mem_fmt("%s/%s/", BOX_GATEWAY, reg->name);
	if (reg->files) {
		r->rewrites[1].from = mem_fmt("%s/", reg->files);
		r->rewrites[1].to = mem_fmt("%s/%s%s/", BOX_GATEWAY, reg->name, FILES);
	}
}

void
registry_route(const struct config_registry *reg, bool is_files, const char *path, size_t len,
	struct route *r)
{
	size_t kind = kind_of(reg->name);
	bool is_known = kind < sizeof(KINDS) / sizeof(KINDS[0]);
	bool has_query = memchr(path, '?', len) != NULL;
	auto_free char *base = base_of(reg, is_files);
	auto_free char *below = mem_strn(path, len);
	bool is_fixed = is_known && !has_query && is_forever(kind, is_files, below);
	const char *turned = is_known ? KINDS[kind].turned : "";

	r->url = mem_fmt("%s%s", base, below);
	if (is_fixed)
		r->keep_ms = REGISTRY_FOREVER;
	else if (is_known && !has_query && !is_files)
		r->keep_ms = REGISTRY_INDEX_MS;
	if (!is_files && !is_fixed && (!turned || str_eq(turned, below)))
		add_rewrites(reg, base, r);
}
