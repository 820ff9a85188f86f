/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_body - does this request ask the provider to reach the network in the box's stead?
 *
 * The body was written by whoever drives the agent, and the provider's parser decides what it
 * means. So it is not parsed into a tree, where doubled members or depth limits could hide
 * something, but read token by token: every member of every object is looked at, with its escapes
 * resolved.
 */
#include "sandbox/egress.h"

#include <strings.h>

#define DEPTH_MAX 128
#define TEXT_MAX                                                                                   \
	256 /* of a key, a type or a model's name; longer ones are cut, none of ours is            \
	     */

/* "type" of a tool that the provider runs; each is a prefix (web_search_preview,
 * web_search_20250305). */
static const char *const HOSTED_TYPES[] = {
	"web_search",
	"web_fetch",
	"mcp",
	"file_search",
	"code_interpreter",
	"code_execution",
	"url_context",
	"browser_search",
	"builtin_function",
	"container_auto",
	"container_reference",
	"openrouter:",
	"x_search",
};

/* Members that are such a tool by their name alone. */
static const char *const HOSTED_KEYS[] = {
	"mcp_servers",
	"mcpServers",
	"enable_search",
	"fileSearch",
	"web_search_options",
	"search_parameters",
	"googleSearch",
	"google_search",
	"googleSearchRetrieval",
	"google_search_retrieval",
	"googleMaps",
	"google_maps",
	"urlContext",
	"url_context",
	"codeExecution",
	"code_execution",
	"enterpriseWebSearch",
	"enterprise_web_search",
};

/* The same of the body's own members: inside of others they are words like any. Work in the
 * background goes on when nobody counts any more what it costs. */
static const char *const TOP_KEYS[] = { "background", "plugins" };

/* Members whose text is an address that the provider fetches, or a map with such a "url" in it.
 * What is sent along ("data:") is fine. */
static const char *const MEDIA_KEYS[] = {
	"audio_url",
	"document_url",
	"file_uri",
	"file_url",
	"fileUri",
	"image_url",
	"source",
	"video_url",
};

struct scan {
	const char *p;
	const char *end;
	int depth;
	bool is_object[DEPTH_MAX + 1];
	bool is_media[DEPTH_MAX + 1]; /* the value of one of MEDIA_KEYS */
	bool is_models; /* in the body's own list of models, of which the provider takes any */
	bool wants_key;
	char key[TEXT_MAX];  /* of the member whose value comes next, else "" */
	char text[TEXT_MAX]; /* the last string */
	struct egress_body *body;
};

static int
malformed(struct err *e)
{
	return err_set(e, ERR_INVALID, "the body is not JSON");
}

/* One escape behind a backslash; what is not ASCII cannot be part of a word of ours. -1: malformed.
 */
static int
read_escape(struct scan *s)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	unsigned code = 0;

	if (s->p == s->end)
		return -1;
	char c = *s->p++;
	const char *simple = c ? strchr(from, c) : NULL;
	if (simple)
		return to[simple - from];
	if (c != 'u' || s->end - s->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char h = *s->p++;
		const char *hex = "0123456789abcdef";
		const char *at = h ? strchr(hex, h >= 'A' && h <= 'F' ? h - 'A' + 'a' : h) : NULL;

		if (!at)
			return -1;
		code = code * 16 + (unsigned)(at - hex);
	}
	return code > 0 && code < 0x80 ? (int)code : '?';
}

static int
read_string(struct scan *s)
{
	size_t n = 0;

	while (s->p < s->end) {
		int c = (unsigned char)*s->p++;

		if (c == '"') {
			s->text[n] = '\0';
			return 0;
		}
		if (c < ' ')
			return -1;
		if (c == '\\' && (c = read_escape(s)) < 0)
			return -1;
		if (n < sizeof(s->text) - 1)
			s->text[n++] = (char)c;
	}
	return -1;
}

/* Whether the value that comes is that of the body's own member. */
static bool
is_top(const struct scan *s, const char *key)
{
	return s->depth == 1 && strcasecmp(s->key, key) == 0;
}

static int
check_key(const struct scan *s, struct err *e)
{
	for (size_t i = 0; i < sizeof(HOSTED_KEYS) / sizeof(HOSTED_KEYS[0]); i++) {
		if (strcasecmp(s->key, HOSTED_KEYS[i]) == 0)
			return err_set(e, ERR_DENIED, "hosted tool \"%s\"", HOSTED_KEYS[i]);
	}
	return 0;
}

/* Of a value that is not false or null: these switch nothing on. */
static int
check_top(const struct scan *s, struct err *e)
{
	for (size_t i = 0; i < sizeof(TOP_KEYS) / sizeof(TOP_KEYS[0]); i++) {
		if (is_top(s, TOP_KEYS[i]))
			return err_set(e, ERR_DENIED, "\"%s\"", TOP_KEYS[i]);
	}
	return 0;
}

static bool
is_media_key(const char *key)
{
	for (size_t i = 0; i < sizeof(MEDIA_KEYS) / sizeof(MEDIA_KEYS[0]); i++) {
		if (strcasecmp(key, MEDIA_KEYS[i]) == 0)
			return true;
	}
	return false;
}

static int
check_remote(const struct scan *s, struct err *e)
{
	bool is_address = strcasecmp(s->key, "url") == 0
				  ? s->is_media[s->depth]
				  : strcasecmp(s->key, "source") != 0 && is_media_key(s->key);

	if (is_address && s->text[0] && strncasecmp(s->text, "data:", 5) != 0)
		return err_set(e, ERR_DENIED, "a remote file in \"%s\"", s->key);
	return 0;
}

static int
check_value(const struct scan *s, struct err *e)
{
	if (strcasecmp(s->key, "type") == 0) {
		for (size_t i = 0; i < sizeof(HOSTED_TYPES) / sizeof(HOSTED_TYPES[0]); i++) {
			if (strncasecmp(s->text, HOSTED_TYPES[i], strlen(HOSTED_TYPES[i])) == 0)
				return err_set(
					e, ERR_DENIED, "hosted tool \"%s\"", HOSTED_TYPES[i]);
		}
	}
	if (s->is_models || is_top(s, "model") || is_top(s, "models"))
		strs_add(&s->body->models, s->text);
	return check_remote(s, e);
}

static int
on_string(struct scan *s, struct err *e)
{
	int rc = 0;

	if (read_string(s) < 0)
		return malformed(e);
	if (s->wants_key) {
		memcpy(s->key, s->text, sizeof(s->key));
		s->wants_key = false;
		return check_key(s, e);
	}
	rc = check_top(s, e);
	if (rc == 0)
		rc = check_value(s, e);
	s->key[0] = '\0';
	return rc;
}

static int
on_open(struct scan *s, bool is_object, struct err *e)
{
	if (s->depth == DEPTH_MAX)
		return err_set(e, ERR_INVALID, "the body is nested over %d levels", DEPTH_MAX);
	if (check_top(s, e) < 0)
		return ERR_DENIED;
	s->is_models |= is_top(s, "models");
	s->is_media[s->depth + 1] = is_object && is_media_key(s->key);
	s->is_object[++s->depth] = is_object;
	s->wants_key = is_object;
	s->key[0] = '\0';
	return 0;
}

static int
on_close(struct scan *s, bool is_object, struct err *e)
{
	if (s->depth == 0 || s->is_object[s->depth] != is_object)
		return malformed(e);
	s->depth--;
	s->is_models &= s->depth > 1;
	s->wants_key = false;
	s->key[0] = '\0';
	return 0;
}

/* Numbers, true, false, null: any run of their letters will do. */
static int
on_literal(struct scan *s, char first, struct err *e)
{
	static const char letters[] = "0123456789+-.eEtrufalsn";

	if (!first || !strchr(letters, first) || s->wants_key)
		return malformed(e);
	if (first != 'f' && first != 'n' && check_top(s, e) < 0)
		return ERR_DENIED;
	if (first == 't' && is_top(s, "stream"))
		s->body->wants_stream = true;
	while (s->p < s->end && *s->p && strchr(letters, *s->p))
		s->p++;
	s->key[0] = '\0';
	return 0;
}

static int
on_token(struct scan *s, char c, struct err *e)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case ':':
		return 0;
	case ',':
		s->wants_key = s->depth > 0 && s->is_object[s->depth];
		s->key[0] = '\0';
		return 0;
	case '{':
	case '[':
		return s->wants_key ? malformed(e) : on_open(s, c == '{', e);
	case '}':
	case ']':
		return on_close(s, c == '}', e);
	case '"':
		return on_string(s, e);
	default:
		return on_literal(s, c, e);
	}
}

int
egress_body_check(const char *data, size_t len, struct egress_body *out, struct err *e)
{
	struct scan s = { .p = data, .end = data + len, .body = out };
	int rc = 0;

	while (rc == 0 && s.p < s.end)
		rc = on_token(&s, *s.p++, e);
	if (rc == 0 && s.depth != 0)
		rc = malformed(e);
	return rc;
}
