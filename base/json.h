/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - the one door to jansson.
 *
 * Parsing is bounded: bytes, nesting and number of values are counted in one linear pass before
 * jansson sees the text, because it takes 78 bytes of memory for one byte of "{}". Decoding by row
 * is lenient as a reader of other people's forges must be: an absent or differently typed member is
 * left empty.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/row.h"

struct json; /* owned root or borrowed inner value */

struct json_limits {
	size_t bytes_max;
	size_t values_max;
	size_t depth_max;
};

extern const struct json_limits JSON_LIMITS_DELIVERY; /* 25 MiB, 400,000 values, depth 64 */
extern const struct json_limits JSON_LIMITS_REPLY;    /* 8 MiB, 200,000 values, depth 64 */

/* Bad UTF-8, lone surrogates and \u0000 are mended to U+FFFD first: a forge relays what users
 * wrote. ERR_LIMIT, ERR_INVALID. */
int json_parse(const char *data, size_t len, const struct json_limits *limits, struct json **out,
	struct err *e);
void json_destroy(struct json *j);

static inline void
clean_json(struct json **j)
{
	json_destroy(*j);
}

#define auto_json auto_cleanup(clean_json)

/* Inner values are borrowed from the root; NULL in gives NULL, 0, false out. Paths are dotted:
 * "issue.user.login". */
const struct json *json_get(const struct json *j, const char *path);
const char *json_str(const struct json *j, const char *path); /* NULL unless a string */
int64_t json_i64(
	const struct json *j, const char *path); /* 0 unless an integer or a string of digits */
bool json_bool(const struct json *j, const char *path);
bool json_is_null(const struct json *j, const char *path); /* true if absent too */
bool json_is_object(const struct json *j, const char *path);
size_t json_len(const struct json *j, const char *path); /* of an array, else 0 */
const struct json *json_at(const struct json *j, const char *path, size_t i);

/* Fills *obj (zeroed first). Strings over max are cut at a UTF-8 border; arrays over n_max are cut.
 * Never fails. */
void json_decode(const struct json *j, const struct row *rows, void *obj);

/* Appends the object as compact JSON. NULL strings, and lists marked empty by n == 0, are left out;
 * false and 0 are written. Dotted names become nested objects; rows with a common prefix must be
 * neighbours. */
int json_encode(const struct row *rows, const void *obj, struct buf *out, struct err *e);

/* Appends the value at path as compact JSON. ERR_MISSING, ERR_LIMIT. */
int json_print(const struct json *j, const char *path, struct buf *out);

/* Appends s as a JSON string with quotes; len bytes, invalid UTF-8 mended. */
int json_quote(struct buf *out, const char *s, size_t len);

#endif
