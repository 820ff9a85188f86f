/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab_who - answers about people, tokens and hooks: who may what, and whether we are told.
 */
#include "forge/gitlab.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Levels of access, by docs.gitlab.com/api/members: between two of them counts as the lower. */
#define LEVEL_GUEST      10
#define LEVEL_REPORTER   20 /* may label issues */
#define LEVEL_DEVELOPER  30 /* may push */
#define LEVEL_MAINTAINER 40

const struct row GITLAB_USER_ROWS[] = {
	ROW_I(struct forge_answer, user_id, "id"),
	ROW_S(struct forge_answer, user, "username", LIMIT_NAME_BYTES),
	ROW_B(struct forge_answer, user_is_bot, "bot"),
	ROW_DONE,
};

/* "project_7_bot_0a1b", "group_7_bot", "service_account_group_7_0a1b". A person may take such a
 * name, and then may give no orders; GITLAB_MEMBER_BOT finds those machines that have another. */
bool
gitlab_is_machine(const char *user)
{
	static const char *const KINDS[] = { "project_", "group_" };

	if (!user || str_starts(user, "service_account_"))
		return user != NULL;
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		const char *digits = user + strlen(KINDS[i]);

		if (str_starts(user, KINDS[i]) && strspn(digits, "0123456789") > 0 &&
			str_starts(digits + strspn(digits, "0123456789"), "_bot"))
			return true;
	}
	return false;
}

/* ---- The bot and its token ---- */

int
gitlab_read_user(const struct dialect_reply *x)
{
	x->a->user_is_bot |= gitlab_is_machine(x->a->user);
	return x->a->user_id > 0 && x->a->user
		       ? dialect_goto(x->op, GITLAB_SCOPES)
		       : err_set(x->e, ERR_PROTOCOL, "the answer has no user");
}

int
gitlab_read_scopes(const struct dialect_reply *x)
{
	(void)x; /* gitlab_lacks reads them */
	return 0;
}

/* A token of OAuth, or one that may not look at itself: then nobody knows its scopes. */
int
gitlab_refused_scopes(const struct dialect_reply *x, int rc)
{
	(void)x;
	return rc == ERR_DENIED || rc == ERR_MISSING || rc == ERR_INVALID ? 0 : rc;
}

void
gitlab_lacks(const struct http_reply *r, struct forge_lacks *out)
{
	auto_json struct json *j = NULL;
	bool has_api = false;

	if (r->status != 200 ||
		json_parse(buf_str(&r->body), r->body.len, &JSON_LIMITS_REPLY, &j, NULL) < 0)
		return;
	if (json_is_null(j, "scopes"))
		return;
	for (size_t i = 0; i < json_len(j, "scopes"); i++)
		has_api |= str_eq(json_str(json_at(j, "scopes", i), NULL), "api");
	out->is_told = true;
	if (!has_api)
		strs_add(&out->rights, "the scope api");
}

/* ---- Others ---- */

static enum forge_permission
permission_of(int64_t level)
{
	if (level >= LEVEL_MAINTAINER)
		return PERMISSION_ADMIN;
	if (level >= LEVEL_DEVELOPER)
		return PERMISSION_WRITE;
	if (level >= LEVEL_REPORTER)
		return PERMISSION_TRIAGE;
	return level >= LEVEL_GUEST ? PERMISSION_READ : PERMISSION_NONE;
}

/* Whoever may write is looked at once more: machines may not give orders. */
int
gitlab_read_member(const struct dialect_reply *x)
{
	bool is_other = json_i64(x->j, "id") != x->op->user_id;
	bool is_active = str_eq(json_str(x->j, "state"), "active");

	x->a->user_id = x->op->user_id;
	mem_set(&x->a->user, json_str(x->j, "username"));
	x->a->permission = is_other || !is_active ? PERMISSION_NONE
						  : permission_of(json_i64(x->j, "access_level"));
	return x->a->permission >= PERMISSION_WRITE ? dialect_goto(x->op, GITLAB_MEMBER_BOT) : 0;
}

/* No member: an answer. No such project, or none that we see: not one. */
int
gitlab_refused_member(const struct dialect_reply *x, int rc)
{
	if (rc != ERR_MISSING || strstr(buf_str(&x->r->body), "Project Not Found"))
		return rc;
	x->a->permission = PERMISSION_NONE;
	x->a->user_id = x->op->user_id;
	mem_set(&x->a->user, x->op->user);
	return 0;
}

int
gitlab_read_member_bot(const struct dialect_reply *x)
{
	x->a->user_is_bot = json_bool(x->j, "bot");
	return 0;
}

/* A server that keeps its users to itself: their names must do. */
int
gitlab_refused_member_bot(const struct dialect_reply *x, int rc)
{
	(void)x;
	return rc == ERR_DENIED || rc == ERR_MISSING ? 0 : rc;
}

/* ---- Hooks ---- */

static const struct {
	const char *member;
	const char *wrong;
} HOOK_FLAGS[] = {
	{ "enable_ssl_verification", "it does not verify our certificate" }, /* not of http:// */
	{ "issues_events", "it does not tell of issues" },
	{ "merge_requests_events", "it does not tell of merge requests" },
	{ "note_events", "it does not tell of comments" },
};

static const char *
hook_trouble(const struct dialect_reply *x, const struct json *hook)
{
	const char *status = json_str(hook, "alert_status");

	if (status && !str_eq(status, "executable"))
		return "GitLab has switched it off, since deliveries failed";
	for (size_t i = str_starts(x->op->url, "http://"); i < COUNT(HOOK_FLAGS); i++) {
		if (!json_bool(hook, HOOK_FLAGS[i].member))
			return HOOK_FLAGS[i].wrong;
	}
	return NULL;
}

int
gitlab_read_hooks(const struct dialect_reply *x)
{
	int rc;

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *hook = json_at(x->j, NULL, i);

		if (!str_eq(json_str(hook, "url"), x->op->url))
			continue;
		x->a->id = json_i64(hook, "id");
		mem_set(&x->a->title, hook_trouble(x, hook));
		return 0;
	}
	rc = dialect_next_number(x);
	return rc == 0 ? err_set(x->e, ERR_MISSING, "no such hook") : rc;
}
