/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder_mend - what a recorder that was killed left on the disk, made whole.
 *
 * Its cast lacks what had not been written yet, its text besides all that was still on the screen:
 * the text is made anew from the cast. That what came last is missing is said in both.
 */
#include "sandbox/recorder.h"

#include "base/clean.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sandbox.h"
#include "sandbox/vt.h"

#include <string.h>

#define NOTE_BEGINS "\033[1m== " /* as recorder_note writes it: a screen of its own */
#define LINE_BYTES  (6 * KIB(32) + KIB(1))

static const struct json_limits LIMITS = {
	.bytes_max = LINE_BYTES, .values_max = 8, .depth_max = 4
};

static void
on_line(void *ctx, const char *line, size_t len)
{
	struct buf *text = ctx;

	(void)buf_add(text, line, len);
}

/* One event, "[<time>,"o",<what>]". False: it is none, and nothing after it can be trusted. */
static bool
replay(struct vt *vt, const char *line, size_t len)
{
	auto_json struct json *j = NULL;

	if (json_parse(line, len, &LIMITS, &j, NULL) < 0)
		return false;
	const char *said = json_str(json_at(j, NULL, 2), NULL);
	if (!said)
		return false;
	if (str_starts(said, NOTE_BEGINS))
		vt_flush(vt);
	vt_feed(vt, said, strlen(said));
	if (str_starts(said, NOTE_BEGINS))
		vt_flush(vt);
	return true;
}

/* Drops what is behind the last whole event; *at: where its time is, for the next one. */
static void
replay_all(struct buf *cast, struct buf *text, size_t *at)
{
	struct vt *vt = vt_create(BOX_ROWS, on_line, text);
	size_t from = strcspn(buf_str(cast), "\n");
	const char *end;

	for (from += from < cast->len; (end = memchr(cast->data + from, '\n', cast->len - from));) {
		size_t len = (size_t)(end - cast->data) - from;

		if (!replay(vt, cast->data + from, len))
			break;
		*at = from;
		from += len + 1;
	}
	buf_cut(cast, from);
	vt_flush(vt);
	vt_destroy(vt);
}

static void
add_event(struct buf *cast, size_t at, const char *note)
{
	auto_free char *said = mem_fmt("\r\n" NOTE_BEGINS "%s\033[0m\r\n", note);
	size_t len = strcspn(cast->data + at, ",]");
	auto_free char *when = at > 0 ? mem_strn(cast->data + at, len) : mem_str("[0.000");

	(void)buf_addf(cast, "%s,\"o\",", when);
	(void)json_quote(cast, said, strlen(said));
	(void)buf_adds(cast, "]\n");
}

void
recorder_mend(const char *note, struct buf *cast, struct buf *text)
{
	auto_buf struct buf again = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	auto_free char *line = mem_fmt("== %s\n", note);
	size_t at = 0;

	if (cast->len == 0)
		return;
	replay_all(cast, &again, &at);
	if (again.len >= strlen(line) && str_eq(buf_str(&again) + again.len - strlen(line), line))
		return; /* who did this before was killed at the last moment */
	add_event(cast, at, note);
	/* Its head may hold more than the cast's, which needs more room for the same. */
	if (again.len >= text->len) {
		buf_reset(text);
		(void)buf_add(text, again.data, again.len);
	}
	(void)buf_adds(text, line);
}
