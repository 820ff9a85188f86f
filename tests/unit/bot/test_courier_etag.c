/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of bot/courier_etag: which answers are still known after many others.
 */
#include "bot/courier_etag.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEPT 128

static const int FORGE;

/* What is known of that address, as a request says it. */
static uint64_t
ask(struct etags *all, const char *url)
{
	const struct etag_key key = { .forge = &FORGE, .scope = 7, .url = url };
	struct http_request q = { 0 };
	uint64_t asked = etag_ask(all, &key, &q);

	assert_int_equal(q.headers.n, asked ? 1 : 0);
	if (asked)
		assert_string_equal(q.headers.v[0], "If-None-Match: \"e\"");
	http_request_finish(&q);
	return asked;
}

/* The forge's answer to a GET of that address, which was sent with what was known then. */
static void
answer_to(struct etags **all, const char *url, uint64_t asked, int status, const char *body,
	struct http_reply *r)
{
	const struct etag_key key = { &FORGE, 7, url, asked };

	*r = (struct http_reply){ .status = status };
	buf_init(&r->body, 1024);
	(void)buf_adds(&r->body, body);
	strs_add(&r->headers, "etag: \"e\"");
	etag_answer(all, &key, r);
}

static void
learn(struct etags **all, const char *url, const char *body)
{
	struct http_reply r;

	answer_to(all, url, 0, 200, body, &r);
	http_reply_finish(&r);
}

static void
assert_answer(struct etags **all, const char *url, uint64_t asked, const char *body)
{
	struct http_reply r;

	answer_to(all, url, asked, 304, "", &r);
	assert_int_equal(r.status, body ? 200 : 304);
	assert_string_equal(buf_str(&r.body), body ? body : "");
	http_reply_finish(&r);
}

static void
what_is_asked_for_stays(void **state)
{
	struct etags *all = NULL;

	(void)state;
	learn(&all, "http://f/permission", "it");
	learn(&all, "http://f/other", "other");
	for (int i = 0; i < 2 * KEPT; i++) {
		auto_free char *url = mem_fmt("http://f/issues/%d", i);

		if (i % (KEPT / 2) == 0)
			assert_true(ask(all, "http://f/permission"));
		learn(&all, url, url);
	}
	assert_false(ask(all, "http://f/other"));
	assert_true(ask(all, "http://f/issues/255"));
	assert_answer(&all, "http://f/permission", ask(all, "http://f/permission"), "it");
	/* An answer that is not known any more is not made up. */
	assert_answer(&all, "http://f/other", 0, NULL);
	etags_destroy(all);
}

/* Two requests of one address are under way, and the answer of the one that was first at the forge
 * comes last. "Nothing new" to the other is not about that one. */
static void
an_older_answer_that_comes_later_is_not_what_has_not_changed(void **state)
{
	struct etags *all = NULL;

	(void)state;
	learn(&all, "http://f/comments", "with ours");
	uint64_t asked = ask(all, "http://f/comments");
	learn(&all, "http://f/comments", "before ours");
	assert_answer(&all, "http://f/comments", asked, NULL);
	assert_answer(&all, "http://f/comments", ask(all, "http://f/comments"), "before ours");
	etags_destroy(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_stays),
		cmocka_unit_test(an_older_answer_that_comes_later_is_not_what_has_not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
