/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress - what may leave a box, as rules: endpoints, headers, paths, models.
 */
#include "sandbox/egress.h"

#include "base/limits.h"

#include <string.h>
#include <strings.h>

/* ---- providers ---- */

static const struct {
	const char *name;
	const char *key_header;
	const char *key_prefix;
} APIS[EGRESS_API_COUNT] = {
	[EGRESS_ANTHROPIC] = { "anthropic", "x-api-key", "" },
	[EGRESS_GEMINI] = { "gemini", "x-goog-api-key", "" },
	[EGRESS_OPENAI] = { "openai", "authorization", "Bearer " },
};

int
egress_api_parse(const char *kind)
{
	for (int i = 0; i < EGRESS_API_COUNT; i++) {
		if (str_eq(APIS[i].name, kind))
			return i;
	}
	return -1;
}

const char *
egress_key_header(enum egress_api api)
{
	return APIS[api].key_header;
}

const char *
egress_key_prefix(enum egress_api api)
{
	return APIS[api].key_prefix;
}

/* Paths as the CLIs of docs/ARCHITECTURE.md call them; patterns are str_glob's. */
static const struct {
	enum egress_api api;
	const char *method;
	const char *path;
	enum egress_endpoint is;
} ENDPOINTS[] = {
	{ EGRESS_ANTHROPIC, "HEAD", "/api/hello", EGRESS_HELLO },
	{ EGRESS_ANTHROPIC, "GET", "/v1/models", EGRESS_FREE },
	{ EGRESS_ANTHROPIC, "GET", "/v1/models/*", EGRESS_FREE },
	{ EGRESS_ANTHROPIC, "POST", "/v1/messages", EGRESS_MESSAGES },
	{ EGRESS_ANTHROPIC, "POST", "/v1/messages/count_tokens", EGRESS_FREE },
	{ EGRESS_GEMINI, "GET", "/v1beta/models", EGRESS_FREE },
	{ EGRESS_GEMINI, "GET", "/v1beta/models/*", EGRESS_FREE },
	{ EGRESS_GEMINI, "POST", "/v1beta/models/*:countTokens", EGRESS_FREE },
	{ EGRESS_GEMINI, "POST", "/v1beta/models/*:generateContent", EGRESS_GENERATE },
	{ EGRESS_GEMINI, "POST", "/v1beta/models/*:streamGenerateContent", EGRESS_GENERATE },
	{ EGRESS_OPENAI, "GET", "/models", EGRESS_FREE },
	{ EGRESS_OPENAI, "GET", "/models/*", EGRESS_FREE },
	{ EGRESS_OPENAI, "POST", "/chat/completions", EGRESS_CHAT },
	{ EGRESS_OPENAI, "POST", "/completions", EGRESS_CHAT },
	{ EGRESS_OPENAI, "POST", "/responses", EGRESS_RESPONSES },
	{ EGRESS_OPENAI, "POST", "/responses/compact", EGRESS_RESPONSES },
};

enum egress_endpoint
egress_endpoint(enum egress_api api, const char *method, const char *path)
{
	for (size_t i = 0; i < sizeof(ENDPOINTS) / sizeof(ENDPOINTS[0]); i++) {
		if (ENDPOINTS[i].api == api && str_eq(ENDPOINTS[i].method, method) &&
			str_glob(ENDPOINTS[i].path, path))
			return ENDPOINTS[i].is;
	}
	return EGRESS_CLOSED;
}

/* ---- headers ---- */

/* A name that ends in '*' is a prefix. */
static bool
is_listed(const char *const *names, const char *name, size_t len)
{
	for (; *names; names++) {
		size_t n = strlen(*names);
		bool is_prefix = (*names)[n - 1] == '*';

		if (is_prefix && len >= n - 1 && strncasecmp(*names, name, n - 1) == 0)
			return true;
		if (!is_prefix && len == n && strncasecmp(*names, name, n) == 0)
			return true;
	}
	return false;
}

bool
egress_header_passes(const char *name, size_t len)
{
	static const char *const stripped[] = {
		/* credentials, and what chooses whose account pays */
		"authorization",
		"api-key",
		"cookie*",
		"openai-organization",
		"openai-project",
		"x-access-token",
		"x-amz-*",
		"x-api-key",
		"x-auth-*",
		"x-goog-api-key",
		"x-goog-authenticated-user*",
		"x-goog-iam-*",
		"x-goog-user-project",
		/* what turns the request into another one behind our back */
		"x-http-method*",
		"x-method-override",
		"x-original-url",
		"x-rewrite-url",
		/* hop by hop (RFC 9110, 7.6.1), and the framing, which is ours */
		"connection",
		"content-length",
		"expect",
		"host",
		"keep-alive",
		"proxy-*",
		"te",
		"trailer",
		"transfer-encoding",
		"upgrade*",
		/* an answer must come in a form that can be read and rewritten */
		"accept-encoding",
		/* where it came from is nobody's business */
		"forwarded",
		"referer",
		"origin",
		"via",
		"x-forwarded-*",
		"x-real-ip",
		NULL,
	};

	return !is_listed(stripped, name, len);
}

bool
egress_reply_header_passes(const char *name, size_t len)
{
	static const char *const stripped[] = {
		"alt-svc",
		"connection",
		"content-length",
		"keep-alive",
		"proxy-*",
		"set-cookie*",
		"strict-transport-security",
		"trailer",
		"transfer-encoding",
		"upgrade",
		NULL,
	};

	return !is_listed(stripped, name, len);
}

/* ---- queries ---- */

/* Some clients put the key there; ours must be the only one, and in its header. The name may be
 * written as %6bey, and providers read it back. */
static bool
is_credential(const char *part, size_t len)
{
	static const char *const names[] = { "access_token", "api-key", "api_key", "apikey", "auth",
		"authorization", "key", "oauth_token", "token", "x-api-key", "x-goog-api-key",
		NULL };
	const char *equals = memchr(part, '=', len);
	auto_buf struct buf name = BUF_INIT(LIMIT_HEAD_BYTES);

	if (str_unpercent(&name, part, equals ? (size_t)(equals - part) : len, NULL) < 0)
		return true; /* nobody knows how it will be read */
	return is_listed(names, buf_str(&name), name.len);
}

void
egress_query(const char *query, size_t len, struct buf *out)
{
	const char *p = query;
	const char *end = query + len;
	bool is_first = true;

	while (p < end) {
		const char *part = p + 1; /* behind '?' or '&' */
		const char *stop = part;

		while (stop < end && *stop != '&' && *stop != ';')
			stop++;
		if (!is_credential(part, (size_t)(stop - part))) {
			(void)buf_addc(out, is_first ? '?' : '&');
			(void)buf_add(out, part, (size_t)(stop - part));
			is_first = false;
		}
		p = stop;
	}
}

/* ---- paths ---- */

static bool
is_slash(const char *p)
{
	return *p == '/' || (p[0] == '%' && p[1] == '2' && (p[2] == 'f' || p[2] == 'F'));
}

/* True for "." and ".." between slashes; p is behind one. */
static bool
is_dot_segment(const char *p, const char *end)
{
	int dots = 0;

	while (p < end && *p == '.' && dots < 3) {
		dots++;
		p++;
	}
	return dots > 0 && dots < 3 && (p == end || is_slash(p));
}

/* Characters that a path may hide as %XX: controls, dot, backslash, DEL. */
static bool
is_bad_escape(const char *p, const char *end)
{
	static const char *const bad[] = { "2e", "5c", "7f", "25", NULL };

	if (end - p < 3)
		return true;
	if (p[1] == '0' || p[1] == '1')
		return true;
	for (const char *const *b = bad; *b; b++) {
		if (strncasecmp(p + 1, *b, 2) == 0)
			return true;
	}
	return false;
}

int
egress_path_check(const char *path, size_t len, struct err *e)
{
	const char *end = path + len;

	if (len == 0 || *path != '/')
		return err_set(e, ERR_INVALID, "not a path");
	for (const char *p = path; p < end; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '\\' ||
			*p == '#')
			return err_set(e, ERR_INVALID, "a character that no path has");
		if (*p == '%' && is_bad_escape(p, end))
			return err_set(e, ERR_INVALID, "an escape that hides something");
		if (*p == '/' && is_dot_segment(p + 1, end))
			return err_set(e, ERR_INVALID, "a dot segment");
		if (*p == '%' && is_slash(p) && is_dot_segment(p + 3, end))
			return err_set(e, ERR_INVALID, "a dot segment");
	}
	return 0;
}

/* ---- models ---- */

/* The name alone makes these look at the web. */
static bool
is_hosted_model(const char *name)
{
	static const char *const patterns[] = { "**:online", "**-search-api", "**-search-api-*",
		"**-search-preview", "**-search-preview-*", "**-deep-research",
		"**-deep-research-*", NULL };

	for (const char *const *p = patterns; *p; p++) {
		if (str_glob(*p, name))
			return true;
	}
	return false;
}

bool
egress_models_ok(const struct strs *allow, const struct strs *models)
{
	for (size_t i = 0; i < models->n; i++) {
		if (is_hosted_model(models->v[i]))
			return false;
	}
	if (allow->n == 0)
		return true;
	for (size_t i = 0; i < models->n; i++) {
		if (!str_glob_list(allow, models->v[i]))
			return false;
	}
	return models->n > 0;
}

void
egress_path_model(const char *path, struct strs *models)
{
	const char *name = strstr(path, "/models/");

	if (!name)
		return;
	name += strlen("/models/");
	strs_addf(models, "%.*s", (int)strcspn(name, ":/"), name);
}
