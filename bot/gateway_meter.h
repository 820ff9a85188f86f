/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_meter - what a box takes at the models, and the end of it.
 *
 * Each request holds what it is known to take while it is under way, so that many at once do not
 * slip through a budget together. When the budget is used up, or the provider fails time and again,
 * nothing more goes out: the answer is the one that makes the client stop instead of trying again.
 */
#ifndef BOT_GATEWAY_METER_H
#define BOT_GATEWAY_METER_H

#include "base/row.h"
#include "config/config.h"
#include "sandbox/egress_usage.h"
#include "store/usage.h"

struct gateway_conn;
struct gateway_box;
struct wire_box;

/* Of a box, in struct gateway_box. */
struct gateway_budget {
	struct row_list uses; /* struct usage: what is over */
	int64_t held_tokens;  /* by what is under way */
	int64_t held_cost;
	int64_t tokens_max; /* 0: no limit, both */
	int64_t cost_max;
	int failures; /* answers in a row that were errors */
	char *spent;  /* why no more goes out, or NULL */
};

/* Of a connection, in struct gateway_conn. */
struct gateway_metering {
	bool is_on;
	bool has_price;
	bool wants_stream;
	char *model;
	struct config_price price;
	struct egress_meter meter;
	int64_t held_tokens;
	int64_t held_cost;
};

void budget_open(struct gateway_budget *b, const struct wire_box *w);
void budget_finish(struct gateway_budget *b);

/* False: the box may not ask, and has its answer. */
bool meter_begin(
	struct gateway_conn *c, const struct config_model *m, const struct egress_body *body);

/* A piece of the answer. False: the budget is used up with it, and the answer ends here. */
bool meter_feed(struct gateway_conn *c, const char *data, size_t len);

/* The answer is over; status 0: it did not come, or nobody waits for it any more. May be called
 * again. */
void meter_end(struct gateway_conn *c, int status);

/* What was said of a stream goes on with the event that makes its client stop. */
void meter_last_event(const struct gateway_conn *c, struct buf *out);

#endif
