/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - how a row of the table becomes a command in a box.
 */
#include "sandbox/agent.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define SESSION_BYTES_MAX 80

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
		{ "{provider}", a->provider },
		{ "{session}", a->session },
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
	for (; arg && arg->flag; arg++) {
		auto_free char *flag = expand(a, arg->flag);
		auto_free char *value = arg->value ? expand(a, arg->value) : NULL;

		if (!flag || (arg->value && !value))
			continue;
		strs_add(&s->argv, flag);
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

bool
agent_session_ok(const char *id)
{
	size_t len = id ? strlen(id) : 0;

	if (len == 0 || len > SESSION_BYTES_MAX || id[0] == '-')
		return false;
	return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
	       len;
}

static int
check_ask(const struct agent_ask *a, const struct agent_row *row, struct err *e)
{
	int rc = check_value("model", a->model, e);

	if (rc == 0)
		rc = check_value("provider", a->provider, e);
	if (rc < 0)
		return rc;
	if (a->session && !agent_session_ok(a->session))
		return err_set(e, ERR_INVALID, "agent: that is no name of a session");
	if (a->is_resumed && (!row->resume || !a->session))
		return err_set(e, ERR_INVALID, "agent %s cannot go on with a session", row->name);
	if (!row->program && (!a->command || a->command->n == 0))
		return err_set(e, ERR_INVALID, "agent: no command is configured");
	if (row->program && !a->provider)
		return err_set(
			e, ERR_INVALID, "agent %s: no model provider is configured", row->name);
	if (row->needs_model && str_is_empty(a->model))
		return err_set(e, ERR_INVALID, "agent %s: no model is configured", row->name);
	return 0;
}

static void
add_extras(const struct strs *extras, struct box_spec *s)
{
	for (size_t i = 0; extras && i < extras->n; i++)
		strs_add(&s->argv, extras->v[i]);
}

static void
fill_argv(const struct agent_ask *a, const struct agent_row *row, struct box_spec *s)
{
	if (!row->program) {
		add_extras(a->command, s);
		add_extras(a->args, s);
		return;
	}
	add_args(a, row->wrap, s);
	strs_add(&s->argv, a->program ? a->program : row->program);
	add_args(a, row->args, s);
	if (!a->is_resumed)
		add_args(a, row->fresh, s);
	add_extras(a->args, s);
	if (a->is_resumed)
		add_args(a, row->resume, s);
}

int
agent_fill(const struct agent_ask *a, struct box_spec *s, struct err *e)
{
	const struct agent_row *row = agent_row_find(a->kind);
	int rc;

	if (!row)
		return err_set(e, ERR_INVALID, "agent kind \"%s\" cannot be run yet",
			a->kind ? a->kind : "");
	rc = check_ask(a, row, e);
	if (rc < 0)
		return rc;
	fill_argv(a, row, s);
	for (size_t i = 0; row->env[i]; i++) {
		auto_free char *value = expand(a, row->env[i]);

		if (value && (a->provider || row->program))
			strs_add(&s->env, value);
	}
	for (const struct agent_file *f = row->files; f && f->path; f++) {
		auto_free char *text = expand(a, f->text);

		if (text)
			box_spec_file(s, f->path, f->mode, text);
	}
	if (row->rules)
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

static const char *const ENV_GO[] = { ("GOPROXY=" BOX_GATEWAY "/go"), "GOTOOLCHAIN=local" };

/* cargo takes this from a file only. */
static const char CARGO_CONFIG[] =
	"[source.crates-io]\nreplace-with = \"gateway\"\n"
	"[source.gateway]\nregistry = \"sparse+" BOX_GATEWAY "/cargo/\"\n";

#define NO_PROXY "127.0.0.1,localhost,::1,0.0.0.0"

/* Small letters for curl and its like, capital ones for the rest. */
static const char *const ENV_PROXY[] = {
	("HTTPS_PROXY=" BOX_GATEWAY),
	("HTTP_PROXY=" BOX_GATEWAY),
	("NO_PROXY=" NO_PROXY),
	("http_proxy=" BOX_GATEWAY),
	("https_proxy=" BOX_GATEWAY),
	("no_proxy=" NO_PROXY),
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
	if (b->proxy)
		ADD_ALL(s, ENV_PROXY);
	if (b->npm)
		ADD_ALL(s, ENV_NPM);
	if (b->pypi)
		ADD_ALL(s, ENV_PYPI);
	if (b->go)
		ADD_ALL(s, ENV_GO);
	if (b->cargo)
		box_spec_file(s, BOX_HOME "/.cargo/config.toml", 0644, CARGO_CONFIG);
	box_spec_file(s, BOX_HOME "/.gitconfig", 0644, GITCONFIG);
}
