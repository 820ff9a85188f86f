/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_turn - starts go before ends.
 *
 * Somebody waits for an attempt to begin; for the packing, checking and testing behind it nobody
 * waits so. While an attempt is on its way to its first box, those whose agent has ended let it
 * pass: for a moment, because what is prepared may also be a large repository that is fetched for
 * the first time.
 */
#include "bot/runner.h"

#define PASS_MS_MAX 1000

static bool
is_starting(const struct runner *r)
{
	bool found = false;

	for (const struct attempt *a = r->attempts; a; a = a->next)
		found |= !a->has_begun && a->phase != PHASE_END && !a->layer_wait;
	return found;
}

/* The list may lose any attempt while one of them goes on. */
static struct attempt *
next_waiting(const struct runner *r)
{
	struct attempt *a = r->attempts;

	while (a && !a->waits)
		a = a->next;
	return a;
}

static void
on_turn(void *ctx)
{
	struct runner *r = ctx;
	struct attempt *a;

	r->turn = NULL;
	while ((a = next_waiting(r))) {
		a->waits = false;
		if (a->phase != PHASE_END)
			attempt_after_agent(a);
	}
}

void
turn_wait(struct attempt *a)
{
	struct runner *r = a->r;

	a->waits = true;
	state_save(a);
	if (!r->turn)
		r->turn =
			loop_timer_add(r->role->loop, is_starting(r) ? PASS_MS_MAX : 0, on_turn, r);
}

void
turn_begun(struct attempt *a)
{
	struct runner *r = a->r;

	if (a->has_begun)
		return;
	a->has_begun = true;
	if (!r->turn || is_starting(r))
		return;
	loop_timer_remove(r->turn);
	r->turn = loop_timer_add(r->role->loop, 0, on_turn, r);
}
