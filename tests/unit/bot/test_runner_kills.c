/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners that are killed again and again at any moment: each attempt is done once, and what its
 * boxes said is the same as ever.
 */
#include "base/mem.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS 6
#define KILLS  3
#define SETUP  "== setup: echo sets up\nsets up\n== setup: echo and more\nand more\n"

/* Killed again and again, wherever that finds it. */
static void
at_any_moment(void **state)
{
	struct runner_rig r;
	unsigned seed = 20261122;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho works\necho x >y\n", "");
	strs_add(&r.settings.setup, "echo sets up");
	strs_add(&r.settings.setup, "echo and more");
	r.settings.gate_test = mem_str("echo tests; cat y");
	runner_rig_harvest_file(&r, "y", "x\n");
	for (int64_t task = 1; task <= ROUNDS; task++) {
		int before = r.n_done;

		runner_rig_start(&r, task, 1);
		runner_rig_until_alive(&r, 1);
		for (int i = 0; i < KILLS && r.n_done == before; i++) {
			for (int n = rand_r(&seed) % 20; n > 0 && r.n_done == before; n--)
				role_case_wait(&r.c);
			runner_rig_again(&r, SIGKILL);
		}
		while (r.n_done == before)
			runner_rig_until_done(&r);
		assert_int_equal(r.done.task, task);
		assert_string_equal(r.done.reason, "the tests passed");
		assert_int_equal(r.done.fence, 1);
		assert_string_equal(r.text, SETUP "== agent: mine\nworks\n" SETUP
						  "== tests: echo tests; cat y\ntests\nx\n");
		runner_rig_until_alive(&r, 0);
	}
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
