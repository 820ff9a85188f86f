/* SPDX-License-Identifier: Apache-2.0 */
/* check - each question with a good and a bad answer; forges are in test_check_forge.c. */
#include "base/json.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/agent.h"
#include "tests/unit/bot/check_case.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static void
git_versions(void **state)
{
	static const struct {
		const char *version;
		bool ok;
	} rows[] = {
		{ "2.39.5", true },
		{ "2.39.4", true },
		{ "2.39.3", false },
		{ "2.38.9", false },
		{ "2.40.1", false },
		{ "2.40.2", true },
		{ "2.45.0", false },
		{ "2.45.1", true },
		{ "2.46.0", true },
		{ "2.47.1 (Apple Git-100)", true },
		{ "2.50.0.rc1", true },
		{ "3.0.0", true },
		{ "1.9.1", false },
		{ "2.39", false },
		{ "", false },
		{ "x", false },
		{ "2", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((check_git_version(rows[i].version) == NULL) != rows[i].ok)
			fail_msg("%s", rows[i].version);
	}
}

static void
secrets_are_read_and_keys_parsed(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };

	(void)state;
	scratch_put("good", "0123456789abcdef0123456789abcdef\n", 0600);
	scratch_put("open", "0123456789abcdef0123456789abcdef\n", 0644);
	scratch_put("short", "hunter2\n", 0600);
	check_case_parse(
		"public_url: http://127.0.0.1\n"
		"forges:\n"
		"  a: { kind: github, token_file: good, webhook_secret_file: open }\n"
		"  b: { kind: github, app_id: 1, app_key_file: good, webhook_secret_file: short }\n"
		"models: { openai: { key_file: absent } }\n",
		&c);
	check_secrets(&r, &c);
	assert_int_equal(r.items.n, 5);
	check_case_has(&r, "forges.a.token", "ok", "good");
	check_case_has(&r, "forges.a.webhook_secret", "failure", "chmod 600");
	check_case_has(&r, "forges.b.app_key", "failure", "private key");
	check_case_has(&r, "forges.b.webhook_secret", "failure", "less than 16 bytes");
	check_case_has(&r, "models.openai.key", "failure", "No such file");
	assert_int_equal(r.exit_code, EX_CONFIG);
	assert_null(check_case_find(&r, "forges.b.webhook_secret", "hunter2"));
	check_report_finish(&r);
}

static void
addresses_for_deliveries(void **state)
{
	static const struct {
		const char *name;
		const char *public_url;
		const char *forge;
		const char *want;
	} rows[] = {
		{ "a public address with TLS", "https://bot.example.org", "https://github.com",
			"ok" },
		{ "both at home", "http://192.168.1.2:8080", "http://git.local:3000", "ok" },
		{ "both on this machine", "http://127.0.0.1:8080", "http://127.0.0.1:3000", "ok" },
		{ "a forge far away, a bot at home", "http://192.168.1.2:8080",
			"https://github.com", "warning" },
		{ "localhost by name", "https://localhost:8080", "https://github.com", "warning" },
		{ "localhost in IPv6", "https://[::1]:8080", "https://github.com", "warning" },
		{ "no TLS over the internet", "http://bot.example.org", "https://github.com",
			"warning" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_free char *text =
			mem_fmt("public_url: %s\nforges: { f: { kind: gitea, url: \"%s\", "
				"token_file: t, webhook_secret_file: w } }\n",
				rows[i].public_url, rows[i].forge);
		auto_config struct config c = { 0 };
		struct check_report r = { 0 };
		const struct check_item *item;

		check_case_parse(text, &c);
		check_hooks(&r, &c);
		assert_int_equal(r.items.n, 1);
		item = r.items.v;
		if (!str_eq(item->state, rows[i].want))
			fail_msg("%s: %s", rows[i].name, item->text);
		check_report_finish(&r);
	}
}

/* ---- The machine and the subcommand ---- */

static void
the_machine_is_asked_for_everything(void **state)
{
	auto_config struct config c = { 0 };
	auto_free char *text = NULL;
	struct check_report r = { 0 };

	(void)state;
	scratch_put("agent", "#!/bin/sh\n", 0755);
	scratch_put("file", "", 0600);
	text = mem_fmt(
		"intake: poll\nlisten: 203.0.113.7:80\nstate_dir: file\nagent: mine\n"
		"forges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n"
		"agents: { mine: { command: [%s/agent] }, other: { command: [/nothing/here] } }\n"
		"sandbox: { tools: [/nothing/there] }\n",
		scratch_dir);
	check_case_parse(text, &c);
	check_machine(&r, &c);
	check_case_has(&r, "state_dir", "failure", "is no directory");
	check_case_has(&r, "listen", "failure", "203.0.113.7:80");
	check_case_has(&r, "git", "ok", "git 2.");
	check_case_has(&r, "agents.mine", "failure", "not seen by a box");
	check_case_has(&r, "agents.other", "failure", "not found by a box");
	check_case_has(&r, "sandbox.tools", "warning", "/nothing/there");
	assert_non_null(check_case_find(&r, "sandbox.tier_min", ""));
	check_report_finish(&r);
}

/* Every tier that is wanted and not there has its mend; one that is no box says so. */
static void
a_tier_that_is_not_there_is_named(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };

	(void)state;
	check_case_parse("intake: poll\nsandbox: { tier_min: vm, runtime: /nowhere/crun }\n"
			 "forges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n",
		&c);
	check_machine(&r, &c);
	check_case_has(&r, "sandbox.tier_min", "failure", "vm is wanted; this machine has");
	const struct check_item *tier = check_case_find(&r, "sandbox.tier_min", "");
	assert_non_null(strstr(tier->mend, "slots or userns"));
	check_case_has(&r, "sandbox.tiers", "ok", "(no box, so nothing runs in it), T2 userns");
	check_case_has(&r, "sandbox.runtime", "failure",
		"/nowhere/crun is not installed: no program is there");
	check_report_finish(&r);
}

/* A server that has run for a while. */
static void
caches_are_measured(void **state)
{
	static const char layer[] =
		"state/boxes/layers/"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char checkout[] =
		"state/mirrors/t/1.trees/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	auto_config struct config c = { 0 };
	struct check_report r = { 0 }, before = { 0 };
	char boot[CLOCK_BOOT_ID_BYTES];

	(void)state;
	check_case_parse("intake: poll\ncaches: { layers: 2GiB }\n"
			 "forges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n",
		&c);
	check_caches(&before, &c);
	assert_int_equal(before.items.n, 0);
	clock_boot_id(boot);
	auto_free char *about = mem_fmt("%s 1610612736\n", boot);
	auto_free char *about_path = mem_fmt("%s/about", layer);
	auto_free char *size_path = mem_fmt("%s/size", checkout);
	auto_free char *boot_path = mem_fmt("%s/boot", checkout);
	assert_int_equal(fs_mkdirs(layer, 0700, NULL), 0);
	assert_int_equal(fs_mkdirs(checkout, 0700, NULL), 0);
	scratch_put(about_path, about, 0600);
	scratch_put(size_path, "5000\n", 0600);
	scratch_put(boot_path, boot, 0600);
	check_caches(&r, &c);
	check_case_has(&r, "caches.layers", "ok", "1 layers, 1.5 GiB of 2.0 GiB");
	check_case_has(&r, "caches.checkouts", "ok", "1 checkouts, 4.9 KiB of 40.0 GiB");
	check_case_has(&r, "caches.mirrors", "ok", "0 mirrors, 0 bytes of 100.0 GiB");
	check_case_has(&r, "caches.registries", "ok", "0 packages and indexes, 0 bytes of 4.0 GiB");
	check_report_finish(&r);
}

/* Each agent that cannot run says what it lacks and what to do. */
static void
agents_say_what_they_lack(void **state)
{
	static const struct {
		const char *name;
		const char *state;
		const char *text;
		const char *mend;
	} rows[] = {
		{ "agents.good", "ok", "/good, the default", NULL },
		{ "agents.script", "failure", "run by no-such-thing, which is not found",
			"no-such" },
		{ "agents.far", "failure", "/elsewhere is not seen", "sandbox.tools" },
		{ "agents.mute", "warning", "which model to use", "agents.mute.model" },
		{ "agents.deaf", "warning", "talks to anthropic APIs, and o is one of kind openai",
			"agents.deaf.provider" },
		{ "agents.gone", "failure", "not found by a box",
			"npm install --prefix /opt/agents @google/gemini-cli" },
		{ "agents", "ok", "not installed: ", NULL },
	};
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };

	(void)state;
	auto_free char *tools = mem_fmt("%s/tools", scratch_dir);
	auto_free char *far = mem_fmt("%s/tools/far", scratch_dir);
	auto_free char *elsewhere = mem_fmt("%s/elsewhere", scratch_dir);
	assert_int_equal(mkdir(tools, 0755), 0);
	scratch_put("elsewhere", "#!/bin/sh\n", 0755);
	scratch_put("tools/good", "#!/usr/bin/env sh\n", 0755);
	scratch_put("tools/script", "#!/usr/bin/env no-such-thing\n", 0755);
	assert_int_equal(symlink(elsewhere, far), 0);
	auto_free char *text = mem_fmt(
		"intake: poll\nagent: good\n"
		"forges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n"
		"models: { o: { url: \"http://127.0.0.1:1/v1\" } }\n"
		"agents:\n"
		"  good: { kind: codex, path: %s/tools/good }\n"
		"  script: { kind: codex, path: %s/tools/script }\n"
		"  far: { kind: codex, path: %s/tools/far }\n"
		"  mute: { kind: pi, path: %s/tools/good }\n"
		"  deaf: { kind: claude, path: %s/tools/good, provider: o }\n"
		"  gone: { kind: gemini, path: /nothing/gemini }\n"
		"sandbox: { tools: [%s/tools] }\n",
		scratch_dir, scratch_dir, scratch_dir, scratch_dir, scratch_dir, scratch_dir);
	check_case_parse(text, &c);
	check_agents(&r, &c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct check_item *item = check_case_find(&r, rows[i].name, rows[i].text);

		if (!item)
			fail_msg("%s: nothing of \"%s\"", rows[i].name, rows[i].text);
		assert_string_equal(item->state, rows[i].state);
		if (rows[i].mend)
			assert_non_null(strstr(item->mend, rows[i].mend));
	}
	assert_int_equal(r.exit_code, 0); /* the default can run */
	check_report_finish(&r);
}

/* config knows which API each kind needs, and may not ask sandbox. */
static void
kinds_are_the_same_for_config_and_sandbox(void **state)
{
	auto_config struct config c = { 0 };

	(void)state;
	check_case_parse("intake: poll\n"
			 "forges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n"
			 "models: { openai: { key_file: k }, anthropic: { key_file: k }, gemini: { "
			 "key_file: k } }\n",
		&c);
	assert_int_equal(c.agents.n + 1, AGENT_ROWS_COUNT); /* command is none by itself */
	for (size_t i = 0; i < AGENT_ROWS_COUNT; i++) {
		const struct config_agent *a = config_agent_find(&c, AGENT_ROWS[i].name);

		if (AGENT_ROWS[i].program)
			assert_string_equal(a->provider, AGENT_ROWS[i].api);
		else
			assert_null(a);
	}
}

/* Runs the subcommand with its standard output in out. */
static int
run(struct buf *out, char *const words[])
{
	auto_fd int said = memfd_create("stdout", MFD_CLOEXEC);
	auto_fd int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	char *argv[8] = { NULL };
	char chunk[4096];
	int argc = 0, code;
	ssize_t n;
	off_t at = 0;

	while (words[argc]) {
		argv[argc] = words[argc];
		argc++;
	}
	(void)fflush(stdout);
	assert_true(dup2(said, STDOUT_FILENO) >= 0);
	optind = 0; /* getopt starts anew */
	code = check_main(argc, argv);
	(void)fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	while ((n = pread(said, chunk, sizeof(chunk), at)) > 0) {
		assert_int_equal(buf_add(out, chunk, (size_t)n), 0);
		at += n;
	}
	return code;
}

static char CHECK[] = "check", DOCS[] = "--print-docs", CONFIG[] = "--print-config",
	    AS_JSON[] = "--json", OFFLINE[] = "--offline", DASH_C[] = "-c",
	    NOTHING[] = "nothing.yaml", WRONG[] = "extra";

static void
documentation_needs_no_configuration(void **state)
{
	auto_buf struct buf out = BUF_INIT(1000000);
	auto_buf struct buf want = BUF_INIT(1000000);
	char *const words[] = { CHECK, DOCS, NULL };

	(void)state;
	assert_int_equal(run(&out, words), EX_OK);
	assert_int_equal(config_docs(&want), 0);
	assert_string_equal(buf_str(&out), buf_str(&want));
}

static void
exits_say_what_is_wrong(void **state)
{
	auto_buf struct buf out = BUF_INIT(1000000);
	char *const missing[] = { CHECK, DASH_C, NOTHING, NULL };
	char *const plain[] = { CHECK, OFFLINE, NULL };
	char *const config[] = { CHECK, CONFIG, NULL };

	(void)state;
	assert_int_equal(run(&out, missing), EX_NOINPUT);
	assert_non_null(strstr(buf_str(&out), "mend: write one"));
	scratch_put("nightshift.yaml", "lisen: x\n", 0600);
	assert_int_equal(run(&out, plain), EX_CONFIG);
	assert_non_null(strstr(buf_str(&out), "did you mean \"listen\"?"));
	buf_reset(&out);
	scratch_put("nightshift.yaml",
		"intake: poll\nforges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n",
		0600);
	assert_int_equal(run(&out, config), EX_OK);
	assert_non_null(strstr(buf_str(&out), "api_url: http://h/api/v1\n"));
	assert_int_equal(run(&out, plain), EX_CONFIG);
	assert_non_null(strstr(buf_str(&out), "FAIL  forges.t.token"));
}

static void
json_is_one_object(void **state)
{
	auto_buf struct buf out = BUF_INIT(1000000);
	char *const words[] = { CHECK, AS_JSON, OFFLINE, NULL };
	auto_json struct json *j = NULL;

	(void)state;
	scratch_put("nightshift.yaml",
		"intake: poll\nforges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n",
		0600);
	assert_int_equal(run(&out, words), EX_CONFIG);
	assert_int_equal(json_parse(out.data, out.len, &JSON_LIMITS_REPLY, &j, NULL), 0);
	assert_false(json_bool(j, "ok"));
	assert_true(json_len(j, "checks") > 8);
	assert_string_equal(json_str(json_at(j, "checks", 0), "name"), "configuration");
	assert_string_equal(json_str(json_at(j, "checks", 1), "state"), "failure");
}

static void
unknown_words_are_refused(void **state)
{
	auto_buf struct buf out = BUF_INIT(1000);
	char *const words[] = { CHECK, WRONG, NULL };

	(void)state;
	assert_int_equal(run(&out, words), EX_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(git_versions),
		SCRATCH_TEST(secrets_are_read_and_keys_parsed),
		SCRATCH_TEST(addresses_for_deliveries),
		SCRATCH_TEST(the_machine_is_asked_for_everything),
		SCRATCH_TEST(a_tier_that_is_not_there_is_named),
		SCRATCH_TEST(caches_are_measured),
		SCRATCH_TEST(agents_say_what_they_lack),
		cmocka_unit_test(kinds_are_the_same_for_config_and_sandbox),
		SCRATCH_TEST(documentation_needs_no_configuration),
		SCRATCH_TEST(exits_say_what_is_wrong),
		SCRATCH_TEST(json_is_one_object),
		SCRATCH_TEST(unknown_words_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
