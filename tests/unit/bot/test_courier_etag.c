/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of bot/courier_etag: which answers are still known after many others.
 */
#include "bot/courier_etag.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEPT 128

static const int FORGE;

/* The forge's answer to a GET of that address. */
static void
answer(struct etags **all, const char *url, int status, const char *body, struct http_reply *r)
{
	const struct etag_key key = { .forge = &FORGE, .scope = 7, .url = url };

	*r = (struct http_reply){ .status = status };
	buf_init(&r->body, 1024);
	(void)buf_adds(&r->body, body);
	strs_add(&r->headers, "etag: \"e\"");
	etag_answer(all, &key, r);
}

static void
learn(struct etags **all, const char *url)
{
	struct http_reply r;

	answer(all, url, 200, url, &r);
	http_reply_finish(&r);
}

static bool
is_asked_with(struct etags *all, const char *url)
{
	const struct etag_key key = { .forge = &FORGE, .scope = 7, .url = url };
	struct http_request q = { 0 };
	bool is;

	etag_ask(all, &key, &q);
	is = q.headers.n == 1 && strcmp(q.headers.v[0], "If-None-Match: \"e\"") == 0;
	http_request_finish(&q);
	return is;
}

static void
what_is_asked_for_stays(void **state)
{
	struct etags *all = NULL;
	struct http_reply r;

	(void)state;
	learn(&all, "http://f/permission");
	learn(&all, "http://f/other");
	for (int i = 0; i < 2 * KEPT; i++) {
		auto_free char *url = mem_fmt("http://f/issues/%d", i);

		if (i % (KEPT / 2) == 0)
			assert_true(is_asked_with(all, "http://f/permission"));
		learn(&all, url);
	}
	assert_false(is_asked_with(all, "http://f/other"));
	assert_true(is_asked_with(all, "http://f/issues/255"));
	answer(&all, "http://f/permission", 304, "", &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body.data, "http://f/permission");
	http_reply_finish(&r);
	/* An answer that is not known any more is not made up. */
	answer(&all, "http://f/other", 304, "", &r);
	assert_int_equal(r.status, 304);
	http_reply_finish(&r);
	etags_destroy(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
