/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the shim as a process; the test plays the runner.
 */
#include "bot/shim.h"
#include "cast_case.h"
#include "shim_rig.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/msg.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
steps_share_one_transcript(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec first, second;

	shim_rig_shell(&first, "setup", "echo one");
	shim_rig_shell(&second, "gate", "echo two; exit 4");
	shim_rig_run(c, &first);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_int_equal(c->done.exit_code, 0);
	assert_string_equal(c->tail, "== setup: a title\none\n");
	shim_rig_run(c, &second);
	assert_int_equal(c->done.exit_code, 4);
	shim_rig_end(c);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_string_equal(
		text, "== setup: a title\none\n== gate: a title\ntwo\n== gate: exit code 4\n");
	auto_free char *cast = shim_rig_file(c, SHIM_CAST);
	assert_true(str_starts(cast, "{\"version\":2,"));
	auto_free char *played = cast_case_play(cast);
	assert_non_null(strstr(played, "one\r\n"));
	assert_int_equal(shim_rig_reap(c), 0);
}

static void
everything_but_the_transcript_goes(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	auto_free char *low = mem_fmt("%s/low", c->dir);
	auto_free char *up = mem_fmt("%s/up", c->dir);

	assert_int_equal(mkdir(low, 0755), 0);
	assert_int_equal(mkdir(up, 0755), 0);
	shim_rig_shell(&s, "agent", "mkdir -p a/b/c && chmod 0 a/b && echo written >f");
	box_spec_layer(&s, BOX_WORKSPACE, up, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, low, (int64_t)geteuid(), false);
	shim_rig_run(c, &s);
	assert_int_equal(c->done.exit_code, 0);
	auto_free char *there = shim_rig_file(c, "up/data/f");
	assert_string_equal(there, "written\n");
	shim_rig_end(c);
	assert_int_equal(shim_rig_reap(c), 0);
	assert_int_equal(access(up, F_OK), -1);
	assert_int_equal(access(low, F_OK), -1);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_non_null(text);
}

static void
the_wall_ends_it(void **state)
{
	struct shim_rig *c = *state;

	/* On a busy machine its time may be over before it listens: then it gets more. */
	for (int64_t ms = 200; ms < 30000; ms *= 2) {
		auto_box_spec struct box_spec s;

		shim_rig_shell(&s, "agent",
			"trap 'echo told; exit 3' TERM; echo up; while :; do sleep 0.05; done");
		s.wall_ms = ms;
		shim_rig_run(c, &s);
		assert_int_equal(c->done.ended_by, BOX_END_WALL);
		if (strstr(c->tail, "up"))
			break;
	}
	assert_int_equal(c->done.exit_code, 3);
	assert_non_null(strstr(c->tail, "told"));
	assert_non_null(strstr(c->tail, "== agent: ended by wall"));
}

static void
silence_ends_it(void **state)
{
	struct shim_rig *c = *state;

	/* It speaks for longer than the limit, then no more. A busy machine may silence it for as
	 * long: then all takes twice the time. */
	for (int ms = 100; ms <= 3200; ms *= 2) {
		auto_box_spec struct box_spec s;
		auto_free char *command =
			mem_fmt("for i in 1 2 3 4 5 6; do echo $i; sleep %d.%d; done; sleep 600",
				ms / 1000, ms / 100 % 10);

		shim_rig_shell(&s, "agent", command);
		s.idle_ms = 4 * ms;
		shim_rig_run(c, &s);
		assert_int_equal(c->done.ended_by, BOX_END_IDLE);
		if (strstr(c->tail, "6\n"))
			return;
	}
	fail_msg("not heard: %s", c->tail);
}

/* How long it takes. */
static int64_t
stop_deaf(struct shim_rig *c)
{
	auto_box_spec struct box_spec s;
	int before = c->n_done;
	auto_free char *word = mem_fmt("deaf %d", before);
	auto_free char *command = mem_fmt("trap '' TERM HUP INT; (setsid sh -c 'sleep 3600' &); "
					  "echo %s; while :; do sleep 1; done",
		word);

	shim_rig_shell(&s, "agent", command);
	shim_rig_send(c, &s);
	shim_rig_until_tail(c, word);
	int64_t began = clock_boot_ms();
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_SHIM_STOP }, NULL), 0);
	shim_rig_until(c, &c->n_done, before + 1);
	int64_t took = clock_boot_ms() - began;
	assert_int_equal(c->done.ended_by, BOX_END_STOP);
	assert_int_equal(c->done.exit_code, 137);
	return took;
}

static void
a_stop_is_quick_whatever_runs(void **state)
{
	int64_t took = stop_deaf(*state);

	/* A busy machine may be in the way of one. */
	for (int i = 0; i < 5 && took >= 5000; i++)
		took = stop_deaf(*state);
	assert_true(took < 5000);
}

static void
say_spent(struct shim_rig *c, int64_t serial)
{
	struct wire_step_spent spent = { .serial = serial };
	struct msg_out out = { .type = WIRE_STEP_SPENT, .obj = &spent };

	assert_int_equal(msg_send(c->link, &out, NULL), 0);
}

static void
who_has_spent_its_budget_ends(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	shim_rig_shell(&s, "agent", "trap '' TERM; echo deaf; while :; do sleep 1; done");
	shim_rig_send(c, &s);
	shim_rig_until_tail(c, "deaf");
	say_spent(c, c->serial);
	say_spent(c, c->serial);
	shim_rig_until(c, &c->n_done, 1);
	assert_int_equal(c->done.ended_by, BOX_END_BUDGET);
}

/* The word of a step that is over comes late, and is not for the next one. */
static void
anothers_budget_is_nothing_to_it(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec first, second;

	shim_rig_shell(&first, "agent", "true");
	shim_rig_run(c, &first);
	say_spent(c, c->serial);
	shim_rig_shell(&second, "gate", "echo up; sleep 2");
	shim_rig_send(c, &second);
	shim_rig_until_tail(c, "up");
	say_spent(c, c->serial - 1);
	shim_rig_until(c, &c->n_done, 2);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
}

static void
the_box_waits_for_the_gateway(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	shim_rig_shell(&s, "agent", "echo began");
	s.net = true;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_listens, 1);
	assert_int_equal(c->n_done, 0);
	int value = 0;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(c->listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len), 0);
	assert_int_equal(value, 1);
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_STEP_GO }, NULL), 0);
	shim_rig_until(c, &c->n_done, 1);
	assert_int_equal(c->done.exit_code, 0);
	assert_non_null(strstr(c->tail, "began"));
}

static void
a_start_that_fails_is_told_with_its_stage(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec absent, program, layer, good;

	shim_rig_shell(&absent, "agent", "true");
	strs_finish(&absent.argv);
	shim_rig_run(c, &absent);
	assert_int_equal(c->done.ended_by, BOX_END_START);
	assert_int_equal(c->done.stage, BOX_STAGE_SPEC);
	shim_rig_shell(&program, "agent", "true");
	strs_finish(&program.argv);
	strs_add(&program.argv, "no-such-agent");
	shim_rig_run(c, &program);
	assert_int_equal(c->done.ended_by, BOX_END_START);
	assert_int_equal(c->done.stage, BOX_STAGE_EXEC);
	assert_non_null(strstr(c->done.text, "no-such-agent"));
	shim_rig_shell(&layer, "agent", "true");
	box_spec_layer(&layer, BOX_WORKSPACE, "/nowhere", 0, false);
	shim_rig_run(c, &layer);
	assert_int_equal(c->done.ended_by, BOX_END_START);
	assert_true(c->done.stage == BOX_STAGE_LAYERS || c->done.stage == BOX_STAGE_SOURCES);
	/* The next one runs all the same. */
	shim_rig_shell(&good, "agent", "true");
	shim_rig_run(c, &good);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
}

static void
a_quiet_step_shows_only_its_end(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec loud, quiet;

	shim_rig_shell(&loud, "agent", "echo loud");
	shim_rig_shell(&quiet, "harvest", "echo secret of git; exit 1");
	quiet.is_quiet = true;
	shim_rig_run(c, &loud);
	shim_rig_run(c, &quiet);
	assert_string_equal(c->tail, "secret of git\r\n");
	shim_rig_end(c);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_null(strstr(text, "git"));
	assert_null(strstr(text, "harvest"));
}

static void
events_are_read(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	shim_rig_shell(&s, "agent",
		"echo "
		"'{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"All "
		"done.\"}}';"
		"echo '{\"type\":\"turn.failed\",\"error\":{\"message\":\"Quota exceeded\"}}'; "
		"exit 1");
	mem_set(&s.events, "codex");
	shim_rig_run(c, &s);
	assert_string_equal(c->done.text, "Quota exceeded");
	shim_rig_end(c);
	auto_free char *summary = shim_rig_file(c, SHIM_SUMMARY);
	assert_string_equal(summary, "All done.");
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_non_null(strstr(text, "All done.\nQuota exceeded\n"));
	assert_null(strstr(text, "item.completed"));
}

static void
a_flood_is_bounded(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	shim_rig_shell(
		&s, "agent", "head -c 10000000 /dev/zero | tr '\\0' x | fold -w 100; echo last");
	s.log_bytes_max = 200000;
	shim_rig_run(c, &s);
	assert_int_equal(c->done.exit_code, 0);
	shim_rig_end(c);
	auto_free char *cast = shim_rig_file(c, SHIM_CAST);
	auto_free char *text = shim_rig_file(c, SHIM_TEXT);
	assert_true(strlen(cast) <= 201000 && strlen(text) <= 201000);
	assert_non_null(strstr(text, "bytes left out"));
	assert_non_null(strstr(text, "last\n"));
}

static void
nonsense_ends_the_shim(void **state)
{
	struct shim_rig *c = *state;

	assert_int_equal(msg_send(c->link,
				 &(struct msg_out){ .type = WIRE_STEP,
					 .obj = &(struct wire_step){ .serial = 1 },
					 .blob = "nonsense",
					 .blob_len = 8 },
				 NULL),
		0);
	shim_rig_until(c, &c->gone, 1);
	assert_int_equal(shim_rig_reap(c), 0);
	assert_int_equal(c->n_done, 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SHIM_TEST(steps_share_one_transcript),
		SHIM_TEST(everything_but_the_transcript_goes),
		SHIM_TEST(the_wall_ends_it),
		SHIM_TEST(silence_ends_it),
		SHIM_TEST(a_stop_is_quick_whatever_runs),
		SHIM_TEST(who_has_spent_its_budget_ends),
		SHIM_TEST(anothers_budget_is_nothing_to_it),
		SHIM_TEST(the_box_waits_for_the_gateway),
		SHIM_TEST(a_start_that_fails_is_told_with_its_stage),
		SHIM_TEST(a_quiet_step_shows_only_its_end),
		SHIM_TEST(events_are_read),
		SHIM_TEST(a_flood_is_bounded),
		SHIM_TEST(nonsense_ends_the_shim),
	};

	return shim_rig_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
