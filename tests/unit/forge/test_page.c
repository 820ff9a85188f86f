/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link headers: of forges, of proxies that rewrote them, and of enemies.
 */
#include "forge/page.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define API "https://forge.test:8443/api/v3"

/* url NULL: there is no next page; "!" is a refusal. */
static const struct {
	const char *name;
	const char *link;
	const char *url;
} CASES[] = {
	{ "no header", NULL, NULL },
	{ "an empty one", "", NULL },
	{ "as GitHub writes it",
		"<https://forge.test:8443/r/6/issues?page=1>; rel=\"prev\", "
		"<https://forge.test:8443/r/6/issues?page=3>; rel=\"next\", "
		"<https://forge.test:8443/r/6/issues?page=9>; rel=\"last\"",
		"https://forge.test:8443/r/6/issues?page=3" },
	{ "the last page", "<https://forge.test:8443/x?page=1>; rel=\"first\"", NULL },
	{ "without quotes", "<https://forge.test:8443/x>; rel=next", "https://forge.test:8443/x" },
	{ "with another parameter before",
		"<https://forge.test:8443/x>; title=\"a, b; c\"; rel=next",
		"https://forge.test:8443/x" },
	{ "two relations in one", "<https://forge.test:8443/x>; rel=\"last next\"",
		"https://forge.test:8443/x" },
	{ "in capitals", "<HTTPS://FORGE.TEST:8443/x>; REL=NEXT", "HTTPS://FORGE.TEST:8443/x" },
	{ "a comma in the address", "<https://forge.test:8443/x?a=1,2>; rel=\"next\"",
		"https://forge.test:8443/x?a=1,2" },
	{ "a query at once", "<https://forge.test:8443?page=2>; rel=next",
		"https://forge.test:8443?page=2" },
	{ "a relation that only sounds like it", "<https://forge.test:8443/x>; rel=\"nextest\"",
		NULL },
	{ "next as a title", "<https://forge.test:8443/x>; title=next", NULL },
	{ "another host", "<https://evil.test/x>; rel=next", "!" },
	{ "another port", "<https://forge.test/x>; rel=next", "!" },
	{ "another scheme", "<http://forge.test:8443/x>; rel=next", "!" },
	{ "our host as a prefix", "<https://forge.test:84430/x>; rel=next", "!" },
	{ "our host as a user", "<https://forge.test:8443@evil.test/x>; rel=next", "!" },
	{ "a relative one", "</x?page=2>; rel=next", "!" },
	{ "the host alone", "<https://forge.test:8443>; rel=next", "!" },
	{ "no brackets", "https://forge.test:8443/x; rel=next", NULL },
	{ "an open bracket", "<https://forge.test:8443/x; rel=next", NULL },
	{ "an open quote", "<https://forge.test:8443/x>; rel=\"next", "https://forge.test:8443/x" },
	{ "nonsense", ";;;,,,<<<>>>\"\"", NULL },
	{ "a parameter without a value", "<https://forge.test:8443/x>; rel; rel=next",
		"https://forge.test:8443/x" },
};

static void
links_by_row(void **state)
{
	const struct forge_conf f = { FORGE_GITHUB, "gh", "https://forge.test:8443", API };

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct http_reply r = { .status = 200 };
		auto_free char *url = NULL;
		struct err e;
		int rc;

		if (CASES[i].link)
			strs_addf(&r.headers, "link: %s", CASES[i].link);
		rc = page_next(&f, &r, &url, &e);
		if (!CASES[i].url)
			assert_int_equal(rc, 0);
		else if (str_eq(CASES[i].url, "!"))
			assert_int_equal(rc, ERR_PROTOCOL);
		else if (rc != 1 || !str_eq(url, CASES[i].url))
			fail_msg("%s: %d %s", CASES[i].name, rc, url ? url : e.text);
		assert_int_equal(page_has_next(&r), CASES[i].url != NULL);
		http_reply_finish(&r);
	}
}

static void
an_endless_address_is_refused(void **state)
{
	const struct forge_conf f = { FORGE_GITHUB, "gh", "https://forge.test:8443", API };
	struct http_reply r = { .status = 200 };
	struct buf b = BUF_INIT(8192);
	char *url = NULL;
	struct err e;

	(void)state;
	(void)buf_adds(&b, "link: <https://forge.test:8443/");
	for (int i = 0; i < 4000; i++)
		(void)buf_addc(&b, 'x');
	(void)buf_adds(&b, ">; rel=next");
	strs_add(&r.headers, b.data);
	assert_int_equal(page_next(&f, &r, &url, &e), ERR_PROTOCOL);
	assert_null(url);
	buf_finish(&b);
	http_reply_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_by_row),
		cmocka_unit_test(an_endless_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
