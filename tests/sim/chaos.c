/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chaos - what befalls processes and machine while faults are on. Each history has its own weather.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>

#define DISK_FULL_MS_MAX (2 * MINUTE)

static int64_t usual_ms; /* between two strokes */

static const enum role MORTAL[] = { ROLE_QUEUE, ROLE_QUEUE, ROLE_QUEUE, ROLE_COURIER, ROLE_COURIER,
	ROLE_RUNNER, ROLE_DECODER, ROLE_WEB, ROLE_KEEPER };

static enum role
choose_role(void)
{
	return MORTAL[chance_in(0, sizeof(MORTAL) / sizeof(MORTAL[0]) - 1)];
}

static void
disk_has_room(void *ctx)
{
	(void)ctx;
	sim_note("the disk has room again");
	disk_fill(false);
}

static void
fill_disk(void)
{
	sim_note("the disk is full");
	disk_fill(true);
	(void)loop_timer_add(sim_loop(), chance_in(SECOND, DISK_FULL_MS_MAX), disk_has_room, NULL);
}

static void
set_clock(void)
{
	int64_t by = chance_of(500) ? chance_in(-10 * MINUTE, 10 * MINUTE) : chance_in(-3000, 3000);

	SIM.wall_ms += by;
	sim_note("the clock is set by %" PRId64 " ms", by);
}

static void
stall(void)
{
	const struct actor *a = actor_of(choose_role());
	int64_t ms = chance_in(100, 12000);

	if (!a->is_up)
		return;
	sim_note("%s stands still for %" PRId64 " ms", role_name(a->role), ms);
	loop_stall(a->ctx.loop, ms);
}

static void
strike(void *ctx)
{
	int64_t what = chance_in(0, 99);

	(void)ctx;
	if (SIM.is_calm)
		return;
	if (what < 50)
		actor_kill(choose_role());
	else if (what < 60)
		actor_term(ROLE_QUEUE);
	else if (what < 66)
		power_cut();
	else if (what < 70)
		fill_disk();
	else if (what < 76)
		set_clock();
	else if (what < 78)
		machine_lose_boxes();
	else
		stall();
	(void)loop_timer_add(sim_loop(), chance_in(0, 2 * usual_ms), strike, NULL);
}

void
chaos_start(void)
{
	static const int64_t WEATHER[] = { 10 * SECOND, 20 * SECOND, MINUTE, 3 * MINUTE,
		10 * MINUTE };

	usual_ms = WEATHER[chance_in(0, 4)];
	(void)loop_timer_add(sim_loop(), usual_ms, strike, NULL);
}
