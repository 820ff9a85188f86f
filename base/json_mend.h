/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_mend - one linear pass over JSON text before a parser sees it.
 *
 * Counts values and nesting against limits, and copies the text with what jansson would refuse
 * mended, because a forge relays whatever users wrote: bad UTF-8, lone surrogates and \u0000 become
 * U+FFFD, a leading BOM goes, numbers that overflow become strings of the same digits. Structure is
 * left to the parser; this pass only has to be right about where strings and numbers begin and end.
 */
#ifndef BASE_JSON_MEND_H
#define BASE_JSON_MEND_H

#include "base/json.h"

/* Appends the mended text to out. ERR_LIMIT, ERR_INVALID. */
int json_mend(const char *data, size_t len, const struct json_limits *limits, struct buf *out,
	struct err *e);

#endif
