/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart - how long to wait before a role is started again. Pure.
 *
 * A role that ends soon waits 100 ms, then twice as long each time, at most 5 s: a crash is over in
 * the blink of an eye, a role that cannot start does not eat a processor. Ten seconds of life make
 * it new.
 */
#ifndef BOT_RESTART_H
#define BOT_RESTART_H

#include <stdint.h>

#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS   5000
#define RESTART_LIVED_MS 10000

/* last_ms: the wait before this life, 0 = there was none. lived_ms: from start to end. */
int64_t restart_delay(int64_t last_ms, int64_t lived_ms);

#endif
