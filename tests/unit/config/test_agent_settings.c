/* SPDX-License-Identifier: Apache-2.0 */
/* agent_settings - .agent.yml: everything the design shows, and what a repository may not say. */
#include "config/config.h"

#include "base/limits.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void
reads_every_key(void **state)
{
	static const char text[] = "agent: codex\n"
				   "setup: [npm ci]\n"
				   "setup_key: [package-lock.json]\n"
				   "gate:\n"
				   "  test: npm test -- --reporter=junit --output=report.xml\n"
				   "  report: report.xml\n"
				   "  reruns: 5\n"
				   "network: [registry, pip, \"*.Example.org\"]\n"
				   "protect: [\".github/**\", \"deploy/**\"]\n"
				   "chores:\n"
				   "  deps:\n"
				   "    schedule: \"0 3 * * 1\"\n"
				   "    prompt: |\n"
				   "      update dependencies,\n"
				   "      keep the tests green\n"
				   "    open_max: 2\n"
				   "limits: { wall: 45m, cost_usd: 5, tasks_open: 6 }\n"
				   "submodules: true\n"
				   "lfs: true\n";
	struct agent_settings s;
	struct agent_chore *chore;
	struct err e = { 0 };

	(void)state;
	if (agent_settings_parse(text, strlen(text), ".agent.yml", &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(s.agent, "codex");
	assert_string_equal(s.setup.v[0], "npm ci");
	assert_string_equal(s.setup_key.v[0], "package-lock.json");
	assert_string_equal(s.gate_test, "npm test -- --reporter=junit --output=report.xml");
	assert_string_equal(s.gate_report, "report.xml");
	assert_int_equal(s.gate_reruns, 5);
	assert_string_equal(s.network.v[1], "pypi");
	assert_string_equal(s.network.v[2], "*.example.org");
	assert_int_equal(s.protect.n, 2);
	assert_int_equal(s.chores.n, 1);
	chore = s.chores.v;
	assert_string_equal(chore->name, "deps");
	assert_string_equal(chore->prompt, "update dependencies,\nkeep the tests green\n");
	assert_int_equal(chore->open_max, 2);
	assert_int_equal(s.limit_wall_ms, 2700000);
	assert_int_equal(s.limit_cost_cents, 500);
	assert_int_equal(s.limit_tasks_open, 6);
	assert_true(s.submodules);
	assert_true(s.lfs);
	agent_settings_finish(&s);
}

static void
nothing_gives_the_defaults(void **state)
{
	struct agent_settings s;

	(void)state;
	assert_int_equal(agent_settings_parse("", 0, ".agent.yml", &s, NULL), 0);
	assert_null(s.agent);
	assert_null(s.gate_test);
	assert_int_equal(s.gate_reruns, 3);
	assert_int_equal(s.limit_wall_ms, 0);
	assert_int_equal(s.limit_cost_cents, 0);
	assert_int_equal(s.setup.n, 0);
	assert_false(s.lfs);
	agent_settings_finish(&s);
}

static void
refuses(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *want;
	} rows[] = {
		{ "a server's key", "token_file: /etc/passwd\n",
			"1:1: unknown key \"token_file\"" },
		{ "a misspelt key", "gate: { tests: x }\n",
			"1:9: unknown key \"gate.tests\"; did you mean \"gate.test\"?" },
		{ "a report outside", "gate: { report: ../../etc/passwd }\n",
			"1:9: gate.report: \"../../etc/passwd\" is not a path below" },
		{ "an absolute report", "gate: { report: /etc/passwd }\n", "1:9: gate.report" },
		{ "a key file outside", "setup_key: [a, b/../../c]\n", "1:16: setup_key" },
		{ "the whole network", "network: [\"*\"]\n", "1:11: network" },
		{ "a URL for a host", "network: [\"https://x\"]\n", "1:11: network" },
		{ "a chore without a prompt", "chores: { deps: { schedule: \"0 3 * * 1\" } }\n",
			"1:11: chores.deps.prompt is missing" },
		{ "a chore at no time", "chores: { deps: { schedule: daily, prompt: x } }\n",
			"1:19: chores.deps.schedule" },
		{ "a negative budget", "limits: { cost_usd: -5 }\n", "1:11: limits.cost_usd" },
		{ "endless reruns", "gate: { reruns: 1000 }\n",
			"1:9: gate.reruns: 1000 is not between 0 and 20" },
		{ "an escape sequence in a command", "setup: [\"\\e[2J\"]\n",
			"1:9: setup: control character" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_settings s;
		struct err e = { 0 };

		if (agent_settings_parse(rows[i].text, strlen(rows[i].text), "f", &s, &e) !=
				ERR_INVALID ||
			!str_starts(e.text, "f:") || !str_starts(e.text + 2, rows[i].want))
			fail_msg("%s: %s", rows[i].name, e.text);
		assert_null(s.agent);
		assert_int_equal(s.chores.n, 0);
	}
}

static void
its_size_is_bounded(void **state)
{
	auto_buf struct buf b = BUF_INIT(LIMIT_AGENT_YML_BYTES + 10);
	struct agent_settings s;
	struct err e;

	(void)state;
	while (b.len <= LIMIT_AGENT_YML_BYTES)
		(void)buf_addc(&b, '#');
	assert_int_equal(agent_settings_parse(b.data, b.len, "f", &s, &e), ERR_LIMIT);
	assert_int_equal(agent_settings_parse(b.data, b.len - 1, "f", &s, &e), 0);
	agent_settings_finish(&s);
}

static void
travels_between_roles(void **state)
{
	static const char text[] =
		"setup: npm ci\nchores: { d: { schedule: \"0 3 * * 1\", prompt: x } }\n";
	auto_buf struct buf wire = BUF_INIT(10000);
	struct agent_settings here, there;

	(void)state;
	assert_int_equal(agent_settings_parse(text, strlen(text), "f", &here, NULL), 0);
	assert_int_equal(row_pack(AGENT_SETTINGS_ROWS, &here, &wire, NULL), 0);
	assert_int_equal(row_unpack(AGENT_SETTINGS_ROWS, &there, wire.data, wire.len, NULL), 0);
	assert_string_equal(there.setup.v[0], "npm ci");
	assert_int_equal(there.chores.n, 1);
	agent_settings_finish(&here);
	agent_settings_finish(&there);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key),
		cmocka_unit_test(nothing_gives_the_defaults),
		cmocka_unit_test(refuses),
		cmocka_unit_test(its_size_is_bounded),
		cmocka_unit_test(travels_between_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
