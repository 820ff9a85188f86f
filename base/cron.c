/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron - see cron.h.
 *
 * What a schedule means is due(): whether it comes at a certain minute. cron_next asks it of one
 * minute after the other and passes over hours and days that do not fit, where no clock is changed
 * nearby.
 */
#include "base/cron.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "base/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTE INT64_C(60)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* 29 February does not come for eight years around 2100; nothing is rarer. */
#define HORIZON (9 * 366 * DAY)

#define ALL_HOURS    ((UINT64_C(1) << 24) - 1)
#define SUNDAY_AGAIN 7 /* as in 5-7 */
#define BLANKS       " \t"

enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELD_COUNT };

static const char *const MONTHS[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
	"oct", "nov", "dec", NULL };
static const char *const WEEKDAYS[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

static const struct field {
	const char *name;
	int min;
	int max;
	const char *const *names; /* from min on */
	const char *range;
} FIELDS[FIELD_COUNT] = {
	[FIELD_MINUTE] = { "minute", 0, 59, NULL, "0 to 59" },
	[FIELD_HOUR] = { "hour", 0, 23, NULL, "0 to 23" },
	[FIELD_DAY] = { "day of the month", 1, 31, NULL, "1 to 31" },
	[FIELD_MONTH] = { "month", 1, 12, MONTHS, "1 to 12 or jan to dec" },
	[FIELD_WEEKDAY] = { "day of the week", 0, SUNDAY_AGAIN, WEEKDAYS, "0 to 7 or sun to sat" },
};

static const struct form {
	const char *name;
	const char *text;
} FORMS[] = {
	{ "@annually", "0 0 1 1 *" },
	{ "@daily", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
	{ "@midnight", "0 0 * * *" },
	{ "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" },
	{ "@yearly", "0 0 1 1 *" },
};
#define FORMS_N (sizeof(FORMS) / sizeof(FORMS[0]))

/* Of any year. */
static const int MONTH_DAYS[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

/* ---- parsing ---- */

static bool
has(uint64_t set, int n)
{
	return set >> n & 1;
}

/* A number or a name. */
static int
parse_value(const struct field *f, const char *text, int *out, struct err *e)
{
	int64_t n;

	for (int i = 0; f->names && f->names[i]; i++) {
		if (strcasecmp(f->names[i], text) == 0) {
			*out = f->min + i;
			return 0;
		}
	}
	if (str_i64(text, f->min, f->max, &n, NULL) < 0)
		return err_set(e, ERR_INVALID, "%s: \"%.20s\" is not %s", f->name, text, f->range);
	*out = (int)n;
	return 0;
}

/* "*", "5", "mon-fri" */
static int
parse_range(const struct field *f, const char *text, int *from, int *to, struct err *e)
{
	const char *dash = strchr(text, '-');
	auto_free char *first = dash ? mem_strn(text, (size_t)(dash - text)) : mem_str(text);
	int rc;

	if (str_eq(text, "*")) {
		*from = f->min;
		*to = f->max;
		return 0;
	}
	rc = parse_value(f, first, from, e);
	*to = *from;
	if (rc == 0 && dash)
		rc = parse_value(f, dash + 1, to, e);
	if (rc == 0 && *from > *to)
		return err_set(e, ERR_INVALID, "%s: \"%.20s\" runs backwards; write %d-%d,%d-%d",
			f->name, text, *from, f->names == WEEKDAYS ? SUNDAY_AGAIN - 1 : f->max,
			f->min, *to);
	return rc;
}

/* One of a list: a range, perhaps with a step. */
static int
parse_item(const struct field *f, const char *text, uint64_t *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	auto_free char *range = slash ? mem_strn(text, (size_t)(slash - text)) : mem_str(text);
	int64_t step = 1;
	int from = 0, to = 0;
	int rc;

	if (text[0] == '\0')
		return err_set(e, ERR_INVALID, "%s: a comma with nothing on one side", f->name);
	rc = parse_range(f, range, &from, &to, e);
	if (rc < 0)
		return rc;
	if (slash && !str_eq(range, "*") && !strchr(range, '-'))
		return err_set(e, ERR_INVALID,
			"%s: \"%.20s\" has a step but no range; write %d-%d%s", f->name, text, from,
			f->max, slash);
	if (slash && str_i64(slash + 1, 1, f->max, &step, NULL) < 0)
		return err_set(e, ERR_INVALID, "%s: the step \"%.20s\" is not 1 to %d", f->name,
			slash + 1, f->max);
	for (int n = from; n <= to; n += (int)step)
		*out |= UINT64_C(1) << n;
	return 0;
}

static int
parse_field(const struct field *f, const char *text, uint64_t *out, struct err *e)
{
	for (;;) {
		size_t n = strcspn(text, ",");
		auto_free char *item = mem_strn(text, n);
		int rc = parse_item(f, item, out, e);

		if (rc < 0 || text[n] == '\0')
			return rc;
		text += n + 1;
	}
}

static int
check_days(const struct cron *c, struct err *e)
{
	int first = FIELDS[FIELD_DAY].min;

	if (!c->is_any_weekday)
		return 0;
	while (!has(c->days, first))
		first++;
	for (int m = 1; m <= 12; m++) {
		if (has(c->months, m) && first <= MONTH_DAYS[m - 1])
			return 0;
	}
	return err_set(
		e, ERR_INVALID, "day of the month: no month of this schedule has a day %d", first);
}

/* The next word of text, empty at its end; the caller frees it. */
static char *
take_word(const char **text)
{
	const char *from = *text + strspn(*text, BLANKS);
	size_t n = strcspn(from, BLANKS);

	*text = from + n;
	return mem_strn(from, n);
}

static int
parse_fields(const char *text, struct cron *c, struct err *e)
{
	uint64_t *const sets[FIELD_COUNT] = { &c->minutes, &c->hours, &c->days, &c->months,
		&c->weekdays };

	for (int i = 0; i < FIELD_COUNT; i++) {
		auto_free char *word = take_word(&text);
		int rc = parse_field(&FIELDS[i], word, sets[i], e);

		if (rc < 0)
			return rc;
		if (i == FIELD_DAY)
			c->is_any_day = str_eq(word, "*");
		if (i == FIELD_WEEKDAY)
			c->is_any_weekday = str_eq(word, "*");
	}
	if (has(c->weekdays, SUNDAY_AGAIN))
		c->weekdays |= 1;
	c->weekdays &= ~(UINT64_C(1) << SUNDAY_AGAIN);
	return check_days(c, e);
}

static size_t
count_words(const char *text)
{
	size_t n = 0;

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS), n++)
		text += strcspn(text, BLANKS);
	return n;
}

/* The five fields that a word stands for. */
static int
find_form(const char *text, const char **out, struct err *e)
{
	const char *names[FORMS_N];
	const char *nearest;

	for (size_t i = 0; i < FORMS_N; i++) {
		names[i] = FORMS[i].name;
		if (str_eq(text, FORMS[i].name)) {
			*out = FORMS[i].text;
			return 0;
		}
	}
	nearest = str_nearest(text, names, FORMS_N);
	return err_set(e, ERR_INVALID,
		"\"%.20s\" is none of @hourly, @daily, @weekly, @monthly, @yearly%s%s%s", text,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

int
cron_parse(const char *text, struct cron *out, struct err *e)
{
	struct cron c = { 0 };
	size_t n;
	int rc = 0;

	if (strlen(text) > CRON_BYTES_MAX)
		return err_set(e, ERR_INVALID, "longer than %d characters", CRON_BYTES_MAX);
	if (text[0] == '@')
		rc = find_form(text, &text, e);
	if (rc < 0)
		return rc;
	n = count_words(text);
	if (n != FIELD_COUNT)
		return err_set(e, ERR_INVALID,
			"%zu field%s instead of five: minute, hour, day of the month, month, day "
			"of "
			"the week, as in 0 3 * * 1; or @daily and the like",
			n, n == 1 ? "" : "s");
	rc = parse_fields(text, &c, e);
	if (rc == 0)
		*out = c;
	return rc;
}

/* ---- time ---- */

static bool
fits_day(const struct cron *c, const struct tm *t)
{
	bool day = has(c->days, t->tm_mday);
	bool weekday = has(c->weekdays, t->tm_wday);

	if (!has(c->months, t->tm_mon + 1))
		return false;
	return c->is_any_day || c->is_any_weekday ? day && weekday : day || weekday;
}

/* Local times are seconds since 1970 as if the place were at UTC. */
static struct tm
broken_down(int64_t local)
{
	struct tm t = { 0 };

	(void)gmtime_r(&local, &t); /* it fails only for years beyond an int */
	return t;
}

static bool
fits(const struct cron *c, int64_t local)
{
	struct tm t = broken_down(local);

	return has(c->minutes, t.tm_min) && has(c->hours, t.tm_hour) && fits_day(c, &t);
}

static bool
due(const struct cron *c, const struct zone *z, int64_t at)
{
	int32_t now = zone_offset(z, at);
	int32_t before = zone_offset(z, at - DAY);

	/* The change is over when the clock shows what it would have shown without one. */
	if (c->hours == ALL_HOURS || zone_offset(z, at - abs(now - before)) == now)
		return fits(c, at + now);
	if (now < before) /* this local time was there before */
		return false;
	return fits(c, at + now) || fits(c, at + before);
}

static int64_t
floor_mod(int64_t n, int64_t by)
{
	return (n % by + by) % by;
}

/* How far it is to the next minute that may be due. */
static int64_t
step(const struct cron *c, const struct zone *z, int64_t at)
{
	int32_t offset = zone_offset(z, at);
	int64_t local = at + offset;
	struct tm t = broken_down(local);
	int64_t unit = MINUTE;

	if (zone_offset(z, at - DAY) == offset && zone_offset(z, at + DAY) == offset)
		unit = !fits_day(c, &t) ? DAY : !has(c->hours, t.tm_hour) ? HOUR : MINUTE;
	return unit - floor_mod(local, unit);
}

int64_t
cron_next(const struct cron *c, const struct zone *z, int64_t after_ms)
{
	int64_t after = (after_ms - floor_mod(after_ms, 1000)) / 1000;
	int64_t at = after + MINUTE - floor_mod(after + zone_offset(z, after), MINUTE);

	while (!due(c, z, at)) {
		at += step(c, z, at);
		assert(at < after + HORIZON);
	}
	return at * 1000;
}

int64_t
cron_jitter(const char *name, int64_t below_ms)
{
	uint8_t hash[CRYPTO_SHA256_BYTES];
	uint64_t n = 0;

	crypto_sha256(name, strlen(name), hash);
	for (size_t i = 0; i < sizeof(n); i++)
		n = n << 8 | hash[i];
	return below_ms <= 0 ? 0 : (int64_t)(n % (uint64_t)below_ms);
}
