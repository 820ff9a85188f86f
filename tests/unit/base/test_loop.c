/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/loop: order of timers, removal inside callbacks, signals, children.
 */
#include "base/loop.h"

#include "base/clean.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct loop *l;
	char seen[64]; /* one letter for each callback, in order */
	size_t n;
	struct loop_io *ios[2];
	int pipe[2];
	struct loop_timer *victim;
	struct loop_exit how;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(loop_create(&f->l, NULL), 0);
	assert_int_equal(pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	loop_destroy(f->l);
	(void)close(f->pipe[0]);
	(void)close(f->pipe[1]);
	free(f);
	return 0;
}

static void
note(struct fixture *f, char c)
{
	assert_true(f->n + 1 < sizeof(f->seen));
	f->seen[f->n++] = c;
}

static void
note_a(void *ctx)
{
	note(ctx, 'a');
}

static void
note_b(void *ctx)
{
	note(ctx, 'b');
}

static void
note_c(void *ctx)
{
	note(ctx, 'c');
}

static void
stop(void *ctx)
{
	struct fixture *f = ctx;

	loop_stop(f->l);
}

static void
run(struct fixture *f)
{
	struct err e = { 0 };

	assert_int_equal(loop_run(f->l, &e), 0);
}

/* In one round it is one time for all of them. */
static void
add_timers(void *ctx)
{
	struct fixture *f = ctx;

	loop_timer_add(f->l, 20, stop, f);
	loop_timer_add(f->l, 10, note_c, f);
	loop_timer_add(f->l, 0, note_a, f);
	loop_timer_add(f->l, 0, note_b, f);
}

static void
timers_fire_by_time_then_by_age(void **state)
{
	struct fixture *f = *state;

	loop_timer_add(f->l, 0, add_timers, f);
	run(f);
	assert_string_equal(f->seen, "abc");
}

static void
again(void *ctx)
{
	struct fixture *f = ctx;

	note(f, 'a');
	if (f->n < 40)
		loop_timer_add(f->l, 0, again, f);
	else
		loop_stop(f->l);
}

static void
on_pipe(void *ctx, int fd, uint32_t events)
{
	struct fixture *f = ctx;
	char c;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	note(f, c);
}

static void
a_timer_that_adds_itself_starves_nobody(void **state)
{
	struct fixture *f = *state;
	struct loop_io *io = loop_io_add(f->l, f->pipe[0], EPOLLIN, on_pipe, f);

	assert_int_equal(write(f->pipe[1], "x", 1), 1);
	loop_timer_add(f->l, 0, again, f);
	run(f);
	assert_non_null(strchr(f->seen, 'x'));
	assert_true(strchr(f->seen, 'x') < f->seen + 3);
	loop_io_remove(io);
}

static void
remove_victim(void *ctx)
{
	struct fixture *f = ctx;

	loop_timer_remove(f->victim);
	note(f, 'r');
}

static void
a_removed_timer_does_not_fire_even_when_due(void **state)
{
	struct fixture *f = *state;

	loop_timer_add(f->l, 0, remove_victim, f);
	f->victim = loop_timer_add(f->l, 0, note_a, f);
	loop_timer_add(f->l, 0, note_b, f);
	loop_timer_add(f->l, 5, stop, f);
	run(f);
	assert_string_equal(f->seen, "rb");
}

/* Both are ready in one round; whoever comes first removes the other, so exactly one callback may
 * happen. */
static void
remove_other(void *ctx, int fd, uint32_t events)
{
	struct fixture *f = ctx;

	(void)events;
	note(f, 'x');
	loop_io_remove(f->ios[0]);
	loop_io_remove(f->ios[1]);
	(void)fd;
	loop_stop(f->l);
}

static void
a_removed_descriptor_is_not_called_in_the_same_round(void **state)
{
	struct fixture *f = *state;
	int second = fcntl(f->pipe[0], F_DUPFD_CLOEXEC, 3);

	assert_true(second >= 0);
	assert_int_equal(write(f->pipe[1], "x", 1), 1);
	f->ios[0] = loop_io_add(f->l, f->pipe[0], EPOLLIN, remove_other, f);
	f->ios[1] = loop_io_add(f->l, second, EPOLLIN, remove_other, f);
	run(f);
	assert_string_equal(f->seen, "x");
	(void)close(second);
}

static void
on_signal(void *ctx, int signo)
{
	struct fixture *f = ctx;

	note(f, signo == SIGUSR1 ? '1' : '2');
	if (f->n == 2)
		loop_stop(f->l);
}

static void
signals_arrive_through_the_loop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_signal_add(f->l, SIGUSR1, on_signal, f, NULL), 0);
	assert_int_equal(loop_signal_add(f->l, SIGUSR2, on_signal, f, NULL), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	run(f);
	assert_string_equal(f->seen, "12");
}

static void
on_child(void *ctx, pid_t pid, struct loop_exit how)
{
	struct fixture *f = ctx;

	assert_true(pid > 0);
	f->how = how;
	loop_stop(f->l);
}

static void
watch_child(struct fixture *f, int code, int signo)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (signo)
			(void)raise(signo);
		_exit(code);
	}
	int pidfd = pidfd_open(pid, 0);
	assert_true(pidfd >= 0);
	loop_child_add(f->l, pid, pidfd, on_child, f);
	run(f);
}

static void
a_child_is_reaped_with_its_exit_code(void **state)
{
	struct fixture *f = *state;

	watch_child(f, 7, 0);
	assert_int_equal(f->how.code, 7);
	assert_int_equal(f->how.signo, 0);
}

static void
a_killed_child_is_told_as_shells_do(void **state)
{
	struct fixture *f = *state;

	watch_child(f, 0, SIGKILL);
	assert_int_equal(f->how.code, 128 + SIGKILL);
	assert_int_equal(f->how.signo, SIGKILL);
}

struct gathering {
	struct fixture *f;
	struct loop_tail *first;
	struct loop_tail *second;
};

static void
gather(void *ctx)
{
	struct gathering *g = ctx;

	loop_tail_set(g->first);
	loop_tail_set(g->second);
	note(g->f, 'x');
	loop_tail_set(g->first);
	loop_tail_destroy(g->second);
	loop_stop(g->f->l);
}

static void
a_tail_is_called_once_when_the_round_is_over(void **state)
{
	struct fixture *f = *state;
	struct gathering g = { .f = f };

	g.first = loop_tail_create(f->l, note_a, f);
	g.second = loop_tail_create(f->l, note_b, f);
	loop_timer_add(f->l, 0, gather, &g);
	loop_timer_add(f->l, 0, note_c, f);
	run(f);
	/* The loop was stopped in the first callback; what it had gathered is done all the same. */
	assert_string_equal(f->seen, "xa");
	loop_tail_set(g.first);
	assert_string_equal(f->seen, "xaa");
	loop_tail_destroy(g.first);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(timers_fire_by_time_then_by_age),
		T(a_timer_that_adds_itself_starves_nobody),
		T(a_removed_timer_does_not_fire_even_when_due),
		T(a_removed_descriptor_is_not_called_in_the_same_round),
		T(a_tail_is_called_once_when_the_round_is_over),
		T(signals_arrive_through_the_loop),
		T(a_child_is_reaped_with_its_exit_code),
		T(a_killed_child_is_told_as_shells_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
