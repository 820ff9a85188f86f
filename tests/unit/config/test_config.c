/* SPDX-License-Identifier: Apache-2.0 */
/* config - a whole nightshift.yaml, its defaults, and every message with its place. */
#include "config/config.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define SMALL                                                                                      \
	"public_url: https://bot.example.org\n"                                                    \
	"forges: { gh: { kind: github, token_file: /t, webhook_secret_file: /w } }\n"

static void
parse_ok(const char *text, struct config *c)
{
	struct err e = { 0 };

	if (config_parse(text, strlen(text), "/etc/ns/nightshift.yaml", c, &e) < 0)
		fail_msg("%s", e.text);
}

static const char WHOLE[] =
	"listen: 127.0.0.1:0\n"
	"public_url: http://127.0.0.1:8080/\n"
	"trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n"
	"intake: webhook\n"
	"state_dir: st\n"
	"user: nightshift\n"
	"boxes: 20\n"
	"tasks_per_repo: 3\n"
	"forges:\n"
	"  gh:\n"
	"    kind: github\n"
	"    app_id: 1234\n"
	"    app_key_file: app.pem\n"
	"    webhook_secret_file: /etc/ns/hook\n"
	"    webhook_secret_old_file: /etc/ns/hook.old\n"
	"    repos: [\"acme/*\", \"!acme/secret\"]\n"
	"  tea:\n"
	"    kind: gitea\n"
	"    url: https://git.example.org/\n"
	"    token_env: TEA_TOKEN\n"
	"    webhook_secret_env: TEA_HOOK\n"
	"models:\n"
	"  openai:    { url: \"http://127.0.0.1:9/v1\", key_file: /k1, allow: [\"gpt-*\"] }\n"
	"  anthropic: { key_env: ANTHROPIC_KEY }\n"
	"  local: { url: \"http://10.0.0.7:8000/v1\" }\n"
	"registries:\n"
	"  npm: https://npm.example.org/\n"
	"  pypi: { url: \"https://pypi.example.org/simple\" }\n"
	"agent: mine\n"
	"agents:\n"
	"  mine: { command: [/opt/agents/mine, --fast] }\n"
	"  codex: { path: /opt/agents/codex/bin/codex, model: gpt-x, args: [--fast] }\n"
	"chores:\n"
	"  deps: { repos: [\"acme/*\"], schedule: \"0 3 * * mon\", zone: Europe/Berlin, prompt: x "
	"}\n"
	"  dust: { repos: [acme/app], schedule: \"@monthly\", prompt: \"a\\nb\", agent: mine }\n"
	"sandbox: { tier_min: userns, tools: [/opt/agents] }\n"
	"commit: { name: bot, email: bot@example.org, coauthor: false, signoff: true, "
	"sign_key_file: k }\n"
	"limits: { wall: 30m, log: 1MiB, setup: 5m, gate: 90s, attempts: 2 }\n"
	"logs: off\n"
	"dry_run: true\n"
	"store_synchronous: off\n";

static void
reads_every_key(void **state)
{
	auto_config struct config c = { 0 };
	const struct config_forge *f;
	const struct config_model *m;
	const struct config_agent *a;

	(void)state;
	parse_ok(WHOLE, &c);
	assert_string_equal(c.listen, "127.0.0.1:0");
	assert_string_equal(c.public_url, "http://127.0.0.1:8080");
	assert_int_equal(c.trusted_proxies.n, 2);
	assert_string_equal(c.state_dir, "/etc/ns/st");
	assert_int_equal(c.boxes, 20);
	assert_int_equal(c.tasks_per_repo, 3);
	f = config_forge_find(&c, "gh");
	assert_int_equal(f->app_id, 1234);
	assert_string_equal(f->app_key_file, "/etc/ns/app.pem");
	assert_string_equal(f->url, "https://github.com");
	assert_string_equal(f->api_url, "https://api.github.com");
	assert_true(str_glob_list(&f->repos, "acme/widget"));
	assert_false(str_glob_list(&f->repos, "acme/secret"));
	f = config_forge_find(&c, "tea");
	assert_string_equal(f->url, "https://git.example.org");
	assert_string_equal(f->api_url, "https://git.example.org/api/v1");
	assert_string_equal(f->token_env, "TEA_TOKEN");
	m = config_model_find(&c, "openai");
	assert_string_equal(m->kind, "openai");
	assert_string_equal(m->url, "http://127.0.0.1:9/v1");
	assert_string_equal(m->allow.v[0], "gpt-*");
	m = config_model_find(&c, "anthropic");
	assert_string_equal(m->kind, "anthropic");
	assert_string_equal(m->url, "https://api.anthropic.com");
	m = config_model_find(&c, "local");
	assert_string_equal(m->kind, "openai");
	assert_null(m->key_file);
	assert_string_equal(config_registry_find(&c, "npm")->url, "https://npm.example.org");
	assert_string_equal(
		config_registry_find(&c, "pypi")->url, "https://pypi.example.org/simple");
	a = config_agent_find(&c, "mine");
	assert_string_equal(a->kind, "command");
	assert_string_equal(a->command.v[1], "--fast");
	assert_string_equal(a->provider, "openai");
	a = config_agent_find(&c, "codex");
	assert_string_equal(a->kind, "codex");
	assert_string_equal(a->model, "gpt-x");
	a = config_agent_find(&c, "claude");
	assert_string_equal(a->provider, "anthropic");
	assert_null(config_agent_find(&c, "gemini")->provider);
	assert_string_equal(c.commit_name, "bot");
	assert_false(c.commit_coauthor);
	assert_true(c.commit_signoff);
	assert_string_equal(c.commit_sign_key_file, "/etc/ns/k");
	assert_int_equal(c.limit_wall_ms, 1800000);
	assert_int_equal(c.limit_log_bytes, 1048576);
	assert_int_equal(c.limit_gate_ms, 90000);
	assert_int_equal(c.limit_attempts, 2);
	assert_string_equal(c.logs, "off");
	assert_true(c.dry_run);
	assert_string_equal(c.store_synchronous, "off");
	assert_null(config_forge_find(&c, "nope"));
}

static void
all_but_a_forge_has_a_default(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	parse_ok(SMALL, &c);
	assert_string_equal(c.listen, "127.0.0.1:8080");
	assert_string_equal(c.intake, "webhook");
	assert_int_equal(c.poll_every_ms, 30000);
	assert_string_equal(c.state_dir, "/etc/ns/state");
	assert_string_equal(c.user, "nightshift");
	assert_int_equal(c.boxes, 4);
	assert_int_equal(c.tasks_per_repo, 2);
	assert_string_equal(c.agent, "codex");
	assert_string_equal(config_agent_find(&c, "codex")->kind, "codex");
	assert_int_equal(c.agents.n, 8);
	assert_string_equal(c.sandbox_tier_min, "userns");
	assert_string_equal(c.commit_email, "nightshift@localhost");
	assert_true(c.commit_coauthor);
	assert_int_equal(c.limit_wall_ms, 2700000);
	assert_int_equal(c.limit_log_bytes, 8388608);
	assert_int_equal(c.limit_attempts, 3);
	assert_string_equal(c.logs, "git");
	assert_false(c.dry_run);
	assert_string_equal(c.store_synchronous, "full");
}

static void
polling_needs_neither_address_nor_secret(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	parse_ok(
		"intake: poll\nforges: { t: { kind: gitea, url: \"http://h\", token_file: /t } }\n",
		&c);
	assert_null(c.public_url);
}

static void
empty_sections_are_no_sections(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	parse_ok(SMALL "limits:\nmodels:\ntrusted_proxies:\n", &c);
	assert_int_equal(c.models.n, 0);
}

static void
one_box_is_enough(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	parse_ok(SMALL "boxes: 1\n", &c);
	assert_int_equal(c.boxes, 1);
}

static void
one_value_may_stand_for_a_list(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	parse_ok(SMALL "trusted_proxies: 127.0.0.1\n", &c);
	assert_int_equal(c.trusted_proxies.n, 1);
}

/* Behind the place "n.yaml:". */
static const struct {
	const char *name;
	const char *text;
	const char *want;
} REFUSED[] = {
	{ "an unknown key", SMALL "lisen: x\n",
		"3:1: unknown key \"lisen\"; did you mean \"listen\"?" },
	{ "an unknown key far from any", SMALL "zzzzzz: x\n", "3:1: unknown key \"zzzzzz\"" },
	{ "an unknown key in a section", SMALL "limits:\n  wal: 1m\n",
		"4:3: unknown key \"limits.wal\"; did you mean \"limits.wall\"?" },
	{ "an unknown key of a forge", "forges:\n  gh:\n    tokenfile: /t\n",
		"3:5: unknown key \"forges.gh.tokenfile\"; did you mean "
		"\"forges.gh.token_file\"?" },
	{ "a section's key at the top", SMALL "wall: 1m\n", "3:1: unknown key \"wall\"" },
	{ "a misspelt section", SMALL "limit: { wall: 1m }\n",
		"3:1: unknown key \"limit\"; did you mean \"limits\"?" },
	{ "a key that is there twice", SMALL "boxes: 1\nboxes: 2\n",
		"4:1: key \"boxes\" is there twice" },
	{ "a forge that is there twice", "forges:\n  gh: {}\n  gh: {}\n",
		"3:3: key \"gh\" is there twice" },
	{ "a number that is none", SMALL "boxes: many\n",
		"3:1: boxes: \"many\" is not a whole number" },
	{ "a number out of range", SMALL "boxes: 0\n", "3:1: boxes: 0 is not between 1 and 256" },
	{ "a bare duration", SMALL "limits: { wall: 45 }\n",
		"3:11: limits.wall: \"45\" is not a duration" },
	{ "yes for true", SMALL "dry_run: yes\n",
		"3:1: dry_run: \"yes\" is neither true nor false" },
	{ "no value", SMALL "listen:\n",
		"3:1: listen: has no value; leave the line out for the default" },
	{ "null", SMALL "listen: null\n", "3:1: listen: has no value" },
	{ "an empty value", SMALL "user: \"\"\n", "3:1: user: is empty" },
	{ "a list for a word", SMALL "user: [a]\n", "3:1: user: a name is meant" },
	{ "a map for a word", SMALL "user: { a: b }\n", "3:1: user: a name is meant" },
	{ "a word for a section", SMALL "limits: 3\n", "3:1: limits: keys and values are meant" },
	{ "a list for names", "forges: [gh]\n",
		"1:1: forges: names with keys below them are meant" },
	{ "a word for a forge", "forges: { gh: github }\n",
		"1:11: forges.gh: keys and values are meant" },
	{ "a map in a list", SMALL "trusted_proxies: [{ a: b }]\n",
		"3:19: trusted_proxies: a list of plain values is meant" },
	{ "a list instead of keys", "[a, b]\n", "1:1: keys and values are meant" },
	{ "a wrong item of a list", SMALL "trusted_proxies:\n  - 127.0.0.1\n  - proxy\n",
		"5:5: trusted_proxies: \"proxy\" is not an address" },
	{ "another kind of forge", "forges: { gl: { kind: gitlub } }\n",
		"1:17: forges.gl.kind: \"gitlub\" is none of forgejo, gitea, github, gitlab; did "
		"you "
		"mean \"github\"?" },
	{ "a forge without a kind", "forges:\n  gh: { token_file: /t }\n",
		"2:3: forges.gh.kind is missing" },
	{ "a forge with a strange name", "forges:\n  \"a/b\": { kind: github }\n",
		"2:3: forges: \"a/b\" is not a name" },
	{ "no forges", "public_url: https://b\n", " no forges: add one, as in forges: { gh: {" },
	{ "empty forges", "forges:\n", "1:1: no forges" },
	{ "an empty file", "", " no forges" },
	{ "github without credentials", "forges:\n  gh: { kind: github }\n",
		"2:3: forges.gh: no credentials; give app_id" },
	{ "gitea without credentials", "forges:\n  t: { kind: gitea, url: \"http://h\" }\n",
		"2:3: forges.t: no credentials; give a token_file" },
	{ "gitea without url", "forges:\n  t: { kind: gitea, token_file: /t }\n",
		"2:3: forges.t: url is missing" },
	{ "gitea with an App", "forges:\n  t: { kind: gitea, url: \"http://h\", app_id: 1 }\n",
		"2:38: forges.t: there are Apps on GitHub only" },
	{ "an App without its key", "forges:\n  gh: { kind: github, app_id: 1 }\n",
		"2:23: forges.gh: app_id without" },
	{ "a key without its App", "forges:\n  gh: { kind: github, app_key_file: /k }\n",
		"2:23: forges.gh: app_key_file without" },
	{ "App and token",
		"forges:\n  gh: { kind: github, app_id: 1, app_key_file: /k, token_env: T }\n",
		"2:3: forges.gh: both an App and a token" },
	{ "a token from two places",
		"forges:\n  gh: { kind: github, token_file: /k, token_env: T }\n",
		"2:39: forges.gh: both token_file and token_env" },
	{ "no webhook secret", "forges:\n  gh: { kind: github, token_file: /t }\n",
		"2:3: forges.gh: no webhook_secret_file" },
	{ "only an old webhook secret",
		"intake: poll\nforges:\n  gh: { kind: github, token_file: /t, "
		"webhook_secret_old_file: /o }\n",
		"3:39: forges.gh: an old webhook secret without a new one" },
	{ "no public address",
		"forges: { gh: { kind: github, token_file: /t, webhook_secret_file: /w } "
		"}\nintake: webhook\n",
		"2:1: public_url is missing" },
	{ "a vendor's model without a key", SMALL "models:\n  openai: {}\n",
		"4:3: models.openai: no key_file" },
	{ "a model's key from two places",
		SMALL "models: { openai: { key_file: /k, key_env: K } }\n",
		"3:35: models.openai: both key_file and key_env" },
	{ "an unknown agent", SMALL "agent: codecs\n",
		"3:1: agent: \"codecs\" is neither built in nor one of agents; did you mean "
		"\"codex\"?" },
	{ "an agent of no kind", SMALL "agents:\n  mine: { model: x }\n",
		"4:3: agents.mine: kind is missing" },
	{ "an agent without its command", SMALL "agents:\n  mine: { kind: command }\n",
		"4:11: agents.mine: kind command without a command" },
	{ "a command for a built-in kind", SMALL "agents:\n  mine: { kind: codex, command: [x] }\n",
		"4:24: agents.mine: a command is for kind command" },
	{ "an unknown provider", SMALL "agents:\n  codex: { provider: openai }\n",
		"4:12: agents.codex: provider is none of models" },
	{ "a chore of no repositories", SMALL "chores:\n  d: { schedule: \"@daily\", prompt: x }\n",
		"4:3: chores.d.repos is missing" },
	{ "a chore at no hour",
		SMALL "chores:\n  d: { repos: [a/b], schedule: \"0 25 * * *\", prompt: x }\n",
		"4:22: chores.d.schedule: hour: \"25\" is not 0 to 23" },
	{ "a chore nowhere",
		SMALL "chores:\n  d: { repos: [a/b], schedule: \"@daily\", prompt: x, zone: "
		      "Europe/Atlantis }\n",
		"4:53: chores.d: this machine knows no time zone \"Europe/Atlantis\"" },
	{ "a chore of nobody",
		SMALL "chores:\n  d: { repos: [a/b], schedule: \"@daily\", prompt: x, agent: y }\n",
		"4:53: chores.d: agent is none of agents" },
	{ "a registry without url", SMALL "registries:\n  npm:\n",
		"4:3: registries.npm.url is missing" },
	{ "more per repository than boxes", SMALL "boxes: 2\ntasks_per_repo: 3\n",
		"4:1: tasks_per_repo is more than boxes" },
	{ "a store that is none", SMALL "store: mysql://db/n\n",
		"3:1: store: \"mysql://db/n\" is neither sqlite nor "
		"postgres://user@host/database" },
	{ "a password in an address", SMALL "store: postgres://u:secret@db/n\n",
		"3:1: store: a password does not belong here; put it into a file and name that in "
		"store_password_file" },
	{ "a password for a file", SMALL "store_password_file: /k\n",
		"3:1: store_password_file: a file of SQLite has no password" },
	{ "a signing key from two places", SMALL "commit: { sign_key_file: /k, sign_key_env: K }\n",
		"3:30: commit: both sign_key_file and sign_key_env" },
	{ "an author with a newline", SMALL "commit: { name: \"a\\nb\" }\n",
		"3:11: commit.name: control character" },
	{ "an anchor", SMALL "user: &x y\n", "3:7: anchors are not allowed" },
};

static void
refuses_with_the_place_and_the_mend(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		struct config c;
		struct err e = { 0 };
		int rc = config_parse(REFUSED[i].text, strlen(REFUSED[i].text), "n.yaml", &c, &e);

		if (rc != ERR_INVALID || !str_starts(e.text, "n.yaml:") ||
			!str_starts(e.text + 7, REFUSED[i].want))
			fail_msg("%s: %d %s", REFUSED[i].name, rc, e.text);
		assert_null(c.listen);
		assert_int_equal(c.forges.n, 0);
		assert_int_equal(
			config_parse(REFUSED[i].text, strlen(REFUSED[i].text), "n.yaml", &c, NULL),
			rc);
	}
}

static void
sizes_and_numbers_are_bounded(void **state)
{
	auto_buf struct buf b = BUF_INIT(2 * CONFIG_BYTES_MAX);
	struct config c;
	struct err e;

	(void)state;
	(void)buf_adds(&b, "forges:\n");
	for (int i = 0; i <= CONFIG_FORGES_MAX; i++)
		(void)buf_addf(&b, "  f%d: { kind: github }\n", i);
	assert_int_equal(config_parse(b.data, b.len, "f", &c, &e), ERR_INVALID);
	assert_string_equal(e.text, "f:18:3: forges: more than 16");
	while (b.len <= CONFIG_BYTES_MAX)
		(void)buf_adds(&b, "# comment\n");
	assert_int_equal(config_parse(b.data, b.len, "f", &c, &e), ERR_LIMIT);
}

static void
what_is_printed_reads_back_to_the_same(void **state)
{
	static const char *const texts[] = { WHOLE, SMALL };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_config struct config c = { 0 };
		auto_config struct config again = { 0 };
		auto_buf struct buf printed = BUF_INIT(100000);
		auto_buf struct buf twice = BUF_INIT(100000);
		auto_buf struct buf a = BUF_INIT(100000);
		auto_buf struct buf b = BUF_INIT(100000);

		parse_ok(texts[i], &c);
		assert_int_equal(config_print(&c, &printed), 0);
		parse_ok(buf_str(&printed), &again);
		assert_int_equal(config_print(&again, &twice), 0);
		assert_string_equal(buf_str(&printed), buf_str(&twice));
		assert_int_equal(row_pack(CONFIG_ROWS, &c, &a, NULL), 0);
		assert_int_equal(row_pack(CONFIG_ROWS, &again, &b, NULL), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
	}
}

static void
travels_between_roles(void **state)
{
	auto_config struct config c = { 0 };
	auto_config struct config there = { 0 };
	auto_buf struct buf wire = BUF_INIT(100000);

	(void)state;
	parse_ok(WHOLE, &c);
	assert_int_equal(row_pack(CONFIG_ROWS, &c, &wire, NULL), 0);
	assert_int_equal(row_unpack(CONFIG_ROWS, &there, wire.data, wire.len, NULL), 0);
	assert_string_equal(
		config_forge_find(&there, "tea")->api_url, "https://git.example.org/api/v1");
	assert_string_equal(config_agent_find(&there, "mine")->command.v[0], "/opt/agents/mine");
	assert_string_equal(config_agent_find(&there, "codex")->args.v[0], "--fast");
}

static void
github_enterprise_has_its_api_below(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	parse_ok("intake: poll\nforges: { e: { kind: github, url: \"https://ghe.example.org\", "
		 "token_file: /t } }\n",
		&c);
	assert_string_equal(config_forge_find(&c, "e")->api_url, "https://ghe.example.org/api/v3");
}

static void
loads_a_file_and_takes_paths_from_its_folder(void **state)
{
	auto_config struct config c = { 0 };
	auto_free char *path = NULL;
	auto_free char *want = NULL;
	struct err e = { 0 };

	(void)state;
	path = mem_fmt("%s/nightshift.yaml", scratch_dir);
	want = mem_fmt("%s/state", scratch_dir);
	scratch_put(path, SMALL, 0600);
	assert_int_equal(config_load("nightshift.yaml", &c, &e), 0);
	assert_string_equal(c.state_dir, want);
	config_finish(&c);
	assert_int_equal(config_load(path, &c, &e), 0);
	assert_string_equal(c.state_dir, want);
	config_finish(&c);
	assert_int_equal(config_load("nothing.yaml", &c, &e), ERR_MISSING);
	assert_null(c.listen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key),
		cmocka_unit_test(all_but_a_forge_has_a_default),
		cmocka_unit_test(polling_needs_neither_address_nor_secret),
		cmocka_unit_test(empty_sections_are_no_sections),
		cmocka_unit_test(one_box_is_enough),
		cmocka_unit_test(one_value_may_stand_for_a_list),
		cmocka_unit_test(refuses_with_the_place_and_the_mend),
		cmocka_unit_test(sizes_and_numbers_are_bounded),
		cmocka_unit_test(what_is_printed_reads_back_to_the_same),
		cmocka_unit_test(travels_between_roles),
		cmocka_unit_test(github_enterprise_has_its_api_below),
		SCRATCH_TEST(loads_a_file_and_takes_paths_from_its_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
