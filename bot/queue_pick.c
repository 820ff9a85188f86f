/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_pick - whose turn it is in the outbox.
 *
 * Scope by scope, for what one forge does not take now must cost nothing however much of it waits:
 * a full scope is not looked at. Those with room take turns. First comes what no forge counts: a
 * push is the work itself.
 */
#include "bot/queue.h"

#include "base/clock.h"
#include "base/mem.h"

struct picking {
	struct queue *q;
	int64_t now_ms;
	int64_t *ids;
	size_t n, max;
};

static int
pick_of(struct picking *p, const char *scope, struct err *e)
{
	enum queue_room room = queue_bucket_room(p->q, scope, clock_boot_ms());
	const struct effect_ask ask = {
		.scope = scope, .now_ms = p->now_ms, .is_spare = room == ROOM_RESULTS
	};
	size_t n = 0;

	if (room == ROOM_NONE)
		return 0;
	int rc = p->q->db->effect_due(p->q->store, &ask, p->ids + p->n, p->max - p->n, &n, e);
	p->n += n;
	return rc;
}

/* Of the scopes after one, up to last; NULL: to the end. */
static int
pick_from(struct picking *p, const char *after, const char *last, struct err *e)
{
	struct queue *q = p->q;
	auto_free char *at = mem_str(after);
	int rc = 0;

	while (p->n < p->max && !(last && str_eq(at, last))) {
		char *next = NULL;

		rc = q->db->effect_scope(q->store, at, &next, e);
		if (rc < 0)
			break;
		free(at);
		at = next;
		rc = pick_of(p, at, e);
		if (rc < 0)
			return rc;
		if (p->n == p->max)
			mem_set(&q->pick_after, at);
	}
	return rc == ERR_MISSING ? 0 : rc;
}

int
queue_pick(struct queue *q, int64_t now_ms, int64_t *ids, size_t max, size_t *n, struct err *e)
{
	struct picking p = { .q = q, .now_ms = now_ms, .ids = ids, .max = max };
	auto_free char *first = mem_str(q->pick_after ? q->pick_after : "");
	int rc = max > 0 ? pick_of(&p, "", e) : 0;

	mem_set(&q->pick_after, NULL);
	if (rc == 0 && p.n < p.max)
		rc = pick_from(&p, first, NULL, e);
	if (rc == 0 && p.n < p.max)
		rc = pick_from(&p, "", first, e);
	*n = p.n;
	return rc;
}
