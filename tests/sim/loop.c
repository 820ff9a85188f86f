/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - base/loop and base/clock for many processes in one thread.
 *
 * Each process has its loop. The one whose next event is the earliest gets a round, as epoll would
 * give it: all descriptors that are ready, all timers that are due, then the tails. Between rounds
 * the clock is moved to the next event. Sockets are real (within one thread they behave the same
 * way each time), but what arrives at one is noticed when the simulation says so.
 */
#include "tests/sim/sim.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LOOPS_MAX  16
#define IOS_MAX    64
#define TIMERS_MAX 4096
#define LATER      INT64_MAX

struct loop {
	int64_t now_ms;
	int64_t stalled_until_ms;
	bool is_stopped;
	bool is_silent;
	struct loop_tail *tails; /* those that are set */
	struct loop_tail *all_tails;
};

struct loop_io {
	struct loop *l;
	int fd;
	uint32_t events;
	int64_t ready_ms; /* when it will be noticed; LATER: there is nothing */
	bool is_removed;
	loop_io_cb *cb;
	void *ctx;
};

struct loop_timer {
	struct loop *l;
	int64_t at_ms;
	uint64_t seq;
	loop_cb *cb;
	void *ctx;
};

struct loop_tail {
	struct loop *l;
	bool is_set;
	loop_cb *cb;
	void *ctx;
	struct loop_tail *next;     /* set */
	struct loop_tail *next_all; /* of the loop */
};

static struct loop *loops[LOOPS_MAX];
static size_t n_loops;
static struct loop_io *ios[IOS_MAX];
static size_t n_ios;
static struct loop_timer *timers[TIMERS_MAX];
static size_t n_timers;
static uint64_t timer_seq;
static bool is_dirty; /* something may have been sent */
static struct loop *in_round;

/* ---- clocks ---- */

int64_t
clock_boot_ms(void)
{
	return SIM.now_ms - SIM.booted_ms;
}

void
clock_boot_id(char out[CLOCK_BOOT_ID_BYTES])
{
	(void)snprintf(out, CLOCK_BOOT_ID_BYTES, "boot-%lld", (long long)SIM.booted_ms);
}

int64_t
clock_wall_ms(void)
{
	return SIM.now_ms + SIM.wall_ms;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

/* ---- what base/loop.h promises ---- */

int
loop_create(struct loop **out, struct err *e)
{
	(void)e;
	assert(n_loops < LOOPS_MAX);
	*out = mem_zero(sizeof(**out));
	(*out)->now_ms = clock_boot_ms();
	loops[n_loops++] = *out;
	return 0;
}

static void
bury(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < n_ios; i++) {
		if (ios[i]->is_removed)
			free(ios[i]);
		else
			ios[kept++] = ios[i];
	}
	n_ios = kept;
}

void
loop_silence(struct loop *l)
{
	l->is_silent = true;
}

static void
wipe(struct loop *l)
{
	for (size_t i = 0; i < n_ios; i++)
		ios[i]->is_removed |= ios[i]->l == l;
	bury();
	size_t kept = 0;
	for (size_t i = 0; i < n_timers; i++) {
		if (timers[i]->l == l)
			free(timers[i]);
		else
			timers[kept++] = timers[i];
	}
	n_timers = kept;
	while (l->all_tails) {
		struct loop_tail *next = l->all_tails->next_all;

		free(l->all_tails);
		l->all_tails = next;
	}
	l->tails = NULL;
}

void
loop_destroy(struct loop *l)
{
	wipe(l);
	for (size_t i = 0; i < n_loops; i++) {
		if (loops[i] == l)
			loops[i--] = loops[--n_loops];
	}
	free(l);
}

int
loop_run(struct loop *l, struct err *e)
{
	(void)l;
	return err_set(e, ERR_SYSTEM, "here the world runs, not one loop");
}

void
loop_stop(struct loop *l)
{
	l->is_stopped = true;
}

bool
loop_is_stopped(const struct loop *l)
{
	return l->is_stopped;
}

void
loop_stall(struct loop *l, int64_t ms)
{
	l->stalled_until_ms = SIM.now_ms + ms;
}

struct loop_io *
loop_io_add(struct loop *l, int fd, uint32_t events, loop_io_cb *cb, void *ctx)
{
	struct loop_io *io = mem_zero(sizeof(*io));

	assert(n_ios < IOS_MAX);
	*io = (struct loop_io){ l, fd, events, LATER, false, cb, ctx };
	ios[n_ios++] = io;
	is_dirty = true;
	return io;
}

void
loop_io_set(struct loop_io *io, uint32_t events)
{
	io->events = events;
	is_dirty = true;
}

void
loop_io_remove(struct loop_io *io)
{
	if (!io)
		return;
	io->is_removed = true;
	is_dirty = true;
}

struct loop_timer *
loop_timer_add(struct loop *l, int64_t delay_ms, loop_cb *cb, void *ctx)
{
	struct loop_timer *t = mem_zero(sizeof(*t));

	assert(n_timers < TIMERS_MAX);
	/* 0 is the next round, not this one. */
	*t = (struct loop_timer){ l, SIM.now_ms + (delay_ms > 0 ? delay_ms : 0), ++timer_seq, cb,
		ctx };
	timers[n_timers++] = t;
	return t;
}

void
loop_timer_remove(struct loop_timer *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < n_timers; i++) {
		if (timers[i] == t) {
			timers[i] = timers[--n_timers];
			free(t);
			return;
		}
	}
	assert(!"a timer that has fired is removed");
}

struct loop_tail *
loop_tail_create(struct loop *l, loop_cb *cb, void *ctx)
{
	struct loop_tail *t = mem_zero(sizeof(*t));

	*t = (struct loop_tail){ l, false, cb, ctx, NULL, l->all_tails };
	l->all_tails = t;
	return t;
}

void
loop_tail_set(struct loop_tail *t)
{
	if (t->l->is_silent)
		return;
	if (in_round != t->l) {
		t->cb(t->ctx);
		is_dirty = true;
		return;
	}
	if (t->is_set)
		return;
	t->is_set = true;
	t->next = t->l->tails;
	t->l->tails = t;
}

void
loop_tail_destroy(struct loop_tail *t)
{
	if (!t)
		return;
	for (struct loop_tail **at = &t->l->tails; *at;) {
		if (*at == t)
			*at = t->next;
		else
			at = &(*at)->next;
	}
	for (struct loop_tail **at = &t->l->all_tails; *at;) {
		if (*at == t)
			*at = t->next_all;
		else
			at = &(*at)->next_all;
	}
	free(t);
}

int
loop_signal_add(struct loop *l, int signo, loop_signal_cb *cb, void *ctx, struct err *e)
{
	(void)l, (void)signo, (void)cb, (void)ctx, (void)e;
	return 0;
}

struct loop_child *
loop_child_add(struct loop *l, pid_t pid, int take_pidfd, loop_child_cb *cb, void *ctx)
{
	(void)l, (void)pid, (void)take_pidfd, (void)cb, (void)ctx;
	assert(!"the core starts no processes");
	return NULL;
}

void
loop_child_remove(struct loop_child *c)
{
	(void)c;
}

/* ---- the world's order ---- */

static uint32_t
wanted(const struct loop_io *io)
{
	return io->events & (EPOLLIN | EPOLLOUT);
}

/* What has arrived since the last look is noticed a little later. */
static void
look_at_sockets(void)
{
	struct pollfd fds[IOS_MAX];

	bury();
	for (size_t i = 0; i < n_ios; i++)
		fds[i] = (struct pollfd){ ios[i]->fd, (short)wanted(ios[i]), 0 };
	is_dirty = false;
	(void)poll(fds, (nfds_t)n_ios, 0);
	for (size_t i = 0; i < n_ios; i++) {
		if (!fds[i].revents)
			ios[i]->ready_ms = LATER;
		else if (ios[i]->ready_ms == LATER)
			ios[i]->ready_ms = SIM.now_ms + chance_delay(2, 400);
	}
}

static int64_t
next_of(const struct loop *l)
{
	int64_t at = LATER;

	for (size_t i = 0; i < n_ios; i++) {
		if (ios[i]->l == l && !ios[i]->is_removed && ios[i]->ready_ms < at)
			at = ios[i]->ready_ms;
	}
	for (size_t i = 0; i < n_timers; i++) {
		if (timers[i]->l == l && timers[i]->at_ms < at)
			at = timers[i]->at_ms;
	}
	return at != LATER && at < l->stalled_until_ms ? l->stalled_until_ms : at;
}

static struct loop *
choose(int64_t *at_ms)
{
	struct loop *best = NULL;
	size_t n_equal = 0;

	*at_ms = LATER;
	for (size_t i = 0; i < n_loops; i++) {
		int64_t at = next_of(loops[i]);

		if (at == LATER || at > *at_ms)
			continue;
		n_equal = at < *at_ms ? 1 : n_equal + 1;
		*at_ms = at;
		if (n_equal == 1 || chance_in(1, (int64_t)n_equal) == 1)
			best = loops[i];
	}
	return best;
}

static void
run_sockets(const struct loop *l)
{
	size_t n = n_ios, from = n > 0 ? (size_t)chance_in(0, (int64_t)n - 1) : 0;

	for (size_t k = 0; k < n; k++) {
		struct loop_io *io = ios[(from + k) % n];

		if (io->l != l || io->is_removed || io->ready_ms > SIM.now_ms)
			continue;
		io->ready_ms = LATER;
		is_dirty = true;
		struct pollfd fd = { io->fd, (short)wanted(io), 0 };
		if (poll(&fd, 1, 0) > 0)
			io->cb(io->ctx, io->fd, (uint32_t)fd.revents);
	}
}

static struct loop_timer *
take_due(const struct loop *l, uint64_t before)
{
	size_t best = n_timers;

	for (size_t i = 0; i < n_timers; i++) {
		const struct loop_timer *t = timers[i];

		if (t->l != l || t->at_ms > SIM.now_ms || t->seq > before)
			continue;
		if (best == n_timers || t->at_ms < timers[best]->at_ms ||
			(t->at_ms == timers[best]->at_ms && t->seq < timers[best]->seq))
			best = i;
	}
	if (best == n_timers)
		return NULL;
	struct loop_timer *t = timers[best];
	timers[best] = timers[--n_timers];
	return t;
}

static void
run_timers(const struct loop *l)
{
	uint64_t before = timer_seq;
	struct loop_timer *t;

	while ((t = take_due(l, before))) {
		const struct loop_timer copy = *t;

		free(t);
		copy.cb(copy.ctx);
	}
}

static void
run_tails(struct loop *l)
{
	while (l->tails) {
		struct loop_tail *t = l->tails;

		l->tails = t->next;
		t->is_set = false;
		is_dirty = true;
		t->cb(t->ctx);
	}
}

static void
run_round(struct loop *l)
{
	const struct actor *a = actor_of_loop(l);

	in_round = l;
	l->now_ms = clock_boot_ms();
	SIM.n_rounds++;
	run_sockets(l);
	run_timers(l);
	/* Who was killed in this round has not sent anything of it. */
	if (!a || !a->must_die)
		run_tails(l);
	in_round = NULL;
	sim_after_round(l);
}

void
sim_run(int64_t until_ms)
{
	while (SIM.n_violations == 0) {
		int64_t at_ms;

		if (is_dirty)
			look_at_sockets();
		struct loop *l = choose(&at_ms);
		if (!l || at_ms > until_ms)
			break;
		if (at_ms > SIM.now_ms)
			SIM.now_ms = at_ms;
		run_round(l);
	}
	if (SIM.now_ms < until_ms)
		SIM.now_ms = until_ms;
}
