/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/spec and sandbox/tier: what may be said of a box, and that it travels
 * whole.
 */
#include "sandbox/sandbox.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
good(struct box_spec *s)
{
	*s = (struct box_spec){ 0 };
	s->name = mem_str("agent");
	strs_add(&s->argv, "sh");
	strs_add(&s->env, "A=1");
	strs_add(&s->tools, "/opt/tools");
	box_spec_layer(s, BOX_WORKSPACE, "/state/up", 0, true);
	box_spec_layer(s, BOX_WORKSPACE, "/state/low", 17, false);
	box_spec_file(s, "/home/agent/.config/x", 0600, "text");
}

static void
defaults_are_filled_in(void **state)
{
	auto_box_spec struct box_spec s;

	(void)state;
	good(&s);
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_string_equal(s.cwd, BOX_WORKSPACE);
	assert_true(
		s.wall_ms > 0 && s.tmp_bytes_max > 0 && s.tmp_inodes_max > 0 && s.procs_max > 0);
	assert_int_equal(s.log_bytes_max, LIMIT_TRANSCRIPT_BYTES);
	s.log_bytes_max = INT64_MAX;
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_int_equal(s.log_bytes_max, LIMIT_TRANSCRIPT_BYTES);
}

static void
it_travels_whole(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_spec struct box_spec t;
	auto_buf struct buf packed = BUF_INIT(MIB(1));

	(void)state;
	good(&s);
	s.net = true;
	s.slot = 3;
	assert_int_equal(row_pack(BOX_SPEC_ROWS, &s, &packed, NULL), 0);
	assert_int_equal(row_unpack(BOX_SPEC_ROWS, &t, packed.data, packed.len, NULL), 0);
	assert_int_equal(t.layers.n, 2);
	const struct box_layer *l = t.layers.v;
	assert_true(l[0].is_writable && !l[1].is_writable);
	assert_int_equal(l[1].owner_uid, 17);
	const struct box_file *f = t.files.v;
	assert_string_equal(f[0].text, "text");
	assert_int_equal(f[0].mode, 0600);
	assert_true(t.net);
	assert_int_equal(t.slot, 3);
}

static void
paths_that_are_refused(void **state)
{
	static const char *const paths[] = { "relative", "/", "", "//x", "/a//b", "/a/../b", "/a/.",
		"/..", "/a/", "/proc/self", "/dev/shm", "/usr", "/usr/bin", "/bin", "/lib64/x",
		"/sys/x" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		auto_box_spec struct box_spec file;
		auto_box_spec struct box_spec tree;

		good(&file);
		box_spec_file(&file, paths[i], 0600, "x");
		assert_int_equal(box_spec_check(&file, NULL), ERR_INVALID);
		good(&tree);
		box_spec_layer(&tree, paths[i], "/state/low", 0, false);
		assert_int_equal(box_spec_check(&tree, NULL), ERR_INVALID);
	}
}

static void
other_refusals(void **state)
{
	(void)state;
	for (int i = 0; i < 11; i++) {
		auto_box_spec struct box_spec s;
		struct err e = { 0 };

		good(&s);
		switch (i) {
		case 0:
			strs_finish(&s.argv);
			break;
		case 1:
			s.slot = -1;
			break;
		case 2:
			s.slot = BOX_SLOTS_MAX;
			break;
		case 3:
			strs_add(&s.env, "no equals sign");
			break;
		case 4:
			strs_add(&s.env, "=x");
			break;
		case 5:
			mem_set(&s.cwd, "src");
			break;
		case 6: /* a second writable layer of the same tree */
			box_spec_layer(&s, BOX_WORKSPACE, "/state/up2", 0, true);
			break;
		case 7:
			box_spec_layer(&s, BOX_WORKSPACE, "/state/low", -1, false);
			break;
		case 8: /* the workspace is layers, and may hold links that an agent made */
			box_spec_file(&s, BOX_WORKSPACE "/x", 0600, "x");
			break;
		case 9:
			box_spec_file(&s, "/etc/x", 04755, "x");
			break;
		default:
			strs_add(&s.tools, "/proc/1/root");
			break;
		}
		assert_int_equal(box_spec_check(&s, &e), ERR_INVALID);
		assert_true(e.text[0]);
	}
}

static void
tiers_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < TIER_COUNT; i++)
		assert_int_equal(sandbox_tier_parse(sandbox_tier_name(i)), i);
	assert_int_equal(sandbox_tier_parse("fort knox"), -1);
	assert_int_equal(sandbox_tier_parse(NULL), -1);
	assert_string_equal(sandbox_tier_name(99), "unknown");
	assert_string_equal(box_end_name(BOX_END_WALL), "wall");
	assert_string_equal(box_end_name(-1), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(it_travels_whole),
		cmocka_unit_test(paths_that_are_refused),
		cmocka_unit_test(other_refusals),
		cmocka_unit_test(tiers_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
