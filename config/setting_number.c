/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting_number - numbers, durations, sizes and money between what people write and int64_t.
 */
#include "config/settings.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: the first that divides is the shortest way to write it. */
static const struct unit DURATIONS[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

static const struct unit SIZES[] = {
	{ "TiB", INT64_C(1) << 40 },
	{ "GiB", INT64_C(1) << 30 },
	{ "MiB", INT64_C(1) << 20 },
	{ "KiB", INT64_C(1) << 10 },
	{ "B", 1 },
};

static int
print_unit(const struct unit *u, int64_t value, struct buf *out)
{
	if (value == 0)
		return buf_addc(out, '0');
	while (value % u->factor != 0)
		u++;
	return buf_addf(out, "%" PRId64 "%s", value / u->factor, u->name);
}

int
setting_number_print(const struct setting *s, int64_t value, struct buf *out)
{
	if (s->type == SETTING_DURATION)
		return print_unit(DURATIONS, value, out);
	if (s->type == SETTING_SIZE)
		return print_unit(SIZES, value, out);
	if (s->type == SETTING_MONEY && value % 100)
		return buf_addf(out, "%" PRId64 ".%02d", value / 100, (int)(value % 100));
	if (s->type == SETTING_MONEY)
		value /= 100;
	return buf_addf(out, "%" PRId64, value);
}

/* "5", "0.5", "2.50" to cents. */
static int
parse_money(const char *text, int64_t *out, struct err *e)
{
	const char *point = strchr(text, '.');
	size_t decimals = point ? strlen(point + 1) : 0;
	char cents[32] = "";
	size_t n = 0;

	if (strlen(text) >= sizeof(cents) - 3 || (point && (decimals == 0 || decimals > 2)) ||
		text[0] == '-')
		return err_set(e, ERR_INVALID,
			"\"%.40s\" is not an amount: write it as in 5 or 2.50", text);
	for (const char *p = text; *p; p++) {
		if (p != point)
			cents[n++] = *p;
	}
	for (; decimals < 2; decimals++)
		cents[n++] = '0';
	if (point == text || str_i64(cents, 0, INT64_MAX, out, NULL) < 0)
		return err_set(e, ERR_INVALID,
			"\"%.40s\" is not an amount: write it as in 5 or 2.50", text);
	return 0;
}

static int
parse(const struct setting *s, const char *text, int64_t *out, struct err *e)
{
	if (s->type == SETTING_DURATION)
		return str_duration(text, out, e);
	if (s->type == SETTING_SIZE)
		return str_size(text, out, e);
	if (s->type == SETTING_MONEY)
		return parse_money(text, out, e);
	return str_i64(text, INT64_MIN, INT64_MAX, out, e);
}

int
setting_number_parse(const struct setting *s, const char *text, int64_t *out, struct err *e)
{
	auto_buf struct buf min = BUF_INIT(32);
	auto_buf struct buf max = BUF_INIT(32);
	int64_t value = 0;
	int rc = parse(s, text, &value, e);

	if (rc < 0)
		return rc;
	if (value < s->min || value > s->max) {
		(void)setting_number_print(s, s->min, &min);
		(void)setting_number_print(s, s->max, &max);
		return err_set(e, ERR_INVALID, "%.40s is not between %s and %s", text,
			buf_str(&min), buf_str(&max));
	}
	*out = value;
	return 0;
}
