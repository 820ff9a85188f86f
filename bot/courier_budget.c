/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_budget - see courier_budget.h.
 */
#include "bot/courier_budget.h"

#include "base/buggify.h"

#define MINUTE_MS 60000
#define HOUR_MS   (60 * MINUTE_MS)

/* Wait until the write that was max writes ago leaves the window. */
static int64_t
window_wait(const struct budget *b, size_t max, int64_t window_ms, int64_t now_ms)
{
	int64_t until;

	if (b->n < max)
		return 0;
	if (BUGGIFY("budget.tight"))
		window_ms += 2000;
	until = b->at_ms[(b->n - max) % BUDGET_HOUR_MAX] + window_ms;
	return until > now_ms ? until - now_ms : 0;
}

int64_t
budget_read_wait_ms(const struct budget *b, int64_t now_ms)
{
	return b->blocked_until_ms > now_ms ? b->blocked_until_ms - now_ms : 0;
}

int64_t
budget_write_wait_ms(const struct budget *b, int64_t now_ms)
{
	int64_t wait = budget_read_wait_ms(b, now_ms);
	int64_t minute = window_wait(b, BUDGET_MINUTE_MAX, MINUTE_MS, now_ms);
	int64_t hour = window_wait(b, BUDGET_HOUR_MAX, HOUR_MS, now_ms);

	if (minute > wait)
		wait = minute;
	return hour > wait ? hour : wait;
}

void
budget_write(struct budget *b, int64_t now_ms)
{
	b->at_ms[b->n++ % BUDGET_HOUR_MAX] = now_ms;
}

void
budget_block(struct budget *b, int64_t until_ms)
{
	if (until_ms > b->blocked_until_ms)
		b->blocked_until_ms = until_ms;
}
