/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry - see retry.h.
 *
 * A 403 is two things: "you may not" and "not so fast". The second has marks: a Retry-After, a
 * remaining count of zero, or GitHub's words in the body.
 */
#include "forge/retry.h"

#include "base/json.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define BACKOFF_FIRST_MS  1000
#define BACKOFF_LAST_MS   (5 * 60 * 1000)
#define WAIT_MAX_MS       (60 * 60 * 1000)
#define RESET_SLACK_MS    1000 /* the reset time has whole seconds */
#define MESSAGE_BYTES_MAX 200

static const struct json_limits MESSAGE_LIMITS = { 65536, 10000, 32 };

static int64_t
clamp_wait(int64_t ms)
{
	if (ms < BACKOFF_FIRST_MS)
		return BACKOFF_FIRST_MS;
	return ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
}

int64_t
retry_http_date_ms(const char *s)
{
	struct tm tm = { 0 };
	const char *end = s ? strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

	return end && !*end ? (int64_t)timegm(&tm) * 1000 : 0;
}

/* Until the window's end, if nothing is left in it. */
static int64_t
spent_wait(const struct http_reply *r, int64_t now_ms)
{
	const char *left = http_reply_header(r, "x-ratelimit-remaining");
	const char *reset = http_reply_header(r, "x-ratelimit-reset");
	int64_t n;

	if (!str_eq(left, "0") || !reset || !now_ms ||
		str_i64(reset, 0, INT64_MAX / 2000, &n, NULL) < 0)
		return 0;
	return clamp_wait(n * 1000 - now_ms + RESET_SLACK_MS);
}

/* Milliseconds to wait as the headers say, 0 if they say nothing. */
static int64_t
told_wait(const struct http_reply *r, int64_t now_ms)
{
	const char *after = http_reply_header(r, "retry-after");
	int64_t n;

	if (after && str_i64(after, 0, WAIT_MAX_MS, &n, NULL) == 0)
		return clamp_wait(n * 1000);
	if (after && retry_http_date_ms(after) && now_ms)
		return clamp_wait(retry_http_date_ms(after) - now_ms);
	return spent_wait(r, now_ms);
}

int64_t
retry_spent_ms(const struct http_reply *r)
{
	return spent_wait(r, retry_http_date_ms(http_reply_header(r, "date")));
}

/* What the forge says went wrong, as one line of plain text. */
static void
message(const struct http_reply *r, char out[MESSAGE_BYTES_MAX + 1])
{
	auto_json struct json *j = NULL;
	const char *text = NULL;
	size_t n = 0;

	if (r->body.len && json_parse(r->body.data, r->body.len, &MESSAGE_LIMITS, &j, NULL) == 0)
		text = json_str(json_at(j, "errors", 0), "message");
	if (!text)
		text = json_str(j, "message");
	if (!text) /* GitLab may have several, and a word where it has no sentence */
		text = json_str(json_at(j, "message", 0), NULL);
	if (!text)
		text = json_str(j, "error");
	for (; text && *text && n < MESSAGE_BYTES_MAX; text++)
		out[n++] = *text >= ' ' && *text < 0x7f ? *text : ' ';
	out[n] = '\0';
}

static bool
is_limited(const struct http_reply *r, const char *said)
{
	return http_reply_header(r, "retry-after") ||
	       str_eq(http_reply_header(r, "x-ratelimit-remaining"), "0") ||
	       strcasestr(said, "rate limit") || strcasestr(said, "abuse detection");
}

static const struct {
	int status;
	int code;
} CODES[] = {
	{ 401, ERR_DENIED },
	{ 403, ERR_DENIED },
	{ 404, ERR_MISSING },
	{ 407, ERR_DENIED },
	{ 408, ERR_BUSY },
	{ 409, ERR_CONFLICT },
	{ 410, ERR_MISSING },
	{ 413, ERR_LIMIT },
	{ 425, ERR_BUSY },
	{ 429, ERR_BUSY },
	{ 451, ERR_DENIED },
};

static int
status_code(int status, bool limited)
{
	if (status >= 500 || (status == 403 && limited))
		return ERR_BUSY;
	for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
		if (CODES[i].status == status)
			return CODES[i].code;
	}
	return status >= 400 ? ERR_INVALID : ERR_PROTOCOL;
}

int
retry_classify(const struct http_reply *r, int64_t now_ms, int64_t *retry_after_ms, struct err *e)
{
	char said[MESSAGE_BYTES_MAX + 1];
	int rc;

	*retry_after_ms = 0;
	if (r->status >= 200 && r->status < 300)
		return 0;
	if (r->status == 0 && r->was_sent)
		return err_set(e, ERR_TIMEOUT, "no answer: the outcome is unknown");
	if (r->status == 0)
		return err_set(e, ERR_BUSY, "not reached");
	message(r, said);
	rc = status_code(r->status, is_limited(r, said));
	if (rc == ERR_BUSY)
		*retry_after_ms = told_wait(r, now_ms);
	return err_set(e, rc, "status %d%s%s", r->status, *said ? ": " : "", said);
}

int64_t
retry_backoff_ms(int64_t n, uint32_t random)
{
	int64_t ms = BACKOFF_FIRST_MS;

	while (n-- > 1 && ms < BACKOFF_LAST_MS)
		ms *= 2;
	if (ms > BACKOFF_LAST_MS)
		ms = BACKOFF_LAST_MS;
	return ms + ms * (int64_t)(random % 1024) / 1024 / 4;
}
