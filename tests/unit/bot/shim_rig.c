/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_rig - see shim_rig.h.
 */
#include "shim_rig.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/spawn.h"
#include "bot/shim.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER 65534
#define WAIT_MS  90000

/* ---- the runner's side ---- */

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct shim_rig *c = ctx;

	(void)link;
	if (m->type == WIRE_STEP_DONE) {
		row_finish(WIRE_STEP_DONE_ROWS, &c->done);
		row_copy(WIRE_STEP_DONE_ROWS, &c->done, m->obj);
		free(c->tail);
		c->tail = mem_strn(m->blob ? m->blob : "", m->blob_len);
		c->n_done++;
	} else if (m->type == WIRE_SHIM_TAIL) {
		free(c->tail);
		c->tail = mem_strn(m->blob ? m->blob : "", m->blob_len);
	} else if (m->type == WIRE_SHIM_STATE) {
		c->state = *(const struct wire_shim_state *)m->obj;
		c->n_states++;
	} else if (m->type == WIRE_STEP_LISTEN) {
		assert_int_equal(m->n_fds, 1);
		clean_fd(&c->listen_fd);
		c->listen_fd = steal_fd(&m->fds[0]);
		c->n_listens++;
	} else {
		fail_msg("message %d", m->type);
	}
}

static void
on_gone(void *ctx)
{
	((struct shim_rig *)ctx)->gone++;
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
round_of(struct shim_rig *c)
{
	(void)loop_timer_add(c->loop, 5, tick, c->loop);
	assert_int_equal(loop_run(c->loop, NULL), 0);
}

void
shim_rig_until(struct shim_rig *c, const int *flag, int at_least)
{
	struct loop_timer *guard = loop_timer_add(c->loop, WAIT_MS, too_long, NULL);

	while (*flag < at_least)
		round_of(c);
	loop_timer_remove(guard);
}

void
shim_rig_until_tail(struct shim_rig *c, const char *word)
{
	struct loop_timer *guard = loop_timer_add(c->loop, WAIT_MS, too_long, NULL);

	while (!c->tail || !strstr(c->tail, word))
		round_of(c);
	loop_timer_remove(guard);
}

void
shim_rig_until_cast(struct shim_rig *c, const char *word)
{
	struct loop_timer *guard = loop_timer_add(c->loop, WAIT_MS, too_long, NULL);

	for (bool found = false; !found;) {
		auto_free char *cast = shim_rig_file(c, SHIM_CAST);

		found = cast && strstr(cast, word);
		if (!found)
			round_of(c);
	}
	loop_timer_remove(guard);
}

void
shim_rig_wait(struct shim_rig *c, int64_t ms)
{
	int64_t until_ms = clock_boot_ms() + ms;

	while (clock_boot_ms() < until_ms)
		round_of(c);
}

void
shim_rig_come(struct shim_rig *c)
{
	struct msg_link_spec link = { .rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_RUNNER,
		.peer = ROLE_SHIM,
		.on_msg = on_msg,
		.on_gone = on_gone,
		.ctx = c };
	auto_fd int dir = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int before = c->n_states;
	pid_t pid;
	int fd;

	assert_int_equal(msg_connect(dir, SHIM_DOOR, &fd, &pid, NULL), 0);
	c->link = msg_link_create(c->loop, &link);
	assert_int_equal(msg_link_attach(c->link, fd, NULL), 0);
	shim_rig_until(c, &c->n_states, before + 1);
}

void
shim_rig_leave(struct shim_rig *c)
{
	msg_link_destroy(c->link);
	c->link = NULL;
}

void
shim_rig_spawn(struct shim_rig *c)
{
	const char *const argv[] = { "/proc/self/exe", "--role", "shim", NULL };
	struct spawn sp = SPAWN_INIT;
	auto_fd int dir = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int door = -1;

	assert_int_equal(msg_listen(dir, SHIM_DOOR, &door, NULL), 0);
	sp.argv = argv;
	sp.cwd = c->dir;
	sp.fds[0] = door;
	sp.n_fds = 1;
	assert_int_equal(spawn_start(&sp, &c->pid, &c->pidfd, NULL), 0);
	shim_rig_come(c);
	assert_int_equal(c->state.serial, 0);
}

int
shim_rig_setup(void **state)
{
	struct shim_rig *c = mem_zero(sizeof(*c));

	c->listen_fd = -1;
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/nightshift-shim-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	assert_int_equal(loop_create(&c->loop, NULL), 0);
	shim_rig_spawn(c);
	*state = c;
	return 0;
}

int
shim_rig_reap(struct shim_rig *c)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	int status = 0;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
shim_rig_teardown(void **state)
{
	struct shim_rig *c = *state;

	shim_rig_leave(c);
	if (c->pid) {
		(void)pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0);
		(void)shim_rig_reap(c);
	}
	clean_fd(&c->pidfd);
	clean_fd(&c->listen_fd);
	row_finish(WIRE_STEP_DONE_ROWS, &c->done);
	free(c->tail);
	loop_destroy(c->loop);
	assert_int_equal(fs_remove_tree(c->dir, NULL), 0);
	free(c);
	return 0;
}

void
shim_rig_shell(struct box_spec *s, const char *name, const char *command)
{
	*s = (struct box_spec){ 0 };
	s->name = mem_str(name);
	s->title = mem_fmt("%s: a title", name);
	strs_add(&s->argv, "/bin/sh");
	strs_add(&s->argv, "-c");
	strs_add(&s->argv, command);
	strs_add(&s->env, "PATH=/usr/bin:/bin");
}

void
shim_rig_send(struct shim_rig *c, const struct box_spec *s)
{
	auto_buf struct buf packed = BUF_INIT(LIMIT_BLOB_BYTES);

	assert_int_equal(row_pack(BOX_SPEC_ROWS, s, &packed, NULL), 0);
	const struct wire_step step = {
		.serial = ++c->serial,
		.alone_ms = c->alone_ms ? c->alone_ms : 60000,
	};
	struct msg_out out = {
		.type = WIRE_STEP, .obj = &step, .blob = packed.data, .blob_len = packed.len
	};
	assert_int_equal(msg_send(c->link, &out, NULL), 0);
}

void
shim_rig_run(struct shim_rig *c, const struct box_spec *s)
{
	int before = c->n_done;

	shim_rig_send(c, s);
	shim_rig_until(c, &c->n_done, before + 1);
}

void
shim_rig_end(struct shim_rig *c)
{
	assert_int_equal(pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0), 0);
	shim_rig_until(c, &c->gone, 1);
}

char *
shim_rig_file(const struct shim_rig *c, const char *name)
{
	auto_free char *path = mem_fmt("%s/%s", c->dir, name);
	struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);

	if (fs_read(path, &text, NULL) < 0)
		return NULL;
	(void)buf_adds(&text, "");
	return buf_steal(&text);
}

/* ---- main ---- */

/* The same tests as somebody who has no rights at all. */
static int
run_as_stranger(const struct CMUnitTest *tests, size_t n)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(STRANGER, STRANGER, STRANGER) < 0 ||
			setresuid(STRANGER, STRANGER, STRANGER) < 0 ||
			prctl(PR_SET_DUMPABLE, 1) < 0)
			exit(99);
		exit(_cmocka_run_group_tests("as an unprivileged user", tests, n, NULL, NULL));
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

int
shim_rig_main_of(int argc, char **argv, const struct CMUnitTest *tests, size_t n, size_t n_stranger)
{
	if (argc == 3 && str_eq(argv[2], "shim"))
		return shim_main();
	if (geteuid() != 0) {
		print_error("as root: not tried; run this as root\n");
		return 1 + _cmocka_run_group_tests(
				   "as the user who runs the tests", tests, n_stranger, NULL, NULL);
	}
	return _cmocka_run_group_tests("as root", tests, n, NULL, NULL) +
	       run_as_stranger(tests, n_stranger);
}

int
shim_rig_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
	return shim_rig_main_of(argc, argv, tests, n, n);
}
