/* SPDX-License-Identifier: Apache-2.0 */
/* err - codes, texts, wrapping, exits. */
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sysexits.h>

static void
sets_code_and_text(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, ERR_DENIED, "task %d", 7), ERR_DENIED);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.text, "task 7");
}

static void
nobody_has_to_listen(void **state)
{
	(void)state;
	errno = ENOENT;
	assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
	assert_int_equal(err_sys(NULL, "x"), ERR_MISSING);
	assert_int_equal(err_wrap(NULL, ERR_BUSY, "x"), ERR_BUSY);
}

static void
errno_becomes_a_code(void **state)
{
	static const struct {
		int sys;
		int code;
	} rows[] = {
		{ ENOENT, ERR_MISSING },
		{ EEXIST, ERR_CONFLICT },
		{ EACCES, ERR_DENIED },
		{ EPERM, ERR_DENIED },
		{ ENOSPC, ERR_LIMIT },
		{ EMFILE, ERR_LIMIT },
		{ ENFILE, ERR_LIMIT },
		{ EAGAIN, ERR_BUSY },
		{ EBUSY, ERR_BUSY },
		{ ETIMEDOUT, ERR_TIMEOUT },
		{ EIO, ERR_SYSTEM },
		{ 99999, ERR_SYSTEM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e;

		errno = rows[i].sys;
		assert_int_equal(err_sys(&e, "x"), rows[i].code);
		assert_int_equal(e.sys, rows[i].sys);
	}
}

static void
the_kernels_words_follow_ours(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	(void)err_sys(&e, "open %s", "/x");
	assert_string_equal(e.text, "open /x: No such file or directory");
	errno = 99999;
	(void)err_sys(&e, "open /x");
	assert_string_equal(e.text, "open /x: error 99999");
}

static void
wrapping_puts_context_in_front(void **state)
{
	struct err e;

	(void)state;
	errno = EACCES;
	assert_int_equal(err_wrap(&e, err_sys(&e, "open a"), "push %s", "main"), ERR_DENIED);
	assert_string_equal(e.text, "push main: open a: Permission denied");
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(e.sys, EACCES);
}

static void
an_error_is_one_bounded_line(void **state)
{
	char text[2 * ERR_TEXT_BYTES_MAX];
	struct err e;

	(void)state;
	(void)err_set(&e, ERR_INVALID, "a\nb\tc\x1b[31m");
	assert_string_equal(e.text, "a b c [31m");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&e, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES_MAX - 1);
	(void)err_wrap(&e, ERR_INVALID, "in front");
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES_MAX - 1);
	assert_int_equal(strncmp(e.text, "in front: xxx", 13), 0);
	(void)err_wrap(&e, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES_MAX - 1);
}

static void
codes_have_names_and_exits(void **state)
{
	(void)state;
	assert_string_equal(err_name(ERR_PROTOCOL), "protocol");
	assert_string_equal(err_name(0), "ok");
	assert_string_equal(err_name(-77), "unknown");
	assert_int_equal(err_exit(0), EX_OK);
	assert_int_equal(err_exit(ERR_INVALID), EX_DATAERR);
	assert_int_equal(err_exit(ERR_DENIED), EX_NOPERM);
	assert_int_equal(err_exit(ERR_BUSY), EX_TEMPFAIL);
	assert_int_equal(err_exit(-77), EX_SOFTWARE);
	for (int code = ERR_SYSTEM; code < 0; code++) {
		assert_string_not_equal(err_name(code), "unknown");
		assert_int_equal(err_is_transient(code), code == ERR_TIMEOUT || code == ERR_BUSY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_text),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(errno_becomes_a_code),
		cmocka_unit_test(the_kernels_words_follow_ours),
		cmocka_unit_test(wrapping_puts_context_in_front),
		cmocka_unit_test(an_error_is_one_bounded_line),
		cmocka_unit_test(codes_have_names_and_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
