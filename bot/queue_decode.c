/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_decode - bytes from outside become an event, in a process that has nothing to lose.
 *
 * One delivery at a time: a decoder that dies or does not answer in time has been killed by this
 * one. Each time is a strike, counted before the delivery is tried again; three and the delivery is
 * put aside with its bytes.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/limits.h"
#include "base/log.h"

/* The decoder's own alarm ends it when it has worked for LIMIT_DECODE_MS; this is for one that does
 * not even work. */
#define ANSWER_MS (15 * LIMIT_DECODE_MS)

static void
put_aside(struct queue *q, int64_t id, enum delivery_state state, const char *why)
{
	struct log_ctx log = { .delivery = id };
	struct err e = { 0 };

	if (queue_begin(q) < 0)
		return;
	if (q->db->delivery_end(q->store, id, state, why, &e) < 0)
		queue_fatal(q, "delivery.end", &e);
	else if (state == DELIVERY_QUARANTINED)
		log_error(&log, "delivery.quarantined", "why=\"%s\"", why);
	else
		log_info(&log, "delivery.ignored", "why=\"%s\"", why);
}

static void
strike(struct queue *q, int64_t id, const char *why)
{
	struct log_ctx log = { .delivery = id };
	struct err e = { 0 };
	int64_t strikes = 0;

	if (queue_begin(q) < 0)
		return;
	if (q->db->delivery_strike(q->store, id, &strikes, &e) < 0) {
		queue_fatal(q, "delivery.strike", &e);
		return;
	}
	log_warn(&log, "delivery.strike", "strikes=%lld why=\"%s\"", (long long)strikes, why);
	if (strikes >= LIMIT_DELIVERY_STRIKES)
		put_aside(q, id, DELIVERY_QUARANTINED, why);
	else
		q->decode_after = id - 1;
	queue_wake(q, WAKE_DECODE);
}

static void
decoded(struct queue *q, int64_t id, struct msg *m)
{
	const struct wire_verdict *v = m->obj;
	struct forge_event ev = { 0 };
	struct delivery d = { 0 };
	struct err e = { 0 };

	if (!v->ok) {
		const char *why = v->text ? v->text : "not understood";

		put_aside(
			q, id, v->code == ERR_LIMIT ? DELIVERY_QUARANTINED : DELIVERY_IGNORED, why);
		return;
	}
	int rc = row_unpack(FORGE_EVENT_ROWS, &ev, m->blob, m->blob_len, &e);
	if (rc < 0) {
		put_aside(q, id, DELIVERY_QUARANTINED, e.text);
		return;
	}
	rc = q->db->delivery_get(q->store, id, &d, &e);
	if (rc < 0) {
		forge_event_finish(&ev);
		queue_fatal(q, "delivery.read", &e);
		return;
	}
	queue_case_add(q, &d, &ev);
	delivery_finish(&d);
}

static void
on_event(void *ctx, struct msg *m, const struct err *e)
{
	struct queue *q = ctx;
	int64_t id = q->decode_id;

	q->decode_call = 0;
	q->decode_id = 0;
	if (m) {
		queue_trial_begin(q, "delivery", id, NULL);
		decoded(q, id, m);
		queue_trial_end(q);
	} else {
		/* The next delivery must not be struck for the end of this decoder. */
		q->decode_is_cut = true;
		role_cut_peer(q->role, ROLE_DECODER);
		strike(q, id, e->text);
	}
	queue_wake(q, WAKE_DECODE);
}

void
queue_decode_gone(struct queue *q)
{
	int64_t id = q->decode_id;

	q->decode_is_cut = false;
	if (q->decode_call == 0)
		return;
	msg_call_cancel(role_link(q->role, ROLE_DECODER), q->decode_call);
	q->decode_call = 0;
	q->decode_id = 0;
	strike(q, id, "the decoder ended while it read this");
}

static int
ask(struct queue *q, struct delivery *d, struct err *e)
{
	static char none[] = "";
	auto_buf struct buf body = BUF_INIT(LIMIT_DELIVERY_BYTES);
	const struct forge_delivery head = {
		.forge = d->forge,
		.guid = d->guid ? d->guid : none,
		.event = d->event,
		.event_type = d->event_type,
		.content_type = d->content_type,
		.received_ms = d->received_ms,
	};
	int rc = q->db->delivery_body(q->store, d->id, &body, e);
	if (rc < 0)
		return rc;

	const struct msg_out out = {
		.type = WIRE_DECODE, .obj = &head, .blob = body.data, .blob_len = body.len
	};
	q->decode_id = d->id;
	q->decode_after = d->id;
	q->decode_call = msg_call(role_link(q->role, ROLE_DECODER), &out, ANSWER_MS, on_event, q);
	return 0;
}

void
queue_decode_pump(struct queue *q)
{
	struct delivery d = { 0 };
	struct err e = { 0 };

	/* While the decoder is away nothing is asked: its absence is nobody's strike. */
	if (BUGGIFY("decode.later")) {
		queue_wake(q, WAKE_DECODE);
		return;
	}
	if (!q->node.leads || q->decode_call != 0 || q->decode_is_cut || !queue_case_has_room(q) ||
		!msg_link_is_up(role_link(q->role, ROLE_DECODER)))
		return;
	int rc = q->db->delivery_next(q->store, q->decode_after, &d, &e);
	if (rc == ERR_MISSING)
		return;
	if (rc == 0)
		rc = ask(q, &d, &e);
	if (rc < 0)
		queue_fatal(q, "delivery.read", &e);
	delivery_finish(&d);
}
