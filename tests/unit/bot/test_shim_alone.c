/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim while runners come and go: nothing that was said or written is lost, its limits are its
 * own, and it does not wait for ever.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/msg.h"
#include "tests/unit/bot/shim_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LINES 20000

static char *
numbered(void)
{
	struct buf out = BUF_INIT(MIB(1));

	(void)buf_adds(&out, "== agent: a title\n");
	for (int i = 0; i < LINES; i++)
		(void)buf_addf(&out, "line %d\n", i);
	(void)buf_adds(&out, "== agent: exit code 7\n");
	return buf_steal(&out);
}

static void
runners_come_and_go(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	auto_free char *want = numbered();

	shim_rig_shell(&s, "agent",
		"i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 7");
	s.net = true;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_listens, 1);
	/* Before it begins: the next one gets the listener, too. */
	shim_rig_leave(c);
	shim_rig_come(c);
	assert_int_equal(c->state.serial, 1);
	assert_true(c->state.is_in_step);
	assert_false(c->state.has_gone);
	shim_rig_until(c, &c->n_listens, 2);
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_STEP_GO }, NULL), 0);
	/* While it works, and without anybody to tell. */
	for (int i = 0; i < 5; i++) {
		shim_rig_wait(c, 20);
		shim_rig_leave(c);
		shim_rig_come(c);
	}
	shim_rig_until(c, &c->n_done, 1);
	/* Its end is said until there is another step. */
	shim_rig_leave(c);
	shim_rig_come(c);
	assert_int_equal(c->state.serial, 1);
	assert_false(c->state.is_in_step);
	shim_rig_until(c, &c->n_done, 2);
	assert_int_equal(c->done.serial, 1);
	assert_int_equal(c->done.exit_code, 7);
	assert_non_null(strstr(c->tail, "line 19999\n"));
	shim_rig_end(c);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_string_equal(text, want);
	assert_int_equal(shim_rig_reap(c), 0);
}

/* The newest one is the one that counts. */
static void
two_at_the_door(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	struct msg_link *old = c->link;

	shim_rig_come(c);
	shim_rig_shell(&s, "agent", "echo heard");
	shim_rig_run(c, &s);
	assert_int_equal(c->gone, 1);
	assert_false(msg_link_is_up(old));
	assert_non_null(strstr(c->tail, "heard"));
	msg_link_destroy(old);
}

/* By a runner that died, and by the next, who could not know: it is done once. */
static void
an_order_comes_twice(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	shim_rig_shell(&s, "agent", "echo once; sleep 0.2");
	shim_rig_send(c, &s);
	c->serial--;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_done, 1);
	c->serial--;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_done, 2);
	assert_int_equal(c->done.serial, 1);
	assert_int_equal(c->done.exit_code, 0);
	shim_rig_end(c);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_string_equal(text, "== agent: a title\nonce\n");
	assert_int_equal(shim_rig_reap(c), 0);
}

/* Not even its door is left, but what is the runner's. */
static void
nobody_comes_back(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	auto_free char *up = mem_fmt("%s/left", c->dir);
	auto_free char *kept = mem_fmt("%s/" SHIM_STATE, c->dir);
	auto_free char *door = mem_fmt("%s/" SHIM_DOOR, c->dir);

	assert_int_equal(mkdir(up, 0755), 0);
	assert_int_equal(fs_write_whole(kept, "mine", 4, 0600, NULL), 0);
	shim_rig_shell(&s, "agent", "trap '' TERM; echo up; sleep 3600");
	c->alone_ms = 300;
	shim_rig_send(c, &s);
	shim_rig_until_tail(c, "up");
	shim_rig_leave(c);
	assert_int_equal(shim_rig_reap(c), 0);
	assert_int_equal(access(up, F_OK), -1);
	assert_int_equal(access(door, F_OK), -1);
	assert_int_equal(access(kept, F_OK), 0);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_non_null(strstr(text, "up\n"));
}

/* Its time runs out when the runner has left. False: it was over before, on a busy machine. */
static bool
is_told_alone(struct shim_rig *c, int ms)
{
	auto_free char *up = mem_fmt("up %d", ms);
	auto_free char *told = mem_fmt("told %d", ms);
	auto_free char *command = mem_fmt("trap 'echo told %d; exit 3' TERM; echo up %d; while :; "
					  "do sleep 0.05; done",
		ms, ms);
	auto_box_spec struct box_spec s;
	int before = c->n_done;

	shim_rig_shell(&s, "agent", command);
	s.wall_ms = ms;
	shim_rig_send(c, &s);
	while (c->n_done == before && !(c->tail && strstr(c->tail, up)))
		shim_rig_wait(c, 5);
	if (c->n_done > before)
		return false;
	shim_rig_leave(c);
	shim_rig_until_cast(c, told);
	shim_rig_come(c);
	shim_rig_until(c, &c->n_done, before + 1);
	return true;
}

static void
time_runs_out_while_nobody_is_there(void **state)
{
	struct shim_rig *c = *state;
	int ms = 1500;

	while (ms < 30000 && !is_told_alone(c, ms))
		ms *= 2;
	assert_true(ms < 30000);
	assert_int_equal(c->done.ended_by, BOX_END_WALL);
	assert_int_equal(c->done.exit_code, 3);
}

/* It is known by a pipe that it holds open; another one in time is as good. It takes as long as a
 * box may be without one. */
static void
a_gateway_that_stays_away_ends_the_box(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	int first[2], second[2];
	int64_t began;

	assert_int_equal(pipe2(first, O_CLOEXEC), 0);
	assert_int_equal(pipe2(second, O_CLOEXEC), 0);
	shim_rig_shell(&s, "agent", "echo up; sleep 3600");
	s.net = true;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_listens, 1);
	struct msg_out go = { .type = WIRE_STEP_GO, .fds = &first[0], .n_fds = 1 };
	assert_int_equal(msg_send(c->link, &go, NULL), 0);
	shim_rig_until_tail(c, "up");
	(void)close(first[1]);
	shim_rig_wait(c, 100);
	go.fds = &second[0];
	assert_int_equal(msg_send(c->link, &go, NULL), 0);
	shim_rig_wait(c, 100);
	shim_rig_leave(c); /* nobody is there to tell it of a gateway */
	began = clock_boot_ms();
	(void)close(second[1]);
	shim_rig_wait(c, 20000);
	shim_rig_come(c);
	assert_true(c->state.is_in_step);
	shim_rig_until(c, &c->n_done, 1);
	assert_true(clock_boot_ms() - began >= 29000);
	assert_int_equal(c->done.ended_by, BOX_END_INFRA);
	assert_string_equal(c->done.text, "the gateway stayed away");
	(void)close(first[0]);
	(void)close(second[0]);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SHIM_TEST(runners_come_and_go),
		SHIM_TEST(two_at_the_door),
		SHIM_TEST(an_order_comes_twice),
		SHIM_TEST(nobody_comes_back),
		SHIM_TEST(time_runs_out_while_nobody_is_there),
		SHIM_TEST(a_gateway_that_stays_away_ends_the_box),
	};

	if (argc == 3 && str_eq(argv[2], "shim"))
		return shim_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
