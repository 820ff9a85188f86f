/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_server - the whole way of a request through door, guard, library and site, over real
 * sockets.
 *
 * The server runs in a child with a backend that accepts the signature "good" and stores
 * everything; the test is its client.
 */
#include "web/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX KIB(64)
#define WAIT_S           10
#define ROOM             8 /* connections at once */

static struct site *site;
static struct loop *loop;
static uint16_t port;
static pid_t server_pid;

static void
verify(void *ctx, struct web_exchange *x, const char *forge, const struct strs *proofs,
	const struct buf *body)
{
	const char *signature = proofs->v[0];

	(void)ctx;
	(void)forge;
	/* A form arrives here decoded where the forge signs the JSON. */
	if (strcmp(signature, "stale") == 0)
		site_verified(site, x, ERR_INVALID);
	else if (strcmp(signature, "json") == 0)
		site_verified(site, x, buf_str(body)[0] == '{' ? 0 : ERR_DENIED);
	else
		site_verified(site, x, strcmp(signature, "good") == 0 ? 0 : ERR_DENIED);
}

static struct web_exchange *waiting;

static void
answer_later(void *ctx)
{
	(void)ctx;
	site_stored(site, steal_ptr(&waiting), 0, 42);
}

static void
store(void *ctx, struct web_exchange *x, const struct site_delivery *d)
{
	(void)ctx;
	if (strcmp(d->event, "full") == 0) {
		site_stored(site, x, ERR_LIMIT, 0);
		return;
	}
	waiting = x;
	(void)loop_timer_add(loop, 20, answer_later, NULL);
}

static void
task(void *ctx, struct web_exchange *x, const char *page, enum site_file what)
{
	struct site_task none = { 0 };

	(void)ctx;
	(void)page;
	if (what == SITE_METRICS)
		site_metrics(site, x, "a 1\n", 4);
	else
		site_task(site, x, what, &none);
}

static bool
is_ready(void *ctx)
{
	(void)ctx;
	return false;
}

static void
serve(int fd)
{
	static const char *const gh_guids[] = { "X-GitHub-Delivery", NULL };
	static const char *const gh_proofs[] = { "X-Hub-Signature-256", NULL };
	static const char *const cb_guids[] = { "X-Gitea-Delivery", NULL };
	static const char *const cb_proofs[] = { "X-Gitea-Signature", NULL };
	static const char *const gl_guids[] = { "webhook-id", "Idempotency-Key", NULL };
	static const char *const gl_proofs[] = { "webhook-signature", "X-Gitlab-Token", NULL };
	static const struct site_hook hooks[] = {
		{ "gh", "X-GitHub-Event", NULL, gh_guids, gh_proofs, false },
		{ "cb", "X-Gitea-Event", NULL, cb_guids, cb_proofs, true },
		{ "gl", "X-Gitlab-Event", NULL, gl_guids, gl_proofs, false },
	};
	const struct site_backend backend = { verify, store, task, is_ready, NULL };
	struct web_server_spec spec = {
		.handler = site_handle,
		.body_max = site_body_max,
		.wait_s = site_wait_s,
		.connections_max = ROOM,
		.requests_max = ROOM,
		.bodies_bytes_max = 2 * LIMIT_DELIVERY_BYTES,
	};
	struct web_server *server;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_create(&loop, NULL) < 0)
		_exit(1);
	site = site_create(hooks, 3, &backend);
	spec.ctx = site;
	if (web_server_create(loop, &spec, &server, NULL) < 0 ||
		web_server_listen(server, fd, NULL) < 0)
		_exit(1);
	(void)loop_run(loop, NULL);
	_exit(0);
}

static int
start_server(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 64) < 0)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	port = ntohs(at.sin_port);
	server_pid = fork();
	if (server_pid == 0)
		serve(fd);
	(void)close(fd);
	return server_pid > 0 ? 0 : -1;
}

static int
stop_server(void **state)
{
	(void)state;
	(void)kill(server_pid, SIGKILL);
	return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

static int
dial(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return fd;
}

static void
put(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the server closed: the answer tells */
		p += n;
		len -= (size_t)n;
	}
}

/* Everything until the server closes. */
static void
get(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		assert_int_equal(buf_add(out, piece, (size_t)n), 0);
}

static int
status_of(const struct buf *answer)
{
	static const char version[] = "HTTP/1.1 ";
	auto_free char *digits = NULL;
	int64_t status = 0;

	if (answer->len < sizeof(version) + 2)
		return 0;
	digits = mem_strn(answer->data + sizeof(version) - 1, 3);
	return str_i64(digits, 100, 599, &status, NULL) == 0 ? (int)status : 0;
}

struct row_request {
	const char *name;
	const char *text;
	int status;
};

#define POST_GH "POST /hook/gh HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: issues\r\n"
#define POST_GL "POST /hook/gl HTTP/1.1\r\nHost: x\r\nX-Gitlab-Event: Issue Hook\r\n"
#define GOOD    "X-Hub-Signature-256: good\r\n"
#define X64     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG    X64 X64 X64 X64 X64 X64 X64 X64 "x"

static const struct row_request REQUESTS[] = {
	{ "health", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200 },
	{ "not ready", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 503 },
	{ "numbers", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200 },
	{ "numbers through a proxy",
		"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n", 403 },
	{ "a path that is not there", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
	{ "a method that is not there", "GET /hook/gh HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
	{ "a forge that is not there",
		"POST /hook/xx HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404 },
	{ "a signed delivery", POST_GH GOOD "Content-Length: 2\r\n\r\n{}", 202 },
	{ "a chunked signed delivery",
		POST_GH GOOD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 202 },
	{ "a store that is full",
		"POST /hook/gh HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: full\r\n" GOOD
		"Content-Length: 2\r\n\r\n{}",
		503 },
	{ "a ping",
		"POST /hook/gh HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: ping\r\n" GOOD
		"Content-Length: 2\r\n\r\n{}",
		202 },
	{ "no signature", POST_GH "Content-Length: 2\r\n\r\n{}", 401 },
	{ "an empty signature", POST_GH "X-Hub-Signature-256: \r\nContent-Length: 2\r\n\r\n{}",
		401 },
	{ "a wrong signature", POST_GH "X-Hub-Signature-256: bad\r\nContent-Length: 2\r\n\r\n{}",
		401 },
	{ "any of the proofs will do",
		POST_GL "X-Gitlab-Token: x\r\nwebhook-signature: good\r\n"
			"Content-Length: 2\r\n\r\n{}",
		202 },
	{ "signed, but long ago: no 4xx, which would switch the hook off",
		POST_GL "webhook-signature: stale\r\nContent-Length: 2\r\n\r\n{}", 202 },
	{ "a proof too long to be one",
		POST_GL "webhook-signature: " LONG "\r\nContent-Length: 2\r\n\r\n{}", 401 },
	{ "a form signed over its JSON",
		"POST /hook/cb HTTP/1.1\r\nHost: x\r\nX-Gitea-Event: issues\r\nX-Gitea-Signature: "
		"json\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
		"14\r\n\r\npayload=%7B%7D",
		202 },
	{ "a form by another spelling",
		"POST /hook/cb HTTP/1.1\r\nHost: x\r\nX-Gitea-Event: issues\r\nX-Gitea-Signature: "
		"json\r\n"
		"Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8\r\nContent-Length: "
		"14\r\n\r\npayload=%7B%7D",
		202 },
	{ "a form without a payload",
		"POST /hook/cb HTTP/1.1\r\nHost: x\r\nX-Gitea-Event: issues\r\nX-Gitea-Signature: "
		"json\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=%7B",
		401 },
	{ "a form signed over its own bytes",
		POST_GH GOOD "Content-Type: application/x-www-form-urlencoded\r\n"
			     "Content-Length: 14\r\n\r\npayload=%7B%7D",
		202 },
	{ "a signed form with a broken escape is no reason to send it again",
		POST_GH GOOD "Content-Type: application/x-www-form-urlencoded\r\n"
			     "Content-Length: 10\r\n\r\npayload=%7",
		202 },
	{ "a length over the cap", POST_GH GOOD "Content-Length: 99999999\r\n\r\n", 413 },
	{ "both lengths",
		POST_GH GOOD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400 },
	{ "two lengths", POST_GH GOOD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400 },
	{ "a folded header", POST_GH GOOD "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400 },
	{ "a space before the colon", POST_GH GOOD "Content-Length : 2\r\n\r\n{}", 400 },
	{ "bare line feeds", "GET /healthz HTTP/1.1\nHost: x\n\n", 400 },
	{ "no host", "GET /healthz HTTP/1.1\r\n\r\n", 400 },
	{ "TLS instead of HTTP", "\x16\x03\x01\x02\x01\x01\r\n\r\n", 400 },
	{ "an absolute target", "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
	{ "a page of nobody", "GET /t/0123456789abcdef0123456789abcdef HTTP/1.1\r\nHost: x\r\n\r\n",
		404 },
};

static void
requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REQUESTS) / sizeof(REQUESTS[0]); i++) {
		const struct row_request *r = &REQUESTS[i];
		auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
		auto_fd int fd = dial();

		put(fd, r->text, strlen(r->text));
		get(fd, &answer);
		if (status_of(&answer) != r->status)
			fail_msg("%s: %s", r->name, buf_str(&answer));
		if (!strstr(buf_str(&answer), "Connection: close"))
			fail_msg("%s: the connection stays open", r->name);
	}
}

/* The second request of a pipeline is never served: its bytes could be somebody else's. */
static void
one_request_a_connection(void **state)
{
	static const char two[] =
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = dial();

	(void)state;
	put(fd, two, sizeof(two) - 1);
	get(fd, &answer);
	assert_int_equal(status_of(&answer), 200);
	assert_null(strstr(buf_str(&answer) + 1, "HTTP/1.1"));
}

static void
a_head_in_single_bytes(void **state)
{
	static const char text[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = dial();

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		put(fd, text + i, 1);
	get(fd, &answer);
	assert_int_equal(status_of(&answer), 200);
}

static void
a_head_without_end_is_refused(void **state)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = dial();
	char line[1024];

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "X-Long: ", 8);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	put(fd, "GET /healthz HTTP/1.1\r\n", 23);
	for (int i = 0; i < 20; i++)
		put(fd, line, sizeof(line));
	get(fd, &answer);
	/* 431, or a reset that overtook it because we were still sending. */
	assert_true(status_of(&answer) == 431 || answer.len == 0);
}

static void
an_endless_chunked_body_is_cut_off(void **state)
{
	static const char head[] = POST_GH GOOD "Transfer-Encoding: chunked\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_free char *piece = mem_zero(MIB(1) + 16);
	auto_fd int fd = dial();
	size_t sent = 0;

	(void)state;
	put(fd, head, sizeof(head) - 1);
	memcpy(piece, "100000\r\n", 8);
	memset(piece + 8, 'x', MIB(1));
	memcpy(piece + 8 + MIB(1), "\r\n", 2);
	while (sent < 64 && send(fd, piece, MIB(1) + 10, MSG_NOSIGNAL) > 0)
		sent++;
	/* 25 MiB are the cap and 1 MiB is drained; what the sockets hold comes on top. */
	assert_in_range(sent, 25, 40);
	get(fd, &answer);
	assert_int_not_equal(status_of(&answer), 202);
}

/* One that stops in the middle of what is drained gets two seconds, not the time of a body. */
static void
a_body_that_stalls_over_the_cap_is_cut_off(void **state)
{
	static const char head[] = POST_GH GOOD "Transfer-Encoding: chunked\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_free char *body = mem_zero(LIMIT_DELIVERY_BYTES + 64);
	auto_fd int fd = dial();
	int64_t began;
	int n;

	(void)state;
	put(fd, head, sizeof(head) - 1);
	n = snprintf(body, 32, "%lx\r\n", (unsigned long)LIMIT_DELIVERY_BYTES + 4096);
	memset(body + n, 'x', LIMIT_DELIVERY_BYTES + 8);
	put(fd, body, LIMIT_DELIVERY_BYTES + 8 + (size_t)n);
	began = clock_boot_ms();
	get(fd, &answer);
	assert_in_range(clock_boot_ms() - began, 0, LIMIT_DRAIN_MS + 3000);
	assert_int_not_equal(status_of(&answer), 202);
}

/* ---- more than there is room for ---- */

#define CROWD (3 * ROOM)

static void
assert_served(void)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = dial();
	static const char text[] = POST_GH GOOD "Content-Length: 2\r\n\r\n{}";

	put(fd, text, sizeof(text) - 1);
	get(fd, &answer);
	assert_int_equal(status_of(&answer), 202);
}

static void
assert_sent_away(int fd, int status)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);

	get(fd, &answer);
	assert_int_equal(status_of(&answer), status);
	assert_non_null(strstr(buf_str(&answer), "Retry-After: "));
}

/* A crowd says the beginning of something and no more. */
static void
crowd(int *fds, const char *text)
{
	for (int i = 0; i < CROWD; i++) {
		fds[i] = dial();
		put(fds[i], text, strlen(text));
		if (i % ROOM == ROOM - 1)
			assert_served();
	}
}

static void
disperse(int *fds)
{
	for (int i = 0; i < CROWD; i++)
		(void)close(fds[i]);
}

static void
who_begins_a_head_and_stops_makes_room(void **state)
{
	int fds[CROWD];

	(void)state;
	crowd(fds, "POST /hook/gh HTTP/1.1\r\nHost: ");
	assert_sent_away(fds[0], 503);
	assert_served();
	disperse(fds);
}

static void
who_begins_a_body_and_stops_makes_room(void **state)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	int fds[CROWD];

	(void)state;
	crowd(fds, POST_GH GOOD "Content-Length: 99\r\n\r\n{");
	get(fds[0], &answer);
	assert_int_equal(answer.len, 0); /* cut off */
	assert_served();
	disperse(fds);
}

static void
large_bodies_make_room(void **state)
{
	const size_t len = LIMIT_DELIVERY_BYTES;
	auto_free char *body = mem_zero(len);
	auto_free char *head = mem_fmt(POST_GH GOOD "Content-Length: %zu\r\n\r\n", len);
	int fds[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
		put(fds[i], head, strlen(head));
		put(fds[i], body, len - 1);
		assert_served();
	}
	put(fds[0], "x", 1);
	assert_sent_away(fds[0], 503);
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	put(fds[3], "x", 1);
	get(fds[3], &answer);
	assert_int_equal(status_of(&answer), 202);
	for (int i = 0; i < 4; i++)
		(void)close(fds[i]);
}

/* Who is refused too often is not listened to any more; who has a key is, from the same address. */
static void
an_unsigned_flood_is_told_to_come_later(void **state)
{
	static const char unsigned_one[] = POST_GH "Content-Length: 2\r\n\r\n{}";
	static const char head[] = POST_GH "Content-Length: 20000000\r\n\r\n";
	static const char forged[] =
		POST_GH "X-Hub-Signature-256: bad\r\nContent-Length: 2\r\n\r\n{}";
	int64_t until_ms = clock_boot_ms() + WAIT_S * 1000;
	int status = 401;

	(void)state;
	while (status == 401 && clock_boot_ms() < until_ms) {
		auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
		auto_fd int fd = dial();

		put(fd, unsigned_one, sizeof(unsigned_one) - 1);
		get(fd, &answer);
		status = status_of(&answer);
	}
	assert_int_equal(status, 429);
	auto_fd int large = dial();
	put(large, head, sizeof(head) - 1);
	assert_sent_away(large, 429);
	auto_fd int liar = dial();
	put(liar, forged, sizeof(forged) - 1);
	assert_sent_away(liar, 429);
	assert_served();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(one_request_a_connection),
		cmocka_unit_test(a_head_in_single_bytes),
		cmocka_unit_test(a_head_without_end_is_refused),
		cmocka_unit_test(an_endless_chunked_body_is_cut_off),
		cmocka_unit_test(a_body_that_stalls_over_the_cap_is_cut_off),
		cmocka_unit_test(who_begins_a_head_and_stops_makes_room),
		cmocka_unit_test(who_begins_a_body_and_stops_makes_room),
		cmocka_unit_test(large_bodies_make_room),
		cmocka_unit_test(an_unsigned_flood_is_told_to_come_later),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
