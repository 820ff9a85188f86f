/* SPDX-License-Identifier: Apache-2.0 */
/* buf - adding up to the ceiling and never past it. */
#include "base/buf.h"

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void
an_empty_buffer_is_an_empty_string(void **state)
{
	struct buf b = BUF_INIT(10);
	auto_free char *s = NULL;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	buf_cut(&b, 0);
	buf_drop(&b, 0);
	assert_string_equal(buf_str(&b), "");
	s = buf_steal(&b);
	assert_string_equal(s, "");
	buf_finish(&b);
	buf_finish(NULL);
}

static void
adds_of_all_kinds(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);

	(void)state;
	assert_int_equal(buf_adds(&b, "a"), 0);
	assert_int_equal(buf_addc(&b, 'b'), 0);
	assert_int_equal(buf_add(&b, "cd", 2), 0);
	assert_int_equal(buf_addf(&b, "%d%s", 7, "e"), 0);
	assert_int_equal(buf_adds(&b, NULL), 0);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_string_equal(b.data, "abcd7e");
	assert_int_equal(b.len, 6);
}

static void
the_limit_is_exact_and_holds(void **state)
{
	auto_buf struct buf b = BUF_INIT(4);

	(void)state;
	assert_int_equal(buf_adds(&b, "1234"), 0);
	assert_false(b.is_full);
	assert_int_equal(buf_addc(&b, '5'), ERR_LIMIT);
	assert_true(b.is_full);
	assert_string_equal(b.data, "1234");
	assert_int_equal(b.data[b.len], 0);

	/* Full is full, also for what would fit: a text with a hole is no text. */
	buf_drop(&b, 2);
	assert_int_equal(buf_addc(&b, '5'), ERR_LIMIT);
	buf_reset(&b);
	assert_int_equal(buf_addf(&b, "%d", 1234), 0);
	assert_int_equal(buf_addf(&b, "%d", 5), ERR_LIMIT);
	assert_string_equal(b.data, "1234");
}

static void
a_length_that_wraps_is_refused(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(buf_adds(&b, "12"), 0);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX), ERR_LIMIT);
	assert_string_equal(b.data, "12");
}

static void
drops_from_the_front_and_cuts_the_end(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(buf_adds(&b, "abcdef"), 0);
	buf_drop(&b, 2);
	assert_string_equal(b.data, "cdef");
	buf_cut(&b, 3);
	assert_string_equal(b.data, "cde");
	buf_cut(&b, 9);
	assert_string_equal(b.data, "cde");
	buf_drop(&b, 9);
	assert_string_equal(b.data, "");
}

static void
stealing_leaves_a_fresh_buffer(void **state)
{
	auto_buf struct buf b = BUF_INIT(3);
	auto_free char *s = NULL;

	(void)state;
	assert_int_equal(buf_adds(&b, "abc"), 0);
	assert_int_equal(buf_adds(&b, "d"), ERR_LIMIT);
	s = buf_steal(&b);
	assert_string_equal(s, "abc");
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_adds(&b, "xyz"), 0);
	assert_string_equal(s, "abc");
}

static void
memory_grows_no_further_than_the_limit(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);

	(void)state;
	while (buf_addc(&b, 'x') == 0)
		;
	assert_int_equal(b.len, 1000);
	assert_int_equal(b.cap, 1001);
	assert_int_equal(strlen(b.data), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(adds_of_all_kinds),
		cmocka_unit_test(the_limit_is_exact_and_holds),
		cmocka_unit_test(a_length_that_wraps_is_refused),
		cmocka_unit_test(drops_from_the_front_and_cuts_the_end),
		cmocka_unit_test(stealing_leaves_a_fresh_buffer),
		cmocka_unit_test(memory_grows_no_further_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
