/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - small questions about text.
 *
 * Parsers accept the whole string or nothing. None of them allocates unless its comment says so.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A list of owned strings. */
struct strs {
	char **v;
	size_t n;
};

void strs_add(struct strs *s, const char *text);
void strs_addf(struct strs *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strs_finish(struct strs *s);
bool strs_has(const struct strs *s, const char *text);
void strs_copy(struct strs *to, const struct strs *from); /* to is finished first */

static inline void
clean_strs(struct strs *s)
{
	strs_finish(s);
}

#define auto_strs auto_cleanup(clean_strs)

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_is_empty(const char *s); /* NULL or "" */

/* Shell-like glob with * (not past '/'), ** (past it) and ?. Linear in both lengths. */
bool str_glob(const char *pattern, const char *s);

/* Rows of patterns, a leading '!' takes out again; the last match decides; no match is false. */
bool str_glob_list(const struct strs *patterns, const char *s);

/* The word of list nearest to s by edit distance, or NULL if none is close (distance <= 1 + length
 * / 3). */
const char *str_nearest(const char *s, const char *const *list, size_t n);

int str_i64(const char *s, int64_t min, int64_t max, int64_t *out, struct err *e);

/* "90s", "2h", "45m", "1d", "500ms" to milliseconds; a bare number is refused except 0. */
int str_duration(const char *s, int64_t *out_ms, struct err *e);

/* "5MiB", "64KiB", "1GiB", "300B", or bare bytes. */
int str_size(const char *s, int64_t *out_bytes, struct err *e);

/* RFC 3339 / ISO 8601 as forges write it ("2026-11-22T09:19:17Z", "+01:00", fractions) to
 * milliseconds since 1970. */
int str_time(const char *s, int64_t *out_ms, struct err *e);

/* Milliseconds since 1970 as "2026-11-22T09:19:17Z"; out has room for 32 bytes. */
void str_time_print(int64_t ms, char out[32]);

bool str_utf8_ok(const char *s, size_t len);

/* How many of len bytes to keep so that they are at most max and no code point is cut in two. */
size_t str_utf8_cut(const char *s, size_t len, size_t max);

/* How many bytes at the end (0 to 3) begin a character whose rest has not come yet. */
size_t str_utf8_unfinished(const char *s, size_t len);

/* Adds s with every byte that is not valid UTF-8, and every NUL, replaced by U+FFFD. */
int str_utf8_clean(struct buf *out, const char *s, size_t len);

/* 0 to 15, or -1 if c is no hexadecimal digit. */
int str_hex_digit(char c);

int str_hex(struct buf *out, const void *data, size_t len);
int str_unhex(
	const char *s, uint8_t *out, size_t out_len, struct err *e); /* exactly out_len bytes */
int str_base64(struct buf *out, const void *data, size_t len);
int str_base64url(struct buf *out, const void *data, size_t len); /* no padding: RFC 7515 */
int str_unbase64(struct buf *out, const char *s, size_t len, struct err *e);

/* RFC 3986: everything but unreserved characters becomes %XX. */
int str_percent(struct buf *out, const char *s);

/* application/x-www-form-urlencoded, one pass; '+' is a space. ERR_INVALID for a broken %XX. */
int str_unpercent(struct buf *out, const char *s, size_t len, struct err *e);

/* "Fix: the Bug!" to "fix-the-bug": [a-z0-9-], at most max bytes, never empty ("task"), no '-' at
 * the ends. */
void str_slug(struct buf *out, const char *s, size_t max);

/* & < > " ' as entities. */
int str_html(struct buf *out, const char *s, size_t len);

#endif
