/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_usage - what an answer of a model says it took, read off while it passes.
 */
#include "sandbox/egress_usage.h"

#include <string.h>

/* Four bytes a token is what English and code come to. */
#define BYTES_PER_TOKEN 4
#define NUMBER_MAX      INT64_C(1000000000000)

enum mode { MODE_UNKNOWN, MODE_JSON, MODE_EVENTS };

enum state {
	STATE_BETWEEN,
	STATE_STRING,
	STATE_ESCAPE,
	STATE_NUMBER,
	STATE_SKIP, /* a number with a point or an exponent: none of ours */
};

enum field {
	SAID_IN,
	SAID_TOOL, /* Gemini: what its own tools read */
	SAID_CACHED,
	SAID_WRITTEN,
	SAID_OUT,
	SAID_THOUGHT, /* Gemini: not in SAID_OUT */
	SAID_OUT_SO_FAR,
};

/* Paths from the root. A list around all (Gemini without events) is passed over. */
static const struct {
	enum egress_api api;
	const char *path;
	enum field field;
} PATHS[] = {
	{ EGRESS_ANTHROPIC, "message.usage.cache_creation_input_tokens", SAID_WRITTEN },
	{ EGRESS_ANTHROPIC, "message.usage.cache_read_input_tokens", SAID_CACHED },
	{ EGRESS_ANTHROPIC, "message.usage.input_tokens", SAID_IN },
	{ EGRESS_ANTHROPIC, "message.usage.output_tokens", SAID_OUT_SO_FAR },
	{ EGRESS_ANTHROPIC, "usage.cache_creation_input_tokens", SAID_WRITTEN },
	{ EGRESS_ANTHROPIC, "usage.cache_read_input_tokens", SAID_CACHED },
	{ EGRESS_ANTHROPIC, "usage.input_tokens", SAID_IN },
	{ EGRESS_ANTHROPIC, "usage.output_tokens", SAID_OUT },
	{ EGRESS_GEMINI, "usageMetadata.cachedContentTokenCount", SAID_CACHED },
	{ EGRESS_GEMINI, "usageMetadata.candidatesTokenCount", SAID_OUT },
	{ EGRESS_GEMINI, "usageMetadata.promptTokenCount", SAID_IN },
	{ EGRESS_GEMINI, "usageMetadata.thoughtsTokenCount", SAID_THOUGHT },
	{ EGRESS_GEMINI, "usageMetadata.toolUsePromptTokenCount", SAID_TOOL },
	{ EGRESS_OPENAI, "response.usage.input_tokens", SAID_IN },
	{ EGRESS_OPENAI, "response.usage.input_tokens_details.cached_tokens", SAID_CACHED },
	{ EGRESS_OPENAI, "response.usage.output_tokens", SAID_OUT },
	{ EGRESS_OPENAI, "usage.completion_tokens", SAID_OUT },
	{ EGRESS_OPENAI, "usage.input_tokens", SAID_IN },
	{ EGRESS_OPENAI, "usage.input_tokens_details.cached_tokens", SAID_CACHED },
	{ EGRESS_OPENAI, "usage.output_tokens", SAID_OUT },
	{ EGRESS_OPENAI, "usage.prompt_tokens", SAID_IN },
	{ EGRESS_OPENAI, "usage.prompt_tokens_details.cached_tokens", SAID_CACHED },
};

void
egress_meter_init(struct egress_meter *m, enum egress_api api, size_t asked)
{
	*m = (struct egress_meter){ .api = api, .asked = asked };
}

/* ---- paths ---- */

/* Takes name off the front of *path, with the dot behind it. */
static bool
path_step(const char **path, const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return true; /* the root, or an object of the list around all */
	if (strncmp(*path, name, len) != 0 || (*path)[len] != '.')
		return false;
	*path += len + 1;
	return true;
}

static bool
path_is(const struct egress_meter *m, const char *path)
{
	for (int i = 1; i <= m->depth; i++) {
		if (!path_step(&path, m->names[i]))
			return false;
	}
	return strcmp(path, m->key) == 0;
}

static void
number_ends(struct egress_meter *m)
{
	if (m->depth > EGRESS_USAGE_DEPTH_MAX || m->array_at || m->key_len == 0)
		return;
	for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
		if (PATHS[i].api != m->api || !path_is(m, PATHS[i].path))
			continue;
		/* Later events repeat and raise what earlier ones said. */
		if (m->number > m->said[PATHS[i].field])
			m->said[PATHS[i].field] = m->number;
		if (PATHS[i].field == SAID_OUT)
			m->is_final = true;
	}
}

/* ---- JSON ---- */

static void
json_restart(struct egress_meter *m)
{
	m->state = STATE_BETWEEN;
	m->depth = 0;
	m->array_at = 0;
	m->wants_key = false;
	m->key_len = 0;
	m->key[0] = '\0';
}

static void
key_forget(struct egress_meter *m)
{
	m->key_len = 0;
	m->key[0] = '\0';
}

static void
on_open(struct egress_meter *m, bool is_object)
{
	m->depth++;
	if (m->depth <= EGRESS_USAGE_DEPTH_MAX)
		memcpy(m->names[m->depth], m->key, sizeof(m->key));
	if (!is_object && m->depth > 1 && !m->array_at)
		m->array_at = m->depth;
	m->wants_key = is_object;
	key_forget(m);
}

static void
on_close(struct egress_meter *m)
{
	if (m->array_at == m->depth)
		m->array_at = 0;
	if (m->depth > 0)
		m->depth--;
	m->wants_key = false;
	key_forget(m);
}

static void
on_between(struct egress_meter *m, char c)
{
	if (c == '{' || c == '[') {
		on_open(m, c == '{');
	} else if (c == '}' || c == ']') {
		on_close(m);
	} else if (c == ',') {
		/* In a list the next is no key, but to take it for one does no harm. */
		m->wants_key = true;
		key_forget(m);
	} else if (c == '"') {
		if (m->wants_key)
			key_forget(m);
		m->state = STATE_STRING;
	} else if (c >= '0' && c <= '9') {
		m->number = c - '0';
		m->state = STATE_NUMBER;
	} else if (c == '-') {
		m->state = STATE_SKIP;
	}
}

static void
on_string(struct egress_meter *m, char c)
{
	if (c == '"') {
		m->state = STATE_BETWEEN;
		if (!m->wants_key)
			key_forget(m);
		m->wants_key = false;
	} else if (c == '\\') {
		m->state = STATE_ESCAPE;
	} else if (m->wants_key && m->key_len < sizeof(m->key) - 1) {
		m->key[m->key_len++] = c;
		m->key[m->key_len] = '\0';
	}
}

static bool
is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

static void
on_number(struct egress_meter *m, char c)
{
	if (m->state == STATE_NUMBER && c >= '0' && c <= '9') {
		if (m->number < NUMBER_MAX)
			m->number = 10 * m->number + (c - '0');
	} else if (is_number_char(c)) {
		m->state = STATE_SKIP;
	} else {
		if (m->state == STATE_NUMBER)
			number_ends(m);
		m->state = STATE_BETWEEN;
		on_between(m, c);
	}
}

static void
on_json(struct egress_meter *m, char c)
{
	switch ((enum state)m->state) {
	case STATE_STRING:
		on_string(m, c);
		break;
	case STATE_ESCAPE: /* no name of ours has one */
		m->state = STATE_STRING;
		break;
	case STATE_NUMBER:
	case STATE_SKIP:
		on_number(m, c);
		break;
	case STATE_BETWEEN:
		on_between(m, c);
		break;
	}
}

/* ---- server-sent events ---- */

static const char DATA[] = "data:";
#define DATA_LEN   ((int)sizeof(DATA) - 1)
#define OTHER_LINE (DATA_LEN + 1)

static void
on_event_byte(struct egress_meter *m, char c)
{
	if (c == '\n' || c == '\r') {
		m->line = 0;
	} else if (m->line == DATA_LEN) {
		on_json(m, c);
	} else if (m->line < DATA_LEN && c == DATA[m->line]) {
		m->line++;
		if (m->line == DATA_LEN) {
			m->events++;
			json_restart(m);
		}
	} else {
		m->line = OTHER_LINE;
	}
}

/* How many bytes from here on change nothing: within a string that is no name, which is where an
 * answer's words are, and in a line that is no data. */
static size_t
dull(const struct egress_meter *m, const char *data, size_t len)
{
	bool is_other = m->mode == MODE_EVENTS && m->line == OTHER_LINE;
	bool is_json = m->mode == MODE_JSON || (m->mode == MODE_EVENTS && m->line == DATA_LEN);
	bool is_words = is_json && m->state == STATE_STRING && !m->wants_key;
	size_t n = 0;

	if (!is_other && !is_words)
		return 0;
	while (n < len && data[n] != '\n' && data[n] != '\r' &&
		(is_other || (data[n] != '"' && data[n] != '\\')))
		n++;
	return n;
}

/* ---- public ---- */

void
egress_meter_feed(struct egress_meter *m, const char *data, size_t len)
{
	m->bytes += (int64_t)len;
	for (size_t i = 0; i < len; i++) {
		i += dull(m, data + i, len - i);
		if (i == len)
			break;
		char c = data[i];

		if (m->mode == MODE_UNKNOWN && (c == '{' || c == '['))
			m->mode = MODE_JSON;
		else if (m->mode == MODE_UNKNOWN && !strchr(" \t\r\n", c))
			m->mode = MODE_EVENTS;
		if (m->mode == MODE_JSON)
			on_json(m, c);
		else if (m->mode == MODE_EVENTS)
			on_event_byte(m, c);
	}
}

/* An event has at least one token. */
static int64_t
written_so_far(const struct egress_meter *m)
{
	int64_t seen = m->mode == MODE_EVENTS ? m->events : m->bytes / BYTES_PER_TOKEN;

	return m->said[SAID_OUT_SO_FAR] > seen ? m->said[SAID_OUT_SO_FAR] : seen;
}

void
egress_meter_read(const struct egress_meter *m, struct egress_usage *out)
{
	int64_t in = m->said[SAID_IN];

	*out = (struct egress_usage){ .cached = m->said[SAID_CACHED],
		.written = m->said[SAID_WRITTEN] };
	if (in + out->cached + out->written == 0)
		in = (int64_t)m->asked / BYTES_PER_TOKEN;
	/* OpenAI and Gemini count what came out of the cache among the rest, too. */
	if (m->api != EGRESS_ANTHROPIC)
		in = in > out->cached ? in - out->cached : 0;
	out->in = in + m->said[SAID_TOOL];
	out->out = m->is_final ? m->said[SAID_OUT] + m->said[SAID_THOUGHT] : written_so_far(m);
}
