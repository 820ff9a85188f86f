/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the runner on a disk that fills: no attempt begins, and then one does.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/bot/own_tmp.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define FILLING ((size_t)64 << 20)

static void
a_slot_is_free_only_where_there_is_room(void **state)
{
	auto_free char *filling = mem_zero(FILLING);
	struct runner_rig r;

	(void)state;
	own_tmp_mount("size=96m");
	runner_rig_init(&r, "#!/bin/sh\n", "limits: { free_disk: 48MiB }\n");
	auto_free char *path = mem_fmt("%s/filling", r.c.dir);
	assert_int_equal(r.claim.free_slots, 2);
	assert_false(r.claim.is_disk_low);
	assert_int_equal(fs_write_whole(path, filling, FILLING, 0600, NULL), 0);
	runner_rig_until_free(&r, 0);
	assert_true(r.claim.is_disk_low);
	assert_int_equal(r.claim.held_slots, 0);
	assert_int_equal(unlink(path), 0);
	runner_rig_until_free(&r, 2);
	assert_false(r.claim.is_disk_low);
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_EMPTY);
	runner_rig_finish(&r);
	own_tmp_unmount();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_is_free_only_where_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
