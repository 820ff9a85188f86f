/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_cache - what .agent.yml said at a commit, so that a warm start opens no object.
 */
#include "bot/courier_git.h"

#include "base/limits.h"
#include "base/mem.h"

#define ENTRIES 64

struct settings_cache {
	struct settings_entry v[ENTRIES];
	size_t next; /* the oldest */
};

static void
entry_finish(struct settings_entry *entry)
{
	free(entry->key);
	free(entry->text);
	buf_finish(&entry->packed);
}

struct settings_cache *
settings_cache_create(void)
{
	return mem_zero(sizeof(struct settings_cache));
}

void
settings_cache_destroy(struct settings_cache *c)
{
	for (size_t i = 0; c && i < ENTRIES; i++)
		entry_finish(&c->v[i]);
	free(c);
}

const struct settings_entry *
settings_cache_get(struct settings_cache *c, const char *key)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		if (str_eq(c->v[i].key, key))
			return &c->v[i];
	}
	return NULL;
}

void
settings_cache_put(
	struct settings_cache *c, const char *key, const char *text, const void *packed, size_t len)
{
	struct settings_entry *entry = &c->v[c->next];

	if (settings_cache_get(c, key))
		return;
	c->next = (c->next + 1) % ENTRIES;
	entry_finish(entry);
	*entry = (struct settings_entry){ .key = mem_str(key), .text = mem_str(text) };
	buf_init(&entry->packed, LIMIT_SETTINGS_BYTES);
	(void)buf_add(&entry->packed, packed, len); /* no longer than what a child may say */
	struct agent_settings settings = { 0 };
	if (row_unpack(AGENT_SETTINGS_ROWS, &settings, packed, len, NULL) == 0) {
		entry->submodules = settings.submodules;
		entry->lfs = settings.lfs;
	}
	agent_settings_finish(&settings);
}
