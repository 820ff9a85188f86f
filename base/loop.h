/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - one epoll loop a role: bytes, timers, signals, children.
 *
 * Callbacks run one after another on one thread and may add or remove anything, themselves
 * included. What is removed inside a callback is not called again in the same round. loop_now_ms is
 * read once a round.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_child;
struct loop_tail;

typedef void loop_io_cb(void *ctx, int fd, uint32_t events);
typedef void loop_cb(void *ctx);
typedef void loop_signal_cb(void *ctx, int signo);

/* code is the exit code, or 128 + signal as shells write it; signo is 0 unless a signal ended it.
 */
struct loop_exit {
	int code;
	int signo;
};
typedef void loop_child_cb(void *ctx, pid_t pid, struct loop_exit how);

int loop_create(struct loop **out, struct err *e);
void loop_destroy(struct loop *l);

/* Runs until loop_stop. The reason of a failed epoll_wait is returned. */
int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l);
int64_t loop_now_ms(const struct loop *l); /* clock_boot_ms of this round */

/* Watches fd (not owned) for EPOLLIN/EPOLLOUT, optionally EPOLLET. EPOLLHUP and EPOLLERR are always
 * reported. */
struct loop_io *loop_io_add(struct loop *l, int fd, uint32_t events, loop_io_cb *cb, void *ctx);
void loop_io_set(struct loop_io *io, uint32_t events);
void loop_io_remove(struct loop_io *io); /* NULL is fine; close the fd after this, not before */

/* Fires once, delay_ms from now (0 = next round). After it has fired the timer is gone: forget the
 * pointer. */
struct loop_timer *loop_timer_add(struct loop *l, int64_t delay_ms, loop_cb *cb, void *ctx);
void loop_timer_remove(struct loop_timer *t); /* NULL is fine */

/* For what one round gathers and then does in one go. A tail that was set is called once, when the
 * round's callbacks are over and before the loop sleeps or ends; at once if the loop does not run.
 */
struct loop_tail *loop_tail_create(struct loop *l, loop_cb *cb, void *ctx);
void loop_tail_set(struct loop_tail *t);
void loop_tail_destroy(struct loop_tail *t);

/* Blocks the signal in this process and reports it through a signalfd. */
int loop_signal_add(struct loop *l, int signo, loop_signal_cb *cb, void *ctx, struct err *e);

/* Takes the pidfd; calls back once when the child ended and was reaped. */
struct loop_child *loop_child_add(
	struct loop *l, pid_t pid, int take_pidfd, loop_child_cb *cb, void *ctx);
void loop_child_remove(struct loop_child *c); /* stops watching, does not kill; NULL is fine */

#endif
