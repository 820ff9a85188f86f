/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_bucket - who may write now, when not everybody can.
 *
 * The courier keeps the forge's limits; here they are shared out. What merely shows progress leaves
 * a third of each window to state changes and pull requests, so twenty talkative tasks stretch
 * their own edits and nobody's result.
 *
 * A forge counts on while we are restarted. So what was written is in the store, with the effect
 * that it was written for; and so is when the forge asked for peace until, which a new courier is
 * told before anything else.
 */
#include "bot/queue.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS    60000
#define HOUR_MS      (60 * MINUTE_MS)
#define IDLE_MINUTE  (BUDGET_MINUTE_MAX * 2 / 3)
#define IDLE_HOUR    (BUDGET_HOUR_MAX * 2 / 3)
#define CLOSED_KEY   "pace.closed" /* scopes that a forge closed, one a line */
#define SCOPES_BYTES 16384

/* ---- in the store ---- */

/* "wall-ms ms-until-open ms-ago ms-ago ...": ages, for no clock is the same one later. */
static void
save(struct queue *q, const struct queue_bucket *k, int64_t now_ms)
{
	auto_free char *key = mem_fmt("pace:%s", k->scope);
	auto_buf struct buf text = BUF_INIT(STORE_KV_BYTES_MAX);
	const struct budget *b = &k->spent;
	size_t kept = b->n < BUDGET_HOUR_MAX ? b->n : BUDGET_HOUR_MAX;
	int64_t left = b->blocked_until_ms - now_ms;
	struct err e = { 0 };

	if (!q->db)
		return;
	(void)buf_addf(&text, "%" PRId64 " %" PRId64, clock_wall_ms(), left > 0 ? left : 0);
	for (size_t i = b->n - kept; i < b->n; i++) {
		int64_t age = now_ms - b->at_ms[i % BUDGET_HOUR_MAX];

		if (age < HOUR_MS)
			(void)buf_addf(&text, " %" PRId64, age);
	}
	if (q->db->kv_put(q->store, key, buf_str(&text), &e) < 0)
		queue_fatal(q, "bucket.save", &e);
}

static void
load(struct queue *q, struct queue_bucket *k)
{
	auto_free char *key = mem_fmt("pace:%s", k->scope);
	auto_buf struct buf text = BUF_INIT(STORE_KV_BYTES_MAX);
	int64_t now_ms = clock_boot_ms() * q->speed;
	char *at;

	if (!q->db || q->db->kv_get(q->store, key, &text, NULL) < 0)
		return;
	/* A clock that was set back makes it look newer than it is, which only makes us wait. */
	int64_t since = (clock_wall_ms() - strtoll(buf_str(&text), &at, 10)) * q->speed;
	int64_t left = strtoll(at, &at, 10);
	since = since > 0 ? since : 0;
	if (left > since)
		k->spent.blocked_until_ms = now_ms + left - since;
	while (*at == ' ') {
		int64_t age = strtoll(at, &at, 10) + since;

		if (age < HOUR_MS)
			budget_write(&k->spent, now_ms - age);
	}
}

static struct queue_bucket *
find(struct queue *q, const char *scope)
{
	for (size_t i = 0; i < q->n_buckets; i++) {
		if (!str_eq(q->buckets[i].scope, scope))
			continue;
		if (q->node.n_nodes > 1) { /* they write, too */
			q->buckets[i].spent = (struct budget){ 0 };
			load(q, &q->buckets[i]);
		}
		return &q->buckets[i];
	}
	q->buckets = mem_grow(q->buckets, q->n_buckets + 1, sizeof(*q->buckets));
	struct queue_bucket *k = &q->buckets[q->n_buckets++];
	*k = (struct queue_bucket){ .scope = mem_str(scope) };
	load(q, k);
	return k;
}

/* ---- writes ---- */

static size_t
spent_since(const struct budget *b, int64_t since_ms)
{
	size_t kept = b->n < BUDGET_HOUR_MAX ? b->n : BUDGET_HOUR_MAX, n = 0;

	for (size_t i = 0; i < kept; i++)
		n += b->at_ms[i] > since_ms ? 1 : 0;
	return n;
}

static enum queue_room
room_of(const struct budget *b, int64_t now_ms)
{
	if (budget_write_wait_ms(b, now_ms) > 0)
		return ROOM_NONE;
	return spent_since(b, now_ms - MINUTE_MS) >= IDLE_MINUTE ||
			       spent_since(b, now_ms - HOUR_MS) >= IDLE_HOUR
		       ? ROOM_RESULTS
		       : ROOM_ALL;
}

enum queue_room
queue_bucket_room(struct queue *q, const char *scope, int64_t now_ms)
{
	return *scope ? room_of(&find(q, scope)->spent, now_ms * q->speed) : ROOM_ALL;
}

bool
queue_bucket_take(struct queue *q, const char *scope, bool is_result, int64_t now_ms)
{
	struct queue_bucket *k = *scope ? find(q, scope) : NULL;

	if (!k)
		return true;
	now_ms *= q->speed;
	if (room_of(&k->spent, now_ms) < (is_result ? ROOM_RESULTS : ROOM_ALL))
		return false;
	budget_write(&k->spent, now_ms);
	save(q, k, now_ms);
	return true;
}

/* ---- peace ---- */

static void
tell_courier(struct queue *q, const struct queue_bucket *k, int64_t now_ms)
{
	const char *slash = strrchr(k->scope, '/');
	int64_t left = k->spent.blocked_until_ms - now_ms;
	auto_free char *forge = slash ? mem_strn(k->scope, (size_t)(slash - k->scope)) : NULL;
	struct wire_peace peace = { .forge = forge, .for_ms = left / q->speed };
	struct err e = { 0 };

	if (left <= 0 || !slash ||
		str_i64(slash + 1, 0, INT64_MAX, &peace.installation_id, NULL) < 0)
		return;
	if (msg_send(role_link(q->role, ROLE_COURIER),
		    &(struct msg_out){ .type = WIRE_PEACE, .obj = &peace }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "bucket.untold", &e);
}

void
queue_bucket_close(struct queue *q, const char *scope, int64_t until_ms)
{
	struct queue_bucket *k = find(q, scope);
	auto_buf struct buf scopes = BUF_INIT(SCOPES_BYTES);
	int64_t now_ms = clock_boot_ms() * q->speed;
	struct err e = { 0 };

	budget_block(&k->spent, until_ms * q->speed);
	if (!q->db)
		return;
	save(q, k, now_ms);
	for (size_t i = 0; i < q->n_buckets; i++) {
		if (q->buckets[i].spent.blocked_until_ms > now_ms)
			(void)buf_addf(&scopes, "%s\n", q->buckets[i].scope);
	}
	if (q->db->kv_put(q->store, CLOSED_KEY, buf_str(&scopes), &e) < 0)
		queue_fatal(q, "bucket.close", &e);
}

void
queue_bucket_peace(struct queue *q)
{
	auto_buf struct buf scopes = BUF_INIT(SCOPES_BYTES);
	int64_t now_ms = clock_boot_ms() * q->speed;

	if (q->db->kv_get(q->store, CLOSED_KEY, &scopes, NULL) < 0)
		return;
	for (const char *line = buf_str(&scopes); *line;) {
		size_t len = strcspn(line, "\n");
		auto_free char *scope = mem_strn(line, len);

		tell_courier(q, find(q, scope), now_ms);
		line += len + (line[len] ? 1 : 0);
	}
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
