/* SPDX-License-Identifier: Apache-2.0 */
/* test_pack - what goes in comes out; what is not ours does not. */
#include "store/pack.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
comes_back_byte_for_byte(void **state)
{
	static const size_t sizes[] = { 0, 1, 12 * 1024, 3 * 1024 * 1024 };
	struct pack *p = pack_create();

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		enum pack_way way = i % 2 ? PACK_QUICK : PACK_SMALL;
		auto_free char *data = mem_array(sizes[i] + 1, 1);
		auto_buf struct buf packed = BUF_INIT(MIB(4)), plain = BUF_INIT(MIB(4));

		for (size_t k = 0; k < sizes[i]; k++)
			data[k] = (char)(k * 7 % 251);
		assert_int_equal(pack_squeeze(p, way, data, sizes[i], &packed, NULL), 0);
		assert_int_equal(
			pack_expand(p, packed.data, packed.len, sizes[i], &plain, NULL), 0);
		assert_int_equal(plain.len, sizes[i]);
		assert_memory_equal(buf_str(&plain), data, sizes[i]);
	}
	pack_destroy(p);
}

static void
a_wrong_frame_is_an_error(void **state)
{
	struct pack *p = pack_create();
	auto_buf struct buf packed = BUF_INIT(MIB(1)), plain = BUF_INIT(MIB(1));

	(void)state;
	assert_int_equal(pack_squeeze(p, PACK_QUICK, "hello", 5, &packed, NULL), 0);
	assert_int_equal(pack_expand(p, packed.data, packed.len, 4, &plain, NULL), ERR_INVALID);
	assert_int_equal(pack_expand(p, packed.data, packed.len, 6, &plain, NULL), ERR_INVALID);
	assert_int_equal(pack_expand(p, packed.data, packed.len - 1, 5, &plain, NULL), ERR_INVALID);
	assert_int_equal(pack_expand(p, "hello", 5, 5, &plain, NULL), ERR_INVALID);
	assert_int_equal(plain.len, 0);
	pack_destroy(p);
}

static void
nothing_is_allocated_on_a_frames_word(void **state)
{
	struct pack *p = pack_create();
	auto_buf struct buf packed = BUF_INIT(MIB(1)), plain = BUF_INIT(100), small = BUF_INIT(4);

	(void)state;
	assert_int_equal(pack_squeeze(p, PACK_QUICK, "hello", 5, &packed, NULL), 0);
	assert_int_equal(
		pack_expand(p, packed.data, packed.len, (size_t)1 << 40, &plain, NULL), ERR_LIMIT);
	assert_int_equal(pack_expand(p, packed.data, packed.len, 101, &plain, NULL), ERR_LIMIT);
	assert_int_equal(pack_squeeze(p, PACK_QUICK, "hello", 5, &small, NULL), ERR_LIMIT);
	pack_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_byte_for_byte),
		cmocka_unit_test(a_wrong_frame_is_an_error),
		cmocka_unit_test(nothing_is_allocated_on_a_frames_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
