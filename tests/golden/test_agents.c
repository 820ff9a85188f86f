/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents, in files of agents/:
 *
 *	<kind>.box            how the box is told to start it, anew and to go on with a session
 *	<kind>-<case>.jsonl   what the real one printed (README.md there says which version)
 *	<kind>-<case>.txt     what we make of it: the terminal, then what is known
 */
#include "files.h"

#include "base/limits.h"
#include "base/mem.h"
#include "sandbox/agent.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DIR     GOLDEN_DIR "/agents"
#define SESSION "11111111-2222-4333-8444-555555555555"

/* ---- how each is started ---- */

static void
print_spec(const struct box_spec *s, struct buf *out)
{
	const struct box_file *files = s->files.v;

	for (size_t i = 0; i < s->argv.n; i++)
		(void)buf_addf(out, "arg %s\n", s->argv.v[i]);
	for (size_t i = 0; i < s->env.n; i++)
		(void)buf_addf(out, "env %s\n", s->env.v[i]);
	for (size_t i = 0; i < s->files.n; i++)
		(void)buf_addf(out, "file %s %03o\n%s", files[i].path, (unsigned)files[i].mode,
			files[i].text);
}

static void
print_row(const struct agent_row *row, bool is_resumed, struct buf *out)
{
	auto_strs struct strs command = { 0 };
	auto_strs struct strs extra = { 0 };
	auto_box_spec struct box_spec s = { 0 };
	struct err e = { 0 };
	const struct agent_ask ask = {
		.kind = row->name,
		.program = row->program ? "/opt/agents/bin/it" : NULL,
		.command = &command,
		.args = &extra,
		.model = "some-model",
		.provider = "mine",
		.key = "task-7",
		.session = SESSION,
		.is_resumed = is_resumed,
	};

	strs_add(&command, "/opt/agents/mine");
	strs_add(&extra, "--extra");
	if (agent_fill(&ask, &s, &e) < 0)
		fail_msg("%s: %s", row->name, e.text);
	(void)buf_addf(out, "== %s\n", is_resumed ? "goes on" : "starts");
	print_spec(&s, out);
	(void)buf_addf(out, "speaks %s\n", s.events ? s.events : "plain text");
}

static void
each_kind_is_started_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < AGENT_ROWS_COUNT; i++) {
		const struct agent_row *row = &AGENT_ROWS[i];
		auto_buf struct buf out = BUF_INIT(KIB(64));
		auto_free char *path = mem_fmt(DIR "/%s.box", row->name);

		print_row(row, false, &out);
		if (row->resume)
			print_row(row, true, &out);
		if (row->session_dir)
			(void)buf_addf(&out, "keeps %s\n", row->session_dir);
		for (size_t k = 0; row->rewrites && row->rewrites[k]; k++)
			(void)buf_addf(&out, "rewrites %s\n", row->rewrites[k]);
		golden_compare(path, &out);
	}
}

/* ---- how each is read ---- */

static void
print_said(const struct agent_reader *r, struct buf *out)
{
	struct agent_said said;

	agent_reader_said(r, &said);
	(void)buf_addf(out, "== begun=%d done=%d read=%" PRId64 " written=%" PRId64 "\n",
		said.has_begun, said.is_done, said.read, said.written);
	(void)buf_addf(out, "session: %s\n", said.session ? said.session : "-");
	(void)buf_addf(out, "error: %s\n", said.error ? said.error : "-");
	(void)buf_addf(out, "summary: %s\n", said.summary ? said.summary : "-");
}

/* What a terminal makes of it, legibly. */
static void
add_shown(const struct buf *show, struct buf *out)
{
	for (size_t i = 0; i < show->len; i++) {
		if (show->data[i] == '\033')
			(void)buf_adds(out, "^");
		else if (show->data[i] != '\r')
			(void)buf_addc(out, show->data[i]);
	}
}

static void
read_as(const char *name, size_t piece, struct buf *out)
{
	auto_free char *kind = mem_strn(name, strcspn(name, "-"));
	auto_free char *path = mem_fmt(DIR "/%s", name);
	auto_buf struct buf show = BUF_INIT(MIB(1));
	size_t len;
	auto_free char *data = golden_read(path, &len);
	struct agent_reader *r = agent_reader_create(agent_row_find(kind));

	for (size_t i = 0; i < len; i += piece)
		agent_reader_feed(r, data + i, len - i < piece ? len - i : piece, &show);
	agent_reader_end(r, &show);
	add_shown(&show, out);
	print_said(r, out);
	agent_reader_destroy(r);
}

static void
what_real_ones_printed_is_understood(void **state)
{
	auto_strs struct strs names = { 0 };

	(void)state;
	golden_list(DIR, ".jsonl", &names);
	for (size_t i = 0; i < names.n; i++) {
		auto_buf struct buf whole = BUF_INIT(MIB(1));
		auto_buf struct buf pieces = BUF_INIT(MIB(1));
		auto_free char *path =
			mem_fmt(DIR "/%.*s.txt", (int)strcspn(names.v[i], "."), names.v[i]);

		read_as(names.v[i], SIZE_MAX / 2, &whole);
		golden_compare(path, &whole);
		read_as(names.v[i], 7, &pieces);
		assert_string_equal(buf_str(&whole), buf_str(&pieces));
	}
}

/* What every agent that speaks in events must be able to say. */
static void
each_fix_is_a_success_and_each_refusal_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < AGENT_ROWS_COUNT; i++) {
		const struct agent_row *row = &AGENT_ROWS[i];
		auto_buf struct buf fix = BUF_INIT(MIB(1));
		auto_free char *name = mem_fmt("%s-fix.jsonl", row->name);

		if (!row->rules)
			continue;
		read_as(name, 4096, &fix);
		assert_non_null(strstr(buf_str(&fix), "== begun=1 done=1"));
		assert_non_null(
			strstr(buf_str(&fix), "error: -\nsummary: DONE: add.sh subtracted"));
		assert_non_null(strstr(buf_str(&fix), "sh test.sh"));
		assert_non_null(strstr(buf_str(&fix), "1 passed, 0 failed\n"));

		auto_buf struct buf refused = BUF_INIT(MIB(1));
		auto_free char *other = mem_fmt("%s-refused.jsonl", row->name);
		read_as(other, 4096, &refused);
		assert_non_null(strstr(buf_str(&refused), "== begun=1"));
		/* Qwen calls it a success, and ends with exit code 1. */
		if (!str_eq(row->name, "qwen"))
			assert_null(strstr(buf_str(&refused), "error: -"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_started_as_written),
		cmocka_unit_test(what_real_ones_printed_is_understood),
		cmocka_unit_test(each_fix_is_a_success_and_each_refusal_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
