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

#include <inttypes.h>
#include <string.h>

#define BOLD 1
#define DIM  2
#define RED  31

#define TOKENS_MAX INT64_C(1000000000000)

static const struct json_limits EVENT_LIMITS = { AGENT_LINE_BYTES_MAX, 20000, 16 };

struct agent_reader {
	const struct agent_row *row;
	struct buf line;
	size_t skipped;  /* bytes of a line that is too long; 0: none under way */
	struct buf part; /* what is being said, piece by piece */
	bool is_in_part;
	char *summary;
	char *error;
	char *session;
	bool has_begun;
	bool is_done;
	int64_t read, written;
};

struct agent_reader *
agent_reader_create(const struct agent_row *row)
{
	struct agent_reader *r = mem_zero(sizeof(*r));

	r->row = row;
	buf_init(&r->line, AGENT_LINE_BYTES_MAX);
	buf_init(&r->part, LIMIT_SUMMARY_BYTES);
	return r;
}

void
agent_reader_destroy(struct agent_reader *r)
{
	if (!r)
		return;
	buf_finish(&r->line);
	buf_finish(&r->part);
	free(r->summary);
	free(r->error);
	free(r->session);
	free(r);
}

/* ---- what a person sees ---- */

/* As a terminal wants it: "\n" becomes "\r\n". */
static void
show_raw(struct buf *show, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\n' && (p == text || p[-1] != '\r'))
			(void)buf_addc(show, '\r');
		(void)buf_addc(show, *p);
	}
}

/* Whole lines, in a style (an SGR number, 0 = none). */
static void
show_lines(struct buf *show, int style, const char *text)
{
	if (str_is_empty(text))
		return;
	if (style)
		(void)buf_addf(show, "\033[%dm", style);
	show_raw(show, text);
	if (style)
		(void)buf_adds(show, "\033[0m");
	if (!str_ends(text, "\n"))
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

/* ---- rules ---- */

/* Where a path of a rule starts: "@path" in the element, else in the event. */
static const struct json *
start(const char **path, const struct json *event, const struct json *element)
{
	if (**path != '@')
		return event;
	(*path)++;
	return element;
}

static bool
value_is(const struct json *j, const char *path, const char *value)
{
	const char *text = json_str(j, path);

	if (text)
		return str_eq(text, value);
	if (str_eq(value, "true") || str_eq(value, "false"))
		return !json_is_null(j, path) && json_bool(j, path) == str_eq(value, "true");
	return str_eq(value, "0") && !json_is_null(j, path) && json_i64(j, path) == 0;
}

/* One word of a rule's `when`. */
static bool
word_holds(const char *word, const struct json *event, const struct json *element)
{
	auto_free char *path = mem_str(word + (word[0] == '!'));
	const char *from = path;
	const struct json *j = start(&from, event, element);
	char *equals = strchr(path, '=');
	bool holds;

	if (equals)
		*equals = '\0';
	holds = equals ? value_is(j, from, equals + 1) : !json_is_null(j, from);
	return holds != (word[0] == '!');
}

static bool
holds(const struct agent_rule *rule, const struct json *event, const struct json *element)
{
	auto_free char *words = mem_str(rule->when);
	char *rest = words;
	const char *word;

	while ((word = strsep(&rest, " "))) {
		if (!word_holds(word, event, element))
			return false;
	}
	return true;
}

/* A string; or a list of strings or of {"text": ...}, put together. */
static void
add_text(const struct json *j, const char *path, struct buf *out)
{
	const char *text = json_str(j, path);

	if (text)
		(void)buf_addf(out, "%s%s", out->len ? " " : "", text);
	for (size_t i = 0; !text && i < json_len(j, path); i++) {
		const struct json *at = json_at(j, path, i);
		const char *part = json_str(at, NULL) ? json_str(at, NULL) : json_str(at, "text");

		if (part)
			(void)buf_addf(out, "%s%s", !out->len ? "" : i ? "\n" : " ", part);
	}
}

static void
add_texts(const struct agent_rule *rule, const struct json *event, const struct json *element,
	struct buf *out)
{
	auto_free char *paths = mem_str(rule->path ? rule->path : "");
	char *rest = paths;
	const char *path;

	while ((path = strsep(&rest, " "))) {
		const struct json *j = start(&path, event, element);

		if (*path)
			add_text(j, path, out);
	}
}

/* ---- what an event means ---- */

static void
end_part(struct agent_reader *r, struct buf *show)
{
	if (!r->is_in_part)
		return;
	r->is_in_part = false;
	keep(&r->summary, buf_str(&r->part));
	(void)buf_adds(show, "\r\n");
}

static void
add_part(struct agent_reader *r, const char *text, struct buf *show)
{
	if (!r->is_in_part)
		buf_reset(&r->part);
	r->is_in_part = true;
	(void)buf_adds(&r->part, text);
	show_raw(show, text);
}

static void
begin(struct agent_reader *r, const char *session)
{
	r->has_begun = true;
	if (!r->session && agent_session_ok(session))
		r->session = mem_str(session);
}

static void
fail(struct agent_reader *r, const char *why, struct buf *show)
{
	r->is_done = false;
	keep(&r->error, str_is_empty(why) && !r->error ? "it gave no reason" : why);
	show_lines(show, RED, why);
}

/* A retry that went well in the end is no failure. */
static void
done(struct agent_reader *r)
{
	r->is_done = true;
	free(r->error);
	r->error = NULL;
}

static void
show_exit(int64_t code, struct buf *show)
{
	char line[48];

	if (code == 0)
		return;
	(void)snprintf(line, sizeof(line), "[exit code %" PRId64 "]", code);
	show_lines(show, RED, line);
}

static void
act(struct agent_reader *r, enum agent_act what, const char *text, struct buf *show)
{
	static const int style[] = {
		[ACT_COMMAND] = BOLD,
		[ACT_TOOL] = BOLD,
		[ACT_THOUGHT] = DIM,
		[ACT_WARNING] = RED,
		[ACT_WRITTEN] = 0,
	};

	if (what == ACT_PART) {
		add_part(r, text, show);
		return;
	}
	end_part(r, show);
	if (what == ACT_SESSION) {
		begin(r, text);
	} else if (what == ACT_FAILED) {
		fail(r, text, show);
	} else if (what == ACT_DONE) {
		done(r);
	} else {
		if (what == ACT_MESSAGE)
			keep(&r->summary, text);
		show_lines(show, style[what], text);
	}
}

/* Sums of one event: an agent may count what was read from a cache by itself. */
struct tally {
	bool has_any;
	int64_t read, written;
};

/* True if the rule is about a number. */
static bool
apply_number(
	const struct agent_rule *rule, const struct json *event, struct tally *t, struct buf *show)
{
	int64_t number;

	if (rule->act != ACT_EXIT && rule->act != ACT_READ && rule->act != ACT_WRITTEN)
		return false;
	number = json_i64(event, rule->path);
	if (rule->act == ACT_EXIT) {
		show_exit(number, show);
		return true;
	}
	t->has_any = true;
	if (number > 0 && number < TOKENS_MAX)
		*(rule->act == ACT_READ ? &t->read : &t->written) += number;
	return true;
}

static void
apply(struct agent_reader *r, const struct agent_rule *rule, const struct json *event,
	const struct json *element, struct buf *show)
{
	auto_buf struct buf text = BUF_INIT(2 * AGENT_LINE_BYTES_MAX);

	if (rule->act == ACT_COMMAND)
		(void)buf_adds(&text, "$");
	add_texts(rule, event, element, &text);
	act(r, rule->act, buf_str(&text), show);
}

static void
count(struct agent_reader *r, const struct tally *t)
{
	if (!t->has_any)
		return;
	r->read = t->read + (r->row->usage == USAGE_SUM ? r->read : 0);
	r->written = t->written + (r->row->usage == USAGE_SUM ? r->written : 0);
}

static void
read_event(struct agent_reader *r, const struct json *event, struct buf *show)
{
	struct tally t = { 0 };

	for (const struct agent_rule *rule = r->row->rules; rule->when; rule++) {
		size_t n = rule->each ? json_len(event, rule->each) : 1;

		for (size_t i = 0; i < n; i++) {
			const struct json *at = rule->each ? json_at(event, rule->each, i) : NULL;

			if (holds(rule, event, at) && !apply_number(rule, event, &t, show))
				apply(r, rule, event, at, show);
		}
	}
	count(r, &t);
}

/* ---- lines ---- */

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
		read_event(r, event, show);
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
	char line[80];

	if (r->line.len > 0 || r->skipped > 0)
		end_line(r, show);
	end_part(r, show);
	if (r->read + r->written == 0)
		return;
	(void)snprintf(line, sizeof(line), "[tokens: %" PRId64 " in, %" PRId64 " out%s]", r->read,
		r->written, r->row->usage == USAGE_CUMULATIVE ? ", the whole session" : "");
	show_lines(show, DIM, line);
}

void
agent_reader_said(const struct agent_reader *r, struct agent_said *out)
{
	*out = (struct agent_said){
		.summary = r->summary,
		.error = r->error,
		.session = r->session,
		.has_begun = r->has_begun,
		.is_done = r->is_done,
		.read = r->read,
		.written = r->written,
	};
}
