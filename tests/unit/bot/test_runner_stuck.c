/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the runner with a box that does not end: its task ends, its slot stays away.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "tests/unit/bot/freezer.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SLEEPER "#!/bin/sh\ntrap '' TERM\necho up\nwhile :; do sleep 3600; done\n"

static void
freeze(const struct runner_rig *r, struct freezer *f)
{
	auto_free char *path = mem_fmt("%s/state/boxes/run/0.1.1/" SHIM_TRACE, r->c.dir);
	auto_buf struct buf trace = BUF_INIT(4096);

	assert_int_equal(fs_read(path, &trace, NULL), 0);
	freezer_freeze(f, buf_str(&trace), true);
}

static void
its_slot_comes_back_when_it_is_gone(void **state)
{
	struct freezer *f = freezer_make();
	struct runner_rig r;

	(void)state;
	if (!f)
		fail_msg("only root can freeze a box: run the tests as root");
	runner_rig_init(&r, SLEEPER, "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "up");
	freeze(&r, f);
	runner_rig_stop(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	/* Nobody is told that it lives, and nobody gets what it has. */
	runner_rig_until_alive(&r, 0);
	assert_int_equal(r.claim.free_slots, 1);
	assert_int_equal(r.claim.held_slots, 1);
	/* The other slot works. */
	runner_rig_start(&r, 2, 1);
	runner_rig_until_tail(&r, "up");
	runner_rig_stop(&r, 2, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.task, 2);
	runner_rig_until_free(&r, 1);
	freezer_thaw(f);
	runner_rig_until_free(&r, 2);
	auto_free char *run = mem_fmt("%s/state/boxes/run", r.c.dir);
	assert_int_equal(rmdir(run), 0);
	runner_rig_finish(&r);
	freezer_remove(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_slot_comes_back_when_it_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
