/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder - the transcript of an attempt: what its terminals showed, as asciicast v2 and as plain
 * text.
 *
 * Output of the same 50 ms is one event. Under a flood the first quarter of the cap and the newest
 * rest are kept, and a mark says what was left out. Bytes that are not UTF-8 become U+FFFD, control
 * characters are escaped, so that each line of the cast is valid JSON whatever was written. Known
 * secrets and what looks like one are taken out (redact.h) before anything else sees the output.
 */
#ifndef SANDBOX_RECORDER_H
#define SANDBOX_RECORDER_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define RECORDER_COALESCE_MS 50
#define RECORDER_QUIET_MS    1000

struct recorder;

struct recorder_spec {
	int cast_fd; /* both taken: empty files, open for writing */
	int text_fd;
	int64_t bytes_max;      /* of each file */
	int64_t wall_ms;        /* for the head of the cast */
	const char *title;      /* may be NULL */
	const void *redactions; /* a table of redact.h, borrowed for the call; NULL: shapes only */
	size_t redactions_len;
};

/* Times are of any monotonic clock; the first one seen is zero in the cast. ERR_INVALID: not a
 * table; the files are closed. */
int recorder_create(
	const struct recorder_spec *s, int64_t now_ms, struct recorder **out, struct err *e);

/* Output of a terminal. */
void recorder_write(struct recorder *r, const char *data, size_t len, int64_t now_ms);

/* A line of our own, set apart: which step begins, how it ended. */
void recorder_note(struct recorder *r, const char *text, int64_t now_ms);

/* Writes what has waited for RECORDER_COALESCE_MS, and after RECORDER_QUIET_MS the last whole line
 * that might yet be the beginning of a secret: true, the text has grown. Call when
 * recorder_is_waiting. */
bool recorder_tick(struct recorder *r, int64_t now_ms);
bool recorder_is_waiting(const struct recorder *r);

/* Adds the last lines as text, at most bytes_max, whole lines where possible. */
void recorder_tail(const struct recorder *r, size_t bytes_max, struct buf *out);

/* A terminal ended: what it had on its screen is final, what it left half done is forgotten. */
void recorder_cut(struct recorder *r, int64_t now_ms);

/* recorder_mend.c: what a recorder that was killed left in its files, made whole: half a line of
 * the cast goes, the text has what was on the screen, and both end with the note. Done again it
 * changes nothing. No cast: nothing was recorded. */
void recorder_mend(const char *note, struct buf *cast, struct buf *text);

/* Completes and closes the files; NULL is accepted. The first write error comes back. */
int recorder_finish(struct recorder *r, struct err *e);

#endif
