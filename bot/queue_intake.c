/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_intake - a delivery is stored, and only then acknowledged.
 *
 * Nothing is parsed here. A redelivery is acknowledged like the first one, but only when that one
 * is on the disk: both wait for the end of the round.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/log.h"
#include "base/mem.h"

struct ack {
	uint64_t call;
	struct wire_stored stored;
};

int
queue_intake_add(struct queue *q, const struct forge_delivery *d, const char *body, size_t len,
	int64_t *id, struct err *e)
{
	struct delivery row = {
		.forge = d->forge,
		.guid = str_is_empty(d->guid) ? NULL : d->guid,
		.event = d->event,
		.event_type = d->event_type,
		.content_type = d->content_type,
		.received_ms = d->received_ms,
	};
	static char none[] = "";

	if (!row.event)
		row.event = none;
	return q->db->delivery_add(q->store, &row, body, len, id, e);
}

static void
acknowledge(struct queue *q, void *ctx, bool committed)
{
	struct ack *a = ctx;
	struct log_ctx log = { .delivery = a->stored.delivery };
	struct err e = { 0 };

	if (!committed && a->stored.ok) {
		a->stored.ok = false;
		mem_set(&a->stored.text, "the store did not take it");
	}
	if (msg_reply(role_link(q->role, ROLE_WEB), a->call,
		    &(struct msg_out){ .type = WIRE_STORED, .obj = &a->stored }, &e) < 0)
		log_err(LOG_LEVEL_WARN, &log, "delivery.unanswered", &e);
	free(a->stored.text);
	free(a);
}

void
queue_delivery(struct queue *q, struct msg *m)
{
	const struct forge_delivery *d = m->obj;
	struct ack *a = mem_zero(sizeof(*a));
	struct err e = { 0 };

	a->call = m->id;
	int rc = d->forge ? 0 : err_set(&e, ERR_INVALID, "a delivery of no forge");
	if (BUGGIFY("intake.full"))
		rc = err_set(&e, ERR_LIMIT, "buggify");
	if (rc == 0)
		rc = queue_begin_intake(q, &e);
	if (rc == 0)
		rc = queue_intake_add(q, d, m->blob, m->blob_len, &a->stored.delivery, &e);
	a->stored.ok = rc == 0 || rc == ERR_CONFLICT;
	a->stored.is_duplicate = rc == ERR_CONFLICT;
	if (a->stored.ok) {
		queue_wake(q, WAKE_DECODE);
	} else {
		log_err(LOG_LEVEL_ERROR, NULL, "delivery.refused", &e);
		a->stored.text = mem_str(e.text);
	}
	queue_after(q, acknowledge, a);
}
