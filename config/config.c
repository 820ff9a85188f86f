/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - see config.h: bytes to a checked struct, and rows by name.
 */
#include "config/config.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_check.h"
#include "config/settings.h"

#include <string.h>
#include <unistd.h>

/* The folder of a file as an absolute path, so that a role in another directory finds what the file
 * names. */
static int
folder_of(const char *name, char **out, struct err *e)
{
	const char *slash = strrchr(name, '/');
	auto_free char *folder = slash ? mem_strn(name, (size_t)(slash - name)) : NULL;
	auto_free char *here = NULL;

	if (name[0] == '/') {
		*out = steal_ptr(&folder);
		return 0;
	}
	here = getcwd(NULL, 0);
	if (!here)
		return err_sys(e, "current directory");
	*out = folder ? mem_fmt("%s/%s", here, folder) : steal_ptr(&here);
	return 0;
}

int
config_parse(const char *data, size_t len, const char *name, struct config *out, struct err *e)
{
	auto_yaml struct yaml tree = { 0 };
	auto_free char *folder = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	if (len > CONFIG_BYTES_MAX)
		return err_set(
			e, ERR_LIMIT, "%s: %zu bytes of at most %d", name, len, CONFIG_BYTES_MAX);
	rc = folder_of(name, &folder, e);
	if (rc == 0)
		rc = yaml_parse(data, len, name, &tree, e);
	if (rc == 0)
		rc = settings_read(&SERVER_SETTINGS, &tree, folder, out, e);
	if (rc < 0)
		return rc;
	config_complete(out);
	rc = config_check(out, &tree, e);
	if (rc < 0)
		config_finish(out);
	return rc;
}

int
config_load(const char *path, struct config *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(CONFIG_BYTES_MAX);
	int rc = fs_read(path, &text, e);

	memset(out, 0, sizeof(*out));
	return rc < 0 ? rc : config_parse(buf_str(&text), text.len, path, out, e);
}

void
config_finish(struct config *c)
{
	row_finish(CONFIG_ROWS, c);
}

int
agent_settings_parse(
	const char *data, size_t len, const char *name, struct agent_settings *out, struct err *e)
{
	auto_yaml struct yaml tree = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	if (len > LIMIT_AGENT_YML_BYTES)
		return err_set(e, ERR_LIMIT, "%s: %zu bytes of at most %ld", name, len,
			LIMIT_AGENT_YML_BYTES);
	rc = yaml_parse(data, len, name, &tree, e);
	return rc < 0 ? rc : settings_read(&REPOSITORY_SETTINGS, &tree, NULL, out, e);
}

void
agent_settings_finish(struct agent_settings *s)
{
	row_finish(AGENT_SETTINGS_ROWS, s);
}

/* Each element starts with its name. */
static const void *
find(const struct row_list *list, size_t size, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		const void *one = (const char *)list->v + i * size;

		if (str_eq(*(char *const *)one, name))
			return one;
	}
	return NULL;
}

_Static_assert(offsetof(struct config_forge, name) == 0, "find() reads the name there");
_Static_assert(offsetof(struct config_model, name) == 0, "find() reads the name there");
_Static_assert(offsetof(struct config_registry, name) == 0, "find() reads the name there");
_Static_assert(offsetof(struct config_agent, name) == 0, "find() reads the name there");

bool
config_store_is_remote(const struct config *c)
{
	return c->store &&
	       (str_starts(c->store, "postgres://") || str_starts(c->store, "postgresql://"));
}

const struct config_forge *
config_forge_find(const struct config *c, const char *name)
{
	return find(&c->forges, sizeof(struct config_forge), name);
}

const struct config_model *
config_model_find(const struct config *c, const char *name)
{
	return find(&c->models, sizeof(struct config_model), name);
}

const struct config_registry *
config_registry_find(const struct config *c, const char *name)
{
	return find(&c->registries, sizeof(struct config_registry), name);
}

const struct config_agent *
config_agent_find(const struct config *c, const char *name)
{
	return find(&c->agents, sizeof(struct config_agent), name);
}

const struct config_chore *
config_chore_find(const struct config *c, const char *name)
{
	return find(&c->chores, sizeof(struct config_chore), name);
}

int
config_print(const struct config *c, struct buf *out)
{
	return settings_print(&SERVER_SETTINGS, c, out);
}
