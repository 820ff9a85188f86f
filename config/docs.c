/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs - docs/CONFIG.md out of the tables.
 */
#include "config/config.h"

#include "base/str.h"
#include "config/settings.h"

#include <stdio.h>
#include <string.h>

static const char HEAD[] = "# Configuration\n"
			   "\n"
			   "<!-- Written by `nightshift check --print-docs` from the tables in "
			   "`config/settings.c`; a test keeps it fresh. -->\n"
			   "\n"
			   "Two files: `nightshift.yaml` for a server, `.agent.yml` on the default "
			   "branch of a repository. Both are YAML without\n"
			   "anchors, aliases and tags. An unknown key is an error that names the "
			   "line and the nearest key. Relative paths are taken from\n"
			   "the folder of the file. Durations are written as in `90s`, `45m`, "
			   "`2h`; sizes as in `64KiB`, `5MiB`.\n"
			   "\n"
			   "Secrets are never in these files. A key `*_file` names a file that "
			   "belongs to the user who starts nightshift or to root and\n"
			   "that nobody else may read (`chmod 600`); a key `*_env` names an "
			   "environment variable. A secret has at least 16 bytes.\n"
			   "\n"
			   "`nightshift check` tells what is wrong and how to mend it; `nightshift "
			   "check --print-config` prints the values in force.\n";

static const char EXAMPLE[] = "```yaml\n"
			      "public_url: https://bot.example.org\n"
			      "trusted_proxies: [127.0.0.1]\n"
			      "forges:\n"
			      "  gh:\n"
			      "    kind: github\n"
			      "    app_id: 1234\n"
			      "    app_key_file: /etc/nightshift/app.pem\n"
			      "    webhook_secret_file: /etc/nightshift/hook\n"
			      "    repos: [\"acme/*\", \"!acme/secret\"]\n"
			      "models:\n"
			      "  openai: { key_file: /etc/nightshift/openai }\n"
			      "registries:\n"
			      "  npm: https://npm.example.org\n"
			      "agent: codex\n"
			      "agents:\n"
			      "  mine: { command: [/opt/agents/mine, --fast] }\n"
			      "sandbox: { tools: [/opt/agents] }\n"
			      "```\n";

static const char REPOSITORY_EXAMPLE[] =
	"```yaml\n"
	"setup: [npm ci]\n"
	"setup_key: [package-lock.json]\n"
	"gate:\n"
	"  test: npm test -- --reporter=junit --output=report.xml\n"
	"  report: report.xml\n"
	"network: [registry]\n"
	"protect: [\".github/**\", \"deploy/**\"]\n"
	"chores:\n"
	"  deps: { schedule: \"0 3 * * 1\", prompt: \"update dependencies, keep the tests green\" "
	"}\n"
	"limits: { wall: 30m, cost_usd: 5 }\n"
	"```\n";

/* "`webhook` (default), `poll`", or the type with its range. */
static void
add_type(struct buf *out, const struct setting *s)
{
	const char *p = s->choices;

	if (!p) {
		(void)buf_adds(out, setting_type_name(s));
		if (s->type < SETTING_INT || s->type > SETTING_MONEY)
			return;
		(void)buf_adds(out, ", ");
		(void)setting_number_print(s, s->min, out);
		(void)buf_adds(out, " to ");
		(void)setting_number_print(s, s->max, out);
		return;
	}
	while (*p) {
		size_t n = strcspn(p, "|");

		(void)buf_addf(out, "%s`%.*s`", p == s->choices ? "" : ", ", (int)n, p);
		p += n + (p[n] == '|');
	}
}

static void
add_line(struct buf *out, const struct setting *s)
{
	(void)buf_addf(out, "| `%s` | ", s->path);
	add_type(out, s);
	(void)buf_adds(out, " | ");
	if (s->def)
		(void)buf_addf(out, "`%s`", s->def);
	else if (s->is_required)
		(void)buf_adds(out, "required");
	(void)buf_addf(out, " | %s |\n", s->help);
}

static void
add_table_head(struct buf *out)
{
	(void)buf_adds(out, "\n| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n");
}

static void
add_file(struct buf *out, const struct settings *file, const char *example)
{
	(void)buf_addf(out, "\n## %s\n\n%s", file->file, example);
	add_table_head(out);
	for (const struct setting *s = file->all; s->type != SETTING_END; s++) {
		if (s->type == SETTING_NAMED)
			(void)buf_addf(
				out, "| [`%s`](#%s) | names | | %s |\n", s->path, s->path, s->help);
		else
			add_line(out, s);
	}
	for (const struct setting *s = file->all; s->type != SETTING_END; s++) {
		if (s->type != SETTING_NAMED)
			continue;
		(void)buf_addf(out, "\n### %s\n\n%s Below each name:\n", s->path, s->help);
		add_table_head(out);
		for (const struct setting *sub = s->sub; sub->type != SETTING_END; sub++)
			add_line(out, sub);
	}
}

int
config_docs(struct buf *out)
{
	(void)buf_adds(out, HEAD);
	add_file(out, &SERVER_SETTINGS, EXAMPLE);
	add_file(out, &REPOSITORY_SETTINGS, REPOSITORY_EXAMPLE);
	return out->is_full ? ERR_LIMIT : 0;
}
