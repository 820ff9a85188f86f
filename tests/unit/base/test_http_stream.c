/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/http: answers that flow through, and calls that are cancelled.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/base/http_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
resume(void *ctx)
{
	struct fixture *f = ctx;

	f->is_paused = false;
	http_call_resume(f->call);
}

static void
on_head(void *ctx, const struct http_reply *head)
{
	struct fixture *f = ctx;

	f->heads++;
	f->status = head->status;
}

static int
on_data(void *ctx, const char *data, size_t len)
{
	struct fixture *f = ctx;

	(void)data;
	assert_false(f->is_paused); /* nothing comes while paused */
	if (f->cancel_in_data) {
		http_cancel(f->call);
		loop_stop(f->l);
		return 0;
	}
	if (f->pauses < 20 && f->bytes / 65536 > (size_t)f->pauses) {
		f->pauses++;
		f->is_paused = true;
		loop_timer_add(f->l, 1, resume, f);
		return ERR_BUSY;
	}
	f->bytes += len;
	return 0;
}

static void
start_stream(struct fixture *f, const char *path)
{
	const struct http_stream s = { on_head, on_data, http_case_done, f };
	struct http_request r = http_case_request(f, "GET", path);

	f->call = http_send_stream(f->http, &r, &s);
}

static void
a_stream_flows_pauses_and_goes_on(void **state)
{
	struct fixture *f = *state;

	start_stream(f, "/to/302/big");
	http_case_run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->heads, 1); /* the redirect's head and body are not shown */
	assert_int_equal(f->status, 200);
	assert_int_equal(f->bytes, MIB(4));
	assert_int_equal(f->pauses, 20);
}

static void
a_stream_that_breaks_says_so_at_the_end(void **state)
{
	struct fixture *f = *state;

	start_stream(f, "/half");
	http_case_run(f);
	assert_int_equal(f->heads, 1);
	assert_int_equal(f->bytes, 4);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_BUSY);
}

static void
a_cancelled_call_is_silent_and_closes(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "GET", "/silence");
	struct http_call *c;

	f->cancel_in_data = true;
	start_stream(f, "/big");
	http_case_run(f);
	c = http_send(f->http, &r, http_case_keep, f);
	while (f->requests < 2) {
		http_case_wait(f);
	}
	http_cancel(c);
	while (http_server_connections(f->server) > 0) {
		http_case_wait(f);
	}
	assert_int_equal(f->done, 0);
}

static void
destroying_ends_everything_without_a_word(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "GET", "/silence");
	struct http_request unstarted = http_case_request(f, "GET", "/echo");

	(void)http_send(f->http, &r, http_case_keep, f);
	while (f->requests < 1) {
		http_case_wait(f);
	}
	(void)http_send(f->http, &unstarted, http_case_keep, f);
	http_destroy(f->http);
	f->http = NULL;
	http_case_wait(f);
	assert_int_equal(f->done, 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_case_setup, http_case_teardown)
	const struct CMUnitTest tests[] = {
		T(a_stream_flows_pauses_and_goes_on),
		T(a_stream_that_breaks_says_so_at_the_end),
		T(a_cancelled_call_is_silent_and_closes),
		T(destroying_ends_everything_without_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
