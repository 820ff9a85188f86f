/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_reader - the lines of an agent that speaks in events, turned into a log that a person
 * reads.
 *
 * Real agents write lines of many megabytes when a command was noisy; such a line is skipped
 * without being kept.
 */
#include "sandbox/agent.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

static const struct json_limits EVENT_LIMITS = { AGENT_LINE_BYTES_MAX, 20000, 16 };

struct agent_reader {
	const struct agent_row *row;
	struct buf line;
	size_t skipped; /* bytes of a line that is too long; 0: none under way */
	char *summary;
	char *error;
};

struct agent_reader *
agent_reader_create(const struct agent_row *row)
{
	struct agent_reader *r = mem_zero(sizeof(*r));

	r->row = row;
	buf_init(&r->line, AGENT_LINE_BYTES_MAX);
	return r;
}

void
agent_reader_destroy(struct agent_reader *r)
{
	if (!r)
		return;
	buf_finish(&r->line);
	free(r->summary);
	free(r->error);
	free(r);
}

void
agent_show(struct buf *show, int style, const char *text)
{
	if (!text || !*text)
		return;
	if (style)
		(void)buf_addf(show, "\033[%dm", style);
	for (const char *p = text; *p; p++) {
		if (*p == '\n' && (p == text || p[-1] != '\r'))
			(void)buf_addc(show, '\r');
		(void)buf_addc(show, *p);
	}
	if (style)
		(void)buf_adds(show, "\033[0m");
	if (text[strlen(text) - 1] != '\n')
		(void)buf_adds(show, "\r\n");
}

/* Cut at a character's border. */
static void
keep(char **to, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0)
		return;
	if (len > LIMIT_SUMMARY_BYTES) {
		len = LIMIT_SUMMARY_BYTES;
		while (len > 0 && (text[len] & 0xc0) == 0x80)
			len--;
	}
	free(*to);
	*to = mem_strn(text, len);
}

void
agent_set_summary(struct agent_reader *r, const char *text)
{
	keep(&r->summary, text);
}

void
agent_set_error(struct agent_reader *r, const char *text)
{
	keep(&r->error, text);
}

const char *
agent_reader_summary(const struct agent_reader *r)
{
	return r->summary;
}

const char *
agent_reader_error(const struct agent_reader *r)
{
	return r->error;
}

static void
end_line(struct agent_reader *r, struct buf *show)
{
	auto_json struct json *event = NULL;
	size_t len = r->line.len;

	if (r->skipped > 0) {
		(void)buf_addf(show, "[an event of %zu bytes left out]\r\n", r->skipped + len);
		r->skipped = 0;
		buf_reset(&r->line);
		return;
	}
	while (len > 0 && r->line.data[len - 1] == '\r')
		len--;
	if (len > 0 && r->line.data[0] == '{' &&
		json_parse(r->line.data, len, &EVENT_LIMITS, &event, NULL) == 0) {
		r->row->on_event(r, event, show);
	} else {
		(void)buf_add(show, buf_str(&r->line), len);
		(void)buf_adds(show, "\r\n");
	}
	buf_reset(&r->line);
}

void
agent_reader_feed(struct agent_reader *r, const char *data, size_t len, struct buf *show)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t part = end ? (size_t)(end - data) : len;

		if (r->skipped > 0 || r->line.len + part > AGENT_LINE_BYTES_MAX) {
			r->skipped += r->line.len + part;
			buf_reset(&r->line);
		} else {
			(void)buf_add(&r->line, data, part);
		}
		if (end) {
			end_line(r, show);
			part++;
		}
		data += part;
		len -= part;
	}
}

void
agent_reader_end(struct agent_reader *r, struct buf *show)
{
	if (r->line.len > 0 || r->skipped > 0)
		end_line(r, show);
}
