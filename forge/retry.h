/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry - what an answer of a forge means for asking again. Pure.
 */
#ifndef FORGE_RETRY_H
#define FORGE_RETRY_H

#include "base/http.h"

#include <stdint.h>

/* 0 for 2xx. 400, 422: ERR_INVALID (drivers refine to ERR_CONFLICT); 401, 403: ERR_DENIED; 404,
 * 410: ERR_MISSING; 409: ERR_CONFLICT; 429, 403 with a limit's marks, and 5xx: ERR_BUSY with
 * *retry_after_ms from Retry-After or x-ratelimit-reset (0 = unknown); no answer: ERR_BUSY if
 * nothing was sent, ERR_TIMEOUT if the outcome is unknown. now_ms is wall time. Source:
 * docs.github.com "Best practices for using the REST API". */
int retry_classify(
	const struct http_reply *r, int64_t now_ms, int64_t *retry_after_ms, struct err *e);

/* How long nothing may be asked, because this reply was the last of its window; 0: there are more.
 */
int64_t retry_spent_ms(const struct http_reply *r);

/* "Sun, 22 Nov 2026 09:19:17 GMT" (RFC 9110, IMF-fixdate) to milliseconds since 1970; 0 for
 * anything else. */
int64_t retry_http_date_ms(const char *s);

/* Wait before try number n (1 = first repetition): 1 s doubling to 5 min, plus up to a quarter by
 * random (0..1023 of 1024). */
int64_t retry_backoff_ms(int64_t n, uint32_t random);

#endif
