/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone_rule - see zone_rule.h. The grammar is that of POSIX, "Other Environment Variables", with
 * RFC 8536's hours from -167 to 167.
 */
#include "base/zone_rule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY        INT64_C(86400)
#define HOUR       3600
#define HOURS_MAX  167
#define NAME_BYTES 3 /* at least */

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
take(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* "CET" or "<+0530>". */
static bool
take_name(const char **s)
{
	const char *from = *s;

	if (take(s, '<')) {
		*s += strcspn(*s, ">");
		return take(s, '>');
	}
	while (is_alpha(**s))
		(*s)++;
	return *s - from >= NAME_BYTES;
}

static bool
take_number(const char **s, int64_t min, int64_t max, int64_t *out)
{
	const char *from = *s;
	int64_t n = 0;

	for (; **s >= '0' && **s <= '9' && n <= max; (*s)++)
		n = n * 10 + (**s - '0');
	*out = n;
	return *s > from && n >= min && n <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool
take_time(const char **s, int32_t *out)
{
	bool is_negative = take(s, '-');
	int64_t hours = 0, minutes = 0, seconds = 0;

	if (!is_negative)
		(void)take(s, '+');
	if (!take_number(s, 0, HOURS_MAX, &hours))
		return false;
	if (take(s, ':') && !take_number(s, 0, 59, &minutes))
		return false;
	if (take(s, ':') && !take_number(s, 0, 59, &seconds))
		return false;
	seconds += hours * HOUR + minutes * 60;
	*out = (int32_t)(is_negative ? -seconds : seconds);
	return true;
}

/* ",M3.5.0/2" */
static bool
take_day(const char **s, struct zone_day *out)
{
	bool is_right;

	out->time = 2 * HOUR;
	if (!take(s, ','))
		return false;
	if (take(s, 'M')) {
		out->kind = ZONE_DAY_WEEK;
		is_right = take_number(s, 1, 12, &out->month) && take(s, '.') &&
			   take_number(s, 1, 5, &out->week) && take(s, '.') &&
			   take_number(s, 0, 6, &out->day);
	} else if (take(s, 'J')) {
		out->kind = ZONE_DAY_JULIAN;
		is_right = take_number(s, 1, 365, &out->day);
	} else {
		out->kind = ZONE_DAY_COUNT;
		is_right = take_number(s, 0, 365, &out->day);
	}
	return is_right && (!take(s, '/') || take_time(s, &out->time));
}

static bool
take_rule(const char **s, struct zone_rule *r)
{
	int32_t west;

	if (!take_name(s) || !take_time(s, &west))
		return false;
	r->standard = -west;
	if (**s == '\0')
		return true;
	r->has_summer = true;
	r->summer = r->standard + HOUR;
	if (!take_name(s))
		return false;
	if (**s != ',') {
		if (!take_time(s, &west))
			return false;
		r->summer = -west;
	}
	return take_day(s, &r->begin) && take_day(s, &r->end) && **s == '\0';
}

int
zone_rule_parse(const char *text, struct zone_rule *out, struct err *e)
{
	struct zone_rule rule = { 0 };
	const char *s = text;

	if (!take_rule(&s, &rule))
		return err_set(e, ERR_INVALID, "\"%.80s\" is no rule of a time zone", text);
	*out = rule;
	return 0;
}

/* Of a date as if it were UTC. */
static int64_t
seconds_of(int year, int month, int64_t day)
{
	struct tm t = { .tm_year = year, .tm_mon = month, .tm_mday = (int)day };

	return timegm(&t);
}

/* When the day begins, in local time; year as in struct tm. */
static int64_t
day_start(const struct zone_day *d, int year)
{
	int64_t first, day;
	struct tm t = { 0 };
	int leap;

	if (d->kind == ZONE_DAY_COUNT)
		return seconds_of(year, 0, 1) + d->day * DAY;
	if (d->kind == ZONE_DAY_JULIAN) {
		leap = seconds_of(year, 2, 1) - seconds_of(year, 1, 1) == 29 * DAY;
		return seconds_of(year, 0, 1) + (d->day - 1 + (leap && d->day >= 60 ? 1 : 0)) * DAY;
	}
	first = seconds_of(year, (int)d->month - 1, 1);
	(void)gmtime_r(&first, &t);
	day = first + (d->day - t.tm_wday + 7) % 7 * DAY + (d->week - 1) * 7 * DAY;
	if (day >= seconds_of(year, (int)d->month, 1))
		day -= 7 * DAY;
	return day;
}

int32_t
zone_rule_offset(const struct zone_rule *r, int64_t at)
{
	int64_t local = at + r->standard;
	int64_t begin, end;
	struct tm t = { 0 };

	if (!r->has_summer || !gmtime_r(&local, &t))
		return r->standard;
	begin = day_start(&r->begin, t.tm_year) + r->begin.time - r->standard;
	end = day_start(&r->end, t.tm_year) + r->end.time - r->summer;
	if (begin < end)
		return at >= begin && at < end ? r->summer : r->standard;
	return at >= end && at < begin ? r->standard : r->summer;
}
