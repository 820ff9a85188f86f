/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder - see recorder.h. The cast is what a player replays, byte by byte; the text is what a
 * terminal (vt) would have left to read.
 */
#include "sandbox/recorder.h"

#include "base/clean.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/capped.h"
#include "sandbox/redact.h"
#include "sandbox/sandbox.h"
#include "sandbox/vt.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define EVENT_BYTES_MAX KIB(32) /* of output in one event */
#define RECENT_BYTES    (2 * LIMIT_TAIL_BYTES)

struct recorder {
	struct capped cast;
	struct capped text;
	struct redact *redact;
	struct vt *vt;
	struct buf event; /* output of the event under way; ends at a character's border, but for
			     `part` */
	int64_t event_ms; /* when it began */
	int64_t now_ms;   /* of the output that is being written */
	int64_t zero_ms;
	int64_t last_ms; /* of the newest event written: times never go back */
	int64_t head_ms; /* of the newest event that went to the disk at once: the time of the mark
			  */
	struct buf recent; /* last final lines of the text */
	struct buf line;   /* scratch */
};

/* ---- the cast ---- */

/* An escaped byte, as JSON has it. */
static void
escape(struct buf *out, unsigned char b)
{
	static const char hex[] = "0123456789abcdef";

	if (b == '"' || b == '\\')
		(void)buf_add(out, (const char[]){ '\\', (char)b }, 2);
	else
		(void)buf_add(
			out, (const char[]){ '\\', 'u', '0', '0', hex[b >> 4], hex[b & 0xf] }, 6);
}

/* JSON string with DEL and C1 escaped too: what is pasted into a terminal from the file must not
 * act there. Most bytes are themselves, and are copied together. */
static void
quote(struct buf *out, const char *data, size_t len)
{
	auto_buf struct buf clean = BUF_INIT(3 * len + 1);
	size_t from = 0;

	(void)str_utf8_clean(&clean, data, len);
	(void)buf_addc(out, '"');
	for (size_t i = 0; i < clean.len; i++) {
		unsigned char b = (unsigned char)clean.data[i];
		unsigned char next = (unsigned char)clean.data[i + 1]; /* a NUL is behind the end */
		bool is_c1 = b == 0xc2 && next >= 0x80 && next < 0xa0;

		if (b >= 0x20 && b != '"' && b != '\\' && b != 0x7f && !is_c1)
			continue;
		(void)buf_add(out, clean.data + from, i - from);
		escape(out, is_c1 ? next : b);
		i += is_c1;
		from = i + 1;
	}
	(void)buf_add(out, clean.data + from, clean.len - from);
	(void)buf_addc(out, '"');
}

static void
write_event(struct recorder *r, const char *data, size_t len, int64_t at_ms)
{
	int64_t ms;

	if (at_ms < r->last_ms)
		at_ms = r->last_ms;
	r->last_ms = at_ms;
	ms = at_ms - r->zero_ms;
	buf_reset(&r->line);
	(void)buf_addf(&r->line, "[%" PRId64 ".%03" PRId64 ",\"o\",", ms / 1000, ms % 1000);
	quote(&r->line, data, len);
	(void)buf_adds(&r->line, "]\n");
	capped_add(&r->cast, r->line.data, r->line.len);
	if (!r->cast.is_head_full)
		r->head_ms = at_ms;
}

/* keep: leave the beginning of a character for the next event. */
static void
close_event(struct recorder *r, bool keep)
{
	size_t rest = keep ? str_utf8_unfinished(buf_str(&r->event), r->event.len) : 0;
	size_t len = r->event.len - rest;

	if (len == 0)
		return;
	write_event(r, r->event.data, len, r->event_ms);
	buf_drop(&r->event, len);
}

static void
write_head(struct recorder *r, const struct recorder_spec *s)
{
	auto_buf struct buf head = BUF_INIT(KIB(8));

	(void)buf_addf(&head, "{\"version\":2,\"width\":%d,\"height\":%d,\"timestamp\":%" PRId64,
		BOX_COLUMNS, BOX_ROWS, s->wall_ms / 1000);
	if (s->title) {
		(void)buf_adds(&head, ",\"title\":");
		(void)json_quote(&head, s->title, strlen(s->title));
	}
	(void)buf_adds(&head, ",\"env\":{\"TERM\":\"xterm-256color\",\"SHELL\":\"/bin/sh\"}}\n");
	capped_add(&r->cast, head.data, head.len);
}

/* ---- the text ---- */

static void
on_line(void *ctx, const char *line, size_t len)
{
	struct recorder *r = ctx;

	capped_add(&r->text, line, len);
	if (r->recent.len + len > r->recent.limit)
		buf_drop(&r->recent,
			r->recent.len > RECENT_BYTES / 2 ? r->recent.len - RECENT_BYTES / 2 : 0);
	if (r->recent.len + len > r->recent.limit)
		buf_reset(&r->recent);
	(void)buf_add(&r->recent, line, len);
}

void
recorder_tail(const struct recorder *r, size_t bytes_max, struct buf *out)
{
	auto_buf struct buf all = BUF_INIT(MIB(2));
	const char *start;

	(void)buf_add(&all, buf_str(&r->recent), r->recent.len);
	vt_screen(r->vt, &all);
	start = buf_str(&all);
	if (all.len > bytes_max) {
		const char *from = all.data + all.len - bytes_max;
		const char *line = memchr(from, '\n', bytes_max);

		while ((*from & 0xc0) == 0x80)
			from++;
		start = line && line[1] ? line + 1 : from;
	}
	(void)buf_adds(out, start);
}

/* ---- in and out ---- */

/* What the redactor lets through. */
static void
on_clean(void *ctx, const char *data, size_t len)
{
	struct recorder *r = ctx;

	vt_feed(r->vt, data, len);
	while (len > 0) {
		size_t room = EVENT_BYTES_MAX - r->event.len;
		size_t part = len < room ? len : room;

		if (r->event.len == 0)
			r->event_ms = r->now_ms;
		(void)buf_add(&r->event, data, part);
		data += part;
		len -= part;
		if (r->event.len == EVENT_BYTES_MAX)
			close_event(r, true);
	}
}

int
recorder_create(const struct recorder_spec *s, int64_t now_ms, struct recorder **out, struct err *e)
{
	struct recorder *r = mem_zero(sizeof(*r));
	int rc = redact_create(s->redactions, s->redactions_len, on_clean, r, &r->redact, e);

	if (rc < 0) {
		(void)close(s->cast_fd);
		(void)close(s->text_fd);
		free(r);
		return rc;
	}
	capped_init(&r->cast, s->cast_fd, s->bytes_max);
	capped_init(&r->text, s->text_fd, s->bytes_max);
	r->vt = vt_create(BOX_ROWS, on_line, r);
	buf_init(&r->event, EVENT_BYTES_MAX);
	buf_init(&r->recent, RECENT_BYTES + 4 * VT_COLUMNS_MAX + 1);
	buf_init(&r->line, 6 * EVENT_BYTES_MAX + 64);
	r->zero_ms = r->last_ms = r->head_ms = r->now_ms = now_ms;
	write_head(r, s);
	*out = r;
	return 0;
}

void
recorder_write(struct recorder *r, const char *data, size_t len, int64_t now_ms)
{
	r->now_ms = now_ms;
	redact_feed(r->redact, data, len);
	(void)recorder_tick(r, now_ms);
}

bool
recorder_is_waiting(const struct recorder *r)
{
	return r->event.len > str_utf8_unfinished(buf_str(&r->event), r->event.len) ||
	       redact_holds_line(r->redact);
}

bool
recorder_tick(struct recorder *r, int64_t now_ms)
{
	bool is_quiet = redact_holds_line(r->redact) && now_ms - r->now_ms >= RECORDER_QUIET_MS;

	if (is_quiet)
		redact_release(r->redact);
	if (r->event.len > 0 && now_ms - r->event_ms >= RECORDER_COALESCE_MS)
		close_event(r, true);
	return is_quiet;
}

void
recorder_cut(struct recorder *r, int64_t now_ms)
{
	(void)now_ms;
	redact_flush(r->redact);
	close_event(r, false);
	vt_flush(r->vt);
}

void
recorder_note(struct recorder *r, const char *text, int64_t now_ms)
{
	auto_free char *line = mem_fmt("\033[1m== %s\033[0m\r\n", text);

	recorder_cut(r, now_ms);
	recorder_write(r, line, strlen(line), now_ms);
	recorder_cut(r, now_ms);
}

int
recorder_finish(struct recorder *r, struct err *e)
{
	int rc, rc_text;

	if (!r)
		return 0;
	recorder_cut(r, r->last_ms);
	auto_free char *text = mem_fmt("[... %" PRIu64 " bytes left out ...]\n", r->text.left_out);
	auto_free char *cast = mem_fmt("[%" PRId64 ".%03" PRId64 ",\"o\",\"\\r\\n[... %" PRIu64
				       " bytes left out ...]\\r\\n\"]\n",
		(r->head_ms - r->zero_ms) / 1000, (r->head_ms - r->zero_ms) % 1000,
		r->cast.left_out);
	rc = capped_finish(&r->cast, cast, e);
	rc_text = capped_finish(&r->text, text, e);
	vt_destroy(r->vt);
	redact_destroy(r->redact);
	buf_finish(&r->event);
	buf_finish(&r->recent);
	buf_finish(&r->line);
	free(r);
	return rc < 0 ? rc : rc_text;
}
