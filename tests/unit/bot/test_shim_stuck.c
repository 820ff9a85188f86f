/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boxes that do not end: frozen by somebody with root, in v1's freezer, where a process that was
 * killed stays until it is thawed, and its box with it.
 *
 * What is frozen itself is thawed by the shim; what is frozen from above is not ours to thaw, and
 * stands for all else that the kernel does not let go of (a lost disk, a broken driver).
 */
#include "freezer.h"
#include "shim_rig.h"

#include "base/clean.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "sandbox/cgroup.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <cmocka.h>

static struct freezer *freezer; /* NULL: nobody could freeze anything */

static void
freeze(const struct shim_rig *c, bool from_above)
{
	auto_free char *trace = shim_rig_file(c, SHIM_TRACE);

	assert_non_null(trace);
	freezer_freeze(freezer, trace, from_above);
}

static void
start_box(struct shim_rig *c)
{
	auto_box_spec struct box_spec s;

	shim_rig_shell(&s, "agent", "trap '' TERM; (setsid sleep 3600 &); echo up; sleep 3600");
	shim_rig_send(c, &s);
	shim_rig_until_tail(c, "up");
}

static void
stop(struct shim_rig *c)
{
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_SHIM_STOP }, NULL), 0);
}

static bool
is_over(const struct shim_rig *c, int wait_ms)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

/* ---- tests ---- */

static void
what_is_frozen_is_thawed(void **state)
{
	struct shim_rig *c = *state;

	start_box(c);
	freeze(c, false);
	stop(c);
	shim_rig_until(c, &c->n_done, 1);
	assert_int_equal(c->done.ended_by, BOX_END_STOP); /* before it was given up */
	shim_rig_end(c);
	assert_int_equal(shim_rig_reap(c), 0);
}

/* Whoever is told again and again to end does not begin to end again and again. */
static void
it_ends_however_often_it_is_told(void **state)
{
	struct shim_rig *c = *state;

	start_box(c);
	freeze(c, false);
	for (int i = 0; i < 600 && c->n_done == 0; i++) {
		assert_int_equal(pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0), 0);
		shim_rig_wait(c, 100);
	}
	assert_int_equal(c->n_done, 1);
	assert_int_equal(c->done.ended_by, BOX_END_STOP);
	shim_rig_until(c, &c->gone, 1);
	assert_int_equal(shim_rig_reap(c), 0);
}

/* The attempt ends; the shim does not, and so nobody gets its slot, until the box is gone. */
static void
what_does_not_end_keeps_its_slot(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec next = { 0 };

	start_box(c);
	freeze(c, true);
	stop(c);
	shim_rig_until(c, &c->n_done, 1);
	assert_int_equal(c->done.ended_by, BOX_END_INFRA);
	assert_string_equal(c->done.text, "processes of the box do not end");
	shim_rig_shell(&next, "gate", "true");
	shim_rig_send(c, &next); /* refused: it would have the same uid */
	shim_rig_until(c, &c->gone, 1);
	assert_int_equal(c->n_done, 1);
	assert_false(is_over(c, 1000));
	auto_free char *trace = shim_rig_file(c, SHIM_TRACE);
	assert_non_null(trace);
	freezer_thaw(freezer);
	assert_true(is_over(c, 60000));
	assert_int_equal(shim_rig_reap(c), 0);
	auto_free char *after = shim_rig_file(c, SHIM_TRACE);
	assert_null(after);
}

/* Who comes after a shim that was killed finds the box by what it left, and waits for its end. */
static void
an_heir_waits_for_it_too(void **state)
{
	struct shim_rig *c = *state;

	start_box(c);
	if (freezer)
		freeze(c, true);
	assert_int_equal(pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0), 0);
	assert_int_equal(shim_rig_reap(c), 137);
	clean_fd(&c->pidfd);
	shim_rig_leave(c);
	shim_rig_spawn(c);
	c->gone = 0;
	shim_rig_end(c); /* before it has begun: it is here to clean up */
	auto_free char *trace = shim_rig_file(c, SHIM_TRACE);
	if (freezer) {
		assert_false(is_over(c, 1000));
		assert_non_null(trace);
		freezer_thaw(freezer);
	}
	assert_true(is_over(c, 60000));
	assert_int_equal(shim_rig_reap(c), 0);
	auto_free char *after = shim_rig_file(c, SHIM_TRACE);
	assert_null(after);
	if (!freezer)
		return;
	auto_free char *dir = mem_fmt("%s/%s", cgroup_world()->v[0].base, strrchr(trace, ' ') + 1);
	assert_true(sandbox_sweep(60000)); /* as the runner does then */
	assert_int_equal(access(dir, F_OK), -1);
}

static int
begin(void **state)
{
	freezer = freezer_make();
	return shim_rig_setup(state);
}

static int
finish(void **state)
{
	int rc = shim_rig_teardown(state);

	freezer_remove(freezer);
	return rc;
}

#define STUCK_TEST(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		STUCK_TEST(an_heir_waits_for_it_too),
		/* Only root can freeze anything. */
		STUCK_TEST(what_is_frozen_is_thawed),
		STUCK_TEST(it_ends_however_often_it_is_told),
		STUCK_TEST(what_does_not_end_keeps_its_slot),
	};

	return shim_rig_main_of(argc, argv, tests, sizeof(tests) / sizeof(tests[0]), 1);
}
