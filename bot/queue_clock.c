/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_clock - what happens to everything that waits when somebody sets the clock.
 *
 * Waits on the disk are in wall time, for they outlive the boot. The boot clock is never set, so
 * the distance between the two tells of each step, and a note of it in the store of those between
 * two lives. All that waits is then moved along: nothing is done before its time, nothing is put
 * off for years. What is old by a clock that went ahead by more than a day is not thrown away for a
 * day, in which somebody may find that it was wrong.
 *
 * On a server, which other nodes use, the times are not this machine's to move.
 */
#include "bot/queue.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY     "clock"
#define STEP_MS 2000 /* less is nobody's harm */
#define DAY_MS  (24 * 3600 * INT64_C(1000))

struct note {
	char boot[CLOCK_BOOT_ID_BYTES];
	int64_t offset_ms; /* wall minus boot clock */
	int64_t wall_ms;
	int64_t keep_until_ms;
};

static int64_t
offset_ms(void)
{
	return clock_wall_ms() - clock_boot_ms();
}

static bool
note_read(struct queue *q, struct note *n)
{
	auto_buf struct buf text = BUF_INIT(STORE_KV_BYTES_MAX);
	int64_t *const numbers[] = { &n->offset_ms, &n->wall_ms, &n->keep_until_ms };
	char *rest, *word;

	if (q->db->kv_get(q->store, KEY, &text, NULL) < 0)
		return false;
	rest = text.data;
	word = strsep(&rest, " ");
	(void)snprintf(n->boot, sizeof(n->boot), "%s", word ? word : "");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		word = strsep(&rest, " ");
		if (!word || str_i64(word, INT64_MIN, INT64_MAX, numbers[i], NULL) < 0)
			return false;
	}
	return true;
}

int
queue_clock_note(struct queue *q, struct err *e)
{
	if (q->clock_is_theirs)
		return 0;
	auto_free char *text = mem_fmt("%s %" PRId64 " %" PRId64 " %" PRId64,
		*q->boot ? q->boot : "-", q->clock_offset_ms, clock_wall_ms(), q->keep_until_ms);
	return q->db->kv_put(q->store, KEY, text, e);
}

static int
move_all(struct queue *q, int64_t by_ms, struct err *e)
{
	int64_t now_ms = clock_wall_ms();

	log_warn(NULL, "clock.stepped", "by_s=%" PRId64, by_ms / 1000);
	q->clock_offset_ms += by_ms;
	if (q->care_at_ms > 0)
		q->care_at_ms += by_ms;
	q->checked_ms += by_ms;
	if (q->keep_until_ms > now_ms - by_ms)
		q->keep_until_ms += by_ms;
	if (by_ms >= DAY_MS)
		q->keep_until_ms = now_ms + DAY_MS;
	int rc = q->db->waits_move(q->store, by_ms, e);
	return rc < 0 ? rc : queue_clock_note(q, e);
}

static int64_t
step_ms(const struct queue *q)
{
	int64_t by_ms = offset_ms() - q->clock_offset_ms;

	return !q->clock_is_theirs && llabs(by_ms) >= STEP_MS ? by_ms : 0;
}

int
queue_clock_start(struct queue *q, struct err *e)
{
	struct note n = { 0 };
	int64_t now_ms = clock_wall_ms();

	q->clock_is_theirs = config_store_is_remote(q->role->config);
	q->clock_offset_ms = offset_ms();
	if (q->clock_is_theirs || !note_read(q, &n))
		return queue_clock_note(q, e);
	q->keep_until_ms = n.keep_until_ms;
	if (*q->boot && str_eq(q->boot, n.boot))
		q->clock_offset_ms = n.offset_ms;
	else if (now_ms < n.wall_ms) /* time passed, and the clock went back */
		q->clock_offset_ms += n.wall_ms - now_ms;
	else if (now_ms - n.wall_ms >= DAY_MS) /* off for long, or wrong */
		q->keep_until_ms = now_ms + DAY_MS;
	int64_t by_ms = step_ms(q);
	return by_ms ? move_all(q, by_ms, e) : queue_clock_note(q, e);
}

int
queue_clock_follow(struct queue *q, struct err *e)
{
	int64_t by_ms = step_ms(q);

	return by_ms ? move_all(q, by_ms, e) : 0;
}

void
queue_clock_look(struct queue *q)
{
	if (step_ms(q) != 0)
		(void)queue_begin(q);
}
