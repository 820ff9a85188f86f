/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels through the gateway, running and confined, in a network of the test's own: names are
 * looked up and addresses are checked as in life.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/bot/box_client.h"
#include "tests/unit/bot/own_net.h"
#include "tests/unit/bot/role_case.h"
#include "tests/unit/bot/tls_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char HOSTS[] =
	"127.0.0.1 localhost loop.pub.example\n"
	"::1 loop6.pub.example\n"
	"10.0.0.7 private.pub.example\n"
	"169.254.169.254 metadata.pub.example\n"
	"::ffff:10.0.0.7 mapped.pub.example\n" OWN_NET_SELF " self.pub.example\n" OWN_NET_PUBLIC
	" a.pub.example b.pub.example api.example.org other.example.org\n"
	"10.0.0.7 both.pub.example\n" OWN_NET_PUBLIC " both.pub.example\n";

static const char YAML[] =
	"forges:\n  gh: { kind: github, url: \"http://f.example\", token_file: /k, "
	"webhook_secret_file: /k }\n"
	"network: [\"*.pub.example\", api.example.org]\n";

/* The machine outside: it says back what it hears. */
struct fixture {
	struct role_case c;
	struct msg_link *keeper;
	int listener; /* of the box */
	int port;
	int outside;
	struct loop_io *accept_io;
	int peer; /* one at a time */
	struct loop_io *peer_io;
	int accepted;
	struct buf heard;
	int has_ended; /* it said that no more comes */
};

static void
on_peer(void *ctx, int fd, uint32_t events)
{
	struct fixture *f = ctx;
	char piece[4096];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

	(void)events;
	if (n > 0) {
		assert_int_equal(buf_add(&f->heard, piece, (size_t)n), 0);
		assert_int_equal(send(fd, piece, (size_t)n, MSG_NOSIGNAL), n);
		return;
	}
	f->has_ended = 1;
	loop_io_remove(f->peer_io);
	f->peer_io = NULL;
	(void)close(steal_fd(&f->peer));
}

static void
on_outside(void *ctx, int fd, uint32_t events)
{
	struct fixture *f = ctx;

	(void)events;
	loop_io_remove(f->peer_io);
	clean_fd(&f->peer);
	f->peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(f->peer >= 0);
	f->accepted++;
	f->peer_io = loop_io_add(f->c.loop, f->peer, EPOLLIN, on_peer, f);
}

static void
ignore_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	(void)ctx;
	(void)link;
	fail_msg("the keeper is asked for %d", m->type);
}

static void
box(struct fixture *f, uint16_t type)
{
	char *hosts[] = { (char[]){ "*.pub.example" }, (char[]){ "other.example.org" },
		(char[]){ "registry" } };
	struct wire_box b = { .task = 7, .fence = 1, .hosts = { hosts, 3 } };
	struct msg_out out = { .type = type, .obj = &b };

	if (type == WIRE_BOX_OPEN) {
		out.fds = &f->listener;
		out.n_fds = 1;
	}
	role_case_ask(&f->c, &out);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	role_case_init(&f->c, ROLE_GATEWAY);
	buf_init(&f->heard, MIB(8));
	f->peer = -1;
	f->outside = own_net_listen(OWN_NET_PUBLIC, 443);
	f->accept_io = loop_io_add(f->c.loop, f->outside, EPOLLIN, on_outside, f);
	role_case_start(&f->c, YAML, ROLE_RUNNER);
	f->keeper = role_case_add_peer(&f->c, ROLE_KEEPER, ignore_msg, f);
	f->listener = box_listener(&f->port);
	box(f, WIRE_BOX_OPEN);
	assert_true(f->c.verdict.ok);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	loop_io_remove(f->accept_io);
	loop_io_remove(f->peer_io);
	clean_fd(&f->peer);
	clean_fd(&f->outside);
	buf_finish(&f->heard);
	msg_link_destroy(f->keeper);
	(void)close(f->listener);
	role_case_finish(&f->c);
	free(f);
	return 0;
}

static void
connect_to(struct fixture *f, struct box_client *cl, const char *host)
{
	auto_free char *request =
		mem_fmt("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\nProxy-Authorization: Basic "
			"eA==\r\n\r\n",
			host, host);

	box_client_open(cl, f->c.loop, f->port, request);
}

static void
until_in(struct fixture *f, const struct box_client *cl, size_t len)
{
	for (int i = 0; i < 12000 && cl->in.len < len && !cl->done; i++)
		role_case_wait(&f->c);
	assert_true(cl->in.len >= len);
}

static const char YES[] = "HTTP/1.1 200 \r\n\r\n";

static void
bytes_pass_after_a_hello_for_the_same_name(void **state)
{
	struct fixture *f = *state;
	struct box_client cl;
	auto_buf struct buf hello = BUF_INIT(KIB(4));
	auto_free char *more = mem_zero(MIB(1));

	connect_to(f, &cl, "A.pub.example.");
	until_in(f, &cl, strlen(YES));
	assert_string_equal(buf_str(&cl.in), YES);
	hello_for(&hello, "a.pub.example");
	/* In two pieces: nothing goes on before it is whole. */
	assert_int_equal(send(cl.fd, hello.data, 20, MSG_NOSIGNAL), 20);
	for (int i = 0; i < 20; i++)
		role_case_wait(&f->c);
	assert_int_equal(f->heard.len, 0);
	assert_true(send(cl.fd, hello.data + 20, hello.len - 20, MSG_NOSIGNAL) > 0);
	until_in(f, &cl, strlen(YES) + hello.len);
	assert_memory_equal(cl.in.data + strlen(YES), hello.data, hello.len);
	/* More than any buffer on the way holds. */
	for (size_t at = 0; at < MIB(1);) {
		ssize_t n = send(cl.fd, more + at, MIB(1) - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		at += n > 0 ? (size_t)n : 0;
		role_case_wait(&f->c);
	}
	until_in(f, &cl, strlen(YES) + hello.len + MIB(1));
	/* Half a close goes through, and what was still to come comes. */
	(void)shutdown(cl.fd, SHUT_WR);
	role_case_until(&f->c, &f->has_ended);
	role_case_until(&f->c, &cl.done);
	assert_int_equal(cl.done, 1);
	box_client_close(&cl);
	box(f, WIRE_BOX_CLOSE);
	assert_int_equal(f->c.usage.requests, 1);
	assert_true(f->c.usage.bytes_in > MIB(1) && f->c.usage.bytes_out > MIB(1));
	assert_null(f->c.usage.blocked);
}

static void
another_name_in_the_tunnel_ends_it(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		const char *first;
		size_t len; /* 0: a hello for first */
		const char *blocked;
	} rows[] = {
		{ "another name", "b.pub.example", 0,
			" b.pub.example its name in a tunnel to another host\n" },
		{ "an address", "10.0.0.7", 0, " a.pub.example an address instead of a name\n" },
		{ "no TLS", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 38,
			" a.pub.example not the beginning of TLS\n" },
		{ "another CONNECT", "CONNECT a.pub.example:443 HTTP/1.1\r\n", 36,
			" a.pub.example not the beginning of TLS\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct box_client cl;
		auto_buf struct buf hello = BUF_INIT(KIB(4));

		print_message("  %s\n", rows[i].name);
		if (rows[i].len)
			(void)buf_add(&hello, rows[i].first, rows[i].len);
		else
			hello_for(&hello, rows[i].first);
		connect_to(f, &cl, "a.pub.example");
		until_in(f, &cl, strlen(YES));
		assert_true(send(cl.fd, hello.data, hello.len, MSG_NOSIGNAL) > 0);
		role_case_until(&f->c, &cl.done);
		assert_string_equal(buf_str(&cl.in), YES);
		box_client_close(&cl);
	}
	assert_int_equal(f->heard.len, 0);
	box(f, WIRE_BOX_CLOSE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_non_null(strstr(f->c.usage.blocked, rows[i].blocked));
}

static void
what_is_not_open_is_refused_before_a_connection(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *host;
		const char *status;
		const char *why; /* as it is reported; NULL: it is not */
	} rows[] = {
		{ "private.pub.example", "403", "it leads to a private address" },
		{ "loop.pub.example", "403", "it leads to a private address" },
		{ "loop6.pub.example", "403", "it leads to a private address" },
		{ "metadata.pub.example", "403", "it leads to a private address" },
		{ "mapped.pub.example", "403", "it leads to a private address" },
		{ "self.pub.example", "403", "it leads to a private address" },
		{ "missing.pub.example", "502", NULL },
		{ "api.example.org", "403", "not open to this task" },
		{ "other.example.org", "403", "not open on this server" },
		{ "pub.example", "403", "not open on this server" },
		{ "127.0.0.1", "403", "an address instead of a name" },
		{ "0x7f.1", "403", "an address instead of a name" },
		{ "2130706433", "403", "an address instead of a name" },
		{ "localhost.", "403", "not a public name" },
		{ "x@a.pub.example", "400", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct box_client cl;

		print_message("  %s\n", rows[i].host);
		connect_to(f, &cl, rows[i].host);
		role_case_until(&f->c, &cl.done);
		assert_memory_equal(cl.in.data + strlen("HTTP/1.1 "), rows[i].status, 3);
		box_client_close(&cl);
	}
	assert_int_equal(f->accepted, 0);
	box(f, WIRE_BOX_CLOSE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].why)
			assert_non_null(strstr(f->c.usage.blocked, rows[i].why));
	}
	assert_non_null(strstr(f->c.usage.blocked, " self.pub.example it leads"));
}

/* A name may have an address of each kind, now or at the next look: never the private one. */
static void
of_two_addresses_only_the_public_one_is_used(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++) {
		struct box_client cl;

		connect_to(f, &cl, "both.pub.example");
		until_in(f, &cl, strlen(YES));
		assert_string_equal(buf_str(&cl.in), YES);
		box_client_close(&cl);
	}
	assert_int_equal(f->accepted, 5);
}

static void
a_box_that_leaves_takes_its_tunnel_along(void **state)
{
	struct fixture *f = *state;
	struct box_client cl;
	auto_buf struct buf hello = BUF_INIT(KIB(4));

	connect_to(f, &cl, "a.pub.example");
	until_in(f, &cl, strlen(YES));
	hello_for(&hello, "a.pub.example");
	assert_true(send(cl.fd, hello.data, hello.len, MSG_NOSIGNAL) > 0);
	until_in(f, &cl, strlen(YES) + hello.len);
	box(f, WIRE_BOX_CLOSE);
	role_case_until(&f->c, &f->has_ended);
	role_case_until(&f->c, &cl.done);
	box_client_close(&cl);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bytes_pass_after_a_hello_for_the_same_name),
		T(another_name_in_the_tunnel_ends_it),
		T(what_is_not_open_is_refused_before_a_connection),
		T(of_two_addresses_only_the_public_one_is_used),
		T(a_box_that_leaves_takes_its_tunnel_along),
	};

	own_net_enter(HOSTS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
