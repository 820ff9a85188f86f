/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_mend - see json_mend.h.
 */
#include "base/json_mend.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Every int64_t has a number of this many digits or fewer, and every double an exponent of at most
 * three, but 1e400 has three as well: what is longer travels as text. */
#define INT_DIGITS_MAX      18
#define EXPONENT_DIGITS_MAX 2

struct mender {
	const char *p;
	const char *end;
	struct buf *out;
	const struct json_limits *limits;
	size_t depth;
	size_t values;
	struct err *e;
};

static int
invalid(struct mender *m, const char *what, const char *start)
{
	return err_set(m->e, ERR_INVALID, "JSON: %s at byte %td", what, m->p - start);
}

/* 0xffff_ffff if there are no four hexadecimal digits at p. */
static uint32_t
hex4(const char *p, const char *end)
{
	uint8_t v[2];
	char text[5] = "";

	if (end - p < 4)
		return UINT32_MAX;
	memcpy(text, p, 4);
	if (str_unhex(text, v, sizeof(v), NULL) < 0)
		return UINT32_MAX;
	return (uint32_t)v[0] << 8 | v[1];
}

/* At a backslash inside a string. Copies the escape, or U+FFFD for one that names no character. */
static int
mend_escape(struct mender *m, const char *start)
{
	uint32_t unit, low;
	size_t len = 2;

	if (m->end - m->p < 2)
		return invalid(m, "text ends in a string", start);
	if (m->p[1] == 'u') {
		unit = hex4(m->p + 2, m->end);
		if (unit == UINT32_MAX)
			return invalid(m, "broken \\u", start);
		len = 6;
		if ((unit & 0xfc00) == 0xd800 && m->end - m->p >= 12 && m->p[6] == '\\' &&
			m->p[7] == 'u') {
			low = hex4(m->p + 8, m->end);
			if (low != UINT32_MAX && (low & 0xfc00) == 0xdc00) {
				(void)buf_add(m->out, m->p, 12);
				m->p += 12;
				return 0;
			}
		}
		if (unit == 0 || (unit & 0xf800) == 0xd800) {
			(void)buf_adds(m->out, REPLACEMENT);
			m->p += len;
			return 0;
		}
	}
	(void)buf_add(m->out, m->p, len);
	m->p += len;
	return 0;
}

/* At the opening quote. Runs without escapes are cleaned and copied in one piece. */
static int
mend_string(struct mender *m, const char *start)
{
	(void)buf_addc(m->out, *m->p++);
	for (;;) {
		const char *from = m->p;
		int rc;

		while (m->p < m->end && *m->p != '"' && *m->p != '\\')
			m->p++;
		if (m->p == m->end)
			return invalid(m, "text ends in a string", start);
		(void)str_utf8_clean(m->out, from, (size_t)(m->p - from));
		if (*m->p == '"') {
			(void)buf_addc(m->out, *m->p++);
			return 0;
		}
		rc = mend_escape(m, start);
		if (rc < 0)
			return rc;
	}
}

static size_t
skip_digits(struct mender *m)
{
	const char *from = m->p;

	while (m->p < m->end && *m->p >= '0' && *m->p <= '9')
		m->p++;
	return (size_t)(m->p - from);
}

static bool
skip_one(struct mender *m, const char *one_of)
{
	if (m->p == m->end || !*m->p || !strchr(one_of, *m->p))
		return false;
	m->p++;
	return true;
}

/* At '-' or a digit. The grammar is checked here (RFC 8259, 6), for quoting must not repair what is
 * no number. */
static int
mend_number(struct mender *m, const char *start)
{
	const char *from = m->p;
	size_t whole, exponent = 0;
	bool is_zero, ok;

	(void)skip_one(m, "-");
	is_zero = m->p < m->end && *m->p == '0';
	whole = skip_digits(m);
	ok = whole > 0 && !(is_zero && whole > 1);
	if (ok && skip_one(m, "."))
		ok = skip_digits(m) > 0;
	if (ok && skip_one(m, "eE")) {
		(void)skip_one(m, "+-");
		exponent = skip_digits(m);
		ok = exponent > 0;
	}
	if (!ok)
		return invalid(m, "broken number", start);
	if (whole <= INT_DIGITS_MAX && exponent <= EXPONENT_DIGITS_MAX) {
		(void)buf_add(m->out, from, (size_t)(m->p - from));
		return 0;
	}
	(void)buf_addc(m->out, '"');
	(void)buf_add(m->out, from, (size_t)(m->p - from));
	(void)buf_addc(m->out, '"');
	return 0;
}

/* A comma or an opening bracket announces a value, so counting those bounds the number of values
 * (and of keys) whatever the values are; the root is the one that nothing announces. */
static int
count(struct mender *m, char c)
{
	if (c == '[' || c == '{')
		m->depth++;
	else if (m->depth && (c == ']' || c == '}'))
		m->depth--;
	if (m->depth > m->limits->depth_max)
		return err_set(
			m->e, ERR_LIMIT, "JSON: nested deeper than %zu", m->limits->depth_max);
	if (c == ',' || c == '[' || c == '{')
		m->values++;
	if (m->values >= m->limits->values_max)
		return err_set(
			m->e, ERR_LIMIT, "JSON: more than %zu values", m->limits->values_max);
	return 0;
}

static bool
starts_number(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

/* Brackets, commas, blanks, literals: counted, and copied in one piece. */
static int
mend_between(struct mender *m)
{
	const char *from = m->p;
	int rc = 0;

	for (; m->p < m->end && *m->p != '"' && !starts_number(*m->p) && rc == 0; m->p++)
		rc = count(m, *m->p);
	(void)buf_add(m->out, from, (size_t)(m->p - from));
	return rc;
}

static int
mend_all(struct mender *m)
{
	const char *start = m->p;
	int rc = 0;

	while (m->p < m->end && rc == 0) {
		if (*m->p == '"')
			rc = mend_string(m, start);
		else if (starts_number(*m->p))
			rc = mend_number(m, start);
		else
			rc = mend_between(m);
	}
	return rc;
}

int
json_mend(const char *data, size_t len, const struct json_limits *limits, struct buf *out,
	struct err *e)
{
	struct mender m = { data, data + len, out, limits, 0, 0, e };
	int rc;

	if (len > limits->bytes_max)
		return err_set(
			e, ERR_LIMIT, "JSON: %zu bytes of at most %zu", len, limits->bytes_max);
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		m.p += 3;
	rc = mend_all(&m);
	if (rc == 0 && out->is_full)
		rc = err_set(e, ERR_LIMIT, "JSON: more than %zu bytes when mended", out->limit);
	return rc;
}
