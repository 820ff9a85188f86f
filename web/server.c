/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - HTTP on our loop.
 *
 * The library runs without threads and without a listening socket: its epoll descriptor is one more
 * descriptor of our loop, and connections are handed to it by web/door.c once their head has passed
 * the guard. While a handler waits for an answer from another role the connection is suspended.
 */
#include "web/server.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "web/client.h"
#include "web/door.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* More than 32 KiB would be a mmap and a munmap for each connection. */
#define CONNECTION_MEMORY_BYTES KIB(32)
#define IDLE_S_MAX              15
#define REQUEST_MS_MAX          60000
#define RETRY_S                 5
#define ROOM_BYTES_MIN          (size_t) KIB(256) /* of a body that makes room */
#define CUTS_MAX                256               /* that the library has not looked at yet */

struct web_server {
	struct loop *loop;
	struct web_server_spec spec;
	struct MHD_Daemon *daemon;
	struct loop_io *io;
	struct loop_timer *timer;
	struct door *door;
	size_t n_open;
	size_t held_bytes;                 /* of all bodies */
	struct web_exchange *first, *last; /* the oldest first */
};

struct web_exchange {
	struct web_server *server;
	struct web_exchange *prev, *next;
	struct MHD_Connection
		*connection; /* NULL: the client is gone, the handler still owes the answer */
	char *method;
	char *path;
	char client[CLIENT_BYTES];
	struct buf body;
	int64_t started_ms;
	size_t held_bytes; /* of the body, as the server counts */
	int64_t over_ms;   /* since when the body is not kept; 0: it is */
	size_t over_bytes; /* drained since */
	int over_status;   /* what is answered then */
	bool is_cut;       /* the library will find that out */
	bool is_handled;   /* the handler was called */
	bool is_suspended;
	struct MHD_Response *response;
	unsigned status;
};

static void run(void *ctx);

static void
run_soon(struct web_server *s, int64_t delay_ms)
{
	loop_timer_remove(s->timer);
	s->timer = loop_timer_add(s->loop, delay_ms, run, s);
}

static void
run(void *ctx)
{
	struct web_server *s = ctx;
	MHD_UNSIGNED_LONG_LONG wait_ms;

	s->timer = NULL;
	(void)MHD_run(s->daemon);
	/* A callback inside MHD_run may have set the timer already; it wants to run at once. */
	if (!s->timer && MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		run_soon(s, (int64_t)wait_ms);
}

static void
on_epoll(void *ctx, int fd, uint32_t events)
{
	struct web_server *s = ctx;

	(void)fd;
	(void)events;
	loop_timer_remove(s->timer);
	run(s);
}

static void
hold(struct web_exchange *x)
{
	x->server->held_bytes += x->body.len - x->held_bytes;
	x->held_bytes = x->body.len;
}

static void
let_go(struct web_exchange *x)
{
	buf_finish(&x->body);
	x->server->held_bytes -= x->held_bytes;
	x->held_bytes = 0;
}

static void
exchange_free(struct web_exchange *x)
{
	struct web_server *s = x->server;

	*(x->prev ? &x->prev->next : &s->first) = x->next;
	*(x->next ? &x->next->prev : &s->last) = x->prev;
	let_go(x);
	if (x->response)
		MHD_destroy_response(x->response);
	free(x->method);
	free(x->path);
	free(x);
}

static struct web_exchange *
exchange_begin(struct web_server *s, struct MHD_Connection *c, const char *method, const char *path,
	int64_t body_max)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct web_exchange *x = mem_zero(sizeof(*x));

	x->server = s;
	x->prev = s->last;
	*(s->last ? &s->last->next : &s->first) = x;
	s->last = x;
	x->connection = c;
	x->method = mem_str(method);
	x->path = mem_str(path);
	x->started_ms = clock_boot_ms();
	buf_init(&x->body, body_max > 0 ? (size_t)body_max : 0);
	client_name(info ? info->client_addr : NULL, s->spec.trusted_proxies,
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Forwarded-For"), x->client);
	return x;
}

static void
add_header(struct MHD_Response *r, const char *name, const char *value)
{
	(void)MHD_add_response_header(r, name, value);
}

/* Pages show what strangers and agents wrote, so they may load and run nothing. */
static void
add_headers(struct MHD_Response *r, const struct web_reply *reply)
{
	add_header(r, "Connection", "close");
	add_header(r, "Content-Type", reply->type ? reply->type : "text/plain; charset=utf-8");
	add_header(r, "X-Content-Type-Options", "nosniff");
	add_header(r, "Content-Security-Policy",
		"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'");
	add_header(r, "Referrer-Policy", "no-referrer");
	add_header(r, "Cache-Control", "no-store");
	if (reply->filename) {
		auto_free char *value = mem_fmt("attachment; filename=\"%s\"", reply->filename);

		add_header(r, "Content-Disposition", value);
	}
	if (reply->retry_after_s > 0) {
		auto_free char *value = mem_fmt("%d", reply->retry_after_s);

		add_header(r, "Retry-After", value);
	}
}

void
web_reply(struct web_exchange *x, struct web_reply *take_r)
{
	size_t len = take_r->body.len;
	char *data = buf_steal(&take_r->body);

	if (!x->connection) {
		free(data);
		exchange_free(x);
		return;
	}
	x->response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (!x->response)
		abort();
	x->status = (unsigned)take_r->status;
	add_headers(x->response, take_r);
	if (x->is_suspended) {
		x->is_suspended = false;
		MHD_resume_connection(x->connection);
		run_soon(x->server, 0);
	}
}

void
web_reply_text(struct web_exchange *x, int status, const char *text)
{
	web_reply_wait(x, status, text, 0);
}

void
web_reply_wait(struct web_exchange *x, int status, const char *text, int retry_after_s)
{
	struct web_reply r = { .status = status,
		.body = BUF_INIT(LIMIT_SUMMARY_BYTES),
		.retry_after_s = retry_after_s };

	(void)buf_addf(&r.body, "%s\n", text);
	web_reply(x, &r);
}

static enum MHD_Result
send_response(struct web_exchange *x)
{
	return MHD_queue_response(x->connection, x->status, x->response);
}

static int64_t
content_length(struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	int64_t n = 0;

	if (text && str_i64(text, 0, INT64_MAX, &n, NULL) < 0)
		return INT64_MAX;
	return n;
}

/* The head is here. What can be refused by it is refused now: later this library cannot answer
 * before the body has come. */
static enum MHD_Result
on_head(struct web_server *s, struct MHD_Connection *c, const char *method, const char *path,
	void **state)
{
	int64_t max = s->spec.body_max(s->spec.ctx, method, path);
	struct web_exchange *x = exchange_begin(s, c, method, path, max);
	int wait_s = max >= 0 && s->spec.wait_s ? s->spec.wait_s(s->spec.ctx, x) : 0;

	*state = x;
	if (max == -1)
		web_reply_text(x, 404, "there is nothing here");
	else if (max < 0)
		web_reply_text(x, 405, "not with this method");
	else if (content_length(c) > max)
		web_reply_text(x, 413, "the body is too large");
	else if (wait_s > 0)
		web_reply_wait(x, 429, "too many requests were refused", wait_s);
	return x->response ? send_response(x) : MHD_YES;
}

/* From now on the body is not kept, and followed for a little so that an honest client reads our
 * answer. */
static void
stop_keeping(struct web_exchange *x, int status)
{
	x->over_ms = clock_boot_ms();
	x->over_status = status;
	let_go(x);
	/* Time passes without bytes, too. */
	(void)MHD_set_connection_option(
		x->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)(LIMIT_DRAIN_MS / 1000));
}

/* Of those whose body is still coming, the one that has taken longest. */
static struct web_exchange *
slowest(const struct web_server *s, size_t bytes_min)
{
	for (struct web_exchange *x = s->first; x; x = x->next) {
		if (!x->is_handled && !x->response && !x->is_cut && x->held_bytes >= bytes_min)
			return x;
	}
	return NULL;
}

static void
make_room(struct web_server *s)
{
	struct web_exchange *x;

	while (s->held_bytes > s->spec.bodies_bytes_max && (x = slowest(s, ROOM_BYTES_MIN))) {
		log_warn(NULL, "web.body_dropped", "client=%s bytes=%lu", x->client,
			(unsigned long)x->held_bytes);
		stop_keeping(x, 503);
	}
}

static enum MHD_Result
on_body(struct web_exchange *x, const char *data, size_t *len)
{
	int64_t now_ms = clock_boot_ms();

	if (now_ms - x->started_ms > REQUEST_MS_MAX)
		return MHD_NO;
	if (x->over_ms == 0 && buf_add(&x->body, data, *len) < 0)
		stop_keeping(x, 413);
	hold(x);
	make_room(x->server);
	if (x->over_ms > 0) {
		x->over_bytes += *len;
		if (x->over_bytes > LIMIT_DRAIN_BYTES || now_ms - x->over_ms > LIMIT_DRAIN_MS)
			return MHD_NO;
	}
	*len = 0;
	return MHD_YES;
}

static enum MHD_Result
on_end(struct web_exchange *x)
{
	if (!x->is_handled) {
		x->is_handled = true;
		if (x->over_status == 503)
			web_reply_wait(x, 503, "too much is being sent at once", RETRY_S);
		else if (x->over_ms > 0)
			web_reply_text(x, 413, "the body is too large");
		else
			x->server->spec.handler(x->server->spec.ctx, x);
		if (!x->response) {
			x->is_suspended = true;
			MHD_suspend_connection(x->connection);
			return MHD_YES;
		}
	}
	return x->response ? send_response(x) : MHD_YES;
}

static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd decides the parameters */
on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *len, void **state)
{
	struct web_exchange *x = *state;

	(void)version;
	if (!x)
		return on_head(cls, c, method, url, state);
	if (*len > 0)
		return on_body(x, data, len);
	return on_end(x);
}

static void
on_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct web_exchange *x = *state;

	(void)cls;
	(void)c;
	(void)why;
	*state = NULL;
	if (!x)
		return;
	/* A handler that has not answered yet still holds the exchange. */
	if (x->is_handled && !x->response)
		x->connection = NULL;
	else
		exchange_free(x);
}

static void
on_connection(
	void *cls, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what)
{
	struct web_server *s = cls;

	(void)c;
	(void)state;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		s->n_open++;
	else
		s->n_open--;
}

/* The library closes a connection when it finds its end, and has no other word for it. */
static void
cut(struct web_exchange *x)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	x->is_cut = true;
	(void)shutdown(info->connect_fd, SHUT_RDWR);
}

/* The door let it in: from here the socket is the library's, which closes it also when it refuses.
 */
static void
on_admitted(void *ctx, int take_fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct web_server *s = ctx;
	struct web_exchange *x = s->n_open >= s->spec.requests_max ? slowest(s, 0) : NULL;

	if (x)
		cut(x);
	if (MHD_add_connection(s->daemon, take_fd, peer, peer_len) == MHD_YES)
		run_soon(s, 0);
}

static struct MHD_Daemon *
daemon_start(struct web_server *s)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(s->spec.requests_max + CUTS_MAX), MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_S_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int
web_server_create(
	struct loop *l, const struct web_server_spec *spec, struct web_server **out, struct err *e)
{
	const union MHD_DaemonInfo *info;
	struct web_server *s = mem_zero(sizeof(*s));

	s->loop = l;
	s->spec = *spec;
	s->daemon = daemon_start(s);
	if (!s->daemon) {
		free(s);
		return err_set(e, ERR_SYSTEM, "the HTTP library does not start");
	}
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	s->io = loop_io_add(l, info->epoll_fd, EPOLLIN, on_epoll, s);
	s->door = door_create(l, on_admitted, s, spec->connections_max);
	*out = s;
	return 0;
}

void
web_server_destroy(struct web_server *s)
{
	if (!s)
		return;
	door_destroy(s->door);
	loop_timer_remove(s->timer);
	loop_io_remove(s->io);
	MHD_stop_daemon(s->daemon);
	free(s);
}

int
web_server_listen(struct web_server *s, int take_fd, struct err *e)
{
	return door_listen(s->door, take_fd, e);
}

void
web_server_drain(struct web_server *s)
{
	door_close(s->door);
}

size_t
web_server_open(const struct web_server *s)
{
	return s->n_open + door_waiting(s->door);
}

const char *
web_method(const struct web_exchange *x)
{
	return x->method;
}

const char *
web_path(const struct web_exchange *x)
{
	return x->path;
}

const char *
web_header(const struct web_exchange *x, const char *name)
{
	return x->connection ? MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name)
			     : NULL;
}

const char *
web_client(const struct web_exchange *x)
{
	return x->client;
}

const struct buf *
web_body(const struct web_exchange *x)
{
	return &x->body;
}
