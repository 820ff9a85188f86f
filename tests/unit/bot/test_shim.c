/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the shim as a process; the test plays the runner. (This program is the shim too,
 * when it is started as
 * `--role shim`.)
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/spawn.h"
#include "bot/wire.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 40000

struct shim_case {
	struct loop *loop;
	struct msg_link *link;
	char dir[48];
	pid_t pid;
	int pidfd;
	int gone;
	int n_done;
	struct wire_step_done done;
	char *tail;
	int listen_fd;
};

/* ---- the runner's side ---- */

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct shim_case *c = ctx;

	(void)link;
	if (m->type == WIRE_STEP_DONE) {
		row_finish(WIRE_STEP_DONE_ROWS, &c->done);
		row_copy(WIRE_STEP_DONE_ROWS, &c->done, m->obj);
		c->n_done++;
	} else if (m->type == WIRE_SHIM_TAIL) {
		free(c->tail);
		c->tail = mem_strn(m->blob ? m->blob : "", m->blob_len);
	} else if (m->type == WIRE_STEP_LISTEN) {
		assert_int_equal(m->n_fds, 1);
		c->listen_fd = steal_fd(&m->fds[0]);
	} else {
		fail_msg("message %d", m->type);
	}
}

static void
on_gone(void *ctx)
{
	((struct shim_case *)ctx)->gone++;
}

static void
too_long(void *ctx)
{
	(void)ctx;
	fail_msg("what the test waits for does not come");
}

static void
tick(void *ctx)
{
	loop_stop(ctx);
}

static void
round_of(struct shim_case *c)
{
	(void)loop_timer_add(c->loop, 5, tick, c->loop);
	assert_int_equal(loop_run(c->loop, NULL), 0);
}

static void
run_until(struct shim_case *c, const int *flag, int at_least)
{
	struct loop_timer *guard = loop_timer_add(c->loop, WAIT_MS, too_long, NULL);

	while (*flag < at_least)
		round_of(c);
	loop_timer_remove(guard);
}

static void
until_tail_says(struct shim_case *c, const char *word)
{
	struct loop_timer *guard = loop_timer_add(c->loop, WAIT_MS, too_long, NULL);

	while (!c->tail || !strstr(c->tail, word))
		round_of(c);
	loop_timer_remove(guard);
}

static int
setup(void **state)
{
	struct shim_case *c = mem_zero(sizeof(*c));
	const char *const argv[] = { "/proc/self/exe", "--role", "shim", NULL };
	struct spawn sp = SPAWN_INIT;
	struct msg_link_spec link = { .rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_RUNNER,
		.peer = ROLE_SHIM,
		.on_msg = on_msg,
		.on_gone = on_gone,
		.ctx = c };
	int ends[2];

	c->listen_fd = -1;
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/nightshift-shim-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	assert_int_equal(loop_create(&c->loop, NULL), 0);
	assert_int_equal(msg_pair(ends, NULL), 0);
	sp.argv = argv;
	sp.cwd = c->dir;
	sp.fds[0] = ends[1];
	sp.n_fds = 1;
	assert_int_equal(spawn_start(&sp, &c->pid, &c->pidfd, NULL), 0);
	(void)close(ends[1]);
	c->link = msg_link_create(c->loop, &link);
	assert_int_equal(msg_link_attach(c->link, ends[0], NULL), 0);
	*state = c;
	return 0;
}

/* Exit code of the shim. */
static int
reap(struct shim_case *c)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	int status = 0;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
teardown(void **state)
{
	struct shim_case *c = *state;

	msg_link_destroy(c->link);
	if (c->pid)
		(void)reap(c);
	clean_fd(&c->pidfd);
	clean_fd(&c->listen_fd);
	row_finish(WIRE_STEP_DONE_ROWS, &c->done);
	free(c->tail);
	loop_destroy(c->loop);
	assert_int_equal(fs_remove_tree(c->dir, NULL), 0);
	free(c);
	return 0;
}

/* A step of a shell command. */
static void
shell(struct box_spec *s, const char *name, const char *command)
{
	*s = (struct box_spec){ 0 };
	s->name = mem_str(name);
	s->title = mem_fmt("%s: a title", name);
	strs_add(&s->argv, "/bin/sh");
	strs_add(&s->argv, "-c");
	strs_add(&s->argv, command);
	strs_add(&s->env, "PATH=/usr/bin:/bin");
}

static void
send_step(struct shim_case *c, const struct box_spec *s)
{
	auto_buf struct buf packed = BUF_INIT(LIMIT_BLOB_BYTES);

	assert_int_equal(row_pack(BOX_SPEC_ROWS, s, &packed, NULL), 0);
	struct msg_out out = { .type = WIRE_STEP, .blob = packed.data, .blob_len = packed.len };
	assert_int_equal(msg_send(c->link, &out, NULL), 0);
}

static void
run_step(struct shim_case *c, const struct box_spec *s)
{
	int before = c->n_done;

	send_step(c, s);
	run_until(c, &c->n_done, before + 1);
}

static void
end(struct shim_case *c)
{
	assert_int_equal(pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0), 0);
	run_until(c, &c->gone, 1);
}

static char *
file(const struct shim_case *c, const char *name)
{
	auto_free char *path = mem_fmt("%s/%s", c->dir, name);
	struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);

	if (fs_read(path, &text, NULL) < 0)
		return NULL;
	(void)buf_adds(&text, "");
	return buf_steal(&text);
}

/* ---- tests ---- */

static void
steps_share_one_transcript(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec first, second;

	shell(&first, "setup", "echo one");
	shell(&second, "gate", "echo two; exit 4");
	run_step(c, &first);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_int_equal(c->done.exit_code, 0);
	assert_string_equal(c->tail, "== setup: a title\none\n");
	run_step(c, &second);
	assert_int_equal(c->done.exit_code, 4);
	end(c);
	auto_free char *text = file(c, SHIM_TEXT);
	assert_string_equal(
		text, "== setup: a title\none\n== gate: a title\ntwo\n== gate: exit code 4\n");
	auto_free char *cast = file(c, SHIM_CAST);
	assert_true(str_starts(cast, "{\"version\":2,"));
	assert_non_null(strstr(cast, "one\\u000d\\u000a"));
	assert_int_equal(reap(c), 0);
}

static void
everything_but_the_transcript_goes(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;
	auto_free char *low = mem_fmt("%s/low", c->dir);
	auto_free char *up = mem_fmt("%s/up", c->dir);

	assert_int_equal(mkdir(low, 0755), 0);
	assert_int_equal(mkdir(up, 0755), 0);
	shell(&s, "agent", "mkdir -p a/b/c && chmod 0 a/b && echo written >f");
	box_spec_layer(&s, BOX_WORKSPACE, up, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, low, (int64_t)geteuid(), false);
	run_step(c, &s);
	assert_int_equal(c->done.exit_code, 0);
	auto_free char *there = file(c, "up/data/f");
	assert_string_equal(there, "written\n");
	end(c);
	assert_int_equal(reap(c), 0);
	assert_int_equal(access(up, F_OK), -1);
	assert_int_equal(access(low, F_OK), -1);
	auto_free char *text = file(c, SHIM_TEXT);
	assert_non_null(text);
}

static void
the_wall_ends_it(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;

	shell(&s, "agent", "trap 'echo told; exit 3' TERM; while :; do sleep 0.05; done");
	s.wall_ms = 200;
	run_step(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_WALL);
	assert_int_equal(c->done.exit_code, 3);
	assert_non_null(strstr(c->tail, "told"));
	assert_non_null(strstr(c->tail, "== agent: ended by wall"));
}

static void
silence_ends_it(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;

	/* It speaks for longer than the limit, then no more. */
	shell(&s, "agent", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; sleep 60");
	s.idle_ms = 400;
	run_step(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_IDLE);
	assert_non_null(strstr(c->tail, "6\n"));
}

static void
a_stop_is_quick_whatever_runs(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;
	int64_t began;

	shell(&s, "agent",
		"trap '' TERM HUP INT; (setsid sh -c 'sleep 3600' &); echo deaf; while :; do sleep "
		"1; done");
	send_step(c, &s);
	until_tail_says(c, "deaf");
	began = clock_boot_ms();
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_SHIM_STOP }, NULL), 0);
	run_until(c, &c->n_done, 1);
	assert_true(clock_boot_ms() - began < 5000);
	assert_int_equal(c->done.ended_by, BOX_END_STOP);
	assert_int_equal(c->done.exit_code, 137);
}

static void
the_box_waits_for_the_gateway(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;

	shell(&s, "agent", "echo began");
	s.net = true;
	send_step(c, &s);
	run_until(c, &c->listen_fd, 0);
	assert_int_equal(c->n_done, 0);
	int value = 0;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(c->listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len), 0);
	assert_int_equal(value, 1);
	assert_int_equal(msg_send(c->link, &(struct msg_out){ .type = WIRE_STEP_GO }, NULL), 0);
	run_until(c, &c->n_done, 1);
	assert_int_equal(c->done.exit_code, 0);
	assert_non_null(strstr(c->tail, "began"));
}

static void
a_start_that_fails_is_told_with_its_stage(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec absent, program, layer, good;

	shell(&absent, "agent", "true");
	strs_finish(&absent.argv);
	run_step(c, &absent);
	assert_int_equal(c->done.ended_by, BOX_END_START);
	assert_int_equal(c->done.stage, BOX_STAGE_SPEC);
	shell(&program, "agent", "true");
	strs_finish(&program.argv);
	strs_add(&program.argv, "no-such-agent");
	run_step(c, &program);
	assert_int_equal(c->done.ended_by, BOX_END_START);
	assert_int_equal(c->done.stage, BOX_STAGE_EXEC);
	assert_non_null(strstr(c->done.text, "no-such-agent"));
	shell(&layer, "agent", "true");
	box_spec_layer(&layer, BOX_WORKSPACE, "/nowhere", 0, false);
	run_step(c, &layer);
	assert_int_equal(c->done.ended_by, BOX_END_START);
	assert_true(c->done.stage == BOX_STAGE_LAYERS || c->done.stage == BOX_STAGE_SOURCES);
	/* The next one runs all the same. */
	shell(&good, "agent", "true");
	run_step(c, &good);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
}

static void
a_quiet_step_shows_only_its_end(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec loud, quiet;

	shell(&loud, "agent", "echo loud");
	shell(&quiet, "harvest", "echo secret of git; exit 1");
	quiet.is_quiet = true;
	run_step(c, &loud);
	run_step(c, &quiet);
	assert_string_equal(c->tail, "secret of git\r\n");
	end(c);
	auto_free char *text = file(c, SHIM_TEXT);
	assert_null(strstr(text, "git"));
	assert_null(strstr(text, "harvest"));
}

static void
events_are_read(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;

	shell(&s, "agent",
		"echo "
		"'{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"All "
		"done.\"}}';"
		"echo '{\"type\":\"turn.failed\",\"error\":{\"message\":\"Quota exceeded\"}}'; "
		"exit 1");
	mem_set(&s.events, "codex");
	run_step(c, &s);
	assert_string_equal(c->done.text, "Quota exceeded");
	end(c);
	auto_free char *summary = file(c, SHIM_SUMMARY);
	assert_string_equal(summary, "All done.");
	auto_free char *text = file(c, SHIM_TEXT);
	assert_non_null(strstr(text, "All done.\nQuota exceeded\n"));
	assert_null(strstr(text, "item.completed"));
}

static void
a_flood_is_bounded(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;

	shell(&s, "agent", "head -c 10000000 /dev/zero | tr '\\0' x | fold -w 100; echo last");
	s.log_bytes_max = 200000;
	run_step(c, &s);
	assert_int_equal(c->done.exit_code, 0);
	end(c);
	auto_free char *cast = file(c, SHIM_CAST);
	auto_free char *text = file(c, SHIM_TEXT);
	assert_true(strlen(cast) <= 201000 && strlen(text) <= 201000);
	assert_non_null(strstr(text, "bytes left out"));
	assert_non_null(strstr(text, "last\n"));
}

/* The runner dies: so does the box, and the directory is cleaned up all the same. */
static void
without_a_runner_nothing_goes_on(void **state)
{
	struct shim_case *c = *state;
	auto_box_spec struct box_spec s;
	auto_free char *up = mem_fmt("%s/left", c->dir);

	assert_int_equal(mkdir(up, 0755), 0);
	shell(&s, "agent", "trap '' TERM; echo up; sleep 3600");
	send_step(c, &s);
	until_tail_says(c, "up");
	msg_link_destroy(c->link);
	c->link = NULL;
	assert_int_equal(reap(c), 0);
	assert_int_equal(access(up, F_OK), -1);
	auto_free char *text = file(c, SHIM_TEXT);
	assert_non_null(strstr(text, "up\n"));
}

static void
nonsense_ends_the_shim(void **state)
{
	struct shim_case *c = *state;

	assert_int_equal(
		msg_send(c->link,
			&(struct msg_out){ .type = WIRE_STEP, .blob = "nonsense", .blob_len = 8 },
			NULL),
		0);
	run_until(c, &c->gone, 1);
	assert_int_equal(reap(c), 0);
	assert_int_equal(c->n_done, 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(steps_share_one_transcript, setup, teardown),
		cmocka_unit_test_setup_teardown(
			everything_but_the_transcript_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_wall_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stop_is_quick_whatever_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(the_box_waits_for_the_gateway, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_start_that_fails_is_told_with_its_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(a_quiet_step_shows_only_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(events_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_runner_nothing_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_ends_the_shim, setup, teardown),
	};

	if (argc == 3 && str_eq(argv[2], "shim"))
		return shim_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
