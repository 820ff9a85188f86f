/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron - when something that is done again and again is due.
 *
 * Five fields as in crontab(5): minute, hour, day of the month, month, day of the week; each with
 * lists, ranges, steps, and names where there are any; or @hourly, @daily and their like. Days fit
 * if both day fields do; where neither is a plain *, if one of them does.
 *
 * When clocks are changed:
 *  - a schedule of certain hours goes by RFC 5545, 3.3.5. What falls into the hour that is left out
 *    comes as much later as the clock was put forward, so 02:30 at 03:30; what falls into the hour
 *    that comes twice comes the first time only. Each day has it once;
 *  - a schedule of every hour goes by elapsed time: nothing is made up for and nothing left out, so
 *    that "every 20 minutes" is just that.
 * Vixie cron has the same two kinds, and runs what was left out at once instead of as much later.
 */
#ifndef BASE_CRON_H
#define BASE_CRON_H

#include "base/err.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_BYTES_MAX 256

/* Bit n is value n. */
struct cron {
	uint64_t minutes;
	uint64_t hours;
	uint64_t days;
	uint64_t months;
	uint64_t weekdays; /* 0 to 6, from Sunday */
	bool is_any_day;   /* the field is a plain * */
	bool is_any_weekday;
};

/* The message names the field and says how to mend it. A schedule that never comes, as on 30
 * February, is refused. */
int cron_parse(const char *text, struct cron *out, struct err *e);

/* The first time after that, in milliseconds since 1970. z NULL is UTC. */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_ms);

/* 0 to below_ms - 1: always the same for a name, spread evenly over names. What is due at once for
 * a hundred of them need not begin at once. */
int64_t cron_jitter(const char *name, int64_t below_ms);

#endif
