/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - keys that contradict each other. Each message says what to write instead.
 */
#include "config/config_check.h"

#include "base/str.h"
#include "base/zone.h"

#include <string.h>

struct checker {
	const struct config *c;
	const struct yaml *tree;
	struct err *e;
};

/* The deepest of group.name.key that the file has: a missing key is told at its map. */
static const struct yaml_node *
place(const struct checker *k, const char *group, const char *name, const char *key)
{
	const struct yaml_node *at = yaml_child(k->tree, yaml_root(k->tree), group);
	const struct yaml_node *below = name ? yaml_child(k->tree, at, name) : NULL;
	const struct yaml_node *deepest = key ? yaml_child(k->tree, below, key) : NULL;

	if (deepest)
		return deepest;
	return below ? below : at;
}

static bool
says(const struct checker *k, const char *group, const char *name, const char *key)
{
	const struct yaml_node *map = yaml_child(k->tree, yaml_root(k->tree), group);

	return yaml_child(k->tree, yaml_child(k->tree, map, name), key) != NULL;
}

static bool
has(const char *file, const char *env)
{
	return file || env;
}

static int
forge_err(const struct checker *k, const struct config_forge *f, const char *key, const char *what)
{
	return yaml_err(
		k->tree, place(k, "forges", f->name, key), k->e, "forges.%s: %s", f->name, what);
}

/* Exactly one way to prove who we are. */
static int
check_credentials(const struct checker *k, const struct config_forge *f)
{
	bool has_key = has(f->app_key_file, f->app_key_env);
	bool has_token = has(f->token_file, f->token_env);

	if (!str_eq(f->kind, "github") && (has_key || f->app_id))
		return forge_err(
			k, f, "app_id", "there are Apps on GitHub only; give a token_file");
	if (has_key && !f->app_id)
		return forge_err(k, f, "app_key_file", "app_key_file without app_id");
	if (f->app_id && !has_key)
		return forge_err(k, f, "app_id", "app_id without app_key_file");
	if (has_key && has_token)
		return forge_err(k, f, "token_file", "both an App and a token; keep one of them");
	if (!has_key && !has_token && str_eq(f->kind, "github"))
		return forge_err(k, f, NULL,
			"no credentials; give app_id and app_key_file of a GitHub App, or a "
			"token_file");
	if (!has_key && !has_token)
		return forge_err(k, f, NULL, "no credentials; give a token_file");
	return 0;
}

static int
check_pairs(const struct checker *k, const struct config_forge *f)
{
	const struct {
		const char *file;
		const char *env;
		const char *key;
		const char *what;
	} pairs[] = {
		{ f->app_key_file, f->app_key_env, "app_key_env",
			"both app_key_file and app_key_env" },
		{ f->token_file, f->token_env, "token_env", "both token_file and token_env" },
		{ f->webhook_secret_file, f->webhook_secret_env, "webhook_secret_env",
			"both webhook_secret_file and webhook_secret_env" },
		{ f->webhook_secret_old_file, f->webhook_secret_old_env, "webhook_secret_old_env",
			"both webhook_secret_old_file and webhook_secret_old_env" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].file && pairs[i].env)
			return forge_err(k, f, pairs[i].key, pairs[i].what);
	}
	return 0;
}

static int
check_forge(const struct checker *k, const struct config_forge *f)
{
	bool has_hook = has(f->webhook_secret_file, f->webhook_secret_env);
	int rc;

	if (!f->url)
		return forge_err(k, f, NULL,
			"url is missing: where people see it, as in https://git.example.org");
	rc = check_credentials(k, f);
	if (rc == 0)
		rc = check_pairs(k, f);
	if (rc < 0)
		return rc;
	if (!has_hook && str_eq(k->c->intake, "webhook"))
		return forge_err(k, f, NULL,
			"no webhook_secret_file: deliveries could come from anybody. Make one with "
			"openssl rand -hex 32, or set "
			"intake: poll");
	if (!has_hook && has(f->webhook_secret_old_file, f->webhook_secret_old_env))
		return forge_err(
			k, f, "webhook_secret_old_file", "an old webhook secret without a new one");
	return 0;
}

static int
check_forges(const struct checker *k)
{
	const struct config_forge *f = k->c->forges.v;

	if (k->c->forges.n == 0)
		return yaml_err(k->tree, place(k, "forges", NULL, NULL), k->e,
			"no forges: add one, as in forges: { gh: { kind: github, token_file: "
			"/etc/nightshift/token, "
			"webhook_secret_file: /etc/nightshift/hook } }");
	for (size_t i = 0; i < k->c->forges.n; i++) {
		int rc = check_forge(k, &f[i]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A model of one's own may want no key; a vendor's does. */
static int
check_models(const struct checker *k)
{
	const struct config_model *m = k->c->models.v;

	for (size_t i = 0; i < k->c->models.n; i++) {
		if (m[i].key_file && m[i].key_env)
			return yaml_err(k->tree, place(k, "models", m[i].name, "key_env"), k->e,
				"models.%s: both key_file and key_env", m[i].name);
		if (!m[i].key_file && !m[i].key_env && !says(k, "models", m[i].name, "url"))
			return yaml_err(k->tree, place(k, "models", m[i].name, NULL), k->e,
				"models.%s: no key_file", m[i].name);
	}
	return 0;
}

static int
agent_err(const struct checker *k, const struct config_agent *a, const char *key, const char *what)
{
	return yaml_err(
		k->tree, place(k, "agents", a->name, key), k->e, "agents.%s: %s", a->name, what);
}

static int
check_agent(const struct checker *k, const struct config_agent *a)
{
	bool is_command = str_eq(a->kind, "command");

	if (!a->kind)
		return agent_err(k, a, NULL,
			"kind is missing; or give a command to run, as in command: "
			"[/opt/agents/mine]");
	if (is_command && a->command.n == 0)
		return agent_err(k, a, "kind", "kind command without a command");
	if (!is_command && a->command.n)
		return agent_err(
			k, a, "command", "a command is for kind command; a built-in kind has path");
	if (is_command && a->path)
		return agent_err(
			k, a, "path", "path is for built-in kinds; put it first in command");
	if (a->provider && !config_model_find(k->c, a->provider))
		return agent_err(k, a, "provider", "provider is none of models");
	return 0;
}

static int
check_agents(const struct checker *k)
{
	const struct config_agent *a = k->c->agents.v;
	const char *names[CONFIG_NAMES_MAX];
	const char *nearest;

	for (size_t i = 0; i < k->c->agents.n; i++) {
		int rc = check_agent(k, &a[i]);

		if (rc < 0)
			return rc;
		names[i] = a[i].name;
	}
	if (config_agent_find(k->c, k->c->agent))
		return 0;
	nearest = str_nearest(k->c->agent, names, k->c->agents.n);
	return yaml_err(k->tree, place(k, "agent", NULL, NULL), k->e,
		"agent: \"%.40s\" is neither built in nor one of agents%s%s%s", k->c->agent,
		nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static int
check_chores(const struct checker *k)
{
	const struct config_chore *v = k->c->chores.v;

	for (size_t i = 0; i < k->c->chores.n; i++) {
		auto_zone struct zone *z = NULL;
		struct err e = { 0 };

		if (zone_open(v[i].zone, &z, &e) < 0)
			return yaml_err(k->tree, place(k, "chores", v[i].name, "zone"), k->e,
				"chores.%s: %s", v[i].name, e.text);
		if (v[i].agent && !config_agent_find(k->c, v[i].agent))
			return yaml_err(k->tree, place(k, "chores", v[i].name, "agent"), k->e,
				"chores.%s: agent is none of agents", v[i].name);
	}
	return 0;
}

/* user:password@ in front of the host, or as a parameter behind it. */
static bool
has_password(const char *url)
{
	const char *from = strstr(url, "://") + 3;
	size_t len = strcspn(from, "/?");
	const char *at = memchr(from, '@', len), *colon = memchr(from, ':', len);

	return (at && colon && colon < at) || strstr(url, "password=");
}

static int
check_store(const struct checker *k)
{
	const struct config *c = k->c;

	if (!config_store_is_remote(c) && !str_eq(c->store, "sqlite"))
		return yaml_err(k->tree, place(k, "store", NULL, NULL), k->e,
			"store: \"%.40s\" is neither sqlite nor postgres://user@host/database",
			c->store);
	if (config_store_is_remote(c) && has_password(c->store))
		return yaml_err(k->tree, place(k, "store", NULL, NULL), k->e,
			"store: a password does not belong here; put it into a file and name that "
			"in store_password_file");
	if (config_store_is_remote(c))
		return 0;
	if (c->store_password_file)
		return yaml_err(k->tree, place(k, "store_password_file", NULL, NULL), k->e,
			"store_password_file: a file of SQLite has no password");
	if (c->marker_key_file)
		return yaml_err(k->tree, place(k, "marker_key_file", NULL, NULL), k->e,
			"marker_key_file: a file of SQLite has one node, which makes its own");
	return 0;
}

static int
check_server(const struct checker *k)
{
	const struct config *c = k->c;

	if (!c->public_url && str_eq(c->intake, "webhook"))
		return yaml_err(k->tree, place(k, "intake", NULL, NULL), k->e,
			"public_url is missing: the address at which forges reach this server, as "
			"in "
			"https://bot.example.org. Without one, set intake: poll");
	/* The default is no promise; only what somebody wrote can be broken. */
	if (c->tasks_per_repo > c->boxes && !config_store_is_remote(c) &&
		yaml_child(k->tree, yaml_root(k->tree), "tasks_per_repo"))
		return yaml_err(k->tree, place(k, "tasks_per_repo", NULL, NULL), k->e,
			"tasks_per_repo is more than boxes: a repository never gets so many");
	if (c->commit_sign_key_file && c->commit_sign_key_env)
		return yaml_err(k->tree, place(k, "commit", "sign_key_env", NULL), k->e,
			"commit: both sign_key_file and sign_key_env");
	return check_store(k);
}

int
config_check(const struct config *c, const struct yaml *tree, struct err *e)
{
	const struct checker k = { c, tree, e };
	int rc = check_forges(&k);

	if (rc == 0)
		rc = check_server(&k);
	if (rc == 0)
		rc = check_models(&k);
	if (rc == 0)
		rc = check_agents(&k);
	return rc < 0 ? rc : check_chores(&k);
}
