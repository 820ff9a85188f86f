/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone - see zone.h. A file of RFC 8536 has its data twice, the second time with 64-bit times and a
 * rule for what comes after them; only that is read.
 */
#include "base/zone.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/zone_rule.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 44
#define TYPE_BYTES 6
#define OFFSET_MAX 93600 /* 26 hours, as RFC 8536 allows */

struct change {
	int64_t at;
	int32_t offset; /* from then on */
};

struct zone {
	int32_t first; /* before any change */
	struct change *changes;
	size_t n;
	bool has_rule;
	struct zone_rule rule; /* after the last change */
};

/* What a head counts. */
struct counts {
	size_t utc, standard, leaps, times, types, chars;
};

struct reader {
	const uint8_t *at;
	size_t left;
};

static bool
take(struct reader *r, size_t n, const uint8_t **out)
{
	if (r->left < n)
		return false;
	*out = r->at;
	r->at += n;
	r->left -= n;
	return true;
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t
be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool
take_head(struct reader *r, struct counts *out)
{
	const uint8_t *p;

	if (!take(r, HEAD_BYTES, &p) || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return false;
	*out = (struct counts){ be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32),
		be32(p + 36), be32(p + 40) };
	return true;
}

/* Behind the times and types of a block, each time of so many bytes. */
static size_t
rest_bytes(const struct counts *c, size_t time_bytes)
{
	return c->chars + c->leaps * (time_bytes + 4) + c->standard + c->utc;
}

static bool
skip_short_block(struct reader *r)
{
	const uint8_t *p;
	struct counts c;

	return take_head(r, &c) && take(r, c.times * 5, &p) && take(r, c.types * TYPE_BYTES, &p) &&
	       take(r, rest_bytes(&c, 4), &p);
}

static bool
take_changes(struct reader *r, const struct counts *c, struct zone *z)
{
	const uint8_t *times, *which, *types;
	int64_t before = INT64_MIN;

	if (!take(r, c->times * 8, &times) || !take(r, c->times, &which) || c->types == 0 ||
		!take(r, c->types * TYPE_BYTES, &types))
		return false;
	for (size_t i = 0; i < c->types; i++) {
		int32_t offset = (int32_t)be32(types + i * TYPE_BYTES);

		if (offset > OFFSET_MAX || offset < -OFFSET_MAX)
			return false;
	}
	z->first = (int32_t)be32(types);
	z->changes = mem_array(c->times + 1, sizeof(*z->changes));
	for (; z->n < c->times; z->n++) {
		int64_t at = be64(times + z->n * 8);

		if (which[z->n] >= c->types || at <= before)
			return false;
		before = at;
		z->changes[z->n] = (struct change){ at,
			(int32_t)be32(types + (size_t)which[z->n] * TYPE_BYTES) };
	}
	return true;
}

/* "\nRULE\n"; without a rule the last change holds for ever. */
static bool
take_rule(const struct reader *r, struct zone *z)
{
	const char *text = (const char *)r->at;
	const char *end = r->left > 1 ? memchr(text + 1, '\n', r->left - 1) : NULL;
	auto_free char *rule = NULL;

	if (!end || text[0] != '\n')
		return false;
	rule = mem_strn(text + 1, (size_t)(end - text - 1));
	z->has_rule = rule[0] != '\0';
	return !z->has_rule || zone_rule_parse(rule, &z->rule, NULL) == 0;
}

int
zone_parse(const void *data, size_t len, struct zone **out, struct err *e)
{
	struct reader r = { data, len };
	auto_zone struct zone *z = mem_zero(sizeof(*z));
	const uint8_t *rest;
	struct counts c;

	if (!skip_short_block(&r) || !take_head(&r, &c) || !take_changes(&r, &c, z) ||
		!take(&r, rest_bytes(&c, 8), &rest) || !take_rule(&r, z))
		return err_set(e, ERR_INVALID, "not the data of a time zone (RFC 8536, version 2)");
	if (c.leaps > 0) /* right/...: seconds there are not those of 1970 */
		return err_set(e, ERR_INVALID, "a time zone that counts leap seconds");
	*out = steal_ptr(&z);
	return 0;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("/_+-", c);
}

int
zone_name_check(const char *name, struct err *e)
{
	bool is_right = name[0] != '\0' && name[0] != '/' && strlen(name) < ZONE_NAME_BYTES;

	for (const char *p = name; *p && is_right; p++)
		is_right = is_name_char(*p);
	if (!is_right)
		return err_set(e, ERR_INVALID,
			"\"%.60s\" is not a time zone as in Europe/Berlin or UTC", name);
	return 0;
}

int
zone_open(const char *name, struct zone **out, struct err *e)
{
	auto_buf struct buf data = BUF_INIT(ZONE_BYTES_MAX);
	auto_free char *path = mem_fmt(ZONE_DIR "/%s", name);
	int rc = zone_name_check(name, e);

	if (rc < 0)
		return rc;
	if (str_eq(name, "UTC")) {
		*out = mem_zero(sizeof(**out));
		return 0;
	}
	rc = fs_read(path, &data, e);
	if (rc == ERR_MISSING)
		return err_set(e, rc,
			"this machine knows no time zone \"%s\"; its names are those "
			"below " ZONE_DIR " (of Debian's tzdata)",
			name);
	if (rc == 0)
		rc = zone_parse(buf_str(&data), data.len, out, e);
	return rc < 0 ? err_wrap(e, rc, "time zone %s", name) : 0;
}

void
zone_close(struct zone *z)
{
	if (!z)
		return;
	free(z->changes);
	free(z);
}

int32_t
zone_offset(const struct zone *z, int64_t at)
{
	size_t low = 0, high;

	if (!z)
		return 0;
	high = z->n;
	if (z->has_rule && (z->n == 0 || at >= z->changes[z->n - 1].at))
		return zone_rule_offset(&z->rule, at);
	while (low < high) { /* the first change after at */
		size_t middle = low + (high - low) / 2;

		if (z->changes[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? z->first : z->changes[low - 1].offset;
}
