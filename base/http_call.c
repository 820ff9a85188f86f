/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_call - one request under way: what curl is told about it and what curl asks of us meanwhile.
 *
 * Every callback here runs inside a function of curl, so none of them calls curl.
 */
#include "base/http_call.h"

#include "base/limits.h"
#include "base/mem.h"

#include <strings.h>

#define CONNECT_MS_MAX   10000
#define HEADERS_MAX      200
#define HEADER_BYTES_MAX KIB(64)

/* ---- what curl asks of us during a transfer ---- */

/* Only the last answer counts: interim ones (100, 103) end in an empty line too. */
static void
head_complete(struct http_call *c)
{
	int status = c->reply.status;

	if (status < 200)
		return;
	c->head_done = true;
	c->is_redirect = c->r.follow && http_reply_header(&c->reply, "location") &&
			 (status == 301 || status == 302 || status == 307 || status == 308 ||
				 (status == 303 && str_eq(c->r.method, "GET")));
	if (!c->cb && !c->is_redirect && c->stream.on_head)
		c->stream.on_head(c->stream.ctx, &c->reply);
}

/* "HTTP/1.1 200 OK" */
static int
status_line(const char *line, size_t len)
{
	const char *p = memchr(line, ' ', len);
	int status = 0;

	for (int i = 1; p && i < 4 && p + i < line + len && p[i] >= '0' && p[i] <= '9'; i++)
		status = 10 * status + (p[i] - '0');
	return status;
}

static int
add_header(struct http_call *c, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	if (!colon)
		return 0;
	c->header_bytes += len;
	if (c->reply.headers.n >= HEADERS_MAX || c->header_bytes > HEADER_BYTES_MAX)
		return err_set(&c->e, ERR_LIMIT, "too many headers");
	const char *value = colon + 1;
	const char *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	strs_addf(&c->reply.headers, "%.*s: %.*s", (int)(colon - line), line, (int)(end - value),
		value);
	for (char *p = c->reply.headers.v[c->reply.headers.n - 1]; *p != ':'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	}
	return 0;
}

static size_t
on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;
	size_t len = size * n;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (c->is_cancelled)
		return 0;
	if (c->head_done)
		return n; /* a trailer */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		http_reply_finish(&c->reply);
		c->header_bytes = 0;
		c->reply.status = status_line(line, len);
	} else if (len == 0) {
		head_complete(c);
	} else if (add_header(c, line, len) < 0) {
		return 0;
	}
	/* on_head may have cancelled; any other number than n stops curl */
	return c->is_cancelled ? 0 : n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;
	size_t len = size * n;

	if (c->is_cancelled)
		return 0;
	if (c->is_redirect)
		return len;
	if (c->cb) {
		c->reply.body.limit = c->r.reply_max;
		if (buf_add(&c->reply.body, data, len) == 0)
			return len;
		(void)err_set(&c->e, ERR_LIMIT, "answer over %zu bytes", c->r.reply_max);
		return 0;
	}
	int rc = c->stream.on_data(c->stream.ctx, data, len);
	if (c->is_cancelled)
		return 0;
	if (rc == ERR_BUSY)
		return CURL_WRITEFUNC_PAUSE;
	if (rc < 0)
		(void)err_set(&c->e, rc, "stopped by the reader");
	return rc < 0 ? 0 : len;
}

static size_t
on_upload(char *to, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;
	size_t left = c->r.body.len - c->sent;
	size_t len = left < size * n ? left : size * n;

	if (len > 0)
		memcpy(to, c->r.body.data + c->sent, len);
	c->sent += len;
	return len;
}

/* curl sends a request again on its own when a kept connection closes without an answer. The server
 * may have worked on the first copy, so only what may safely be repeated (RFC 9110, 9.2.2) is
 * rewound. */
static int
on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_call *c = ctx;

	if (origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_FAIL;
	if (str_eq(c->r.method, "POST") || str_eq(c->r.method, "PATCH"))
		return CURL_SEEKFUNC_FAIL;
	c->sent = 0;
	return CURL_SEEKFUNC_OK;
}

/* The address is the one that is connected to: a name that is looked up twice cannot change in
 * between. */
static curl_socket_t
on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_call *c = ctx;

	(void)purpose;
	if (http_call_check(c, &a->addr, a->addrlen) < 0)
		return CURL_SOCKET_BAD;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- one call ---- */

static void
headers_free(struct http_call *c)
{
	for (struct curl_slist *s = c->headers; s; s = s->next)
		mem_wipe(s->data, strlen(s->data)); /* one of them may be the credential */
	curl_slist_free_all(c->headers);
	c->headers = NULL;
}

static void
header_set(struct http_call *c, const char *line)
{
	struct curl_slist *s = curl_slist_append(c->headers, line);

	if (!s)
		abort();
	c->headers = s;
}

static bool
has_header(const struct http_request *r, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < r->headers.n; i++) {
		if (strncasecmp(r->headers.v[i], name, len) == 0 && r->headers.v[i][len] == ':')
			return true;
	}
	return false;
}

static void
set_headers(struct http_call *c)
{
	headers_free(c);
	for (size_t i = 0; i < c->r.headers.n; i++)
		header_set(c, c->r.headers.v[i]);
	header_set(c, "Expect:"); /* a second round trip for nothing */
	if (!has_header(&c->r, "content-type"))
		header_set(c, "Content-Type:"); /* curl would say it is a form */
	if (c->r.auth) {
		char *line = mem_fmt(
			"%s: %s", c->r.auth_name ? c->r.auth_name : "Authorization", c->r.auth);

		header_set(c, line);
		mem_wipe(line, strlen(line));
		free(line);
	}
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void
set_method(struct http_call *c)
{
	const char *m = c->r.method;
	bool wants_body = str_eq(m, "POST") || str_eq(m, "PUT") || str_eq(m, "PATCH");

	if (str_eq(m, "HEAD")) {
		curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
	} else if (c->r.body.len > 0 || wants_body) {
		curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->r.body.len);
		curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(c->easy, CURLOPT_READDATA, c);
		curl_easy_setopt(c->easy, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c->easy, CURLOPT_SEEKDATA, c);
	}
	curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, m);
}

static void
set_fixed(struct http_call *c)
{
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "nightshift");
	/* One request a connection at a time: this curl's pausing of multiplexed streams buffers
	 * without a bound. */
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
}

/* A kept connection has been opened for somebody who may go where this call may not. */
static void
set_connection(struct http_call *c)
{
	bool repeats_nothing =
		c->r.body.len == 0 && (str_eq(c->r.method, "POST") || str_eq(c->r.method, "PATCH"));
	bool is_picky = c->r.stays_public && c->has_left;

	if (c->connect_cb)
		curl_easy_setopt(c->easy, CURLOPT_CONNECT_ONLY, 1L);
	/* Without a body there is nothing to rewind, so on_seek would not be asked. */
	if (repeats_nothing || is_picky || c->connect_cb)
		curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void
set_limits(struct http_call *c, int64_t left_ms)
{
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
	curl_easy_setopt(c->easy, CURLOPT_URL, c->r.url);
}

void
http_call_prepare(struct http_call *c, int64_t left_ms)
{
	c->sent = 0;
	c->header_bytes = 0;
	c->head_done = false;
	c->is_redirect = false;
	http_reply_finish(&c->reply);
	curl_easy_reset(c->easy);
	set_fixed(c);
	set_method(c);
	set_headers(c);
	set_connection(c);
	set_limits(c, left_ms);
}

void
http_call_wipe(struct http_call *c)
{
	headers_free(c);
	http_request_finish(&c->r);
	http_reply_finish(&c->reply);
}
