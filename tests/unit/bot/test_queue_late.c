/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_late - every state has an owner, and a deadline that is acted on. */
#include "queue_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What is there after the deadline; a state without one has to say why. */
static const struct {
	int64_t after;
	const char *why_none;
} ROWS[TASK_STATE_COUNT] = {
	[TASK_QUEUED] = { -1, "waits for a slot as long as it takes, and says so" },
	[TASK_PREPARING] = { TASK_STOPPED, NULL },
	[TASK_RUNNING] = { TASK_STOPPED, NULL },
	[TASK_GATING] = { TASK_STOPPED, NULL },
	[TASK_PUBLISHING] = { TASK_WAITING, NULL },
	[TASK_WAITING] = { -1, "waits for a person" },
	[TASK_SUCCEEDED] = { -1, "is over" },
	[TASK_FAILED] = { -1, "is over" },
	[TASK_STOPPED] = { -1, "is over" },
	[TASK_QUARANTINED] = { -1, "is over" },
};

static int64_t wanted;

static bool
is_wanted(struct rig *r)
{
	return rig_state(r) == wanted;
}

static void
until_state(struct rig *r, int64_t state)
{
	wanted = state;
	rig_until(r, is_wanted);
}

/* As if it had come to its state by longer ago than it may take. */
static void
make_old(struct rig *r, int64_t state)
{
	struct task t = rig_task(r);

	if (state == TASK_PREPARING) /* its runner lives, and does nothing */
		r->alive[r->n_alive++] = (struct wire_alive){ .task = t.id, .fence = t.fence };
	t.state = state;
	t.changed_ms = clock_wall_ms() - TASK_STATES[state].deadline_ms - 1000;
	assert_int_equal(r->q->db->task_save(r->q->store, &t, NULL), 0);
	task_finish(&t);
}

/* A task of that state, and whoever should end it does not. */
static void
bring_to(struct rig *r, int64_t state)
{
	r->outcome = state == TASK_PUBLISHING ? OUTCOME_GREEN : OUTCOME_NONE;
	r->push_code = state == TASK_PUBLISHING ? ERR_BUSY : 0;
	r->forgets = state == TASK_PREPARING;
	rig_label(r, "g1", 3);
	until_state(r, state == TASK_GATING ? TASK_RUNNING : state);
	make_old(r, state);
}

static void
a_deadline_is_acted_on(void **unused)
{
	(void)unused;
	for (int64_t s = 0; s < TASK_STATE_COUNT; s++) {
		void *state = NULL;

		assert_int_equal(TASK_STATES[s].deadline_ms > 0, ROWS[s].why_none == NULL);
		assert_int_equal(TASK_STATES[s].owner == OWNER_NOBODY, task_state_is_final(s));
		if (ROWS[s].why_none)
			continue;
		assert_int_equal(rig_setup(&state), 0);
		bring_to(state, s);
		until_state(state, ROWS[s].after);
		assert_int_equal(rig_teardown(&state), 0);
	}
}

static bool
is_quiet(struct rig *r)
{
	return rig_is_quiet(r) && r->n_comments == 1 && strstr(r->comments[0].body, "two days");
}

/* The work is there, and a person hears that the forge did not take it. */
static void
work_that_cannot_be_handed_over_is_told(void **state)
{
	struct rig *r = *state;

	bring_to(r, TASK_PUBLISHING);
	until_state(r, TASK_WAITING);
	rig_until(r, is_quiet);
	assert_int_equal(rig_count(r, "+agent:needs-human"), 1);
	assert_int_equal(r->n_pulls, 0);
	r->push_code = 0;
	int pushes = r->pushes;
	rig_run(r, 300);
	assert_int_equal(r->pushes, pushes);
}

/* Nothing can be told to a forge that the configuration does not name any more. */
static void
a_forge_that_is_gone_keeps_nothing_open(void **state)
{
	struct rig *r = *state;

	bring_to(r, TASK_PUBLISHING);
	mem_set(&r->forge_conf.name, "other");
	rig_restart(r);
	until_state(r, TASK_WAITING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadline_is_acted_on),
		cmocka_unit_test_setup_teardown(
			work_that_cannot_be_handed_over_is_told, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			a_forge_that_is_gone_keeps_nothing_open, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
