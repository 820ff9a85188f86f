/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg_frame - one SEQPACKET frame: making it, sending it, and receiving it with distrust.
 *
 * A frame is a header, the packed struct and the blob. If struct and blob together are over
 * MSG_INLINE_BYTES_MAX they travel as a memfd, the first descriptor of the frame, sealed so that
 * the sender cannot change or shorten what the receiver has mapped and checked. Used by msg.c only.
 */
#ifndef BASE_MSG_FRAME_H
#define BASE_MSG_FRAME_H

#include "base/msg.h"

enum msg_kind {
	MSG_KIND_SEND,  /* one way */
	MSG_KIND_CALL,  /* id is the sender's, wanted back */
	MSG_KIND_REPLY, /* id is that of the call it answers */
	MSG_KIND_COUNT,
};

struct msg_header {
	uint16_t type;
	uint8_t kind;
	uint8_t in_memfd; /* struct and blob are in the first descriptor */
	uint32_t obj_len;
	uint64_t id;
	uint64_t blob_len;
};

/* A frame to send; owns bytes and descriptors. */
struct msg_frame {
	struct msg_frame *next; /* in the link's queue */
	bool is_queued;
	bool is_call; /* the call owns it and sends it again */
	struct msg_header header;
	char *inline_data; /* struct and blob unless in_memfd; without the blob if that is borrowed
			    */
	const char *blob;  /* borrowed, or NULL */
	int fds[MSG_FDS_MAX + 1];
	size_t n_fds;
	size_t bytes; /* what it counts for in the link's ceiling */
};

/* A received frame; owns everything but data, which points into the buffer of the last
 * msg_in_receive or its own mapping. */
struct msg_in {
	struct msg_header header;
	size_t len; /* of the frame */
	bool is_cut;
	const char *data;
	void *map; /* of map_len bytes, or NULL */
	size_t map_len;
	int fds[MSG_FDS_MAX + 1];
	size_t n_fds;
};

#define MSG_FRAMES_AT_ONCE 16

const struct msg_rule *msg_rule_find(const struct msg_link_spec *spec, uint16_t type);

/* ERR_LIMIT: a member or the blob is over its max. */
int msg_frame_create(const struct msg_rule *rule, const struct msg_out *out, enum msg_kind kind,
	struct msg_frame **frame, struct err *e);
void msg_frame_destroy(struct msg_frame *f);

/* Sends the first frames of a list. The number of them; ERR_BUSY: the socket is full. Anything
 * else: the peer is gone. */
int msg_frames_send(const struct msg_frame *first, int fd, struct err *e);

/* The number of frames that were there, 0 for none, each to be checked and finished. ERR_MISSING:
 * the peer closed. */
int msg_in_receive(int fd, struct msg_in in[MSG_FRAMES_AT_ONCE], struct err *e);

/* ERR_MISSING: this is not a frame but the end. ERR_PROTOCOL: the peer said what it may not. */
int msg_in_check(struct msg_in *in, const struct msg_link_spec *spec, struct err *e);
void msg_in_finish(struct msg_in *in);

#endif
