/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registries through the gateway, running and confined: one fetches, the others get what it
 * fetched, and nobody gets half of it.
 */
#include "base/clean.h"
#include "base/http1.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/bot/box_client.h"
#include "tests/unit/bot/gateway_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define TARBALL KIB(600)
#define MANY    8

struct fixture {
	struct gateway_rig g;
	int requests;
	bool is_short;  /* the next answer breaks off */
	bool is_silent; /* and this one never comes */
	char last[4096];
};

static enum http_server_next
on_upstream(void *ctx, const char *raw, struct buf *out)
{
	struct fixture *f = ctx;
	auto_free char *bytes = mem_zero(TARBALL);

	f->requests++;
	(void)snprintf(f->last, sizeof(f->last), "%s", raw);
	memset(bytes, 'a' + f->requests, TARBALL);
	if (f->is_silent)
		return SERVER_SILENT;
	if (strstr(raw, "/-/")) {
		(void)buf_addf(out, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: %ld\r\n\r\n",
			TARBALL);
		(void)buf_add(out, bytes, f->is_short ? 1000 : TARBALL);
		return f->is_short ? SERVER_CLOSE : SERVER_KEEP;
	}
	auto_free char *body = mem_fmt("{\"n\":%d,\"tarball\":\"http://127.0.0.1:%d/npm/x.tgz\"}",
		f->requests, http_server_port(f->g.upstream));
	(void)buf_addf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
		strstr(raw, "/missing") ? "404 Not Found" : "200 OK", strlen(body), body);
	return SERVER_KEEP;
}

static char *
ask(struct fixture *f, const char *line, const char *more)
{
	auto_free char *request =
		mem_fmt("%s HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n%s\r\n", line, more);

	return gateway_rig_ask(&f->g, request);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	gateway_rig_init(&f->g, on_upstream, f, "registries:\n  npm: \"UPSTREAM/npm\"\n");
	gateway_rig_open(&f->g, &(struct wire_box){ .task = 7, .fence = 3, .registries = true });
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->g.keys_asked, 0);
	gateway_rig_finish(&f->g);
	free(f);
	return 0;
}

/* The whole of an index, with its address turned. */
static void
assert_leads_back(const char *answer)
{
	auto_buf struct buf body = BUF_INIT(KIB(4));
	struct http1_chunks chunks = { 0 };
	const char *coded = strstr(answer, "\r\n\r\n") + 4;
	size_t used = 0;

	assert_int_equal(http1_chunks_feed(&chunks, coded, strlen(coded), &used, &body, NULL), 1);
	assert_string_equal(
		buf_str(&body), "{\"n\":2,\"tarball\":\"http://127.0.0.1:3128/npm/x.tgz\"}");
}

#define GET_TARBALL "GET /npm/x/-/x-1.0.0.tgz"

static void
the_second_time_nobody_is_asked(void **state)
{
	struct fixture *f = *state;
	auto_free char *first = ask(f, GET_TARBALL, "");
	auto_free char *second = ask(f, GET_TARBALL, "");

	assert_int_equal(f->requests, 1);
	assert_true(strlen(first) > TARBALL);
	assert_string_equal(strstr(first, "\r\n\r\n"), strstr(second, "\r\n\r\n"));
	assert_non_null(strstr(second, "etag: \"1\"\r\n"));
	/* An index is kept, too, and its addresses still lead back. */
	auto_free char *index = ask(f, "GET /npm/x", "");
	auto_free char *again = ask(f, "GET /npm/x", "");
	assert_int_equal(f->requests, 2);
	assert_leads_back(index);
	assert_leads_back(again);
}

static void
what_differs_by_more_than_its_name_is_not_mixed_up(void **state)
{
	struct fixture *f = *state;

	free(ask(f, "GET /npm/x", "Accept: application/json\r\n"));
	free(ask(f, "GET /npm/x", "Accept: text/html\r\n"));
	assert_int_equal(f->requests, 2);
	/* A box cannot make others see what it asked for with more than that. */
	free(ask(f, "GET /npm/x", "Accept: text/html\r\nX-Variant: evil\r\nCookie: a\r\n"));
	assert_int_equal(f->requests, 2);
	free(ask(f, "GET /npm/y", "Accept: text/html\r\nX-Variant: evil\r\n"));
	assert_int_equal(f->requests, 3);
	assert_null(strstr(f->last, "evil"));
	assert_non_null(strstr(f->last, "text/html"));
	free(ask(f, "GET /npm/-/search?text=a", ""));
	free(ask(f, "GET /npm/-/search?text=a", ""));
	assert_int_equal(f->requests, 5);
	free(ask(f, "HEAD /npm/x", ""));
	assert_int_equal(f->requests, 6);
	free(ask(f, "GET /npm/missing", ""));
	auto_free char *missing = ask(f, "GET /npm/missing", "");
	assert_true(str_starts(missing, "HTTP/1.1 404 "));
	assert_int_equal(f->requests, 8);
}

static void
half_an_answer_is_kept_by_nobody(void **state)
{
	struct fixture *f = *state;

	f->is_short = true;
	auto_free char *half = ask(f, GET_TARBALL, "");
	assert_true(strlen(half) < TARBALL);
	f->is_short = false;
	auto_free char *whole = ask(f, GET_TARBALL, "");
	assert_int_equal(f->requests, 2);
	assert_true(strlen(whole) > TARBALL);
}

static void
of_many_who_ask_at_once_one_fetches(void **state)
{
	struct fixture *f = *state;
	struct box_client cl[MANY];

	for (int i = 0; i < MANY; i++)
		box_client_open(&cl[i], f->g.c.loop, f->g.port,
			GET_TARBALL " HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n");
	for (int i = 0; i < MANY; i++) {
		role_case_until(&f->g.c, &cl[i].done);
		assert_true(cl[i].in.len > TARBALL);
		box_client_close(&cl[i]);
	}
	assert_int_equal(f->requests, 1);
}

static void
who_fetches_may_leave_and_the_next_goes_on(void **state)
{
	struct fixture *f = *state;
	struct box_client cl[2];

	f->is_silent = true;
	for (int i = 0; i < 2; i++) {
		box_client_open(&cl[i], f->g.c.loop, f->g.port,
			GET_TARBALL " HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n");
		while (f->requests == 0)
			role_case_wait(&f->g.c);
	}
	/* Connections are taken in order: when this is answered, the second one waits. */
	free(ask(f, "GET /unknown", ""));
	f->is_silent = false;
	box_client_close(&cl[0]);
	role_case_until(&f->g.c, &cl[1].done);
	assert_true(cl[1].in.len > TARBALL);
	assert_int_equal(f->requests, 2);
	box_client_close(&cl[1]);
}

/* A run on another branch reads what is kept, and what it fetches is kept for nobody. */
static void
a_guest_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct wire_box guest = { .task = 8, .fence = 1, .registries = true, .is_guest = true };

	free(ask(f, GET_TARBALL, ""));
	assert_int_equal(f->requests, 1);
	gateway_rig_open(&f->g, &guest);
	auto_free char *kept = ask(f, GET_TARBALL, "");
	assert_int_equal(f->requests, 1);
	assert_true(strlen(kept) > TARBALL);
	for (int i = 2; i <= 3; i++) {
		free(ask(f, "GET /npm/y/-/y-1.0.0.tgz", ""));
		assert_int_equal(f->requests, i);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_second_time_nobody_is_asked),
		T(what_differs_by_more_than_its_name_is_not_mixed_up),
		T(half_an_answer_is_kept_by_nobody),
		T(of_many_who_ask_at_once_one_fetches),
		T(who_fetches_may_leave_and_the_next_goes_on),
		T(a_guest_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
