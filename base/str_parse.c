/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str_parse - numbers, durations, sizes and times out of text, and times into it.
 *
 * The only parsers of their kind: settings, commands and forges' replies all pass here.
 */
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS (24 * 3600 * INT64_C(1000))

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit DURATIONS[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", DAY_MS },
	{ NULL, 0 },
};

static const struct unit SIZES[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", INT64_C(1) << 10 },
	{ "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 },
	{ "TiB", INT64_C(1) << 40 },
	{ NULL, 0 },
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits, at least one; false for none or for more than int64_t holds. *end is behind them.
 */
static bool
digits(const char *s, const char **end, int64_t *out)
{
	int64_t n = 0;

	if (!is_digit(*s))
		return false;
	for (; is_digit(*s); s++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n))
			return false;
	}
	*end = s;
	*out = n;
	return true;
}

int
str_i64(const char *s, int64_t min, int64_t max, int64_t *out, struct err *e)
{
	bool is_negative = s && *s == '-';
	const char *end;
	int64_t n;

	if (!s || !digits(s + is_negative, &end, &n) || *end)
		return err_set(e, ERR_INVALID, "\"%.40s\" is not a whole number", s ? s : "");
	if (is_negative)
		n = -n;
	if (n < min || n > max)
		return err_set(e, ERR_INVALID,
			"%" PRId64 " is not between %" PRId64 " and %" PRId64, n, min, max);
	*out = n;
	return 0;
}

static int
with_unit(const char *s, const struct unit *units, int64_t *out)
{
	const char *end;
	int64_t n;

	if (!s || !digits(s, &end, &n))
		return ERR_INVALID;
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(end, u->name) == 0)
			return __builtin_mul_overflow(n, u->factor, out) ? ERR_INVALID : 0;
	}
	return ERR_INVALID;
}

int
str_duration(const char *s, int64_t *out_ms, struct err *e)
{
	int64_t ms = 0;

	if (!str_eq(s, "0") && with_unit(s, DURATIONS, &ms) < 0)
		return err_set(e, ERR_INVALID,
			"\"%.40s\" is not a duration: write a number and ms, s, m, h or d, as in "
			"90s",
			s ? s : "");
	*out_ms = ms;
	return 0;
}

int
str_size(const char *s, int64_t *out_bytes, struct err *e)
{
	int64_t bytes;

	if (with_unit(s, SIZES, &bytes) < 0)
		return err_set(e, ERR_INVALID,
			"\"%.40s\" is not a size: write a number and B, KiB, MiB, GiB or TiB, as "
			"in 5MiB",
			s ? s : "");
	*out_bytes = bytes;
	return 0;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar (H. Hinnant,
 * "chrono-compatible low-level date algorithms"): years start in March, so that the leap day is the
 * last one. */
static int64_t
days_from_date(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
date_from_days(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

/* Exactly n digits at *s. */
static bool
fixed(const char **s, size_t n, int64_t min, int64_t max, int64_t *out)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++, (*s)++) {
		if (!is_digit(**s))
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return v >= min && v <= max;
}

static bool
skip(const char **s, const char *one_of)
{
	if (!**s || !strchr(one_of, **s))
		return false;
	(*s)++;
	return true;
}

static bool
parse_fraction(const char **s, int64_t *ms)
{
	int64_t weight = 100;

	*ms = 0;
	if (!skip(s, "."))
		return true;
	if (!is_digit(**s))
		return false;
	for (; is_digit(**s); (*s)++) {
		*ms += (**s - '0') * weight;
		weight /= 10;
	}
	return true;
}

/* "Z", "+01:00", "-0530", and " UTC" and " +0100" as GitLab and Ruby write them. */
static bool
parse_zone(const char **s, int64_t *offset_min)
{
	bool is_west;
	int64_t h, m;

	*offset_min = 0;
	if (skip(s, "Zz"))
		return true;
	(void)skip(s, " ");
	if (strcmp(*s, "UTC") == 0) {
		*s += 3;
		return true;
	}
	is_west = **s == '-';
	if (!skip(s, "+-") || !fixed(s, 2, 0, 23, &h))
		return false;
	(void)skip(s, ":");
	if (!fixed(s, 2, 0, 59, &m))
		return false;
	*offset_min = (is_west ? -1 : 1) * (h * 60 + m);
	return true;
}

static int64_t
days_in_month(int64_t y, int64_t m)
{
	return days_from_date(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1) -
	       days_from_date(y, m, 1);
}

/* Whole days since 1970. */
static bool
parse_date(const char **s, int64_t *days)
{
	int64_t y, m, d;

	if (!fixed(s, 4, 0, 9999, &y) || !skip(s, "-") || !fixed(s, 2, 1, 12, &m) ||
		!skip(s, "-") || !fixed(s, 2, 1, 31, &d))
		return false;
	*days = days_from_date(y, m, d);
	return d <= days_in_month(y, m);
}

static bool
parse_clock(const char **s, int64_t *ms)
{
	int64_t h, m, sec, rest;

	if (!fixed(s, 2, 0, 23, &h) || !skip(s, ":") || !fixed(s, 2, 0, 59, &m) || !skip(s, ":") ||
		!fixed(s, 2, 0, 60, &sec) || !parse_fraction(s, &rest)) /* 60: a leap second */
		return false;
	*ms = ((h * 60 + m) * 60 + sec) * 1000 + rest;
	return true;
}

int
str_time(const char *s, int64_t *out_ms, struct err *e)
{
	int64_t days, ms, offset_min;
	const char *p = s ? s : "";

	if (!parse_date(&p, &days) || !skip(&p, "Tt ") || !parse_clock(&p, &ms) ||
		!parse_zone(&p, &offset_min) || *p)
		return err_set(e, ERR_INVALID, "\"%.40s\" is not a time", s ? s : "");
	*out_ms = days * DAY_MS + ms - offset_min * 60 * 1000;
	return 0;
}

void
str_time_print(int64_t ms, char out[32])
{
	int64_t days = ms / DAY_MS;
	int64_t rest = ms % DAY_MS;
	int64_t y, m, d;

	if (rest < 0) {
		rest += DAY_MS;
		days--;
	}
	date_from_days(days, &y, &m, &d);
	if (y < 0 || y > 9999) {
		(void)snprintf(out, 32, "out-of-range");
		return;
	}
	rest /= 1000;
	(void)snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)y, (int)m, (int)d,
		(int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}
