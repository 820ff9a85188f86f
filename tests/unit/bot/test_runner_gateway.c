/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner and its gateway: what is counted, what is left of a budget, and no box without a
 * gateway. Real boxes; the test plays the gateway.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/clock.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char WAITS[] = "#!/bin/sh\nwhile test ! -e /tmp/x; do echo began; sleep 0.1; done\n";

static void
what_it_counted_is_told_and_why_it_ended(void **state)
{
	struct runner_rig r;
	char usage[] = "gpt-5 1 1 1 1 1 1\n";
	char spent[] = "all gone";

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\nexit 1\n", "limits: { tokens: 500, cost_usd: 2 }\n");
	r.settings.limit_cost_cents = 100;
	r.settings.limit_tokens = 1000;
	r.usage = usage;
	r.spent = spent;
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_string_equal(r.done.usage, usage);
	assert_string_equal(
		r.done.reason, "the agent ended with exit code 1 and changed nothing (all gone)");
	/* The smaller one of the server's and the repository's. */
	assert_int_equal(r.opened.tokens_max, 500);
	assert_int_equal(r.opened.cost_max, 1000000);
	runner_rig_finish(&r);
}

/* An agent that is refused more and goes on all the same. */
static void
who_goes_on_without_a_budget_is_stopped(void **state)
{
	struct runner_rig r;
	char usage[] = "gpt-5 1 1 1 1 1 1\n";
	char spent[] = "all gone";
	struct wire_usage u = { .ok = true, .task = 1, .fence = 1, .usage = usage, .spent = spent };

	(void)state;
	runner_rig_init(&r, WAITS, "");
	r.usage = usage;
	r.spent = spent;
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "began");
	assert_int_equal(
		msg_send(r.gateway, &(struct msg_out){ .type = WIRE_BOX_SPENT, .obj = &u }, NULL),
		0);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_TIMEOUT);
	assert_string_equal(r.done.reason,
		"the agent was stopped because it may not ask the model any more and had "
		"changed nothing (all gone)");
	runner_rig_finish(&r);
}

/* It takes as long as a box may be without one. */
static void
a_box_whose_gateway_stays_away_ends(void **state)
{
	struct runner_rig r;
	int64_t gone_ms;

	(void)state;
	runner_rig_init(&r, WAITS, "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "began");
	gone_ms = clock_boot_ms();
	msg_link_destroy(r.gateway);
	r.gateway = NULL;
	clean_fd(&r.life_fd);
	r.life_fd = -1;
	runner_rig_until_done(&r);
	assert_true(clock_boot_ms() - gone_ms >= 29000);
	assert_int_equal(r.done.outcome, OUTCOME_INFRA);
	assert_non_null(strstr(r.done.reason, "gateway"));
	runner_rig_finish(&r);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_counted_is_told_and_why_it_ended),
		cmocka_unit_test(who_goes_on_without_a_budget_is_stopped),
		cmocka_unit_test(a_box_whose_gateway_stays_away_ends),
	};

	if (argc == 3 && str_eq(argv[2], "shim"))
		return shim_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
