/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - the table, and how a row becomes a command in a box.
 */
#include "sandbox/agent.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* Retries are bounded here and by the wall clock: on errors that last, Codex would go on for half a
 * minute anyway. web_search is off because the provider would fetch pages for a box that has no
 * network. */
static const struct agent_arg CODEX_ARGS[] = {
	{ "exec", NULL },
	{ "--json", NULL },
	{ "--skip-git-repo-check", NULL },
	{ "--dangerously-bypass-approvals-and-sandbox",
		NULL }, /* the box is the sandbox; its own does not nest */
	{ "-c", "model_provider=\"gateway\"" },
	{ "-c", "model=\"{model}\"" },
	{ "-c", "model_providers.gateway={name=\"gateway\",base_url=\"{gateway}/llm/{provider}/"
		"v1\","
		"env_key=\"GATEWAY_KEY\",wire_api=\"responses\",request_max_retries=4,"
		"stream_max_retries=4,stream_idle_timeout_ms=300000}" },
	{ "-c", "analytics.enabled=false" },
	{ "-c", "features.plugins=false" },
	{ "-c", "check_for_update_on_startup=false" },
	{ "-c", "web_search=\"disabled\"" },
	{ NULL, NULL },
};
static const char *const CODEX_ENV[] = { "GATEWAY_KEY={key}", NULL };

static const struct agent_arg NO_ARGS[] = { { NULL, NULL } };
static const char *const COMMAND_ENV[] = { "OPENAI_API_KEY={key}",
	"OPENAI_BASE_URL={gateway}/llm/{provider}/v1", NULL };
static const struct agent_file NO_FILES[] = { { NULL, NULL } };

/* Alphabetical. */
const struct agent_row AGENT_ROWS[] = {
	{ "codex", "codex", CODEX_ARGS, CODEX_ENV, NO_FILES, agent_codex_event },
	{ "command", NULL, NO_ARGS, COMMAND_ENV, NO_FILES, NULL },
};
const size_t AGENT_ROWS_COUNT = sizeof(AGENT_ROWS) / sizeof(AGENT_ROWS[0]);

const struct agent_row *
agent_row_find(const char *name)
{
	for (size_t i = 0; name && i < AGENT_ROWS_COUNT; i++) {
		if (strcmp(AGENT_ROWS[i].name, name) == 0)
			return &AGENT_ROWS[i];
	}
	return NULL;
}

/* ---- templates ---- */

/* The value of the placeholder at p ("{model}..."), its length in *len; NULL if it has none. *known
 * is false if p is no placeholder. */
static const char *
placeholder(const struct agent_ask *a, const char *p, size_t *len, bool *known)
{
	const struct {
		const char *name;
		const char *value;
	} rows[] = {
		{ "{gateway}", BOX_GATEWAY },
		{ "{key}", a->key },
		{ "{model}", a->model },
		{ "{program}", a->program },
		{ "{provider}", a->provider },
	};

	*known = false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*len = strlen(rows[i].name);
		if (strncmp(p, rows[i].name, *len) == 0) {
			*known = true;
			return rows[i].value;
		}
	}
	return NULL;
}

/* NULL if a placeholder has no value. The caller's to free. */
static char *
expand(const struct agent_ask *a, const char *template)
{
	auto_buf struct buf out = BUF_INIT(KIB(64));

	for (const char *p = template; *p;) {
		size_t len;
		bool known;
		const char *value = placeholder(a, p, &len, &known);

		if (known && !value)
			return NULL;
		if (known) {
			(void)buf_adds(&out, value);
			p += len;
		} else {
			(void)buf_addc(&out, *p++);
		}
	}
	return mem_str(buf_str(&out));
}

static void
add_args(const struct agent_ask *a, const struct agent_arg *arg, struct box_spec *s)
{
	for (; arg->flag; arg++) {
		auto_free char *value = arg->value ? expand(a, arg->value) : NULL;

		if (arg->value && !value)
			continue;
		strs_add(&s->argv, arg->flag);
		if (value)
			strs_add(&s->argv, value);
	}
}

/* Values stand inside quotes of other languages (TOML, JSON): nothing that could end them. */
static int
check_value(const char *what, const char *value, struct err *e)
{
	for (const char *p = value; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || strchr("\"\\{}", *p))
			return err_set(e, ERR_INVALID, "agent: %s may not hold a '%c'", what,
				(unsigned char)*p < 0x20 ? '?' : *p);
	}
	return 0;
}

static int
fill_argv(const struct agent_ask *a, const struct agent_row *row, struct box_spec *s, struct err *e)
{
	if (!row->program) {
		if (!a->command || a->command->n == 0)
			return err_set(e, ERR_INVALID, "agent: no command is configured");
		strs_copy(&s->argv, a->command);
		return 0;
	}
	if (!a->provider)
		return err_set(
			e, ERR_INVALID, "agent %s: no model provider is configured", row->name);
	strs_add(&s->argv, a->program ? a->program : row->program);
	add_args(a, row->args, s);
	return 0;
}

int
agent_fill(const struct agent_ask *a, struct box_spec *s, struct err *e)
{
	const struct agent_row *row = agent_row_find(a->kind);
	int rc;

	if (!row)
		return err_set(e, ERR_INVALID, "agent kind \"%s\" cannot be run yet",
			a->kind ? a->kind : "");
	rc = check_value("model", a->model, e);
	if (rc == 0)
		rc = check_value("provider", a->provider, e);
	if (rc == 0)
		rc = fill_argv(a, row, s, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; row->env[i]; i++) {
		auto_free char *value = expand(a, row->env[i]);

		if (value && (a->provider || row->program))
			strs_add(&s->env, value);
	}
	for (const struct agent_file *f = row->files; f->path; f++) {
		auto_free char *text = expand(a, f->text);

		if (text)
			box_spec_file(s, f->path, 0600, text);
	}
	if (row->on_event)
		mem_set(&s->events, row->name);
	return 0;
}

/* ---- what every box has ---- */

/* CI: test runners do not watch, installers do not ask. No pager and no editor, which would wait
 * for a person. */
static const char *const ENV[] = {
	"CI=true",
	"EDITOR=true",
	"GIT_EDITOR=true",
	"GIT_PAGER=cat",
	"GIT_TERMINAL_PROMPT=0",
	("HOME=" BOX_HOME),
	"LANG=C.UTF-8",
	"LOGNAME=agent",
	"PAGER=cat",
	"SHELL=/bin/sh",
	"TERM=dumb",
	"TMPDIR=/tmp",
	"USER=agent",
};

static const char *const ENV_NPM[] = {
	"npm_config_audit=false",
	"npm_config_fund=false",
	("npm_config_registry=" BOX_GATEWAY "/npm/"),
	"npm_config_update_notifier=false",
};

static const char *const ENV_PYPI[] = {
	"PIP_DISABLE_PIP_VERSION_CHECK=1",
	("PIP_INDEX_URL=" BOX_GATEWAY "/pypi/simple/"),
	"PIP_NO_INPUT=1",
	("UV_DEFAULT_INDEX=" BOX_GATEWAY "/pypi/simple/"),
};

static const char GITCONFIG[] = "[user]\n\tname = agent\n\temail = agent@localhost\n"
				"[safe]\n\tdirectory = *\n"
				"[init]\n\tdefaultBranch = main\n"
				"[gc]\n\tauto = 0\n"
				"[maintenance]\n\tauto = false\n";

#define ADD_ALL(s, list)                                                                           \
	for (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)                              \
	strs_add(&(s)->env, (list)[i])

static void
add_path(const struct strs *tools, struct box_spec *s)
{
	auto_buf struct buf path = BUF_INIT(KIB(128));

	(void)buf_adds(&path, "PATH=");
	for (size_t i = 0; tools && i < tools->n; i++)
		(void)buf_addf(&path, "%s/bin:%s:", tools->v[i], tools->v[i]);
	(void)buf_adds(&path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strs_add(&s->env, buf_str(&path));
}

void
box_env_fill(const struct box_env *b, struct box_spec *s)
{
	ADD_ALL(s, ENV);
	add_path(b->tools, s);
	strs_addf(&s->env, "NIGHTSHIFT_TASK=%" PRId64, b->task);
	if (b->npm)
		ADD_ALL(s, ENV_NPM);
	if (b->pypi)
		ADD_ALL(s, ENV_PYPI);
	box_spec_file(s, BOX_HOME "/.gitconfig", 0644, GITCONFIG);
}
