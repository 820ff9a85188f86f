/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_table - the forms in which a secret may be printed, blinded.
 */
#include "sandbox/redact_table.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "sandbox/redact.h"

#include <stdlib.h>
#include <string.h>

#define FORM_LIMIT ((size_t)1 << 20)

/* ---- hashes ---- */

static uint64_t
modulo(redact_wide x)
{
	uint64_t r = (uint64_t)(x & REDACT_PRIME) + (uint64_t)(x >> 61);

	r = (r & REDACT_PRIME) + (r >> 61);
	return r >= REDACT_PRIME ? r - REDACT_PRIME : r;
}

void
redact_hash_leavers(uint64_t base, uint64_t out[256])
{
	uint64_t power = 1;

	for (size_t i = 0; i < REDACT_WINDOW; i++)
		power = modulo((redact_wide)power * base);
	for (unsigned byte = 0; byte < 256; byte++)
		out[byte] = modulo((redact_wide)(REDACT_PRIME - power) * (byte + 1U));
}

void
redact_mac(const uint8_t key[32], const void *form, size_t len, uint8_t out[REDACT_MAC_BYTES])
{
	uint8_t full[CRYPTO_SHA256_BYTES];

	crypto_hmac_sha256(key, 32, form, len, full);
	memcpy(out, full, REDACT_MAC_BYTES);
}

/* ---- entries ---- */

struct secret {
	const void *data;
	size_t len;
};

struct redact_maker {
	struct redact_head head;
	struct buf entries;
};

static void
add_part(struct redact_maker *m, const unsigned char *part, size_t len)
{
	struct redact_entry entry = { .len = (uint32_t)len };

	for (size_t i = 0; i < REDACT_WINDOW; i++)
		entry.hash = redact_hash_push(entry.hash, m->head.base, 0, part[i]);
	redact_mac(m->head.key, part, len, entry.mac);
	(void)buf_add(&m->entries, &entry, sizeof(entry));
	m->head.count++;
}

/* A long form in parts, the last one overlapping the one before. */
static void
add_form(struct redact_maker *m, const void *form, size_t len)
{
	const unsigned char *p = form;

	if (len < REDACT_WINDOW)
		return;
	for (size_t at = 0; len - at > REDACT_FORM_MAX; at += REDACT_FORM_MAX)
		add_part(m, p + at, REDACT_FORM_MAX);
	add_part(m, len > REDACT_FORM_MAX ? p + len - REDACT_FORM_MAX : p,
		len > REDACT_FORM_MAX ? REDACT_FORM_MAX : len);
}

/* Takes a builder's result, wipes it. raw: a form that is equal is there already. */
static void
take_form(struct redact_maker *m, struct buf *form, const struct secret *raw)
{
	if (!raw || form->len != raw->len || memcmp(form->data, raw->data, raw->len) != 0)
		add_form(m, form->data, form->len);
	if (form->data)
		mem_wipe(form->data, form->cap);
	buf_reset(form);
}

/* ---- forms ---- */

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64_URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The characters of base64 that depend on this data alone, when `before` (0..2) unknown bytes stand
 * before it and any may follow. */
static void
base64_inside(
	const char *alphabet, const unsigned char *data, size_t len, size_t before, struct buf *out)
{
	size_t first = (8 * before + 5) / 6, end = 8 * (before + len) / 6;

	for (size_t i = first; i < end; i++) {
		size_t bit = 6 * i - 8 * before;
		unsigned pair = (unsigned)data[bit / 8] << 8;

		if (bit / 8 + 1 < len)
			pair |= data[bit / 8 + 1];
		(void)buf_addc(out, alphabet[pair >> (10 - bit % 8) & 63]);
	}
}

static void
add_base64(struct redact_maker *m, const struct secret *s, struct buf *form)
{
	auto_buf struct buf inner = BUF_INIT(FORM_LIMIT);

	for (size_t before = 0; before < 3; before++) {
		base64_inside(BASE64_URL, s->data, s->len, before, form);
		base64_inside(BASE64, s->data, s->len, before, &inner);
		bool is_same = memcmp(form->data, inner.data, inner.len) == 0;

		if (is_same)
			buf_reset(form);
		take_form(m, form, NULL);
		add_form(m, inner.data, inner.len);
		for (size_t again = 0; again < 3; again++) {
			base64_inside(
				BASE64, (const unsigned char *)inner.data, inner.len, again, form);
			take_form(m, form, NULL);
		}
		mem_wipe(inner.data, inner.cap);
		buf_reset(&inner);
	}
}

/* frame: what stands before each pair of digits. */
static void
add_hex(struct redact_maker *m, const struct secret *s, const char *frame, struct buf *form)
{
	static const char *const DIGITS[] = { "0123456789abcdef", "0123456789ABCDEF" };
	const unsigned char *p = s->data;

	for (size_t d = 0; d < 2; d++) {
		for (size_t i = 0; i < s->len; i++) {
			(void)buf_adds(form, frame);
			(void)buf_addc(form, DIGITS[d][p[i] >> 4]);
			(void)buf_addc(form, DIGITS[d][p[i] & 15]);
		}
		take_form(m, form, NULL);
	}
}

static void
add_reversed(struct redact_maker *m, const struct secret *s, struct buf *form)
{
	const char *p = s->data;

	for (size_t i = s->len; i > 0; i--)
		(void)buf_addc(form, p[i - 1]);
	take_form(m, form, s);
}

/* RFC 3986, 2.3: all but the unreserved ones. */
static void
add_url(struct redact_maker *m, const struct secret *s, struct buf *form)
{
	static const char PLAIN[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	const unsigned char *p = s->data;

	for (int upper = 0; upper < 2; upper++) {
		for (size_t i = 0; i < s->len; i++) {
			if (p[i] && strchr(PLAIN, p[i]))
				(void)buf_addc(form, (char)p[i]);
			else
				(void)buf_addf(form, upper ? "%%%02X" : "%%%02x", p[i]);
		}
		take_form(m, form, s);
	}
}

struct escape {
	char from;
	const char *to;
};

static void
add_escaped(struct redact_maker *m, const struct secret *s, const struct escape *escapes,
	struct buf *form)
{
	const char *p = s->data;

	for (size_t i = 0; i < s->len; i++) {
		const struct escape *row = escapes;

		while (row->to && row->from != p[i])
			row++;
		if (row->to)
			(void)buf_adds(form, row->to);
		else
			(void)buf_addc(form, p[i]);
	}
	take_form(m, form, s);
}

static void
add_line(struct redact_maker *m, const struct secret *s)
{
	static const struct escape JSON[] = { { '"', "\\\"" }, { '\\', "\\\\" }, { '\t', "\\t" },
		{ 0, NULL } };
	static const struct escape JSON_SLASH[] = { { '"', "\\\"" }, { '\\', "\\\\" },
		{ '\t', "\\t" }, { '/', "\\/" }, { 0, NULL } };
	static const struct escape XML[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
		{ '"', "&quot;" }, { '\'', "&apos;" }, { 0, NULL } };
	static const struct escape XML_TEXT[] = { { '&', "&amp;" }, { '<', "&lt;" },
		{ '>', "&gt;" }, { 0, NULL } };
	static const struct escape HTML[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
		{ '"', "&#34;" }, { '\'', "&#39;" }, { 0, NULL } };
	auto_buf struct buf form = BUF_INIT(FORM_LIMIT);

	add_form(m, s->data, s->len);
	add_reversed(m, s, &form);
	add_hex(m, s, "", &form);
	add_hex(m, s, "%", &form);
	add_base64(m, s, &form);
	add_url(m, s, &form);
	add_escaped(m, s, JSON, &form);
	add_escaped(m, s, JSON_SLASH, &form);
	add_escaped(m, s, XML, &form);
	add_escaped(m, s, XML_TEXT, &form);
	add_escaped(m, s, HTML, &form);
}

/* ---- in and out ---- */

struct redact_maker *
redact_maker_create(void)
{
	struct redact_maker *m = mem_zero(sizeof(*m));

	m->head.magic = REDACT_MAGIC;
	crypto_random(&m->head.base, sizeof(m->head.base));
	crypto_random(m->head.key, sizeof(m->head.key));
	m->head.base = 256 + m->head.base % (REDACT_PRIME - 256);
	buf_init(&m->entries, REDACT_TABLE_BYTES - sizeof(m->head));
	return m;
}

void
redact_maker_destroy(struct redact_maker *m)
{
	if (!m)
		return;
	buf_finish(&m->entries);
	free(m);
}

/* A terminal breaks lines in its own way, so each line is a secret; the frame of a PEM file is
 * none. */
void
redact_maker_add(struct redact_maker *m, const void *secret, size_t len)
{
	const char *p = secret, *end = p + len;

	while (p < end) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		struct secret line = { p, (size_t)(stop - p) };

		if (line.len >= REDACT_SECRET_MIN && memcmp(p, "-----", 5) != 0)
			add_line(m, &line);
		p = stop + 1;
	}
}

static int
by_hash(const void *a, const void *b)
{
	uint64_t x = ((const struct redact_entry *)a)->hash;
	uint64_t y = ((const struct redact_entry *)b)->hash;

	return x < y ? -1 : x > y;
}

int
redact_maker_end(struct redact_maker *m, struct buf *out, struct err *e)
{
	if (m->head.count > 0)
		qsort(m->entries.data, m->head.count, sizeof(struct redact_entry), by_hash);
	if (m->entries.is_full || buf_add(out, &m->head, sizeof(m->head)) < 0 ||
		buf_add(out, buf_str(&m->entries), m->entries.len) < 0)
		return err_set(e, ERR_LIMIT, "the secrets are too many or too long to be sought");
	return 0;
}
