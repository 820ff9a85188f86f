/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_bucket - who may write now, when not everybody can.
 *
 * The courier keeps the forge's limits; here they are shared out. What merely shows progress leaves
 * a third of each window to state changes and pull requests, so twenty talkative tasks stretch
 * their own edits and nobody's result.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/mem.h"

#define MINUTE_MS     60000
#define HOUR_MS       (60 * MINUTE_MS)
#define IDLE_MINUTE   (BUDGET_MINUTE_MAX * 2 / 3)
#define IDLE_HOUR     (BUDGET_HOUR_MAX * 2 / 3)
#define LOOK_AGAIN_MS 2000

static struct queue_bucket *
find(struct queue *q, const char *scope)
{
	for (size_t i = 0; i < q->n_buckets; i++) {
		if (str_eq(q->buckets[i].scope, scope))
			return &q->buckets[i];
	}
	q->buckets = mem_grow(q->buckets, q->n_buckets + 1, sizeof(*q->buckets));
	q->buckets[q->n_buckets] = (struct queue_bucket){ .scope = mem_str(scope) };
	return &q->buckets[q->n_buckets++];
}

static size_t
spent_since(const struct budget *b, int64_t since_ms)
{
	size_t kept = b->n < BUDGET_HOUR_MAX ? b->n : BUDGET_HOUR_MAX, n = 0;

	for (size_t i = 0; i < kept; i++)
		n += b->at_ms[i] > since_ms ? 1 : 0;
	return n;
}

int64_t
queue_bucket_take(struct queue *q, const char *scope, bool is_urgent, int64_t now_ms)
{
	struct budget *b = &find(q, scope)->spent;

	now_ms *= q->speed;
	int64_t wait = budget_write_wait_ms(b, now_ms);
	if (wait == 0 && BUGGIFY("bucket.empty"))
		wait = LOOK_AGAIN_MS;
	if (wait == 0 && !is_urgent &&
		(spent_since(b, now_ms - MINUTE_MS) >= IDLE_MINUTE ||
			spent_since(b, now_ms - HOUR_MS) >= IDLE_HOUR))
		wait = LOOK_AGAIN_MS;
	if (wait == 0)
		budget_write(b, now_ms);
	return wait > 0 ? queue_wait_ms(q, wait) + 1 : 0;
}

void
queue_bucket_close(struct queue *q, const char *scope, int64_t until_ms)
{
	budget_block(&find(q, scope)->spent, until_ms * q->speed);
}

void
queue_bucket_finish(struct queue *q)
{
	for (size_t i = 0; i < q->n_buckets; i++)
		free(q->buckets[i].scope);
	free(q->buckets);
	q->buckets = NULL;
	q->n_buckets = 0;
}
