/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/http: requests, redirects, and what is known when no answer comes.
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
do_request(struct fixture *f, struct http_request *r)
{
	(void)http_send(f->http, r, http_case_keep, f);
	assert_null(r->url); /* taken */
	http_case_run(f);
	assert_int_equal(f->done, 1);
	f->done = 0;
}

static void
do_simple(struct fixture *f, const char *method, const char *path)
{
	struct http_request r = http_case_request(f, method, path);

	do_request(f, &r);
}

/* ---- the plain way ---- */

static void
a_request_says_what_it_was_told_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "PATCH", "/echo?q=1");

	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	strs_add(&r.headers, "Accept: application/json");
	r.auth = mem_str("Bearer t0ken");
	assert_int_equal(buf_adds(&r.body, "{}"), 0);
	do_request(f, &r);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->header, "Some Case");
	assert_true(str_starts(f->body, "PATCH /echo?q=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(f->body, "\r\nUser-Agent: nightshift\r\n"));
	assert_non_null(strstr(f->body, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(f->body, "\r\nAuthorization: Bearer t0ken\r\n"));
	assert_non_null(strstr(f->body, "\r\nContent-Length: 2\r\n"));
	assert_null(strstr(f->body, "Content-Type"));
	assert_null(strstr(f->body, "Expect"));
	assert_null(strstr(f->body, "Cookie"));
	assert_true(str_ends(f->body, "\r\n\r\n{}"));
}

static void
methods_are_what_they_are_called(void **state)
{
	struct fixture *f = *state;
	static const char *const with_length[] = { "POST", "PUT", "PATCH" };

	do_simple(f, "GET", "/echo");
	assert_true(str_starts(f->last, "GET /echo "));
	assert_null(strstr(f->last, "Content-Length"));
	do_simple(f, "DELETE", "/echo");
	assert_true(str_starts(f->last, "DELETE /echo "));
	do_simple(f, "HEAD", "/echo");
	assert_true(str_starts(f->last, "HEAD /echo "));
	assert_int_equal(f->status, 200);
	assert_string_equal(f->body, "");
	for (size_t i = 0; i < 3; i++) {
		do_simple(f, with_length[i], "/echo");
		assert_true(str_starts(f->last, with_length[i]));
		assert_non_null(strstr(f->last, "\r\nContent-Length: 0\r\n"));
	}
}

static void
a_credential_may_have_another_header(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "GET", "/echo");

	r.auth = mem_str("k3y");
	r.auth_name = "x-api-key";
	do_request(f, &r);
	assert_non_null(strstr(f->last, "\r\nx-api-key: k3y\r\n"));
	assert_null(strstr(f->last, "Authorization"));
}

static void
an_interim_answer_is_not_the_answer(void **state)
{
	struct fixture *f = *state;

	do_simple(f, "GET", "/early");
	assert_int_equal(f->status, 201);
	assert_string_equal(f->body, "late");
	assert_string_equal(f->header, "");
}

/* ---- redirects ---- */

static void
redirects_keep_method_body_and_credentials(void **state)
{
	struct fixture *f = *state;
	static const char *const codes[] = { "301", "302", "307", "308" };

	for (size_t i = 0; i < 4; i++) {
		auto_free char *path = mem_fmt("/to/%s/echo", codes[i]);
		struct http_request r = http_case_request(f, "POST", path);

		r.auth = mem_str("Bearer t0ken");
		assert_int_equal(buf_adds(&r.body, "payload"), 0);
		do_request(f, &r);
		assert_int_equal(f->status, 200);
		assert_true(str_starts(f->body, "POST /echo "));
		assert_non_null(strstr(f->body, "\r\nAuthorization: Bearer t0ken\r\n"));
		assert_true(str_ends(f->body, "\r\n\r\npayload"));
	}
}

static void
credentials_stay_on_their_host(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "POST", "/away");

	r.auth = mem_str("Bearer t0ken");
	assert_int_equal(buf_adds(&r.body, "payload"), 0);
	do_request(f, &r);
	assert_int_equal(f->status, 200);
	assert_non_null(strstr(f->body, "\r\nHost: localhost:"));
	assert_null(strstr(f->body, "t0ken"));
	assert_true(str_ends(f->body, "\r\n\r\npayload"));
}

/* /away leads from 127.0.0.1 to localhost: another host, and a private one. */
static void
a_redirect_does_not_lead_inside_if_told(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "GET", "/away");
	struct http_request home = http_case_request(f, "GET", "/to/302/echo");

	r.stays_public = true;
	do_request(f, &r);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_DENIED);
	assert_int_equal(f->requests, 1);
	home.stays_public = true; /* the host itself was named by the caller */
	do_request(f, &home);
	assert_int_equal(f->status, 200);
}

static void
redirects_are_limited_and_can_be_left(void **state)
{
	struct fixture *f = *state;

	do_simple(f, "GET", "/loop");
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_LIMIT);
	assert_int_equal(f->requests, 6);
	do_simple(f, "GET", "/ftp");
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_INVALID);
	do_simple(f, "POST", "/to/303/echo"); /* wants another method: the caller decides */
	assert_int_equal(f->status, 303);
	struct http_request r = http_case_request(f, "GET", "/to/302/echo");
	r.follow = false;
	do_request(f, &r);
	assert_int_equal(f->status, 302);
	assert_string_equal(f->body, "not for the caller");
}

/* ---- what goes wrong ---- */

static void
an_answer_over_the_ceiling_is_refused(void **state)
{
	struct fixture *f = *state;
	struct http_request r = http_case_request(f, "GET", "/big");

	r.reply_max = 1000;
	do_request(f, &r);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_LIMIT);
	assert_true(f->was_sent);
	do_simple(f, "GET", "/headers");
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_LIMIT);
}

static void
no_answer_in_time_is_a_timeout(void **state)
{
	struct fixture *f = *state;

	/* A busy machine needs longer until it is sent. */
	f->was_sent = false;
	for (int64_t ms = 50; !f->was_sent && ms < 20000; ms *= 2) {
		struct http_request r = http_case_request(f, "GET", "/silence?token=hush");

		r.timeout_ms = ms;
		do_request(f, &r);
		assert_int_equal(f->status, 0);
		assert_int_equal(f->code, ERR_TIMEOUT);
	}
	assert_true(f->was_sent);
	assert_non_null(strstr(f->text, "/silence"));
	assert_null(strstr(f->text, "hush"));
}

static void
was_sent_tells_whether_the_outcome_is_unknown(void **state)
{
	struct fixture *f = *state;

	do_simple(f, "POST", "/drop");
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_BUSY);
	assert_true(f->was_sent);
	do_simple(f, "GET", "/half");
	assert_int_equal(f->status, 0);
	assert_true(f->was_sent);

	http_server_destroy(f->server); /* nobody listens there now */
	f->server = NULL;
	do_simple(f, "POST", "/echo");
	assert_int_equal(f->status, 0);
	assert_int_equal(f->code, ERR_BUSY);
	assert_false(f->was_sent);
}

/* The server takes the second request of the kept connection and closes without a word. */
static int
requests_after_swallow(struct fixture *f, const char *method, const char *body)
{
	struct http_request r = http_case_request(f, method, "/once");

	f->requests = 0;
	do_simple(f, "GET", "/once");
	assert_int_equal(f->status, 200);
	assert_int_equal(buf_adds(&r.body, body), 0);
	do_request(f, &r);
	assert_int_equal(f->status, 0);
	assert_true(f->was_sent);
	return f->requests;
}

static void
what_must_not_happen_twice_is_never_sent_twice(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(requests_after_swallow(f, "POST", "payload"), 2);
	assert_int_equal(requests_after_swallow(f, "PATCH", "payload"), 2);
	assert_int_equal(requests_after_swallow(f, "POST", ""), 2);
	assert_int_equal(requests_after_swallow(f, "GET", ""), 3); /* curl tried again, as it may */
}

static void
an_address_that_is_none_is_the_callers_error(void **state)
{
	struct fixture *f = *state;
	static const char *const urls[] = { "file:///etc/passwd", "gopher://127.0.0.1/", "http://",
		"nonsense://x" };

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct http_request r = { .method = "GET", .url = mem_str(urls[i]) };

		do_request(f, &r);
		assert_int_equal(f->status, 0);
		assert_int_equal(f->code, ERR_INVALID);
		assert_false(f->was_sent);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, http_case_setup, http_case_teardown)
	const struct CMUnitTest tests[] = {
		T(a_request_says_what_it_was_told_and_no_more),
		T(methods_are_what_they_are_called),
		T(a_credential_may_have_another_header),
		T(an_interim_answer_is_not_the_answer),
		T(redirects_keep_method_body_and_credentials),
		T(credentials_stay_on_their_host),
		T(a_redirect_does_not_lead_inside_if_told),
		T(redirects_are_limited_and_can_be_left),
		T(an_answer_over_the_ceiling_is_refused),
		T(no_answer_in_time_is_a_timeout),
		T(was_sent_tells_whether_the_outcome_is_unknown),
		T(what_must_not_happen_twice_is_never_sent_twice),
		T(an_address_that_is_none_is_the_callers_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
