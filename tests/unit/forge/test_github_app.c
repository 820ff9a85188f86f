/* SPDX-License-Identifier: Apache-2.0 */
/* github_app - the claims, the refusals that blame a clock, and what a credential lacks. */
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static const struct forge_driver *
github(void)
{
	return forge_driver_get(FORGE_GITHUB);
}

/* A reply; more is one header or NULL. */
static struct http_reply
reply(int status, const char *more, const char *body)
{
	struct http_reply r = { .status = status, .body = BUF_INIT(KIB(64)) };

	if (more)
		strs_add(&r.headers, more);
	(void)buf_adds(&r.body, body);
	return r;
}

static void
claims_live_ten_minutes_from_a_minute_ago(void **state)
{
	auto_buf struct buf b = BUF_INIT(200);

	(void)state;
	assert_int_equal(github()->app_claims(4711, 1000000999, &b), 0);
	assert_string_equal(buf_str(&b), "{\"iat\":999940,\"exp\":1000540,\"iss\":\"4711\"}");
	assert_null(forge_driver_get(FORGE_GITEA)->app_claims);
}

#define DATE     "date: Sun, 22 Nov 2026 09:19:17 GMT"
#define DATE_MS  1795339157000
#define TOO_LATE "{\"message\":\"'Expiration time' claim ('exp') is too far in the future\"}"
#define TOO_SOON                                                                                   \
	"{\"message\":\"'Issued at' claim ('iat') must be an Integer representing the time that "  \
	"the assertion was issued\"}"

static void
only_a_refused_time_blames_the_clock(void **state)
{
	static const struct {
		const char *name;
		int status;
		const char *header;
		const char *body;
		int64_t want;
	} rows[] = {
		{ "exp", 401, DATE, TOO_LATE, DATE_MS },
		{ "iat", 401, DATE, TOO_SOON, DATE_MS },
		{ "another refusal", 401, DATE, "{\"message\":\"Bad credentials\"}", 0 },
		{ "an issuer", 401, DATE, "{\"message\":\"'Issuer' claim ('iss')\"}", 0 },
		{ "another status", 403, DATE, TOO_LATE, 0 },
		{ "no date", 401, NULL, TOO_LATE, 0 },
		{ "a date that is none", 401, "date: today", TOO_LATE, 0 },
		{ "no body", 401, DATE, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_reply r = reply(rows[i].status, rows[i].header, rows[i].body);

		if (github()->app_refused_time(&r) != rows[i].want)
			fail_msg("%s", rows[i].name);
		http_reply_finish(&r);
	}
}

#define REST                                                                                       \
	"\"checks\":\"write\",\"issues\":\"write\",\"metadata\":\"read\",\"pull_requests\":"       \
	"\"admin\""
#define ALL   "\"contents\":\"write\"," REST
#define HEARS "\"events\":[\"issues\",\"issue_comment\",\"pull_request\",\"push\"]"

static void
what_is_lacking_is_listed(void **state)
{
	static const struct {
		const char *header;
		const char *body;
		bool is_told;
		const char *right; /* the first one */
		size_t n_rights;
		size_t n_events;
	} rows[] = {
		{ NULL, "{\"permissions\":{" ALL "}," HEARS "}", true, NULL, 0, 0 },
		{ NULL, "{\"permissions\":{" ALL "}}", true, NULL, 0, 3 },
		{ NULL, "{\"permissions\":{}," HEARS "}", true, "contents: write", 5, 0 },
		{ NULL, "{\"permissions\":{\"contents\":\"read\"," REST "}," HEARS "}", true,
			"contents: write", 1, 0 },
		{ "x-oauth-scopes: repo, gist", "{\"login\":\"bot\"}", true, NULL, 0, 0 },
		{ "x-oauth-scopes: public_repo", "{\"login\":\"bot\"}", true, NULL, 0, 0 },
		{ "x-oauth-scopes: repo:status", "{\"login\":\"bot\"}", true, "scope repo", 1, 0 },
		{ "x-oauth-scopes: ", "{\"login\":\"bot\"}", false, NULL, 0, 0 },
		{ NULL, "{\"login\":\"bot\"}", false, NULL, 0, 0 },
		{ NULL, "not json", false, NULL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_reply r = reply(200, rows[i].header, rows[i].body);
		struct forge_lacks lacks = { 0 };

		github()->lacks(&r, &lacks);
		assert_int_equal(lacks.is_told, rows[i].is_told);
		assert_int_equal(lacks.rights.n, rows[i].n_rights);
		assert_int_equal(lacks.events.n, rows[i].n_events);
		if (rows[i].right)
			assert_string_equal(lacks.rights.v[0], rows[i].right);
		forge_lacks_finish(&lacks);
		http_reply_finish(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_live_ten_minutes_from_a_minute_ago),
		cmocka_unit_test(only_a_refused_time_blames_the_clock),
		cmocka_unit_test(what_is_lacking_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
