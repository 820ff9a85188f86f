/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg - how roles talk.
 *
 * A link is one role's end towards one other role: SOCK_SEQPACKET frames, each a type, an id, a
 * row-packed struct, perhaps bytes and perhaps descriptors. A const rule table says which type may
 * go from whom to whom, with which struct and which sizes; a peer that sends anything else is cut
 * off and that is logged as an error. A frame over 64 KiB (struct and bytes together) travels as a
 * sealed memfd.
 *
 * A link outlives its socket: when the peer is restarted the master hands over a new end
 * (msg_link_attach), and every call that was not answered is sent again. Receivers therefore answer
 * the same question twice with the same effect.
 */
#ifndef BASE_MSG_H
#define BASE_MSG_H

#include "base/err.h"
#include "base/loop.h"
#include "base/row.h"

#include <stdbool.h>
#include <stdint.h>

#define MSG_FDS_MAX          4
#define MSG_INLINE_BYTES_MAX 65536

struct msg_rule {
	uint16_t type;          /* > 0; the reply to a call is a type of its own */
	const char *name;       /* for logs */
	uint32_t from;          /* bit mask of roles */
	uint32_t to;            /* bit mask of roles */
	const struct row *rows; /* NULL: no struct */
	size_t size;            /* sizeof the struct */
	size_t blob_max;        /* bytes; 0: no blob */
	size_t fds_max;         /* descriptors besides the memfd of a large blob */
};

/* A received message. obj, blob and fds belong to the layer and end with the callback; take an fd
 * with steal_fd. */
struct msg {
	uint16_t type;
	uint64_t id; /* answer with msg_reply(link, m->id, ...); 0: nobody waits */
	void *obj;
	const char *blob;
	size_t blob_len;
	int fds[MSG_FDS_MAX];
	size_t n_fds;
};

/* What to send. Everything is borrowed for the call; descriptors are duplicated. A blob that stays
 * as it is until the msg_call has been answered or cancelled need not be copied. */
struct msg_out {
	uint16_t type;
	const void *obj; /* of the rule's rows */
	const void *blob;
	size_t blob_len;
	bool blob_stays;
	const int *fds;
	size_t n_fds;
};

struct msg_link;
typedef void msg_cb(void *ctx, struct msg_link *link, struct msg *m);

/* The answer to a call. m is NULL if the time was up: e says so. */
typedef void msg_reply_cb(void *ctx, struct msg *m, const struct err *e);

/* on_gone may be NULL: called when the socket closed (the peer ended or was cut off), before a new
 * end comes. */
struct msg_link_spec {
	const struct msg_rule *rules;
	size_t n_rules;
	unsigned self; /* role number = bit number */
	unsigned peer;
	msg_cb *on_msg; /* everything that is not a reply */
	loop_cb *on_gone;
	void *ctx;
};

struct msg_link *msg_link_create(struct loop *l, const struct msg_link_spec *spec);
void msg_link_destroy(struct msg_link *link);

/* Takes the descriptor. Pending calls are sent (again), then what was queued. */
int msg_link_attach(struct msg_link *link, int take_fd, struct err *e);
bool msg_link_is_up(const struct msg_link *link);

/* True after on_gone if it was we who closed the socket, because the peer broke the rules. */
bool msg_link_was_cut(const struct msg_link *link);

/* What a round of the loop says is sent at its end, in one system call.
 *
 * One way. Queued while the peer is away or slow, at most 64 MiB; ERR_BUSY over that. ERR_INVALID
 * against the rules is our own mistake and asserts in debug builds. */
int msg_send(struct msg_link *link, const struct msg_out *out, struct err *e);

/* Asks; cb comes exactly once unless the link is destroyed or the call cancelled. timeout_ms 0 =
 * for ever. Returns the call's id. */
uint64_t msg_call(struct msg_link *link, const struct msg_out *out, int64_t timeout_ms,
	msg_reply_cb *cb, void *ctx);
void msg_call_cancel(struct msg_link *link, uint64_t id);

int msg_reply(struct msg_link *link, uint64_t id, const struct msg_out *out, struct err *e);

/* A connected SEQPACKET pair, close-on-exec, with send buffers large enough for a full inline
 * frame. */
int msg_pair(int fds[2], struct err *e);

/* A door: a socket name in the directory dir, mode 0600, at which a peer of the same user (or root)
 * finds who listens, however often either of them starts anew. An old one of that name goes. */
int msg_listen(int dir, const char *name, int *fd, struct err *e);

/* From now on it is this process that a peer sees at the other end of this door. */
int msg_listen_here(int fd, struct err *e);

/* The next peer at the door. ERR_BUSY: nobody is there. ERR_DENIED: another user was. */
int msg_accept(int listener, int *fd, struct err *e);

/* Goes there; *pid is who listens. ERR_MISSING: nobody does. */
int msg_connect(int dir, const char *name, int *fd, pid_t *pid, struct err *e);

#endif
