/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - requests to other servers: curl multi on our loop. http*.c are the one door to curl.
 *
 * curl calls back from inside its own functions and forbids most of them there. So starting,
 * resuming and cancelling are only noted by the public functions, and done by a timer of the next
 * round.
 *
 * Redirects are followed here and not by curl: it would change methods, and the credentials must
 * stay on their host.
 */
#include "base/http.h"

#include "base/clean.h"
#include "base/http_call.h"
#include "base/limits.h"
#include "base/mem.h"

#define REDIRECTS_MAX      5
#define TIMEOUT_MS_DEFAULT 30000
#define REPLY_MAX_DEFAULT  MIB(8)
#define IDLE_MAX           16L /* connections kept */
#define TRY_AGAIN_MS       250 /* then twice that, and so on */

struct http {
	struct loop *l;
	CURLM *multi;
	struct loop_timer *timer; /* curl's */
	struct loop_timer *work;  /* ours: noted starts, resumes and cancellations */
	struct http_call *calls;
};

/* ---- the end of a call ---- */

static void
call_free(struct http_call *c)
{
	if (c->is_added)
		(void)curl_multi_remove_handle(c->h->multi, c->easy);
	loop_timer_remove(c->pause);
	curl_easy_cleanup(c->easy);
	http_call_wipe(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->h->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
}

static void
call_end(struct http_call *c)
{
	struct http_reply reply = c->reply;
	struct err e = c->e;

	c->reply = (struct http_reply){ 0 };
	http_cb *cb = c->cb;
	void *ctx = c->ctx;
	struct http_stream stream = c->stream;
	http_connect_cb *connect_cb = c->connect_cb;
	int fd = connect_cb && !e.code ? http_call_take_socket(c) : -1;

	call_free(c);
	if (connect_cb)
		connect_cb(ctx, fd, &e);
	else if (cb)
		cb(ctx, &reply, &e);
	else
		stream.on_done(stream.ctx, &reply, &e);
	http_reply_finish(&reply);
}

/* The query may hold what is nobody's business in a log. */
static void
call_fail(struct http_call *c, int code, bool was_sent, const char *why)
{
	char text[ERR_TEXT_BYTES_MAX];

	/* A reason of our own, or one that an earlier step left. */
	(void)snprintf(text, sizeof(text), "%s", c->e.code ? c->e.text : why);
	(void)err_set(&c->e, c->e.code ? c->e.code : code, "%s %.*s: %s", c->r.method,
		(int)strcspn(c->r.url, "?#"), c->r.url, text);
	http_reply_finish(&c->reply);
	c->reply.was_sent = was_sent;
	call_end(c);
}

static int
code_of(CURLcode rc)
{
	switch ((int)rc) {
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_PARTIAL_FILE:
		return ERR_BUSY;
	case CURLE_PEER_FAILED_VERIFICATION:
		return ERR_DENIED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return ERR_INVALID;
	default:
		return ERR_PROTOCOL;
	}
}

/* ---- redirects ---- */

static char *
url_part(CURLU *u, CURLUPart part)
{
	char *text = NULL;

	if (curl_url_get(u, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return NULL;
	char *copy = mem_str(text);
	curl_free(text);
	return copy;
}

static char *
origin_of(CURLU *u)
{
	auto_free char *scheme = url_part(u, CURLUPART_SCHEME);
	auto_free char *host = url_part(u, CURLUPART_HOST);
	auto_free char *port = url_part(u, CURLUPART_PORT);

	return mem_fmt("%s://%s:%s", scheme ? scheme : "", host ? host : "", port ? port : "");
}

/* The new address, or NULL if it cannot be read; *leaves: it is another server's. */
static char *
redirect_target(const char *url, const char *location, bool *leaves)
{
	CURLU *u = curl_url();
	char *target = NULL;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		auto_free char *from = origin_of(u);

		if (curl_url_set(u, CURLUPART_URL, location, CURLU_DISALLOW_USER) == CURLUE_OK) {
			auto_free char *to = origin_of(u);

			*leaves = !str_eq(from, to);
			target = url_part(u, CURLUPART_URL);
		}
	}
	curl_url_cleanup(u);
	return target;
}

static void call_begin(struct http_call *c);
static void need_work(struct http *h);

static void
call_redirect(struct http_call *c)
{
	bool leaves = true;

	(void)curl_multi_remove_handle(c->h->multi, c->easy);
	c->is_added = false;
	if (++c->redirects > REDIRECTS_MAX) {
		call_fail(c, ERR_LIMIT, true, "too many redirects");
		return;
	}
	char *target = redirect_target(c->r.url, http_reply_header(&c->reply, "location"), &leaves);
	if (!target) {
		call_fail(c, ERR_PROTOCOL, true, "redirect to no address");
		return;
	}
	free(c->r.url);
	c->r.url = target;
	c->has_left |= leaves;
	if (leaves && c->r.auth) {
		mem_wipe(c->r.auth, strlen(c->r.auth));
		free(steal_ptr(&c->r.auth));
	}
	call_begin(c);
}

/* ---- curl's engine on our loop ---- */

static void
call_begin(struct http_call *c)
{
	http_call_prepare(c, c->deadline_ms - loop_now_ms(c->h->l));
	if (curl_multi_add_handle(c->h->multi, c->easy) != CURLM_OK)
		abort(); /* out of memory */
	c->is_added = true;
}

static void
on_pause_over(void *ctx)
{
	struct http_call *c = ctx;

	c->pause = NULL;
	c->wants_start = true;
	need_work(c->h);
}

/* Nobody has seen the request yet, so this repeats nothing. */
static bool
try_again(struct http_call *c, CURLcode rc)
{
	if ((rc != CURLE_COULDNT_CONNECT && rc != CURLE_COULDNT_RESOLVE_HOST) || c->e.code ||
		c->tries >= c->r.tries_more)
		return false;
	(void)curl_multi_remove_handle(c->h->multi, c->easy);
	c->is_added = false;
	c->pause = loop_timer_add(c->h->l, (int64_t)TRY_AGAIN_MS << c->tries++, on_pause_over, c);
	return true;
}

static void
call_finished(struct http_call *c, CURLcode rc)
{
	long request_bytes = 0;

	if (c->is_cancelled) {
		call_free(c);
		return;
	}
	if (rc == CURLE_OK && c->is_redirect) {
		call_redirect(c);
		return;
	}
	if (rc == CURLE_OK) {
		c->e = (struct err){ 0 }; /* one of several addresses may have been refused */
		call_end(c);
		return;
	}
	if (try_again(c, rc))
		return;
	(void)curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	call_fail(c, code_of(rc), request_bytes > 0, curl_easy_strerror(rc));
}

static void
collect(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http_call *c = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode rc = m->data.result;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		call_finished(c, rc);
	}
}

static void
on_socket(void *ctx, int fd, uint32_t events)
{
	struct http *h = ctx;
	int mask = 0;
	int running;

	if (events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(h->multi, fd, mask, &running);
	collect(h);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *io)
{
	struct http *h = ctx;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_io_remove(io);
		(void)curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (io)
		loop_io_set(io, events);
	else
		(void)curl_multi_assign(h->multi, fd, loop_io_add(h->l, fd, events, on_socket, h));
	return 0;
}

static void
on_timer(void *ctx)
{
	struct http *h = ctx;
	int running;

	h->timer = NULL;
	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(h);
}

static int
on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *h = ctx;

	(void)multi;
	loop_timer_remove(h->timer);
	h->timer = timeout_ms < 0 ? NULL : loop_timer_add(h->l, timeout_ms, on_timer, h);
	return 0;
}

static void
on_work(void *ctx)
{
	struct http *h = ctx;
	struct http_call *next;

	h->work = NULL;
	for (struct http_call *c = h->calls; c; c = next) {
		next = c->next;
		if (c->is_cancelled) {
			call_free(c);
		} else if (c->wants_start) {
			c->wants_start = false;
			call_begin(c);
		} else if (c->wants_resume) {
			c->wants_resume = false;
			(void)curl_easy_pause(c->easy, CURLPAUSE_CONT);
		}
	}
	collect(h);
}

static void
need_work(struct http *h)
{
	if (!h->work)
		h->work = loop_timer_add(h->l, 0, on_work, h);
}

/* ---- public ---- */

int
http_create(struct loop *l, struct http **out, struct err *e)
{
	struct http *h;
	CURLM *multi;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(multi = curl_multi_init()))
		return err_set(e, ERR_SYSTEM, "curl does not start");
	h = mem_zero(sizeof(*h));
	h->l = l;
	h->multi = multi;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, IDLE_MAX);
	*out = h;
	return 0;
}

void
http_destroy(struct http *h)
{
	if (!h)
		return;
	while (h->calls)
		call_free(h->calls);
	(void)curl_multi_cleanup(h->multi);
	loop_timer_remove(h->timer);
	loop_timer_remove(h->work);
	free(h);
}

struct http_call *
http_call_create(struct http *h, struct http_request *take_r)
{
	struct http_call *c = mem_zero(sizeof(*c));

	c->h = h;
	c->r = *take_r;
	*take_r = (struct http_request){ 0 };
	if (c->r.timeout_ms <= 0)
		c->r.timeout_ms = TIMEOUT_MS_DEFAULT;
	if (c->r.reply_max == 0)
		c->r.reply_max = REPLY_MAX_DEFAULT;
	c->deadline_ms = loop_now_ms(h->l) + c->r.timeout_ms;
	c->easy = curl_easy_init();
	if (!c->easy)
		abort();
	c->next = h->calls;
	if (c->next)
		c->next->prev = c;
	h->calls = c;
	c->wants_start = true;
	need_work(h);
	return c;
}

struct http_call *
http_send(struct http *h, struct http_request *take_r, http_cb *cb, void *ctx)
{
	struct http_call *c = http_call_create(h, take_r);

	c->cb = cb;
	c->ctx = ctx;
	return c;
}

struct http_call *
http_send_stream(struct http *h, struct http_request *take_r, const struct http_stream *s)
{
	struct http_call *c = http_call_create(h, take_r);

	c->stream = *s;
	return c;
}

void
http_call_resume(struct http_call *c)
{
	c->wants_resume = true;
	need_work(c->h);
}

void
http_cancel(struct http_call *c)
{
	c->is_cancelled = true;
	need_work(c->h);
}
