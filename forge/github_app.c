/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github_app - what a GitHub App proves itself with, and what it needs to be allowed.
 *
 * Source: docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App" and "Permissions
 * required for GitHub Apps".
 */
#include "forge/github.h"

#include "base/mem.h"
#include "forge/retry.h"

#include <inttypes.h>
#include <string.h>

#define JWT_BACK_S 60  /* GitHub's clock may be a little behind ours */
#define JWT_LIFE_S 540 /* of at most 600 after iat, and iat is backdated */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const struct github_grant GITHUB_GRANTS[] = {
	{ "contents", "write" },
	{ "issues", "write" },
	{ "pull_requests", "write" },
	{ "checks", "write" },
	{ "metadata", "read" },
	{ NULL, NULL },
};

static const char *const EVENTS[] = { "issue_comment", "issues", "pull_request" };

/* One of them is enough: the second is for those who have public repositories only. */
static const char *const SCOPES[] = { "repo", "public_repo" };

int
github_claims(int64_t app_id, int64_t now_ms, struct buf *out)
{
	int64_t now_s = now_ms / 1000;

	return buf_addf(out, "{\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"iss\":\"%" PRId64 "\"}",
		now_s - JWT_BACK_S, now_s + JWT_LIFE_S, app_id);
}

/* The words are GitHub's: "'Issued at' claim ('iat') must be an Integer representing the time that
 * the assertion was issued". */
int64_t
github_refused_time(const struct http_reply *r)
{
	const char *said = r->body.len ? buf_str(&r->body) : "";

	if (r->status != 401)
		return 0;
	if (!strstr(said, "'Issued at' claim") && !strstr(said, "'Expiration time' claim"))
		return 0;
	return retry_http_date_ms(http_reply_header(r, "date"));
}

static bool
has_level(const char *have, const char *want)
{
	return str_eq(have, want) || str_eq(have, "write") || str_eq(have, "admin");
}

static bool
lists_event(const struct json *app, const char *event)
{
	for (size_t i = 0; i < json_len(app, "events"); i++) {
		if (str_eq(json_str(json_at(app, "events", i), NULL), event))
			return true;
	}
	return false;
}

static void
compare_app(const struct json *app, struct forge_lacks *out)
{
	out->is_told = true;
	for (const struct github_grant *g = GITHUB_GRANTS; g->name; g++) {
		auto_free char *path = mem_fmt("permissions.%s", g->name);

		if (!has_level(json_str(app, path), g->level))
			strs_addf(&out->rights, "%s: %s", g->name, g->level);
	}
	for (size_t i = 0; i < COUNT(EVENTS); i++) {
		if (!lists_event(app, EVENTS[i]))
			strs_add(&out->events, EVENTS[i]);
	}
}

/* "repo, workflow". Classic tokens tell their scopes; fine-grained ones do not. */
static void
compare_scopes(const char *scopes, struct forge_lacks *out)
{
	auto_free char *padded = mem_fmt(" %s,", scopes);

	out->is_told = true;
	for (size_t i = 0; i < COUNT(SCOPES); i++) {
		auto_free char *word = mem_fmt(" %s,", SCOPES[i]);

		if (strstr(padded, word))
			return;
	}
	strs_addf(&out->rights, "scope %s", SCOPES[0]);
}

void
github_lacks(const struct http_reply *r, struct forge_lacks *out)
{
	const char *scopes = http_reply_header(r, "x-oauth-scopes");
	auto_json struct json *j = NULL;

	if (r->status != 200)
		return;
	if (!str_is_empty(scopes))
		compare_scopes(scopes, out);
	if (json_parse(buf_str(&r->body), r->body.len, &JSON_LIMITS_REPLY, &j, NULL) == 0 &&
		json_is_object(j, "permissions"))
		compare_app(j, out);
}
