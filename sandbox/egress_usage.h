/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_usage - what an answer of a model says it took, read off while it passes. Pure.
 *
 * Agents' own reports differ in meaning and are missing when the agent is killed, so tokens are
 * counted here, on the way. The answer is read byte by byte, in pieces of any size, as JSON or as
 * server-sent events of JSON, with a fixed amount of memory: only numbers at known paths from the
 * root are looked at, so nothing that the model wrote can be taken for one. Where an answer breaks
 * off before it says what it took, or is asked not to say it, sizes stand in.
 */
#ifndef SANDBOX_EGRESS_USAGE_H
#define SANDBOX_EGRESS_USAGE_H

#include "sandbox/egress.h"

#include <stdint.h>

#define EGRESS_USAGE_DEPTH_MAX 5
#define EGRESS_USAGE_KEY_MAX   32
#define EGRESS_USAGE_FIELDS    7

/* Tokens; no token is in two of these. */
struct egress_usage {
	int64_t in;      /* read by the model, neither out of the provider's cache nor into it */
	int64_t cached;  /* read out of the cache */
	int64_t written; /* into it */
	int64_t out;
};

struct egress_meter {
	enum egress_api api;
	size_t asked; /* bytes of the request */
	/* what the answer said so far */
	int64_t said[EGRESS_USAGE_FIELDS];
	bool is_final; /* it said how much it wrote in all */
	int64_t events;
	int64_t bytes;
	/* where in it we are */
	int mode;
	int line; /* of "data:", how much of this line has matched */
	int state;
	int depth;
	int array_at; /* the first depth that is below an array; 0: none */
	bool wants_key;
	char names[EGRESS_USAGE_DEPTH_MAX + 1][EGRESS_USAGE_KEY_MAX]; /* of the open objects */
	char key[EGRESS_USAGE_KEY_MAX];
	size_t key_len;
	int64_t number;
};

/* asked: bytes of the request's body. */
void egress_meter_init(struct egress_meter *m, enum egress_api api, size_t asked);
void egress_meter_feed(struct egress_meter *m, const char *data, size_t len);

/* What it took as far as is known now. */
void egress_meter_read(const struct egress_meter *m, struct egress_usage *out);

#endif
