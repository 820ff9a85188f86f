/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_intake - deliveries that come together share one commit, none is acknowledged before it,
 * and one that fails is a "no" to each of them.
 */
#include "tests/unit/bot/queue_rig.h"

#include "base/mem.h"
#include "store/store.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define TOGETHER 64

/* SQLite's driver with a look at its commits. */
static struct store_driver driver;
static struct rig *rig;
static int commits;
static int told_before; /* acknowledged when the first commit was only asked for */
static int fail_code;   /* of the next commit */

static int
counted_commit(struct store *s, struct err *e)
{
	if (commits++ == 0)
		told_before = rig->stored + rig->duplicates + rig->refused;
	if (fail_code) {
		int code = fail_code;

		fail_code = 0;
		STORE_SQLITE.rollback(s);
		return err_set(e, code, "test: no room");
	}
	return STORE_SQLITE.commit(s, e);
}

static void
deliver_together(struct rig *r)
{
	driver = STORE_SQLITE;
	driver.commit = counted_commit;
	rig = r;
	commits = told_before = 0;
	r->q->db = &driver;
	for (int i = 0; i < TOGETHER; i++) {
		auto_free char *guid = mem_fmt("guid-%d", i);
		struct forge_event ev = rig_event(EVENT_NONE, 3);

		rig_deliver(r, guid, &ev);
	}
}

static bool
all_are_answered(struct rig *r)
{
	return r->stored + r->duplicates + r->refused >= TOGETHER;
}

static void
what_comes_together_shares_a_commit(void **state)
{
	struct rig *r = *state;

	deliver_together(r);
	rig_until(r, all_are_answered);
	assert_int_equal(r->stored, TOGETHER);
	assert_int_equal(told_before, 0);
	assert_in_range(commits, 1, TOGETHER / 2); /* those that mark them handled too */
}

static void
a_failed_commit_is_a_no_to_each(void **state)
{
	struct rig *r = *state;

	fail_code = ERR_LIMIT;
	deliver_together(r);
	rig_until(r, all_are_answered);
	assert_true(r->refused > 0);
	assert_int_equal(r->stored + r->refused, TOGETHER);
	assert_int_equal(rig_delivery_state(r, r->stored + 1), -1); /* no other is in the store */
	/* Life goes on: the forge sends them again. */
	deliver_together(r);
	r->refused = 0;
	rig_until(r, all_are_answered);
	assert_int_equal(r->stored, TOGETHER);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(what_comes_together_shares_a_commit),
		T(a_failed_commit_is_a_no_to_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
