/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - see clock.h.
 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static int64_t
now_ms(clockid_t id)
{
	struct timespec t;

	/* Both clocks exist since Linux 2.6.39 and the pointer is ours: it cannot fail. */
	if (clock_gettime(id, &t) < 0)
		assert(!"clock_gettime");
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_ms(void)
{
	return now_ms(CLOCK_REALTIME);
}

int64_t
clock_boot_ms(void)
{
	return now_ms(CLOCK_BOOTTIME);
}
