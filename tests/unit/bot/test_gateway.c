/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway, running and confined: a box on one side, a provider and a registry on the other, all
 * played by the test.
 */
#include "base/clean.h"
#include "base/http1.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/gateway.h"
#include "tests/unit/bot/box_client.h"
#include "tests/unit/bot/gateway_rig.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define TARBALL MIB(20)
#define WAIT_MS 120000 /* a machine may have much else to do */

struct fixture {
	struct gateway_rig g;

	int requests; /* that reached the upstream */
	char last[8192];
};

/* ---- upstream ---- */

static enum http_server_next
on_upstream(void *ctx, const char *raw, struct buf *out)
{
	struct fixture *f = ctx;

	f->requests++;
	(void)snprintf(f->last, sizeof(f->last), "%s", raw);
	if (strstr(raw, "/v1/responses ")) {
		(void)buf_adds(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				    "Set-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "5\r\ndata:\r\n4\r\n one\r\n0\r\n\r\n");
	} else if (strstr(raw, "/v1/chat/completions ")) {
		/* It breaks off in the middle of a chunk. */
		(void)buf_adds(
			out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nhalf");
		return SERVER_CLOSE;
	} else if (strstr(raw, "/v1/completions ")) {
		return SERVER_SILENT;
	} else if (strstr(raw, "/-/")) {
		auto_free char *bytes = mem_zero(TARBALL);
		(void)buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", TARBALL);
		(void)buf_add(out, bytes, TARBALL);
	} else {
		auto_free char *body = mem_fmt("{\"tarball\":\"http://127.0.0.1:%d/npm/x.tgz\"}",
			http_server_port(f->g.upstream));
		(void)buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(body), body);
	}
	return SERVER_KEEP;
}

/* ---- the box ---- */

static void
box(struct fixture *f, uint16_t type, bool models, bool registries)
{
	struct wire_box b = { .task = 7, .fence = 3, .models = models, .registries = registries };
	struct msg_out out = { .type = type, .obj = &b };

	if (type == WIRE_BOX_OPEN) {
		out.fds = &f->g.listener;
		out.n_fds = 1;
	}
	role_case_ask(&f->g.c, &out);
}

static char *
post(const char *path, const char *body)
{
	return mem_fmt("POST %s HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nAuthorization: Bearer dummy\r\n"
		       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		path, strlen(body), body);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	gateway_rig_init(&f->g, on_upstream, f,
		"models:\n  openai: { url: \"UPSTREAM/v1\", key_file: /k, allow: [\"gpt-*\"] }\n"
		"registries:\n  npm: { url: \"UPSTREAM/npm\" }\n");
	box(f, WIRE_BOX_OPEN, true, true);
	assert_int_equal(f->g.c.type, WIRE_BOX_OPENED);
	assert_true(f->g.c.verdict.ok);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	gateway_rig_finish(&f->g);
	free(f);
	return 0;
}

/* ---- models ---- */

static void
a_question_goes_out_with_our_key_and_streams_back(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/responses", "{\"model\":\"gpt-5\"}");
	auto_free char *answer = gateway_rig_ask(&f->g, request);

	assert_true(str_starts(answer, "HTTP/1.1 200 \r\n"));
	assert_non_null(strstr(answer, "\r\ncontent-type: text/event-stream\r\n"));
	assert_non_null(strstr(answer, "\r\ntransfer-encoding: chunked\r\n"));
	assert_non_null(strstr(answer, "\r\nconnection: close\r\n"));
	assert_null(strstr(answer, "ookie"));
	assert_non_null(strstr(answer, "data:"));
	assert_true(str_ends(answer, "0\r\n\r\n"));
	assert_non_null(strstr(f->last, "\r\nauthorization: Bearer " GATEWAY_RIG_KEY "\r\n"));
	assert_null(strstr(f->last, "dummy"));
	assert_null(strstr(f->last, "3128"));
	assert_true(str_ends(f->last, "\r\n\r\n{\"model\":\"gpt-5\"}"));

	auto_free char *again = gateway_rig_ask(&f->g, request);
	assert_true(str_starts(again, "HTTP/1.1 200 "));
	assert_int_equal(f->g.keys_asked, 1); /* remembered */
}

/* As after a reload, for which the old one may have answered until it ended. */
static void
each_keeper_is_asked_for_the_key(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/responses", "{\"model\":\"gpt-5\"}");
	auto_free char *first = gateway_rig_ask(&f->g, request);

	assert_non_null(strstr(f->last, "\r\nauthorization: Bearer " GATEWAY_RIG_KEY "\r\n"));
	f->g.key = "sk-fresh-0123456789";
	gateway_rig_new_keeper(&f->g);
	auto_free char *second = gateway_rig_ask(&f->g, request);
	assert_true(str_starts(first, "HTTP/1.1 200 ") && str_starts(second, "HTTP/1.1 200 "));
	assert_non_null(strstr(f->last, "\r\nauthorization: Bearer sk-fresh-0123456789\r\n"));
	assert_int_equal(f->g.keys_asked, 2);
}

static void
a_chunked_question_is_whole_when_it_leaves(void **state)
{
	struct fixture *f = *state;
	auto_free char *answer = gateway_rig_ask(&f->g,
		"POST /llm/openai/responses HTTP/1.1\r\nHost: localhost:3128\r\n"
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
		"8\r\n{\"model\"\r\n9\r\n:\"gpt-5\"}\r\n0\r\n\r\n");

	assert_true(str_starts(answer, "HTTP/1.1 200 "));
	assert_non_null(strstr(f->last, "\r\nContent-Length: 17\r\n"));
	assert_true(str_ends(f->last, "{\"model\":\"gpt-5\"}"));
}

static void
what_must_not_leave_does_not(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *name;
		char *request;
		const char *status;
	} rows[] = {
		{ "a hosted tool",
			post("/llm/openai/responses",
				"{\"model\":\"gpt-5\",\"tools\":[{\"type\":\"web_search\"}]}"),
			"403" },
		{ "a model that is not allowed",
			post("/llm/openai/responses", "{\"model\":\"o9\"}"), "403" },
		{ "no model", post("/llm/openai/responses", "{}"), "403" },
		{ "no JSON", post("/llm/openai/responses", "{model"), "400" },
		{ "an endpoint that is not open", post("/llm/openai/files", "{}"), "403" },
		{ "a packed body",
			mem_str("POST /llm/openai/responses HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n"
				"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
				"Content-Length: 2\r\n\r\n{}"),
			"415" },
		{ "a form",
			mem_str("POST /llm/openai/responses HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n"
				"Content-Type: multipart/form-data\r\nContent-Length: 2\r\n\r\n{}"),
			"415" },
		{ "a body over the ceiling",
			mem_str("POST /llm/openai/responses HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n"
				"Content-Type: application/json\r\nContent-Length: "
				"33554433\r\n\r\n"),
			"413" },
		{ "two framings",
			mem_str("POST /llm/openai/responses HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n"
				"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
			"400" },
		{ "a bare line feed", mem_str("GET /npm/x HTTP/1.1\nHost: a\n\n"), "400" },
		{ "a tunnel",
			mem_str("CONNECT evil.example:443 HTTP/1.1\r\nHost: "
				"evil.example:443\r\n\r\n"),
			"403" },
		{ "a proxy request",
			mem_str("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
			"403" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		auto_free char *answer = gateway_rig_ask(&f->g, rows[i].request);
		assert_non_null(answer);
		assert_memory_equal(answer + strlen("HTTP/1.1 "), rows[i].status, 3);
		assert_non_null(strstr(answer, "\"message\":\""));
		free(rows[i].request);
	}
	assert_int_equal(f->requests, 0);

	box(f, WIRE_BOX_CLOSE, false, false);
	assert_int_equal(f->g.c.type, WIRE_BOX_USAGE);
	assert_true(f->g.c.usage.ok);
	assert_non_null(f->g.c.usage.blocked);
	assert_non_null(strstr(f->g.c.usage.blocked, " evil.example not open on this server\n"));
	assert_non_null(strstr(f->g.c.usage.blocked, " evil.example not open to this task\n"));
}

/* A list that an agent can make as long as it likes; it ends in a word that it is not all. */
static void
of_many_hosts_fifty_are_told(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	for (int i = 0; i < GATEWAY_BLOCKED_MAX + 9; i++) {
		auto_free char *request = mem_fmt("CONNECT h%d.example:443 HTTP/1.1\r\nHost: "
						  "h%d.example:443\r\n\r\n",
			i, i);
		auto_free char *answer = gateway_rig_ask(&f->g, request);

		assert_non_null(strstr(answer, " 403 "));
	}
	box(f, WIRE_BOX_CLOSE, false, false);
	for (const char *p = f->g.c.usage.blocked; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, GATEWAY_BLOCKED_MAX + 1);
	assert_non_null(strstr(f->g.c.usage.blocked, " h0.example not open on this server\n"));
	assert_non_null(strstr(f->g.c.usage.blocked, " others were refused, too\n"));
}

static void
a_second_request_on_the_connection_is_ignored(void **state)
{
	struct fixture *f = *state;
	auto_free char *one = post("/llm/openai/responses", "{\"model\":\"gpt-5\"}");
	auto_free char *two = mem_fmt("%s%s", one, one);
	auto_free char *answer = gateway_rig_ask(&f->g, two);

	assert_true(str_starts(answer, "HTTP/1.1 200 "));
	assert_int_equal(f->requests, 1);
}

static void
an_answer_that_breaks_off_is_not_taken_for_whole(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/chat/completions", "{\"model\":\"gpt-5\"}");
	auto_free char *answer = gateway_rig_ask(&f->g, request);

	assert_true(str_starts(answer, "HTTP/1.1 200 "));
	assert_non_null(strstr(answer, "half"));
	assert_false(str_ends(answer, "0\r\n\r\n"));
}

static void
without_key_or_upstream_it_says_so(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/responses", "{\"model\":\"gpt-5\"}");

	f->g.keeper_refuses = true;
	auto_free char *no_key = gateway_rig_ask(&f->g, request);
	assert_true(str_starts(no_key, "HTTP/1.1 502 "));
	f->g.keeper_refuses = false;
	http_server_destroy(f->g.upstream);
	f->g.upstream = NULL;
	auto_free char *no_upstream = gateway_rig_ask(&f->g, request);
	assert_true(str_starts(no_upstream, "HTTP/1.1 502 "));
	assert_null(strstr(no_upstream, GATEWAY_RIG_KEY));
}

/* ---- registries ---- */

static void
an_index_leads_back_and_a_tarball_comes_whole(void **state)
{
	struct fixture *f = *state;
	auto_free char *index = gateway_rig_ask(
		&f->g, "GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n");

	assert_true(str_starts(index, "HTTP/1.1 200 "));
	auto_buf struct buf body = BUF_INIT(KIB(4));
	struct http1_chunks chunks = { 0 };
	const char *coded = strstr(index, "\r\n\r\n") + 4;
	size_t used = 0;
	assert_int_equal(http1_chunks_feed(&chunks, coded, strlen(coded), &used, &body, NULL), 1);
	assert_string_equal(buf_str(&body), "{\"tarball\":\"http://127.0.0.1:3128/npm/x.tgz\"}");
	assert_true(str_starts(f->last, "GET /npm/left-pad "));

	struct box_client cl;
	box_client_open(&cl, f->g.c.loop, f->g.port,
		"GET /npm/x/-/x.tgz HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n");
	role_case_until(&f->g.c, &cl.done);
	assert_int_equal(cl.done, 1);
	assert_non_null(strstr(cl.in.data, "\r\ncontent-length: 20971520\r\n"));
	assert_true(cl.in.len > TARBALL && cl.in.len < TARBALL + 1000);
	box_client_close(&cl);
	assert_int_equal(f->g.keys_asked, 0);

	box(f, WIRE_BOX_CLOSE, false, false);
	assert_int_equal(f->g.c.usage.requests, 2);
	assert_true(f->g.c.usage.bytes_out > TARBALL);
	assert_null(f->g.c.usage.blocked);
}

/* ---- the life of a box ---- */

static void
a_closed_box_is_closed(void **state)
{
	struct fixture *f = *state;
	struct box_client cl;

	box_client_open(&cl, f->g.c.loop, f->g.port,
		"GET /npm/x HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n"); /* not complete */
	/* Connections are accepted in order: when this one is answered, the first is in. */
	free(gateway_rig_ask(&f->g, "GET /unknown HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n"));
	box(f, WIRE_BOX_CLOSE, false, false);
	role_case_until(&f->g.c, &cl.done);
	assert_string_equal(buf_str(&cl.in), "");
	box_client_close(&cl);
	box(f, WIRE_BOX_CLOSE, false, false); /* asked again: the answer may have been lost */
	assert_false(f->g.c.usage.ok);
}

static void
wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* Until it lets go of the box. */
static void
it_says_that_it_lives(void **state)
{
	struct fixture *f = *state;
	auto_fd int life = steal_fd(&f->g.c.fd);
	char byte;

	for (int i = 0; i < 2; i++) {
		wait_for(life);
		assert_int_equal(read(life, &byte, 1), 1);
	}
	box(f, WIRE_BOX_CLOSE, false, false);
	wait_for(life);
	assert_int_equal(read(life, &byte, 1), 0);
}

static void
a_step_without_models_has_none(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/responses", "{\"model\":\"gpt-5\"}");

	box(f, WIRE_BOX_OPEN, false, true); /* the next step of the same attempt */
	auto_free char *refused = gateway_rig_ask(&f->g, request);
	assert_true(str_starts(refused, "HTTP/1.1 403 "));
	auto_free char *index = gateway_rig_ask(
		&f->g, "GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n");
	assert_true(str_starts(index, "HTTP/1.1 200 "));
	assert_int_equal(f->g.keys_asked, 0);
}

static void
when_the_box_hangs_up_the_upstream_is_left_too(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/completions", "{\"model\":\"gpt-5\"}");
	struct box_client cl;

	box_client_open(&cl, f->g.c.loop, f->g.port, request);
	while (f->requests == 0)
		role_case_wait(&f->g.c);
	assert_int_equal(http_server_connections(f->g.upstream), 1);
	box_client_close(&cl);
	while (http_server_connections(f->g.upstream) > 0)
		role_case_wait(&f->g.c);
}

static void
sixteen_connections_are_served_and_the_next_waits(void **state)
{
	struct fixture *f = *state;
	auto_free char *request = post("/llm/openai/completions", "{\"model\":\"gpt-5\"}");
	struct box_client held[16];
	struct box_client next;

	for (int i = 0; i < 16; i++)
		box_client_open(&held[i], f->g.c.loop, f->g.port, request);
	while (f->requests < 16)
		role_case_wait(&f->g.c);
	box_client_open(&next, f->g.c.loop, f->g.port,
		"GET /unknown HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n");
	for (int i = 0; i < 20; i++)
		role_case_wait(&f->g.c);
	assert_int_equal(next.in.len, 0);
	box_client_close(&held[0]);
	role_case_until(&f->g.c, &next.done);
	assert_true(str_starts(buf_str(&next.in), "HTTP/1.1 404 "));
	box_client_close(&next);
	for (int i = 1; i < 16; i++)
		box_client_close(&held[i]);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_question_goes_out_with_our_key_and_streams_back),
		T(each_keeper_is_asked_for_the_key),
		T(a_chunked_question_is_whole_when_it_leaves),
		T(what_must_not_leave_does_not),
		T(of_many_hosts_fifty_are_told),
		T(a_second_request_on_the_connection_is_ignored),
		T(an_answer_that_breaks_off_is_not_taken_for_whole),
		T(without_key_or_upstream_it_says_so),
		T(an_index_leads_back_and_a_tarball_comes_whole),
		T(a_closed_box_is_closed),
		T(it_says_that_it_lives),
		T(a_step_without_models_has_none),
		T(when_the_box_hangs_up_the_upstream_is_left_too),
		T(sixteen_connections_are_served_and_the_next_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
