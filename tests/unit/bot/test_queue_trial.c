/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_trial - a delivery or a task that ends the queue's process each time is put aside.
 *
 * The process really ends: the queue runs in a child with a store whose functions kill it.
 */
#include "queue_rig.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <cmocka.h>

#define LIFE_MS 20000

static int
die_adding(struct store *s, const char *trigger, int64_t delivery, struct task *t, bool *was_seen,
	struct err *e)
{
	if (!str_eq(t->title, "deadly"))
		return STORE_SQLITE.task_add(s, trigger, delivery, t, was_seen, e);
	(void)raise(SIGKILL);
	return -1;
}

static int
die_planning(struct store *s, int64_t task, struct row_list *out, struct err *e)
{
	(void)s;
	(void)task;
	(void)out;
	(void)e;
	(void)raise(SIGKILL);
	return -1;
}

static void
deliver(struct rig *r, const char *guid, int64_t number, const char *title)
{
	struct forge_event ev = rig_event(EVENT_LABELS, number);

	ev.label = mem_str("agent");
	ev.label_added = true;
	mem_set(&ev.title, title);
	rig_deliver(r, guid, &ev);
}

typedef void life(struct rig *r);

/* One life of the queue in dir; true if it was killed. */
static bool
dies(const char *dir, life *begin)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		void *state = NULL;

		(void)rig_setup_in(&state, dir);
		begin(state);
		rig_run(state, LIFE_MS);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static struct store_driver deadly;

static void
begin_with_deadly_delivery(struct rig *r)
{
	deadly = STORE_SQLITE;
	deadly.task_add = die_adding;
	r->q->db = &deadly;
	deliver(r, "g1", 3, "deadly");
}

static const struct rig_thing *
told(const struct rig *r)
{
	for (size_t i = 0; i < r->n_comments; i++) {
		if (strstr(r->comments[i].body, "put aside"))
			return &r->comments[i];
	}
	return NULL;
}

static bool
is_told(struct rig *r)
{
	return told(r) != NULL;
}

static int64_t
quarantined(struct rig *r)
{
	struct store_tally t = { 0 };

	assert_int_equal(r->q->db->tally(r->q->store, &t, NULL), 0);
	assert_int_equal(t.unexplained, 0);
	return t.quarantined;
}

static void
a_delivery_that_kills_is_put_aside(void **state)
{
	char dir[] = "/tmp/ns-queue-XXXXXX";
	struct rig *r;

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < LIMIT_DELIVERY_STRIKES; i++)
		assert_true(dies(dir, begin_with_deadly_delivery));
	assert_int_equal(rig_setup_in(state, dir), 0);
	r = *state;
	begin_with_deadly_delivery(r); /* told again, it is here already */
	rig_until(r, is_told);
	assert_int_equal(rig_delivery_state(r, 1), DELIVERY_QUARANTINED);
	assert_int_equal(rig_state(r), -1);
	assert_int_equal(quarantined(r), 1);
	assert_int_equal(told(r)->number, 3);
	assert_non_null(strstr(told(r)->body, "delivery 1, so it is put aside"));

	deliver(r, "g2", 4, "It crashes");
	rig_until(r, rig_is_quiet);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	rig_restart(r);
	rig_run(r, 100);
	assert_int_equal(r->n_comments, 2);
	assert_int_equal(rig_teardown(state), 0);
}

static bool
is_second_done(struct rig *r)
{
	if (!rig_is_quiet(r))
		return false;

	struct task t = rig_task(r);
	bool is_it = t.id == 2;

	task_finish(&t);
	return is_it;
}

static bool
is_at_work(struct rig *r)
{
	return rig_state(r) == TASK_RUNNING;
}

/* First it works; what kills comes with the next plan. */
static void
begin_with_deadly_task(struct rig *r)
{
	deadly = STORE_SQLITE;
	deadly.step_list = die_planning;
	r->outcome = OUTCOME_NONE;
	if (rig_state(r) < 0) {
		deliver(r, "g1", 3, "It crashes");
		rig_until(r, is_at_work);
	}
	r->q->db = &deadly;
}

static void
a_task_that_kills_is_put_aside(void **state)
{
	char dir[] = "/tmp/ns-queue-XXXXXX";
	struct rig *r;

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < LIMIT_DELIVERY_STRIKES; i++)
		assert_true(dies(dir, begin_with_deadly_task));
	assert_int_equal(rig_setup_in(state, dir), 0);
	r = *state;
	/* The comment that the task had in the other lives; this forge counts anew. */
	r->comments[r->n_comments++] =
		(struct rig_thing){ .name = mem_str("old"), .body = mem_str("old"), .id = 501 };
	r->q->db = &deadly; /* nobody plans it any more */
	deadly = STORE_SQLITE;
	assert_int_equal(rig_state(r), TASK_QUARANTINED);
	rig_until(r, is_told);
	assert_non_null(strstr(told(r)->body, "task 1, so it is put aside"));
	deadly.step_list = die_planning;
	rig_run(r, 700); /* more than a sweep */
	deadly.step_list = STORE_SQLITE.step_list;

	deliver(r, "g2", 4, "It crashes");
	rig_until(r, is_second_done);
	assert_int_equal(rig_state(r), TASK_SUCCEEDED);
	assert_int_equal(rig_teardown(state), 0);
}

/* Whoever is killed from outside while he is at nothing has struck nobody. */
static void
begin_and_be_killed(struct rig *r)
{
	deliver(r, "g1", 3, "It crashes");
	rig_until(r, rig_is_quiet);
	(void)raise(SIGKILL);
}

static void
a_death_from_outside_is_nobodys(void **state)
{
	char dir[] = "/tmp/ns-queue-XXXXXX";

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i <= LIMIT_DELIVERY_STRIKES; i++)
		assert_true(dies(dir, begin_and_be_killed));
	assert_int_equal(rig_setup_in(state, dir), 0);
	assert_int_equal(rig_state(*state), TASK_SUCCEEDED);
	assert_int_equal(quarantined(*state), 0);
	assert_int_equal(rig_teardown(state), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delivery_that_kills_is_put_aside),
		cmocka_unit_test(a_task_that_kills_is_put_aside),
		cmocka_unit_test(a_death_from_outside_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
