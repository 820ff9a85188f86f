/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str_code - text in and out of encodings: UTF-8, hex, base64, percent, HTML.
 */
#include "base/str.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static const char HEX[] = "0123456789abcdef";

/* By first byte: how long, and which second bytes are allowed (Unicode 15, table 3-7). What is not
 * here is no first byte; the narrow ranges keep out overlong forms, surrogates and what is over
 * U+10FFFF. */
static const struct {
	unsigned char first_lo, first_hi;
	unsigned char len;
	unsigned char second_lo, second_hi;
} UTF8[] = {
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t
utf8_len(const unsigned char *s, size_t len)
{
	size_t row = 0;

	if (s[0] < 0x80)
		return 1;
	while (row < sizeof(UTF8) / sizeof(UTF8[0]) && s[0] > UTF8[row].first_hi)
		row++;
	if (row == sizeof(UTF8) / sizeof(UTF8[0]) || s[0] < UTF8[row].first_lo ||
		len < UTF8[row].len)
		return 0;
	if (s[1] < UTF8[row].second_lo || s[1] > UTF8[row].second_hi)
		return 0;
	for (size_t i = 2; i < UTF8[row].len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return UTF8[row].len;
}

bool
str_utf8_ok(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_len((const unsigned char *)s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

int
str_utf8_clean(struct buf *out, const char *s, size_t len)
{
	size_t from = 0;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0;) {
		size_t n = s[i] ? utf8_len((const unsigned char *)s + i, len - i) : 0;

		if (n) {
			i += n;
			continue;
		}
		rc = buf_add(out, s + from, i - from);
		if (rc == 0)
			rc = buf_adds(out, REPLACEMENT);
		from = ++i;
	}
	return rc < 0 ? rc : buf_add(out, s + from, len - from);
}

int
str_hex(struct buf *out, const void *data, size_t len)
{
	const uint8_t *p = data;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i++)
		rc = buf_add(out, (char[]){ HEX[p[i] >> 4], HEX[p[i] & 15] }, 2);
	return rc;
}

int
str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
str_unhex(const char *s, uint8_t *out, size_t out_len, struct err *e)
{
	if (!s || strnlen(s, 2 * out_len + 1) != 2 * out_len)
		return err_set(e, ERR_INVALID, "not %zu hexadecimal digits", 2 * out_len);
	for (size_t i = 0; i < 2 * out_len; i++) {
		if (str_hex_digit(s[i]) < 0)
			return err_set(
				e, ERR_INVALID, "a byte that is no hexadecimal digit at %zu", i);
	}
	for (size_t i = 0; i < out_len; i++) {
		unsigned high = (unsigned)str_hex_digit(s[2 * i]);

		out[i] = (uint8_t)(high << 4 | (unsigned)str_hex_digit(s[2 * i + 1]));
	}
	return 0;
}

static int
base64(struct buf *out, const uint8_t *p, size_t len, const char *alphabet, bool pad)
{
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;
		char quad[4];

		if (n > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			v |= p[i + 2];
		for (size_t k = 0; k < 4; k++)
			quad[k] = k <= n ? alphabet[v >> (18 - 6 * k) & 63] : '=';
		rc = buf_add(out, quad, pad ? 4 : n + 1);
	}
	return rc;
}

int
str_base64(struct buf *out, const void *data, size_t len)
{
	return base64(out, data, len,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

int
str_base64url(struct buf *out, const void *data, size_t len)
{
	return base64(out, data, len,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

/* -1 if c is in neither alphabet. */
static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* Both alphabets, line breaks between (GitHub's contents API wraps its lines), padding optional but
 * only at the end. */
int
str_unbase64(struct buf *out, const char *s, size_t len, struct err *e)
{
	size_t start = out->len;
	size_t n = 0, n_pad = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++) {
		int d = base64_value(s[i]);

		if (s[i] == '\n' || s[i] == '\r')
			continue;
		if (s[i] == '=') {
			n_pad++;
			continue;
		}
		if (d < 0 || n_pad) {
			buf_cut(out, start);
			return err_set(e, ERR_INVALID, "not base64 at byte %zu", i);
		}
		v = v << 6 | (uint32_t)d;
		/* The first of four digits completes no byte; each other one does. */
		if (n++ % 4 == 0)
			continue;
		if (buf_addc(out, (char)(uint8_t)(v >> (6 - 2 * ((n - 1) % 4)))) < 0) {
			buf_cut(out, start);
			return err_set(
				e, ERR_LIMIT, "base64 text of more than %zu bytes", out->limit);
		}
	}
	if (n % 4 == 1 || n_pad > 2 || (n_pad && (n + n_pad) % 4 != 0)) {
		buf_cut(out, start);
		return err_set(e, ERR_INVALID, "base64 text is cut off");
	}
	return 0;
}

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

int
str_percent(struct buf *out, const char *s)
{
	int rc = 0;

	for (; s && *s && rc == 0; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_unreserved(*s))
			rc = buf_addc(out, *s);
		else
			rc = buf_addf(out, "%%%c%c", "0123456789ABCDEF"[c >> 4],
				"0123456789ABCDEF"[c & 15]);
	}
	return rc;
}

int
str_unpercent(struct buf *out, const char *s, size_t len, struct err *e)
{
	size_t start = out->len;

	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (c == '%') {
			int hi = len - i > 2 ? str_hex_digit(s[i + 1]) : -1;
			int lo = len - i > 2 ? str_hex_digit(s[i + 2]) : -1;

			if (hi < 0 || lo < 0) {
				buf_cut(out, start);
				return err_set(e, ERR_INVALID, "broken %%XX at byte %zu", i);
			}
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (buf_addc(out, c) < 0) {
			buf_cut(out, start);
			return err_set(
				e, ERR_LIMIT, "encoded text of more than %zu bytes", out->limit);
		}
	}
	return 0;
}

static const char *
html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

int
str_html(struct buf *out, const char *s, size_t len)
{
	size_t from = 0;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i++) {
		const char *entity = html_entity(s[i]);

		if (!entity)
			continue;
		rc = buf_add(out, s + from, i - from);
		if (rc == 0)
			rc = buf_adds(out, entity);
		from = i + 1;
	}
	return rc < 0 ? rc : buf_add(out, s + from, len - from);
}

size_t
str_utf8_cut(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

size_t
str_utf8_unfinished(const char *s, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char b = (unsigned char)s[len - back];

		if ((b & 0xc0U) == 0x80)
			continue;
		if (b >= 0xf0 || (b >= 0xe0 && back < 3) || (b >= 0xc0 && back < 2))
			return back;
		return 0;
	}
	return 0;
}
