/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert_encode - UTF-8 as the encodings that repositories keep files in.
 *
 * iconv would load a library for each, which the process that does this may not: it has no files.
 * These few are nearly all there are; without an end in the name UTF-16 is this machine's, with a
 * byte order mark, as iconv has it.
 */
#include "repo/convert.h"

#include "base/str.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

struct encoding {
	const char *name;
	int width; /* bytes of a unit; 0: as it is; 1: ISO-8859-1 */
	bool is_big;
	bool has_mark;
};

#define BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* git takes "utf16" for "UTF-16". */
static const struct encoding ENCODINGS[] = {
	{ "UTF-8", 0, false, false },
	{ "UTF8", 0, false, false },
	{ "UTF-16", 2, BIG, true },
	{ "UTF16", 2, BIG, true },
	{ "UTF-16LE", 2, false, false },
	{ "UTF16LE", 2, false, false },
	{ "UTF-16BE", 2, true, false },
	{ "UTF16BE", 2, true, false },
	{ "UTF-16LE-BOM", 2, false, true },
	{ "UTF-16BE-BOM", 2, true, true },
	{ "UTF-32", 4, BIG, true },
	{ "UTF32", 4, BIG, true },
	{ "UTF-32LE", 4, false, false },
	{ "UTF32LE", 4, false, false },
	{ "UTF-32BE", 4, true, false },
	{ "UTF32BE", 4, true, false },
	{ "ISO-8859-1", 1, false, false },
	{ "ISO8859-1", 1, false, false },
	{ "ISO_8859-1", 1, false, false },
	{ "LATIN1", 1, false, false },
	{ "LATIN-1", 1, false, false },
};

static const struct encoding *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(ENCODINGS) / sizeof(ENCODINGS[0]); i++) {
		if (strcasecmp(ENCODINGS[i].name, name) == 0)
			return &ENCODINGS[i];
	}
	return NULL;
}

bool
convert_is_known(const char *encoding)
{
	return find(encoding) != NULL;
}

static void
add_unit(const struct encoding *e, uint32_t unit, struct buf *out)
{
	for (int i = 0; i < e->width; i++) {
		int shift = 8 * (e->is_big ? e->width - 1 - i : i);

		(void)buf_addc(out, (char)(unit >> shift & 0xff));
	}
}

static bool
add_point(const struct encoding *e, uint32_t point, struct buf *out)
{
	if (e->width == 1 && point > 0xff)
		return false;
	if (e->width == 2 && point > 0xffff) {
		add_unit(e, 0xd800 + ((point - 0x10000) >> 10), out);
		add_unit(e, 0xdc00 + ((point - 0x10000) & 0x3ff), out);
		return true;
	}
	add_unit(e, point, out);
	return true;
}

/* Of text that is UTF-8. */
static uint32_t
next_point(const unsigned char **p)
{
	static const unsigned char masks[] = { 0x7f, 0x1f, 0x0f, 0x07 };
	int more = **p < 0x80 ? 0 : **p < 0xe0 ? 1 : **p < 0xf0 ? 2 : 3;
	uint32_t c = *(*p)++ & masks[more];

	while (more-- > 0)
		c = c << 6 | (*(*p)++ & 0x3f);
	return c;
}

bool
convert_encode(const char *encoding, const char *data, size_t len, struct buf *out)
{
	const struct encoding *e = find(encoding);
	const unsigned char *p = (const unsigned char *)data;
	const unsigned char *end = p + len;

	if (!e || e->width == 0 || len == 0 || !str_utf8_ok(data, len))
		return false;
	if (e->has_mark)
		add_unit(e, 0xfeff, out);
	while (p < end) {
		if (!add_point(e, next_point(&p), out))
			return false;
	}
	return true;
}
