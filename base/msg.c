/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg - how roles talk: the link, its queue, and the calls that wait for an answer.
 *
 * Ids start at a random number for each link, so that an answer which was meant for the predecessor
 * of a restarted role matches no call of its successor.
 */
#include "base/msg.h"

#include "base/clean.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/msg_frame.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_BYTES_MAX    MIB(64)
#define FETCHES_A_WAKE_UP 4 /* then the loop's other watchers have their turn */

struct call {
	struct call *next; /* oldest first */
	struct msg_link *link;
	uint64_t id;
	struct msg_frame *frame; /* NULL: it could not be made, e says why */
	struct loop_timer *timer;
	msg_reply_cb *cb;
	void *ctx;
	struct err e;
};

struct msg_link {
	struct loop *l;
	struct msg_link_spec spec;
	int fd; /* -1: the peer is away */
	struct loop_io *io;
	struct loop_tail *tail; /* sends the queue */
	uint64_t turn; /* of attachments and detachments: did this one end in a callback? */
	uint64_t next_id;
	struct call *calls;
	struct call **calls_end;
	struct msg_frame *queue;
	struct msg_frame **queue_end;
	size_t n_queued;
	size_t held_bytes; /* of all frames, queued or waiting for an answer */
	int depth;         /* callbacks on the stack */
	bool is_destroyed;
	bool was_cut;
};

/* ---- the queue ---- */

static void
queue_add(struct msg_link *k, struct msg_frame *f)
{
	f->next = NULL;
	f->is_queued = true;
	*k->queue_end = f;
	k->queue_end = &f->next;
	k->n_queued++;
}

/* All of it, as a list. */
static struct msg_frame *
queue_steal(struct msg_link *k)
{
	struct msg_frame *f = k->queue;

	k->queue = NULL;
	k->queue_end = &k->queue;
	k->n_queued = 0;
	return f;
}

static void
frame_free(struct msg_link *k, struct msg_frame *f)
{
	if (!f)
		return;
	k->held_bytes -= f->bytes;
	msg_frame_destroy(f);
}

/* Takes the frames out for which want says so; frames that no call owns are freed. */
static void
queue_filter(
	struct msg_link *k, bool (*goes)(const struct msg_frame *, const void *), const void *arg)
{
	struct msg_frame *f = queue_steal(k);

	while (f) {
		struct msg_frame *next = f->next;

		if (!goes(f, arg)) {
			queue_add(k, f);
		} else {
			f->is_queued = false;
			if (!f->is_call)
				frame_free(k, f);
		}
		f = next;
	}
}

static bool
goes_with_socket(const struct msg_frame *f, const void *arg)
{
	(void)arg;
	return f->is_call || f->header.kind == MSG_KIND_REPLY;
}

static bool
goes_always(const struct msg_frame *f, const void *arg)
{
	(void)f;
	(void)arg;
	return true;
}

static bool
goes_itself(const struct msg_frame *f, const void *arg)
{
	return f == arg;
}

/* The reader notices that the peer is gone and tells; here it is enough to stop. */
static void
flush(void *ctx)
{
	struct msg_link *k = ctx;

	while (k->fd >= 0 && k->queue) {
		int n = msg_frames_send(k->queue, k->fd, NULL);

		if (n < 0)
			break;
		for (; n > 0; n--) {
			struct msg_frame *f = k->queue;

			k->queue = f->next;
			k->n_queued--;
			f->is_queued = false;
			if (!f->is_call)
				frame_free(k, f);
		}
	}
	if (!k->queue)
		k->queue_end = &k->queue;
	if (k->io)
		loop_io_set(k->io, k->queue ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Goes at the end of the round, or when a peer on another processor may begin. */
static void
enqueue(struct msg_link *k, struct msg_frame *f)
{
	queue_add(k, f);
	if (k->n_queued == MSG_FRAMES_AT_ONCE)
		flush(k);
	else
		loop_tail_set(k->tail);
}

static int
make_frame(struct msg_link *k, const struct msg_out *out, enum msg_kind kind,
	struct msg_frame **frame, struct err *e)
{
	const struct msg_rule *rule = msg_rule_find(&k->spec, out->type);

	/* What we send ourselves is our own source, not input. */
	assert(rule && (rule->from & (1u << k->spec.self)) && (rule->to & (1u << k->spec.peer)));
	if (k->held_bytes + out->blob_len > (size_t)HELD_BYTES_MAX)
		return err_set(e, ERR_BUSY, "%s: %zu bytes wait for role %u", rule->name,
			k->held_bytes, k->spec.peer);
	int rc = msg_frame_create(rule, out, kind, frame, e);
	if (rc == 0)
		k->held_bytes += (*frame)->bytes;
	return rc;
}

/* ---- calls ---- */

static struct call *
call_find(struct msg_link *k, uint64_t id)
{
	struct call *c = k->calls;

	while (c && c->id != id)
		c = c->next;
	return c;
}

static void
call_free(struct call *c)
{
	struct msg_link *k = c->link;
	struct call **at = &k->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (!*at)
		k->calls_end = at;
	loop_timer_remove(c->timer);
	if (c->frame && c->frame->is_queued)
		queue_filter(k, goes_itself, c->frame);
	frame_free(k, c->frame);
	free(c);
}

static void
link_unref(struct msg_link *k)
{
	if (--k->depth == 0 && k->is_destroyed)
		free(k);
}

static void
call_end(struct call *c, struct msg *m, const struct err *e)
{
	struct msg_link *k = c->link;
	msg_reply_cb *cb = c->cb;
	void *ctx = c->ctx;

	k->depth++;
	call_free(c);
	cb(ctx, m, e);
	link_unref(k);
}

static void
on_call_timer(void *ctx)
{
	struct call *c = ctx;
	struct err e = c->e;

	c->timer = NULL;
	if (e.code == 0)
		(void)err_set(&e, ERR_TIMEOUT, "role %u: no answer", c->link->spec.peer);
	call_end(c, NULL, &e);
}

uint64_t
msg_call(struct msg_link *k, const struct msg_out *out, int64_t timeout_ms, msg_reply_cb *cb,
	void *ctx)
{
	struct call *c = mem_zero(sizeof(*c));

	c->link = k;
	c->id = k->next_id++;
	c->cb = cb;
	c->ctx = ctx;
	*k->calls_end = c;
	k->calls_end = &c->next;
	if (make_frame(k, out, MSG_KIND_CALL, &c->frame, &c->e) < 0) {
		c->timer = loop_timer_add(k->l, 0, on_call_timer, c);
		return c->id;
	}
	c->frame->header.id = c->id;
	c->frame->is_call = true;
	if (timeout_ms > 0)
		c->timer = loop_timer_add(k->l, timeout_ms, on_call_timer, c);
	if (k->fd >= 0)
		enqueue(k, c->frame);
	return c->id;
}

void
msg_call_cancel(struct msg_link *k, uint64_t id)
{
	struct call *c = call_find(k, id);

	if (c)
		call_free(c);
}

/* ---- receiving ---- */

/* ERR_PROTOCOL if the struct is not the rule's. The callback may destroy the link or attach another
 * socket. */
static int
deliver(struct msg_link *k, struct msg_in *in, struct err *e)
{
	const struct msg_rule *rule = msg_rule_find(&k->spec, in->header.type);
	struct msg m = { .type = rule->type, .id = in->header.id };
	int rc = 0;

	if (rule->rows) {
		m.obj = mem_zero(rule->size);
		rc = row_unpack(rule->rows, m.obj, in->data, in->header.obj_len, e);
	}
	if (rc < 0) {
		row_finish(rule->rows, m.obj);
		free(m.obj);
		return err_wrap(e, rc, "%s", rule->name);
	}
	m.blob = in->header.blob_len ? in->data + in->header.obj_len : NULL;
	m.blob_len = (size_t)in->header.blob_len;
	m.n_fds = in->n_fds;
	memcpy(m.fds, in->fds, sizeof(m.fds));
	if (in->header.kind == MSG_KIND_REPLY) {
		/* An answer nobody waits for came too late, or was asked for by our predecessor. */
		struct call *c = call_find(k, m.id);

		m.id = 0;
		if (c)
			call_end(c, &m, NULL);
	} else {
		k->spec.on_msg(k->spec.ctx, k, &m);
	}
	memcpy(in->fds, m.fds, sizeof(m.fds)); /* taken ones are -1 now */
	if (rule->rows)
		row_finish(rule->rows, m.obj);
	free(m.obj);
	return 0;
}

static void
detach(struct msg_link *k)
{
	if (k->fd < 0)
		return;
	loop_io_remove(k->io);
	k->io = NULL;
	(void)close(steal_fd(&k->fd));
	k->turn++;
	queue_filter(k, goes_with_socket, NULL);
}

static void
socket_ended(struct msg_link *k)
{
	detach(k);
	if (k->spec.on_gone)
		k->spec.on_gone(k->spec.ctx);
}

static void
peer_ended(struct msg_link *k, int rc, const struct err *e)
{
	k->was_cut = rc != ERR_MISSING;
	if (k->was_cut)
		log_error(NULL, "msg.cut_off", "peer=%u error=\"%s\"", k->spec.peer, e->text);
	socket_ended(k);
}

/* A burst is taken in whole, so that the role can do in one go what it asks for. A callback may end
 * this socket; what came with it is gone then, too. */
static void
receive(struct msg_link *k)
{
	struct msg_in in[MSG_FRAMES_AT_ONCE];
	uint64_t turn = k->turn;
	int n = MSG_FRAMES_AT_ONCE;

	for (int i = 0; i < FETCHES_A_WAKE_UP && k->turn == turn && n == MSG_FRAMES_AT_ONCE; i++) {
		struct err e = { 0 };

		n = msg_in_receive(k->fd, in, &e);
		if (n < 0)
			peer_ended(k, n, &e);
		for (int j = 0; j < n; j++) {
			int rc = k->turn == turn ? msg_in_check(&in[j], &k->spec, &e) : 0;

			if (rc == 0 && k->turn == turn)
				rc = deliver(k, &in[j], &e);
			msg_in_finish(&in[j]);
			if (rc < 0 && k->turn == turn)
				peer_ended(k, rc, &e);
		}
	}
}

static void
on_socket(void *ctx, int fd, uint32_t events)
{
	struct msg_link *k = ctx;

	(void)fd;
	k->depth++;
	if (events & EPOLLOUT)
		flush(k);
	/* A peer that ended may have left frames behind: read first, the end of file comes after
	 * them. */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(k);
	link_unref(k);
}

/* ---- the link ---- */

struct msg_link *
msg_link_create(struct loop *l, const struct msg_link_spec *spec)
{
	struct msg_link *k = mem_zero(sizeof(*k));

	k->l = l;
	k->spec = *spec;
	k->fd = -1;
	k->calls_end = &k->calls;
	k->queue_end = &k->queue;
	k->depth = 1;
	k->tail = loop_tail_create(l, flush, k);
	crypto_random(&k->next_id, sizeof(k->next_id));
	k->next_id = (k->next_id >> 1) | 1; /* never 0, never wraps */
	return k;
}

void
msg_link_destroy(struct msg_link *k)
{
	if (!k)
		return;
	detach(k);
	k->turn++;
	while (k->calls)
		call_free(k->calls);
	queue_filter(k, goes_always, NULL);
	loop_tail_destroy(k->tail);
	k->is_destroyed = true;
	link_unref(k);
}

int
msg_link_attach(struct msg_link *k, int take_fd, struct err *e)
{
	auto_fd int fd = take_fd;
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return err_sys(e, "link to role %u", k->spec.peer);
	if (type != SOCK_SEQPACKET)
		return err_set(
			e, ERR_INVALID, "link to role %u: socket type %d", k->spec.peer, type);
	/* The new end may come before we saw the old one close: it is gone all the same, and calls
	 * of which the outcome is unknown must not be sent again unless their owner was told. */
	if (k->fd >= 0)
		socket_ended(k);
	struct msg_frame *waiting = queue_steal(k);
	for (struct call *c = k->calls; c; c = c->next) {
		if (c->frame)
			queue_add(k, c->frame);
	}
	while (waiting) {
		struct msg_frame *next = waiting->next;

		queue_add(k, waiting);
		waiting = next;
	}
	k->fd = steal_fd(&fd);
	k->was_cut = false;
	k->turn++;
	k->io = loop_io_add(k->l, k->fd, EPOLLIN, on_socket, k);
	flush(k);
	return 0;
}

bool
msg_link_is_up(const struct msg_link *k)
{
	return k->fd >= 0;
}

bool
msg_link_was_cut(const struct msg_link *k)
{
	return k->was_cut;
}

static int
say(struct msg_link *k, const struct msg_out *out, enum msg_kind kind, uint64_t id, struct err *e)
{
	struct msg_frame *f;
	int rc = make_frame(k, out, kind, &f, e);

	if (rc < 0)
		return rc;
	f->header.id = id;
	enqueue(k, f);
	return 0;
}

int
msg_send(struct msg_link *k, const struct msg_out *out, struct err *e)
{
	return say(k, out, MSG_KIND_SEND, 0, e);
}

/* An answer to a socket that is gone is dropped: who asked asks again on the next one. */
int
msg_reply(struct msg_link *k, uint64_t id, const struct msg_out *out, struct err *e)
{
	return k->fd < 0 || id == 0 ? 0 : say(k, out, MSG_KIND_REPLY, id, e);
}
