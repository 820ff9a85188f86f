/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 - see http1.h. Grammar from RFC 9110 (fields) and RFC 9112 (message); bodies are in
 * http1_chunks.c.
 */
#include "base/http1.h"

#include <string.h>
#include <strings.h>

#define METHOD_BYTES_MAX 32

/* 18 digits fit an int64_t with room; nobody sends an exabyte. */
#define LENGTH_DIGITS_MAX 18

struct span {
	const char *p;
	size_t len;
};

static int
refuse(struct err *e, const char *rule)
{
	return err_set(e, ERR_PROTOCOL, "HTTP request refused: %s", rule);
}

/* tchar of RFC 9110, 5.6.2. */
static bool
is_token_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t
token_len(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_token_char(p[n]))
		n++;
	return n;
}

static bool
is_target_char(char c)
{
	return c > ' ' && c < 0x7f;
}

/* HTAB, SP, VCHAR, obs-text. Never CR, LF or NUL. */
static bool
is_value_char(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static bool
span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

/*
 * The next line without its CRLF. 1: *line is filled. 0: not complete. Bare CR, bare LF and NUL are
 * refused wherever they stand, also in a line that is not complete yet.
 */
static int
next_line(const char *data, size_t len, struct span *line, struct err *e)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\0')
			return refuse(e, "NUL in the head");
		if (data[i] == '\n')
			return refuse(e, "LF without CR");
		if (data[i] != '\r')
			continue;
		if (i + 1 == len)
			return 0;
		if (data[i + 1] != '\n')
			return refuse(e, "CR without LF");
		*line = (struct span){ data, i };
		return 1;
	}
	return 0;
}

/* method SP target SP "HTTP/1." ( "0" / "1" ) */
static int
parse_request_line(struct span line, struct http1_head *out, struct err *e)
{
	size_t method = token_len(line.p, line.len);
	const char *target = line.p + method + 1;
	size_t left, n = 0;

	if (method == 0 || method > METHOD_BYTES_MAX)
		return refuse(e, "no method");
	if (line.len < method + 2 || line.p[method] != ' ')
		return refuse(e, "no target");
	left = line.len - method - 1;
	while (n < left && is_target_char(target[n]))
		n++;
	if (n == 0)
		return refuse(e, "no target");
	if (left - n != strlen(" HTTP/1.1") || memcmp(target + n, " HTTP/1.", 8) != 0)
		return refuse(e, "not HTTP/1.0 or HTTP/1.1 behind one target");
	if (target[n + 8] != '0' && target[n + 8] != '1')
		return refuse(e, "not HTTP/1.0 or HTTP/1.1");
	out->method = line.p;
	out->method_len = method;
	out->target = target;
	out->target_len = n;
	out->minor = target[n + 8] - '0';
	return 0;
}

/* The line that has not ended yet may be wrong already: a request line without a token first, a
 * folded header. */
static int
check_partial(struct span line, bool is_first, struct err *e)
{
	if (line.len == 0)
		return 0;
	if (is_first && token_len(line.p, line.len) == 0)
		return refuse(e, "no method");
	if (is_first && token_len(line.p, line.len) > METHOD_BYTES_MAX)
		return refuse(e, "no method");
	if (!is_first && (line.p[0] == ' ' || line.p[0] == '\t'))
		return refuse(e, "folded header");
	return 0;
}

static int
parse_header_line(struct span line, struct http1_header *out, struct err *e)
{
	size_t name = token_len(line.p, line.len);
	const char *value;
	size_t len;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(e, "folded header");
	if (name == 0 || name == line.len || line.p[name] != ':')
		return refuse(e, "header name is no token with a colon behind it");
	value = line.p + name + 1;
	len = line.len - name - 1;
	for (size_t i = 0; i < len; i++) {
		if (!is_value_char(value[i]))
			return refuse(e, "control character in a header");
	}
	for (; len && (value[0] == ' ' || value[0] == '\t'); len--)
		value++;
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	*out = (struct http1_header){ line.p, name, value, len };
	return 0;
}

static int
apply_content_length(struct http1_head *h, struct span value, struct err *e)
{
	int64_t n = 0;

	if (h->content_length >= 0)
		return refuse(e, "two Content-Length");
	if (value.len == 0 || value.len > LENGTH_DIGITS_MAX)
		return refuse(e, "Content-Length is no number");
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return refuse(e, "Content-Length is no number");
		n = n * 10 + (value.p[i] - '0');
	}
	h->content_length = n;
	return 0;
}

static int
apply_transfer_encoding(struct http1_head *h, struct span value, struct err *e)
{
	if (h->is_chunked)
		return refuse(e, "two Transfer-Encoding");
	if (!span_is(value, "chunked"))
		return refuse(e, "Transfer-Encoding other than chunked");
	if (h->minor == 0)
		return refuse(e, "Transfer-Encoding in HTTP/1.0");
	h->is_chunked = true;
	return 0;
}

/* uri-host [ ":" port ], or empty. What a Host may not hold would let two readers see two hosts. */
static int
check_host(struct span value, struct err *e)
{
	for (size_t i = 0; i < value.len; i++) {
		if (!is_target_char(value.p[i]) || strchr("/\\@,;?#<>\"{}|^`", value.p[i]))
			return refuse(e, "broken Host");
	}
	return 0;
}

/* The rules that need more than one line. */
static int
check_framing(struct http1_head *h, struct err *e)
{
	size_t n_hosts = 0;
	int rc = 0;

	for (size_t i = 0; i < h->n_headers && rc == 0; i++) {
		struct span name = { h->headers[i].name, h->headers[i].name_len };
		struct span value = { h->headers[i].value, h->headers[i].value_len };

		if (span_is(name, "Content-Length")) {
			rc = apply_content_length(h, value, e);
		} else if (span_is(name, "Transfer-Encoding")) {
			rc = apply_transfer_encoding(h, value, e);
		} else if (span_is(name, "Host")) {
			n_hosts++;
			rc = check_host(value, e);
		}
	}
	if (rc < 0)
		return rc;
	if (h->is_chunked && h->content_length >= 0)
		return refuse(e, "Content-Length and Transfer-Encoding");
	if (n_hosts > 1)
		return refuse(e, "two Host");
	if (n_hosts == 0 && h->minor == 1)
		return refuse(e, "no Host");
	return 0;
}

static int
add_header(struct http1_head *h, struct span line, struct err *e)
{
	if (h->n_headers == HTTP1_HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "HTTP request refused: more than %d headers",
			HTTP1_HEADERS_MAX);
	return parse_header_line(line, &h->headers[h->n_headers++], e);
}

int
http1_head_parse(const char *data, size_t len, struct http1_head *out, struct err *e)
{
	struct span line = { data, 0 };
	size_t at = 0;
	int rc;

	out->n_headers = 0;
	out->content_length = -1;
	out->is_chunked = false;
	for (bool is_first = true;; is_first = false) {
		rc = next_line(data + at, len - at, &line, e);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			line = (struct span){ data + at, len - at };
			if (line.len && line.p[line.len - 1] == '\r')
				line.len--;
			return check_partial(line, is_first, e);
		}
		at += line.len + 2;
		if (is_first)
			rc = parse_request_line(line, out, e);
		else if (line.len == 0)
			break;
		else
			rc = add_header(out, line, e);
		if (rc < 0)
			return rc;
	}
	out->head_len = at;
	rc = check_framing(out, e);
	return rc < 0 ? rc : 1;
}

const struct http1_header *
http1_header_get(const struct http1_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		if (span_is((struct span){ h->headers[i].name, h->headers[i].name_len }, name))
			return &h->headers[i];
	}
	return NULL;
}
