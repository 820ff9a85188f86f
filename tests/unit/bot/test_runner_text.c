/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_runner_text - what an agent said last, durations, commands, trailers.
 */
#include "bot/runner_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"

static void
last_words_by_row(void **state)
{
	static const struct {
		const char *name, *tail, *want;
	} ROWS[] = {
		{ "one paragraph", "== agent: mine\none\ntwo\n", "one\ntwo" },
		{ "the last of two", "== agent: mine\nlong talk\n\nMended.\nGreen.\n\n",
			"Mended.\nGreen." },
		{ "before the note of its end",
			"== agent: mine\nI gave up.\n== agent: exit code 3\n", "I gave up." },
		{ "its title has scrolled away", "of it\n\nMended.\n== agent: exit code 3",
			"Mended." },
		{ "nothing after the setup's words", "== setup: npm ci\nadded 3\n== agent: mine\n",
			"" },
		{ "nothing, and a bad end",
			"== setup: npm ci\nadded 3\n== agent: mine\n== agent: exit code 3\n", "" },
		{ "an earlier attempt of the same agent",
			"== agent: mine\nold\n== agent: mine\nnew\n", "new" },
		{ "a longer name is another title", "== agent: mine-too\nhello\n", "hello" },
		{ "only space", "== agent: mine\n \n\t\n", "" },
		{ "no end of line", "== agent: mine\nhello", "hello" },
		{ "nothing", "", "" },
		{ "no transcript", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		auto_buf struct buf b = BUF_INIT(LIMIT_SUMMARY_BYTES);

		text_last_words(ROWS[i].tail, "mine", &b);
		if (!str_eq(buf_str(&b), ROWS[i].want))
			fail_msg("%s: \"%s\"", ROWS[i].name, buf_str(&b));
	}
}

static void
durations_by_row(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} ROWS[] = { { 2700000, "45m" }, { 90000, "90s" }, { 3600000, "1h" }, { 1500, "1500ms" },
		{ 0, "0ms" } };

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		char got[32];

		text_duration(ROWS[i].ms, got);
		assert_string_equal(got, ROWS[i].want);
	}
}

static void
a_command_is_one_short_line(void **state)
{
	char got[TEXT_COMMAND_BYTES];
	auto_free char *longest = mem_array(1000, 1);

	(void)state;
	text_command("npm `test`\nrm -rf /", got);
	assert_string_equal(got, "npm 'test' ...");
	memset(longest, 'x', 999);
	text_command(longest, got);
	assert_int_equal(strlen(got), TEXT_COMMAND_BYTES - 1);
}

static void
trailers_by_setting(void **state)
{
	struct config_forge forge = { .name = mem_str("gh"),
		.kind = mem_str("github"),
		.url = mem_str("https://github.com") };
	struct config c = { .forges = { &forge, 1 },
		.commit_name = mem_str("nightshift"),
		.commit_email = mem_str("bot@example.org") };
	struct task t = { .forge = mem_str("gh"), .actor = mem_str("alice"), .actor_id = 3 };
	auto_buf struct buf b = BUF_INIT(LIMIT_SUMMARY_BYTES);

	(void)state;
	text_trailers(&c, &t, &b);
	assert_int_equal(b.len, 0);
	c.commit_coauthor = c.commit_signoff = true;
	text_trailers(&c, &t, &b);
	assert_string_equal(b.data, "Co-authored-by: alice <3+alice@users.noreply.github.com>\n"
				    "Signed-off-by: nightshift <bot@example.org>\n");
	buf_reset(&b);
	mem_set(&t.actor, "alice>\nReviewed-by: root");
	text_trailers(&c, &t, &b);
	assert_string_equal(b.data, "Signed-off-by: nightshift <bot@example.org>\n");
	task_finish(&t);
	free(forge.name);
	free(forge.kind);
	free(forge.url);
	free(c.commit_name);
	free(c.commit_email);
}

static void
refused_hosts_have_their_time_in_the_transcript(void **state)
{
	static const char lines[] = "1700000083999 evil.example:443 not open\n"
				    "1699999999000 early.example x y\nnonsense\n\n"
				    "1700003600000 late.example";
	static const struct {
		const char *cast;
		const char *want;
	} rows[] = {
		{ "{\"version\":2,\"timestamp\":1700000000,\"title\":\"x\"}\n[0,\"o\",\"a\"]\n",
			"01:23 evil.example:443: not open\n00:00 early.example: x y\n"
			"60:00 late.example\n" },
		{ "{\"timestamp\": 1700000000}",
			"01:23 evil.example:443: not open\n00:00 early.example: x y\n"
			"60:00 late.example\n" },
		{ "", "evil.example:443: not open\nearly.example: x y\nlate.example\n" },
		{ "{}\n\"timestamp\":1", "evil.example:443: not open\nearly.example: x y\n"
					 "late.example\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf out = BUF_INIT(1000);

		text_blocked(lines, rows[i].cast, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
	}
	auto_buf struct buf none = BUF_INIT(1000);
	text_blocked(NULL, "", &none);
	assert_string_equal(buf_str(&none), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_words_by_row),
		cmocka_unit_test(durations_by_row),
		cmocka_unit_test(a_command_is_one_short_line),
		cmocka_unit_test(trailers_by_setting),
		cmocka_unit_test(refused_hosts_have_their_time_in_the_transcript),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
