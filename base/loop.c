/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - one epoll loop a role: bytes, timers, signals, children.
 *
 * What a callback removes may still be named by an event of the same epoll_wait. So nothing is
 * freed inside a round: removed watchers are marked, skipped, and buried at its end.
 */
#include "base/loop.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_EVENTS_MAX 64
#define SIGNALS          65

/* A round at least once a minute: suspend does not stop CLOCK_BOOTTIME, but epoll's clock. */
#define WAIT_MS_MAX 60000

/* After so many events the memory of a burst goes back when nothing has come for so long. */
#define REST_AFTER_EVENTS 100
#define REST_MS           1000

struct loop_io {
	struct loop *l;
	int fd;
	uint32_t events;
	bool is_removed;
	loop_io_cb *cb;
	void *ctx;
	struct loop_io *next_dead;
};

struct loop_timer {
	struct loop *l;
	int64_t at_ms;
	uint64_t seq; /* equal times fire in the order of adding */
	size_t slot;  /* place in the heap */
	loop_cb *cb;
	void *ctx;
};

struct loop_tail {
	struct loop *l;
	bool is_set;
	loop_cb *cb;
	void *ctx;
	struct loop_tail *next;
};

struct loop_child {
	struct loop *l;
	pid_t pid;
	int pidfd;
	struct loop_io *io;
	loop_child_cb *cb;
	void *ctx;
};

struct loop {
	int epoll_fd;
	bool is_running;
	bool must_stop;
	int64_t now_ms;
	uint64_t n_events; /* since the last rest */
	struct loop_io *dead;
	struct loop_tail *tails; /* those that are set */

	struct loop_timer **heap; /* smallest first */
	size_t n_timers;
	size_t heap_cap;
	uint64_t timer_seq;

	int signal_fd;
	struct loop_io *signal_io;
	sigset_t signals;
	struct {
		loop_signal_cb *cb;
		void *ctx;
	} on_signal[SIGNALS];
};

/* ---- timers: a binary heap of pointers ---- */

static bool
timer_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void
heap_put(struct loop *l, size_t slot, struct loop_timer *t)
{
	l->heap[slot] = t;
	t->slot = slot;
}

static void
heap_up(struct loop *l, struct loop_timer *t)
{
	size_t i = t->slot;

	while (i > 0 && timer_before(t, l->heap[(i - 1) / 2])) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void
heap_down(struct loop *l, struct loop_timer *t)
{
	size_t i = t->slot;

	for (;;) {
		size_t kid = 2 * i + 1;

		if (kid + 1 < l->n_timers && timer_before(l->heap[kid + 1], l->heap[kid]))
			kid++;
		if (kid >= l->n_timers || !timer_before(l->heap[kid], t))
			break;
		heap_put(l, i, l->heap[kid]);
		i = kid;
	}
	heap_put(l, i, t);
}

static void
heap_remove(struct loop *l, struct loop_timer *t)
{
	size_t slot = t->slot;
	struct loop_timer *last = l->heap[--l->n_timers];

	if (last == t)
		return;
	heap_put(l, slot, last);
	heap_up(l, last);
	heap_down(l, last);
}

struct loop_timer *
loop_timer_add(struct loop *l, int64_t delay_ms, loop_cb *cb, void *ctx)
{
	struct loop_timer *t = mem_zero(sizeof(*t));

	if (!l->is_running)
		l->now_ms = clock_boot_ms();
	if (l->n_timers == l->heap_cap) {
		l->heap_cap = l->heap_cap ? 2 * l->heap_cap : 16;
		l->heap = mem_grow(l->heap, l->heap_cap, sizeof(*l->heap));
	}
	t->l = l;
	t->at_ms = l->now_ms + (delay_ms > 0 ? delay_ms : 0);
	t->seq = ++l->timer_seq;
	t->cb = cb;
	t->ctx = ctx;
	heap_put(l, l->n_timers++, t);
	heap_up(l, t);
	return t;
}

void
loop_timer_remove(struct loop_timer *t)
{
	if (!t)
		return;
	heap_remove(t->l, t);
	free(t);
}

/* Timers that callbacks add now wait for the next round, or a timer that adds itself with 0 would
 * starve the rest. */
static void
fire_timers(struct loop *l)
{
	uint64_t seq_max = l->timer_seq;

	while (l->n_timers > 0 && !l->must_stop) {
		struct loop_timer *t = l->heap[0];

		if (t->at_ms > l->now_ms || t->seq > seq_max)
			return;
		heap_remove(l, t);
		t->cb(t->ctx);
		free(t);
	}
}

/* ---- descriptors ---- */

struct loop_io *
loop_io_add(struct loop *l, int fd, uint32_t events, loop_io_cb *cb, void *ctx)
{
	struct loop_io *io = mem_zero(sizeof(*io));
	struct epoll_event ev = { .events = events, .data.ptr = io };
	int rc;

	io->l = l;
	io->fd = fd;
	io->events = events;
	io->cb = cb;
	io->ctx = ctx;
	rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	/* EBADF, EEXIST and EPERM are mistakes of the caller; ENOMEM and ENOSPC are out of memory.
	 */
	if (rc < 0)
		abort();
	return io;
}

void
loop_io_set(struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };
	int rc;

	/* Said before; but saying it again arms an edge anew. */
	if (io->is_removed || (events == io->events && !(events & EPOLLET)))
		return;
	io->events = events;
	rc = epoll_ctl(io->l->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev);
	if (rc < 0)
		abort();
}

void
loop_io_remove(struct loop_io *io)
{
	if (!io || io->is_removed)
		return;
	/* Fails only when the descriptor was closed too early; then it is off the set already. */
	(void)epoll_ctl(io->l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	io->is_removed = true;
	io->next_dead = io->l->dead;
	io->l->dead = io;
}

static void
bury(struct loop *l)
{
	while (l->dead) {
		struct loop_io *io = l->dead;

		l->dead = io->next_dead;
		free(io);
	}
}

/* ---- tails ---- */

struct loop_tail *
loop_tail_create(struct loop *l, loop_cb *cb, void *ctx)
{
	struct loop_tail *t = mem_zero(sizeof(*t));

	t->l = l;
	t->cb = cb;
	t->ctx = ctx;
	return t;
}

void
loop_tail_set(struct loop_tail *t)
{
	if (!t->l->is_running) {
		t->cb(t->ctx);
	} else if (!t->is_set) {
		t->is_set = true;
		t->next = t->l->tails;
		t->l->tails = t;
	}
}

void
loop_tail_destroy(struct loop_tail *t)
{
	struct loop_tail **at = &t->l->tails;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	free(t);
}

static void
run_tails(struct loop *l)
{
	while (l->tails) {
		struct loop_tail *t = l->tails;

		l->tails = t->next;
		t->is_set = false;
		t->cb(t->ctx);
	}
}

/* ---- signals ---- */

static void
on_signal_fd(void *ctx, int fd, uint32_t events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo < SIGNALS && l->on_signal[info.ssi_signo].cb)
			l->on_signal[info.ssi_signo].cb(
				l->on_signal[info.ssi_signo].ctx, (int)info.ssi_signo);
	}
}

int
loop_signal_add(struct loop *l, int signo, loop_signal_cb *cb, void *ctx, struct err *e)
{
	assert(signo > 0 && signo < SIGNALS);
	sigaddset(&l->signals, signo);
	if (sigprocmask(SIG_BLOCK, &l->signals, NULL) < 0)
		return err_sys(e, "sigprocmask");
	int fd = signalfd(l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "signalfd");
	if (l->signal_fd < 0) {
		l->signal_fd = fd;
		l->signal_io = loop_io_add(l, fd, EPOLLIN, on_signal_fd, l);
	}
	l->on_signal[signo].cb = cb;
	l->on_signal[signo].ctx = ctx;
	return 0;
}

/* ---- children ---- */

static void
on_pidfd(void *ctx, int fd, uint32_t events)
{
	struct loop_child *c = ctx;
	struct loop_exit how = { .code = 255 };
	siginfo_t info = { 0 };
	loop_child_cb *cb = c->cb;
	void *cb_ctx = c->ctx;
	pid_t pid = c->pid;

	(void)events;
	/* ECHILD (somebody reaped it behind our back) is reported as 255: the child is gone, how is
	 * not known. */
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0) {
		if (info.si_pid == 0)
			return;
		if (info.si_code == CLD_EXITED) {
			how.code = info.si_status;
		} else {
			how.signo = info.si_status;
			how.code = 128 + info.si_status;
		}
	}
	loop_child_remove(c);
	cb(cb_ctx, pid, how);
}

struct loop_child *
loop_child_add(struct loop *l, pid_t pid, int take_pidfd, loop_child_cb *cb, void *ctx)
{
	struct loop_child *c = mem_zero(sizeof(*c));

	c->l = l;
	c->pid = pid;
	c->pidfd = take_pidfd;
	c->cb = cb;
	c->ctx = ctx;
	c->io = loop_io_add(l, take_pidfd, EPOLLIN, on_pidfd, c);
	return c;
}

void
loop_child_remove(struct loop_child *c)
{
	if (!c)
		return;
	loop_io_remove(c->io);
	(void)close(c->pidfd);
	free(c);
}

/* ---- the loop ---- */

int
loop_create(struct loop **out, struct err *e)
{
	auto_fd int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "epoll_create1");
	struct loop *l = mem_zero(sizeof(*l));
	l->epoll_fd = steal_fd(&fd);
	l->signal_fd = -1;
	l->now_ms = clock_boot_ms();
	sigemptyset(&l->signals);
	*out = l;
	return 0;
}

void
loop_destroy(struct loop *l)
{
	if (!l)
		return;
	loop_io_remove(l->signal_io);
	clean_fd(&l->signal_fd);
	while (l->n_timers > 0)
		loop_timer_remove(l->heap[0]);
	bury(l);
	free(l->heap);
	(void)close(l->epoll_fd);
	free(l);
}

static int
wait_ms(const struct loop *l, int max)
{
	int64_t ms = max;

	if (l->n_timers > 0)
		ms = l->heap[0]->at_ms - clock_boot_ms();
	if (ms < 0)
		return 0;
	return ms < max ? (int)ms : max;
}

static int
wait_for_events(struct loop *l, struct epoll_event events[ROUND_EVENTS_MAX])
{
	bool was_busy = l->n_events >= REST_AFTER_EVENTS;
	int ms = wait_ms(l, was_busy ? REST_MS : WAIT_MS_MAX);
	int n = epoll_wait(l->epoll_fd, events, ROUND_EVENTS_MAX, ms);

	if (n > 0) {
		l->n_events += (unsigned)n;
	} else if (n == 0 && was_busy && ms >= REST_MS / 2) {
		l->n_events = 0;
		(void)malloc_trim(0);
	}
	return n;
}

static int
run_round(struct loop *l, struct err *e)
{
	struct epoll_event events[ROUND_EVENTS_MAX];
	int n = wait_for_events(l, events);

	if (n < 0 && errno != EINTR)
		return err_sys(e, "epoll_wait");
	l->now_ms = clock_boot_ms();
	for (int i = 0; i < n && !l->must_stop; i++) {
		struct loop_io *io = events[i].data.ptr;

		if (!io->is_removed)
			io->cb(io->ctx, io->fd, events[i].events);
	}
	fire_timers(l);
	run_tails(l);
	bury(l);
	return 0;
}

int
loop_run(struct loop *l, struct err *e)
{
	int rc = 0;

	l->is_running = true;
	while (!l->must_stop && rc == 0)
		rc = run_round(l, e);
	l->is_running = false;
	l->must_stop = false;
	return rc;
}

void
loop_stop(struct loop *l)
{
	l->must_stop = true;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->is_running ? l->now_ms : clock_boot_ms();
}
