/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_link - the shim and its runners, of which there may be many, one after another.
 *
 * What a runner must know is said when it comes and when it changes, and what is said while nobody
 * listens is not kept in a queue: who comes hears how things stand then.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "bot/shim_state.h"

#include <unistd.h>

#define DOOR_FD      3
#define ALONE_MS_MAX 600000 /* until a step says otherwise */

static void
say(struct shim *s, const struct msg_out *out)
{
	struct err e = { 0 };

	if (msg_link_is_up(s->link) && msg_send(s->link, out, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.unsaid", &e);
}

void
shim_say_listener(struct shim *s)
{
	if (s->step && s->step->box.listen_fd >= 0)
		say(s, &(struct msg_out){ .type = WIRE_STEP_LISTEN,
			       .fds = &s->step->box.listen_fd,
			       .n_fds = 1 });
}

void
shim_say_tail(struct shim *s)
{
	auto_buf struct buf tail = BUF_INIT(LIMIT_TAIL_BYTES);

	s->tail_is_old = false;
	shim_tail(s, &tail);
	say(s, &(struct msg_out){
		       .type = WIRE_SHIM_TAIL, .blob = buf_str(&tail), .blob_len = tail.len });
}

void
shim_say_done(struct shim *s)
{
	say(s, &(struct msg_out){ .type = WIRE_STEP_DONE,
		       .obj = &s->done,
		       .blob = buf_str(&s->done_tail),
		       .blob_len = s->done_tail.len });
}

void
shim_say_step(struct shim *s)
{
	if (s->step) {
		shim_say_listener(s);
		shim_say_tail(s);
	} else {
		shim_say_done(s);
	}
}

static void
say_state(struct shim *s)
{
	const struct wire_shim_state state = {
		.serial = s->serial,
		.is_in_step = s->step != NULL,
		.has_gone = s->step && s->step->has_gone,
	};

	say(s, &(struct msg_out){ .type = WIRE_SHIM_STATE, .obj = &state });
	if (s->serial > 0)
		shim_say_step(s);
}

/* ---- runners come and go ---- */

static void
on_alone(void *ctx)
{
	struct shim *s = ctx;

	s->alone = NULL;
	log_warn(NULL, "shim.left_alone", "for_ms=%lld", (long long)s->alone_ms);
	shim_begin_end(s);
}

/* The step goes on, with its limits. */
static void
on_runner_gone(void *ctx)
{
	struct shim *s = ctx;

	if (!s->alone)
		s->alone = loop_timer_add(s->loop, s->alone_ms, on_alone, s);
}

static void
on_door(void *ctx, int fd, uint32_t events)
{
	struct shim *s = ctx;
	struct err e = { 0 };
	int runner = -1;
	int rc = msg_accept(fd, &runner, &e);

	(void)events;
	if (rc == 0)
		rc = msg_link_attach(s->link, runner, &e);
	if (rc < 0) {
		if (rc != ERR_BUSY)
			log_err(LOG_LEVEL_ERROR, NULL, "shim.runner_refused", &e);
		return;
	}
	loop_timer_remove(s->alone);
	s->alone = NULL;
	say_state(s);
}

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct shim *s = ctx;
	struct err e = { 0 };

	(void)link;
	if (s->is_ending)
		return;
	if (m->type == WIRE_STEP && shim_take_step(s, m, &e) < 0) {
		/* Without an answer the attempt would wait: end, and the runner sees that. */
		log_err(LOG_LEVEL_ERROR, NULL, "shim.step_refused", &e);
		shim_begin_end(s);
	} else if (m->type == WIRE_NET && m->n_fds == 1) {
		clean_fd(&s->net_fd);
		s->net_fd = steal_fd(&m->fds[0]);
	} else if (m->type == WIRE_DISK && m->n_fds == 1) {
		shim_disk_take(s, steal_fd(&m->fds[0]));
	} else if (m->type == WIRE_STEP_GO) {
		shim_step_go(s, m->n_fds > 0 ? steal_fd(&m->fds[0]) : -1);
	} else if (m->type == WIRE_STEP_SPENT) {
		const struct wire_step_spent *spent = m->obj;

		if (s->step && spent->serial == s->serial)
			shim_watch_spent(s);
	} else if (m->type == WIRE_SHIM_STOP) {
		shim_stop(s);
	}
}

int
shim_link_open(struct shim *s, struct err *e)
{
	const struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_SHIM,
		.peer = ROLE_RUNNER,
		.on_msg = on_msg,
		.on_gone = on_runner_gone,
		.ctx = s,
	};
	int rc = msg_listen_here(DOOR_FD, e);

	if (rc < 0)
		return rc;
	s->link = msg_link_create(s->loop, &spec);
	s->door = loop_io_add(s->loop, DOOR_FD, EPOLLIN, on_door, s);
	s->alone_ms = ALONE_MS_MAX;
	on_runner_gone(s);
	return 0;
}

void
shim_link_close(struct shim *s)
{
	loop_timer_remove(s->alone);
	loop_io_remove(s->door);
	(void)close(DOOR_FD);
	msg_link_destroy(s->link);
}
