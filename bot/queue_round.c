/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_round - one transaction for a round of the loop.
 *
 * Sixteen deliveries that came together share one fsync; that is the whole difference between 550
 * and 2,800 a second. The first write opens the transaction and sets a timer for the next round,
 * the timer commits. Whatever is said to others waits in a list until then.
 *
 * After a failed commit the memory may know more than the disk. Only a round of nothing but
 * deliveries can be answered with "no"; anything else ends the role, which is started again and
 * reads the truth from the store. A kernel forgets what a failed fsync did not write, so then, too,
 * the file is opened anew and never synced again through the same descriptor.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>

/* Of wake, what mask names. */
static void
pump(struct queue *q, unsigned mask)
{
	unsigned wake = q->wake & mask;

	q->wake &= ~mask;
	if (q->is_stopping)
		return;
	if (wake & WAKE_DECODE)
		queue_decode_pump(q);
	if (wake & WAKE_CASES)
		queue_case_pump(q);
	if (wake & WAKE_DISPATCH)
		queue_dispatch_pump(q);
	if (wake & WAKE_OUTBOX)
		queue_outbox_pump(q);
}

static int
commit(struct queue *q, struct err *e)
{
	if (!q->is_open)
		return 0;
	q->is_open = false;
	q->is_busy = true;
	if (BUGGIFY("round.commit")) {
		q->db->rollback(q->store);
		return err_set(e, ERR_SYSTEM, "buggify");
	}
	return q->db->commit(q->store, e);
}

static void
round_end(void *ctx)
{
	struct queue *q = ctx;
	struct err e = { 0 };

	q->round_timer = NULL;
	if (!q->is_stopping)
		queue_clock_look(q);
	/* What only writes before it speaks may still come into this transaction: a new task is
	 * claimed and its first effects are taken in hand by the commit that makes it. */
	if (q->is_open && !BUGGIFY("round.no_pump"))
		pump(q, WAKE_DISPATCH | WAKE_OUTBOX);
	int rc = commit(q, &e);
	size_t n = q->n_after;
	/* What is called may ask for the next round, so the list is walked by index and cut after.
	 */
	for (size_t i = 0; i < n; i++)
		q->after[i].cb(q, q->after[i].ctx, rc == 0);
	q->n_after -= n;
	if (q->n_after > 0)
		memmove(q->after, q->after + n, q->n_after * sizeof(*q->after));
	if (rc < 0 && (rc != ERR_LIMIT || !q->is_intake_only)) {
		queue_fatal(q, "queue.commit", &e);
		return;
	}
	if (rc < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "queue.full", &e);
	pump(q, ~0u);
}

static void
schedule(struct queue *q)
{
	if (!q->round_timer)
		q->round_timer = loop_timer_add(
			q->role->loop, BUGGIFY("round.late") ? 200 : 0, round_end, q);
}

static int
begin(struct queue *q, struct err *e)
{
	int rc = q->is_open               ? 0
		 : BUGGIFY("round.begin") ? err_set(e, ERR_LIMIT, "buggify")
					  : q->db->begin(q->store, e);

	if (rc < 0)
		return rc;
	if (!q->is_open)
		q->is_intake_only = true;
	q->is_open = true;
	schedule(q);
	/* Before anything is written by the new time: it would be moved along with the old. */
	return queue_clock_follow(q, e);
}

int
queue_begin_intake(struct queue *q, struct err *e)
{
	return begin(q, e);
}

int
queue_begin(struct queue *q)
{
	struct err e = { 0 };
	int rc = begin(q, &e);

	if (rc < 0)
		queue_fatal(q, "queue.begin", &e);
	q->is_intake_only = false;
	return rc;
}

void
queue_after(struct queue *q, queue_after_cb *cb, void *ctx)
{
	if (q->n_after == q->after_cap) {
		q->after_cap = q->after_cap ? 2 * q->after_cap : 32;
		q->after = mem_grow(q->after, q->after_cap, sizeof(*q->after));
	}
	q->after[q->n_after].cb = cb;
	q->after[q->n_after++].ctx = ctx;
	schedule(q);
}

void
queue_wake(struct queue *q, unsigned wake)
{
	q->wake |= wake;
	schedule(q);
}

/* The last round: what is written is committed and told, nothing new begins. */
void
queue_round_finish(struct queue *q)
{
	q->is_stopping = true;
	loop_timer_remove(q->round_timer);
	round_end(q);
	loop_timer_remove(q->round_timer);
	q->round_timer = NULL;
	if (q->is_open)
		q->db->rollback(q->store);
	for (size_t i = 0; i < q->n_after; i++)
		q->after[i].cb(q, q->after[i].ctx, false);
	free(q->after);
	q->after = NULL;
	q->after_cap = 0;
	q->n_after = 0;
}
