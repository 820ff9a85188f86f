/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_rig_clock - time as the rig lets it pass, in the place of base/clock.
 *
 * The queue's half minutes last 300 ms here, and on a busy machine a test may stand still for
 * longer than that. So a standstill counts as stall_ms, however long it was: no lease ends by it.
 */
#include "queue_rig.h"

#include "base/clock.h"

#include <time.h>

static bool is_started;
static int64_t stall_ms = 10;
static int64_t times = 1;
static int64_t real_ms, boot_ms, wall_ms;

static int64_t
read_ms(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
rig_clock_start(void)
{
	real_ms = boot_ms = read_ms(CLOCK_BOOTTIME);
	wall_ms = read_ms(CLOCK_REALTIME);
	times = 1;
	is_started = true;
}

static void
pass(void)
{
	int64_t now_ms = read_ms(CLOCK_BOOTTIME);
	int64_t passed = (now_ms - real_ms) * times;

	if (passed > stall_ms)
		passed = stall_ms;
	real_ms = now_ms;
	boot_ms += passed;
	wall_ms += passed;
}

void
rig_clock_stall(int64_t ms)
{
	stall_ms = ms;
}

void
rig_clock_hasten(int64_t by)
{
	times = by;
}

void
rig_clock_set(int64_t by_ms)
{
	wall_ms += by_ms;
}

int64_t
clock_boot_ms(void)
{
	if (!is_started)
		return read_ms(CLOCK_BOOTTIME);
	pass();
	return boot_ms;
}

int64_t
clock_wall_ms(void)
{
	if (!is_started)
		return read_ms(CLOCK_REALTIME);
	pass();
	return wall_ms;
}
