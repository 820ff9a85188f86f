/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_runner_turn - an attempt whose agent has ended lets one pass that is about to begin.
 *
 * The runner's clock is the test's: while one of them is to go first it stands still, so what
 * happens then does not happen because time is up, however slow the machine is.
 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PASS_MS   1000 /* the longest */
#define MOMENT_MS 300  /* time enough to pack in */

/* ---- the clock, in the place of base/clock ---- */

struct watch {
	_Atomic int64_t stands_at; /* 0: it goes */
};

static struct watch *watch; /* shared with the runner, which is our child */
static pid_t tester;

static int64_t
read_ms(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t
clock_boot_ms(void)
{
	int64_t at = watch && getpid() != tester ? atomic_load(&watch->stands_at) : 0;

	return at ? at : read_ms(CLOCK_BOOTTIME);
}

static int
make_watch(void **state)
{
	(void)state;
	tester = getpid();
	watch = mmap(
		NULL, sizeof(*watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return watch == MAP_FAILED ? -1 : 0;
}

static void
stop_clock(void)
{
	atomic_store(&watch->stands_at, read_ms(CLOCK_BOOTTIME));
}

static void
let_pass(int64_t ms)
{
	atomic_fetch_add(&watch->stands_at, ms);
}

static void
start_clock(void)
{
	atomic_store(&watch->stands_at, 0);
}

/* ---- one that ends, one that begins ---- */

/* An agent that works until the test lets it go. */
static const char AGENT[] = "#!/bin/sh\necho began\ncd \"${0%/*}\"\n"
			    "while test ! -e go; do sleep 0.05; done\necho x >/workspace/y\n";

static void
moment(struct runner_rig *r)
{
	int64_t until_ms = read_ms(CLOCK_BOOTTIME) + MOMENT_MS;

	while (read_ms(CLOCK_BOOTTIME) < until_ms)
		role_case_wait(&r->c);
}

static bool
has_packed(const struct runner_rig *r)
{
	return runner_rig_was_told(r, "1 harvest") || r->asked.task == 1;
}

/* Task 1's agent has ended while task 2's PREPARE is not answered; the clock stands. */
static void
until_one_waits(struct runner_rig *r)
{
	int one = 0;

	start_clock();
	runner_rig_init(r, AGENT, "");
	runner_rig_harvest_file(r, "y", "x\n");
	runner_rig_start(r, 1, 1);
	runner_rig_until_tail(r, "began");
	r->is_dumb = true;
	runner_rig_start(r, 2, 1);
	for (int i = 0; i < 12000 && !one; i++) {
		role_case_wait(&r->c);
		one = r->unanswered != 0;
	}
	assert_int_equal(one, 1);
	stop_clock();
	auto_free char *go = mem_fmt("%s/tools/go", r->c.dir);
	assert_int_equal(fs_write_atomic(go, "", 0, 0644, NULL), 0);
	runner_rig_until_told(r, "1 agent 0");
	moment(r);
	assert_false(has_packed(r));
	assert_int_equal(r->n_done, 0);
}

/* Where it stands in what the queue was told. */
static size_t
place(const struct runner_rig *r, const char *what)
{
	for (size_t i = 0; i < r->told.n; i++) {
		if (str_eq(r->told.v[i], what))
			return i;
	}
	fail_msg("the queue was never told \"%s\"", what);
	return 0;
}

static void
an_end_waits_until_the_start_has_begun(void **state)
{
	struct runner_rig r;

	(void)state;
	until_one_waits(&r);
	runner_rig_answer(&r);
	runner_rig_until_told(&r, "1 harvest");
	assert_true(place(&r, "2 running") < place(&r, "1 harvest"));
	start_clock();
	while (r.n_done < 2)
		runner_rig_until_done(&r);
	assert_true(runner_rig_was_told(&r, "1 harvest 0"));
	assert_true(runner_rig_was_told(&r, "2 harvest 0"));
	assert_int_equal(r.done.outcome, OUTCOME_UNTESTED);
	runner_rig_finish(&r);
}

/* What is prepared may be a large repository: it is waited for a moment, no longer. */
static void
an_end_does_not_wait_for_ever(void **state)
{
	struct runner_rig r;

	(void)state;
	until_one_waits(&r);
	let_pass(PASS_MS);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.task, 1);
	assert_int_equal(r.done.outcome, OUTCOME_UNTESTED);
	assert_int_not_equal(r.unanswered, 0);
	assert_false(runner_rig_was_told(&r, "2 running"));
	start_clock();
	runner_rig_stop(&r, 2, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	runner_rig_finish(&r);
}

/* One that is over before its first box is nobody's to wait for. */
static void
a_start_that_fails_lets_the_end_go_on(void **state)
{
	struct runner_rig r;

	(void)state;
	until_one_waits(&r);
	r.prepare_code = ERR_MISSING;
	runner_rig_answer(&r);
	runner_rig_until_told(&r, "1 harvest");
	assert_false(runner_rig_was_told(&r, "2 running"));
	start_clock();
	while (r.n_done < 2)
		runner_rig_until_done(&r);
	assert_true(runner_rig_was_told(&r, "1 harvest 0"));
	assert_int_equal(r.n_prepares, 2);
	runner_rig_finish(&r);
}

/* A person who stops it does not wait for others, and it does not go on when its turn comes: not
 * even one that is still there, because nobody has taken its DONE. */
static void
one_that_waits_can_be_stopped(void **state)
{
	struct runner_rig r;

	(void)state;
	until_one_waits(&r);
	r.takes_nothing = true;
	runner_rig_stop(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.task, 1);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	runner_rig_answer(&r);
	runner_rig_until_told(&r, "2 harvest 0");
	start_clock();
	if (r.n_done < 2)
		runner_rig_until_done(&r);
	assert_int_equal(r.done.task, 2);
	assert_int_equal(r.done.outcome, OUTCOME_UNTESTED);
	assert_false(has_packed(&r));
	r.takes_nothing = false;
	runner_rig_new_queue(&r);
	runner_rig_until_alive(&r, 0);
	runner_rig_finish(&r);
}

/* Nobody begins: nobody waits. */
static void
an_end_alone_goes_on_at_once(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\necho began\nread line; echo x >y\n", "");
	runner_rig_harvest_file(&r, "y", "x\n");
	stop_clock();
	runner_rig_start(&r, 1, 1);
	runner_rig_until_told(&r, "1 harvest 0");
	start_clock();
	if (r.n_done == 0)
		runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_UNTESTED);
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_waits_until_the_start_has_begun),
		cmocka_unit_test(an_end_does_not_wait_for_ever),
		cmocka_unit_test(a_start_that_fails_lets_the_end_go_on),
		cmocka_unit_test(one_that_waits_can_be_stopped),
		cmocka_unit_test(an_end_alone_goes_on_at_once),
	};

	return cmocka_run_group_tests(tests, make_watch, NULL);
}
