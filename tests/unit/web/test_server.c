/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_server - the whole way of a request through door, guard, library and site, over real
 * sockets.
 */
#include "server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct row_request {
	const char *name;
	const char *text;
	int status;
};

#define POST_GL "POST /hook/gl HTTP/1.1\r\nHost: x\r\nX-Gitlab-Event: Issue Hook\r\n"
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
		auto_fd int fd = server_rig_dial();

		server_rig_put(fd, r->text, strlen(r->text));
		server_rig_get(fd, &answer);
		if (server_rig_status_of(&answer) != r->status)
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
	auto_fd int fd = server_rig_dial();

	(void)state;
	server_rig_put(fd, two, sizeof(two) - 1);
	server_rig_get(fd, &answer);
	assert_int_equal(server_rig_status_of(&answer), 200);
	assert_null(strstr(buf_str(&answer) + 1, "HTTP/1.1"));
}

static void
a_head_in_single_bytes(void **state)
{
	static const char text[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = server_rig_dial();

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		server_rig_put(fd, text + i, 1);
	server_rig_get(fd, &answer);
	assert_int_equal(server_rig_status_of(&answer), 200);
}

static void
a_head_without_end_is_refused(void **state)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = server_rig_dial();
	char line[1024];

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "X-Long: ", 8);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	server_rig_put(fd, "GET /healthz HTTP/1.1\r\n", 23);
	for (int i = 0; i < 20; i++)
		server_rig_put(fd, line, sizeof(line));
	server_rig_get(fd, &answer);
	/* 431, or a reset that overtook it because we were still sending. */
	assert_true(server_rig_status_of(&answer) == 431 || answer.len == 0);
}

static void
an_endless_chunked_body_is_cut_off(void **state)
{
	static const char head[] = POST_GH GOOD "Transfer-Encoding: chunked\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_free char *piece = mem_zero(MIB(1) + 16);
	auto_fd int fd = server_rig_dial();
	size_t sent = 0;

	(void)state;
	server_rig_put(fd, head, sizeof(head) - 1);
	memcpy(piece, "100000\r\n", 8);
	memset(piece + 8, 'x', MIB(1));
	memcpy(piece + 8 + MIB(1), "\r\n", 2);
	while (sent < 64 && server_rig_put(fd, piece, MIB(1) + 10))
		sent++;
	/* 25 MiB are the cap and 1 MiB is drained; what the sockets hold comes on top. */
	assert_in_range(sent, 25, 40);
	server_rig_get(fd, &answer);
	assert_int_not_equal(server_rig_status_of(&answer), 202);
}

/* One that stops in the middle of what is drained gets two seconds, not the time of a body. */
static void
a_body_that_stalls_over_the_cap_is_cut_off(void **state)
{
	static const char head[] = POST_GH GOOD "Transfer-Encoding: chunked\r\n\r\n";
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_free char *body = mem_zero(LIMIT_DELIVERY_BYTES + 64);
	auto_fd int fd = server_rig_dial();
	int64_t began;
	int n;

	(void)state;
	server_rig_put(fd, head, sizeof(head) - 1);
	n = snprintf(body, 32, "%lx\r\n", (unsigned long)LIMIT_DELIVERY_BYTES + 4096);
	memset(body + n, 'x', LIMIT_DELIVERY_BYTES + 8);
	server_rig_put(fd, body, LIMIT_DELIVERY_BYTES + 8 + (size_t)n);
	began = clock_boot_ms();
	server_rig_get(fd, &answer);
	assert_in_range(clock_boot_ms() - began, 0, 5L * LIMIT_DRAIN_MS);
	assert_int_not_equal(server_rig_status_of(&answer), 202);
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
	};

	return cmocka_run_group_tests(tests, server_rig_start, server_rig_stop);
}
