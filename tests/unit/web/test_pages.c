/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pages - the task page shows what strangers wrote and lets none of it act.
 */
#include "web/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "web/template.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"

struct row_path {
	const char *rest;
	int rc;
	enum site_file what;
};

static const struct row_path PATHS[] = {
	{ ID, 0, SITE_PAGE },
	{ ID "/task.cast", 0, SITE_CAST },
	{ ID "/task.txt", 0, SITE_TEXT },
	{ ID "/", ERR_MISSING, SITE_PAGE },
	{ ID "0", ERR_MISSING, SITE_PAGE },
	{ ID "/../../etc/passwd", ERR_MISSING, SITE_PAGE },
	{ "0123", ERR_MISSING, SITE_PAGE },
	{ "0123456789ABCDEF0123456789ABCDEF", ERR_MISSING, SITE_PAGE },
	{ "", ERR_MISSING, SITE_PAGE },
};

static void
paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
		enum site_file what = SITE_PAGE;
		char page[33];

		if (pages_parse(PATHS[i].rest, page, &what) != PATHS[i].rc || what != PATHS[i].what)
			fail_msg("%s", PATHS[i].rest);
	}
}

static void
what_strangers_wrote_is_escaped(void **state)
{
	struct task t = { .id = 17, .state = TASK_RUNNING, .gate_exit = -1 };
	struct task_step step = { .name = mem_str("<b>setup"), .note = mem_str("\"><img src=x>") };
	struct site_task s = {
		.task = &t, .steps = &step, .n_steps = 1, .bytes = "\x1b[31m<script>\xff", .len = 14
	};
	auto_buf struct buf out = BUF_INIT(LIMIT_BLOB_BYTES);

	(void)state;
	t.page = mem_str(ID);
	t.title = mem_str("</title><script>alert(1)</script>");
	t.summary = mem_str("<iframe src=//evil>");
	t.pull_url = mem_str("javascript:alert(1)");
	pages_task(&s, &out);
	assert_null(strstr(buf_str(&out), "<script"));
	assert_null(strstr(buf_str(&out), "<img"));
	assert_null(strstr(buf_str(&out), "<iframe"));
	assert_null(strstr(buf_str(&out), "<b>"));
	assert_null(strstr(buf_str(&out), "href=\"javascript"));
	assert_non_null(strstr(buf_str(&out), "&lt;script&gt;alert(1)"));
	assert_true(str_utf8_ok(buf_str(&out), out.len));
	task_finish(&t);
	free(step.name);
	free(step.note);
}

static void
a_page_of_a_task_at_work_reloads_itself_and_a_finished_one_does_not(void **state)
{
	struct task t = { .id = 17, .state = TASK_RUNNING, .gate_exit = -1 };
	struct site_task s = { .task = &t };
	auto_buf struct buf out = BUF_INIT(LIMIT_BLOB_BYTES);

	(void)state;
	pages_task(&s, &out);
	assert_non_null(strstr(buf_str(&out), "http-equiv=\"refresh\""));
	buf_reset(&out);
	t.state = TASK_SUCCEEDED;
	pages_task(&s, &out);
	assert_null(strstr(buf_str(&out), "http-equiv=\"refresh\""));
}

static void
a_finished_task_shows_its_transcript_and_the_way_to_the_files(void **state)
{
	struct task t = { .id = 17, .number = 7, .state = TASK_SUCCEEDED, .gate_exit = -1 };
	struct site_task s = { .task = &t, .issue_url = "https://git.test/a/b/issues/7" };
	auto_buf struct buf out = BUF_INIT(LIMIT_BLOB_BYTES);

	(void)state;
	t.page = mem_str(ID);
	t.tail = mem_str("the end");
	pages_task(&s, &out);
	assert_non_null(strstr(buf_str(&out), "<pre>the end</pre>"));
	assert_null(strstr(buf_str(&out), "task.cast"));
	assert_non_null(strstr(buf_str(&out), "<a href=\"https://git.test/a/b/issues/7\" "
					      "rel=\"noreferrer\">#7</a>"));
	buf_reset(&out);
	s.bytes = "the beginning\nthe end\n";
	s.len = strlen(s.bytes);
	pages_task(&s, &out);
	assert_non_null(strstr(buf_str(&out), "<pre>the beginning\nthe end\n</pre>"));
	assert_non_null(strstr(buf_str(&out), "<a href=\"/t/" ID "/task.cast\" download>"));
	assert_non_null(strstr(buf_str(&out), "<a href=\"/t/" ID "/task.txt\" download>"));
	task_finish(&t);
}

static void
a_huge_transcript_is_shown_from_a_line_near_its_end(void **state)
{
	struct task t = { .id = 17, .state = TASK_SUCCEEDED, .gate_exit = -1 };
	size_t len = MIB(2);
	auto_free char *text = mem_array(len, 1);
	struct site_task s = { .task = &t, .bytes = text, .len = len };
	auto_buf struct buf out = BUF_INIT(8 * MIB(1));

	(void)state;
	for (size_t i = 0; i < len; i++)
		text[i] = i % 64 == 63 ? '\n' : '<'; /* three bytes more when escaped */
	memcpy(text, "START", 5);
	memcpy(text + len - 5, "last\n", 5);
	pages_task(&s, &out);
	assert_null(strstr(buf_str(&out), "START"));
	assert_non_null(strstr(buf_str(&out), "The first 1024 KiB are in the file only."));
	assert_non_null(strstr(buf_str(&out), "last\n</pre>\n</body></html>"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(what_strangers_wrote_is_escaped),
		cmocka_unit_test(
			a_page_of_a_task_at_work_reloads_itself_and_a_finished_one_does_not),
		cmocka_unit_test(a_finished_task_shows_its_transcript_and_the_way_to_the_files),
		cmocka_unit_test(a_huge_transcript_is_shown_from_a_line_near_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
