/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart - how long to wait before a role is started again.
 */
#include "bot/restart.h"

int64_t
restart_delay(int64_t last_ms, int64_t lived_ms)
{
	if (last_ms <= 0 || lived_ms >= RESTART_LIVED_MS)
		return RESTART_FIRST_MS;
	return last_ms < RESTART_MAX_MS / 2 ? 2 * last_ms : RESTART_MAX_MS;
}
