/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone_rule - the rule for all years to come at the end of a zone's file, as in POSIX's TZ:
 * "CET-1CEST,M3.5.0,M10.5.0/3".
 */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A day of each year, and the local time on it. */
struct zone_day {
	enum { ZONE_DAY_WEEK, ZONE_DAY_JULIAN, ZONE_DAY_COUNT } kind;
	int64_t month; /* WEEK: 1 to 12 */
	int64_t week;  /* WEEK: 1 to 5; 5 is the last */
	int64_t day;  /* WEEK: 0 to 6; JULIAN: 1 to 365 without 29 February; COUNT: 0 to 365 with */
	int32_t time; /* seconds, perhaps negative or of the days after */
};

struct zone_rule {
	int32_t standard; /* seconds east of UTC */
	int32_t summer;
	bool has_summer;
	struct zone_day begin; /* of summer time */
	struct zone_day end;
};

int zone_rule_parse(const char *text, struct zone_rule *out, struct err *e);
int32_t zone_rule_offset(const struct zone_rule *r, int64_t at);

#endif
