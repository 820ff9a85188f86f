/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the runner and its keeper: what is a secret may change while both live.
 */
#include "runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FRESH "another-horse-battery-staple"

/* As after a reload: its transcripts show none of the secrets that were read then. */
static void
each_keeper_is_asked_what_is_secret(void **state)
{
	struct runner_rig r;
	int is_asked = 0;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho key=" FRESH ".\n", "");
	r.secret = FRESH;
	runner_rig_new_keeper(&r);
	for (int i = 0; i < 12000 && !is_asked; i++) {
		role_case_wait(&r.c);
		is_asked = r.n_redacts == 2;
	}
	assert_true(is_asked);
	runner_rig_until_alive(&r, 0);
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_non_null(strstr(r.text, "key=[redacted].\n"));
	assert_null(strstr(r.cast, FRESH));
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_keeper_is_asked_what_is_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
