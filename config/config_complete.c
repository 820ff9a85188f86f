/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_complete - defaults that follow from other keys.
 */
#include "config/config_check.h"

#include "base/mem.h"
#include "base/str.h"

/* Kinds of agents that need no row in the file, and the kind of API that each speaks. */
static const struct {
	const char *kind;
	const char *api;
} AGENTS[] = {
	{ "claude", "anthropic" },
	{ "cline", "openai" },
	{ "codex", "openai" },
	{ "copilot", "openai" },
	{ "gemini", "gemini" },
	{ "opencode", "openai" },
	{ "pi", "openai" },
	{ "qwen", "openai" },
};

static const struct {
	const char *kind;
	const char *url;
} APIS[] = {
	{ "anthropic", "https://api.anthropic.com" },
	{ "gemini", "https://generativelanguage.googleapis.com" },
	{ "openai", "https://api.openai.com/v1" },
};

/* Where most people have them, and the API's version as it stands in addresses. */
static const struct {
	const char *kind;
	const char *url;
	const char *version;
} FORGES[] = {
	{ "forgejo", NULL, "v1" },
	{ "gitea", NULL, "v1" },
	{ "github", "https://github.com", "v3" },
	{ "gitlab", "https://gitlab.com", "v4" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
complete_forge(struct config_forge *f)
{
	size_t i = 0;

	while (i < COUNT(FORGES) && !str_eq(FORGES[i].kind, f->kind))
		i++;
	if (i == COUNT(FORGES))
		return;
	if (!f->url && FORGES[i].url)
		mem_set(&f->url, FORGES[i].url);
	if (f->api_url || !f->url)
		return;
	if (str_eq(f->url, "https://github.com"))
		f->api_url = mem_str("https://api.github.com");
	else
		f->api_url = mem_fmt("%s/api/%s", f->url, FORGES[i].version);
}

static void
complete_model(struct config_model *m)
{
	size_t named = 0;
	size_t i = 0;

	while (named < COUNT(APIS) && !str_eq(APIS[named].kind, m->name))
		named++;
	if (!m->kind)
		mem_set(&m->kind, named < COUNT(APIS) ? m->name : "openai");
	while (i < COUNT(APIS) && !str_eq(APIS[i].kind, m->kind))
		i++;
	if (!m->url && i < COUNT(APIS))
		mem_set(&m->url, APIS[i].url);
}

/* People who use it call it pip, its makers call it PyPI. */
static void
complete_registry(const struct config *c, struct config_registry *r)
{
	if (str_eq(r->name, "pip") && !config_registry_find(c, "pypi"))
		mem_set(&r->name, "pypi");
	if (r->files)
		return;
	if (str_eq(r->name, "pypi"))
		r->files = mem_str("https://files.pythonhosted.org");
	else if (str_eq(r->name, "cargo"))
		r->files = mem_str("https://static.crates.io");
}

/* The model route of that API: the one of its name, else the first of its kind. */
static const char *
provider_for(const struct config *c, const char *api)
{
	const struct config_model *m = c->models.v;

	if (config_model_find(c, api))
		return api;
	for (size_t i = 0; i < c->models.n; i++) {
		if (str_eq(m[i].kind, api))
			return m[i].name;
	}
	return NULL;
}

static void
complete_agent(const struct config *c, struct config_agent *a)
{
	const char *api = "openai"; /* what programs of one's own are most likely to speak */
	size_t i = 0;

	while (i < COUNT(AGENTS) && !str_eq(AGENTS[i].kind, a->kind ? a->kind : a->name))
		i++;
	if (!a->kind && a->command.n)
		mem_set(&a->kind, "command");
	else if (!a->kind && i < COUNT(AGENTS))
		mem_set(&a->kind, AGENTS[i].kind);
	if (i < COUNT(AGENTS) && str_eq(a->kind, AGENTS[i].kind))
		api = AGENTS[i].api;
	if (!a->provider)
		mem_set(&a->provider, provider_for(c, api));
}

void
config_complete(struct config *c)
{
	struct config_forge *forges = c->forges.v;
	struct config_model *models = c->models.v;
	struct config_agent *agents;

	for (size_t i = 0; i < c->forges.n; i++)
		complete_forge(&forges[i]);
	for (size_t i = 0; i < c->models.n; i++)
		complete_model(&models[i]);
	for (size_t i = 0; i < c->registries.n; i++)
		complete_registry(c, (struct config_registry *)c->registries.v + i);
	for (size_t i = 0; i < COUNT(AGENTS); i++) {
		struct config_agent *a;

		if (config_agent_find(c, AGENTS[i].kind) || c->agents.n == CONFIG_NAMES_MAX)
			continue;
		a = row_list_add(&c->agents, sizeof(*a));
		a->name = mem_str(AGENTS[i].kind);
	}
	agents = c->agents.v;
	for (size_t i = 0; i < c->agents.n; i++)
		complete_agent(c, &agents[i]);
}
