/* SPDX-License-Identifier: Apache-2.0 */
/* log - the line as a reader of the journal sees it. */
#include "base/log.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char out[65536];
static int saved_stderr = -1;
static int capture = -1;

static int
start(void **state)
{
	(void)state;
	capture = memfd_create("log", MFD_CLOEXEC);
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	log_init("web", LOG_LEVEL_INFO);
	return capture < 0 || saved_stderr < 0 || dup2(capture, STDERR_FILENO) < 0 ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	if (saved_stderr >= 0 && dup2(saved_stderr, STDERR_FILENO) < 0)
		return -1;
	clean_fd(&saved_stderr);
	clean_fd(&capture);
	return 0;
}

/* What was logged since start(), without the time of the first line. */
static const char *
logged(void)
{
	ssize_t n = pread(capture, out, sizeof(out) - 1, 0);

	assert_true(n >= 0);
	out[n] = '\0';
	return n > 25 ? out + 25 : out;
}

static void
a_line_has_its_parts_in_order(void **state)
{
	const struct log_ctx ctx = {
		.delivery = 17, .task = 4, .attempt = 2, .repo = "acme/widget"
	};
	int64_t ms;
	char time[32] = "";

	(void)state;
	log_info(&ctx, "hook.accepted", "bytes=%d", 12034);
	assert_string_equal(logged(), "info web hook.accepted delivery=17 task=4 attempt=2 "
				      "repo=acme/widget bytes=12034\n");
	memcpy(time, out, 24);
	assert_int_equal(time[23], 'Z');
	assert_int_equal(str_time(time, &ms, NULL), 0);
}

static void
empty_parts_are_left_out(void **state)
{
	const struct log_ctx ctx = { .task = 4, .repo = "" };

	(void)state;
	log_warn(&ctx, "a.b", "%s", "");
	assert_string_equal(logged(), "warn web a.b task=4\n");
}

static void
without_a_context(void **state)
{
	(void)state;
	log_error(NULL, "a.b", "x=%d", 1);
	assert_string_equal(logged(), "error web a.b x=1\n");
}

static void
lower_levels_are_silent(void **state)
{
	(void)state;
	log_debug(NULL, "a.b", "x=1");
	assert_string_equal(logged(), "");
}

static void
values_are_written_as_logfmt_has_it(void **state)
{
	static const struct {
		const char *value;
		const char *want;
	} rows[] = {
		{ "acme/widget", "x=acme/widget" },
		{ "127.0.0.1:80", "x=127.0.0.1:80" },
		{ "\xc3\xa9", "x=\xc3\xa9" },
		{ "", "x=\"\"" },
		{ "two words", "x=\"two words\"" },
		{ "1 task=2", "x=\"1 task=2\"" },
		{ "task=2", "x=\"task=2\"" },
		{ "\"", "x=\"\\\"\"" },
		{ "a\\", "x=\"a\\\\\"" },
		{ "1\n2026 error web c.d", "x=\"1\\n2026 error web c.d\"" },
		{ "\r\x1b[2J\x7f", "x=\"\\x0d\\x1b[2J\\x7f\"" },
		{ "\xc2\x9b"
		  "31m",
			"x=\"\\xc2\\x9b31m\"" },
		{ "\xff\xc3", "x=\"\\xff\\xc3\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_free char *want = mem_fmt("info web a.b %s y=7\n", rows[i].want);

		assert_int_equal(ftruncate(capture, 0), 0);
		assert_int_equal(lseek(capture, 0, SEEK_SET), 0);
		log_info(NULL, "a.b", "x=%s y=%d", rows[i].value, 7);
		assert_string_equal(logged(), want);
	}
}

/* Text around a value has its own quotes; a value in it cannot end them. */
static void
a_value_in_quotes_cannot_end_them(void **state)
{
	(void)state;
	log_info(NULL, "a.b", "why=\"%s of %.*s\" n=%lld m=%u first=%.2s", "\" task=9 \\", 2,
		"\"bc", 5LL, 6U, "abc");
	assert_string_equal(
		logged(), "info web a.b why=\"\\\" task=9 \\\\ of \\\"b\" n=5 m=6 first=ab\n");
}

static void
a_repository_cannot_forge_a_line(void **state)
{
	const struct log_ctx ctx = { .repo = "a\nb" };

	(void)state;
	log_info(&ctx, "a.b", "x=%s", "1");
	assert_string_equal(logged(), "info web a.b repo=\"a\\nb\" x=1\n");
}

static void
a_line_is_one_bounded_write(void **state)
{
	char text[10000];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t len;

		memset(text, i ? 'x' : '\x01', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		assert_int_equal(ftruncate(capture, 0), 0);
		assert_int_equal(lseek(capture, 0, SEEK_SET), 0);
		if (i == 0)
			log_info(NULL, "a.b", "x=%s y=1", text);
		else if (i == 1)
			log_info(NULL, "a.b", "x=\"%s\"", text);
		else
			log_info(NULL, "a.b", "x=%.*s y=%s", 4000, text, text);
		len = strlen(logged()) + 25;
		assert_true(len > 4000 && len <= 4096);
		assert_ptr_equal(strchr(out, '\n'), out + len - 1);
		assert_true(str_ends(out, i < 2 ? "...\"\n" : "...\n"));
	}
}

static void
errors_are_quoted(void **state)
{
	struct err e;

	(void)state;
	(void)err_set(&e, ERR_INVALID, "unknown key \"a\\b\"");
	log_err(LOG_LEVEL_ERROR, NULL, "config.bad", &e);
	assert_string_equal(logged(),
		"error web config.bad error=\"unknown key \\\"a\\\\b\\\"\" code=invalid\n");
}

static void
the_kernels_number_is_told(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	(void)err_sys(&e, "open x");
	errno = EIO;
	log_err(LOG_LEVEL_WARN, NULL, "a.b", &e);
	assert_string_equal(logged(),
		"warn web a.b error=\"open x: No such file or directory\" code=missing errno=2\n");
	assert_int_equal(errno, EIO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_its_parts_in_order),
		TEST(empty_parts_are_left_out),
		TEST(without_a_context),
		TEST(lower_levels_are_silent),
		TEST(values_are_written_as_logfmt_has_it),
		TEST(a_value_in_quotes_cannot_end_them),
		TEST(a_repository_cannot_forge_a_line),
		TEST(a_line_is_one_bounded_write),
		TEST(errors_are_quoted),
		TEST(the_kernels_number_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
