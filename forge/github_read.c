/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github_read - answers that rows alone cannot read.
 */
#include "forge/github.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/shapes.h"

#include <string.h>

int
github_read_app(const struct dialect_reply *x)
{
	const char *slug = json_str(x->j, "slug");

	if (str_is_empty(slug))
		return err_set(x->e, ERR_PROTOCOL, "the App has no slug");
	free(x->op->user);
	x->op->user = mem_fmt("%s[bot]", slug);
	mem_set(&x->a->user, x->op->user);
	x->a->user_is_bot = true;
	return dialect_goto(x->op, x->op->step + 1);
}

int
github_read_whoami(const struct dialect_reply *x)
{
	x->a->user_id = json_i64(x->j, "id");
	return 0;
}

/* A server in private mode tells nobody who its users are: the login must do. */
int
github_refused_whoami(const struct dialect_reply *x, int rc)
{
	(void)x;
	return rc == ERR_DENIED || rc == ERR_MISSING ? 0 : rc;
}

/* permission has four values and takes care of custom roles; role_name only refines it. The number
 * guards against a login that was given away since. */
int
github_read_permission(const struct dialect_reply *x)
{
	x->a->permission = shape_permission(json_str(x->j, "permission"));
	if (x->a->permission == PERMISSION_READ && str_eq(json_str(x->j, "role_name"), "triage"))
		x->a->permission = PERMISSION_TRIAGE;
	mem_set(&x->a->user, x->op->user);
	x->a->user_id = json_i64(x->j, "user.id");
	if (x->op->user_id && x->a->user_id != x->op->user_id)
		x->a->permission = PERMISSION_NONE;
	if (x->a->permission == PERMISSION_UNKNOWN)
		return err_set(x->e, ERR_PROTOCOL, "an unknown permission");
	return 0;
}

/* Nobody of that name: a deleted account may do nothing. */
int
github_refused_permission(const struct dialect_reply *x, int rc)
{
	if (rc != ERR_MISSING)
		return rc;
	x->a->permission = PERMISSION_NONE;
	return 0;
}

/* Events are listed oldest first: the last hit of the last page is the latest. */
static int
read_event(const struct dialect_reply *x, const char *kind)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *ev = json_at(x->j, NULL, i);

		if (!str_eq(json_str(ev, "event"), kind) ||
			!str_eq(json_str(ev, "label.name"), x->op->label))
			continue;
		x->a->id = json_i64(ev, "id");
		x->a->user_id = json_i64(ev, "actor.id");
		x->a->user_is_bot = str_eq(json_str(ev, "actor.type"), "Bot");
		x->a->updated_ms = shape_time(ev, "created_at");
		mem_set(&x->a->user, json_str(ev, "actor.login"));
	}
	return dialect_next_link(x);
}

int
github_read_label_event(const struct dialect_reply *x)
{
	return read_event(x, "labeled");
}

int
github_read_unlabel_event(const struct dialect_reply *x)
{
	return read_event(x, "unlabeled");
}

static int
not_found(const struct dialect_reply *x, const char *what)
{
	return err_set(x->e, ERR_MISSING, "no such %s", what);
}

/* A page without a hit: the next one, or it is not there. */
static int
next_or_missing(const struct dialect_reply *x, const char *what)
{
	int rc = dialect_next_link(x);

	return rc == 0 ? not_found(x, what) : rc;
}

int
github_read_comment_find(const struct dialect_reply *x)
{
	return shape_find_comment(x) ? 0 : next_or_missing(x, "comment");
}

/* Comments are listed oldest first, as events are. */
int
github_read_comment_last(const struct dialect_reply *x)
{
	int rc;

	shape_last_comment(x);
	rc = dialect_next_link(x);
	return rc == 0 && x->a->id == 0 ? not_found(x, "comment") : rc;
}

int
github_read_pull_find(const struct dialect_reply *x)
{
	return shape_find_pull(x) ? 0 : next_or_missing(x, "pull request");
}

int
github_read_status_find(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, "check_runs"); i++) {
		const struct json *run = json_at(x->j, "check_runs", i);

		if (!x->op->external_id ||
			!str_eq(json_str(run, "external_id"), x->op->external_id))
			continue;
		json_decode(run, SHAPE_CREATED_ROWS, x->a);
		return 0;
	}
	return next_or_missing(x, "check run");
}

int
github_read_issues(const struct dialect_reply *x)
{
	shape_add_issues(x);
	return x->a->items.n < LIMIT_ITEMS ? dialect_next_link(x) : 0;
}

int
github_read_comments(const struct dialect_reply *x)
{
	shape_add_comments(x);
	return x->a->items.n < LIMIT_ITEMS ? dialect_next_link(x) : 0;
}

int
github_read_check(const struct dialect_reply *x)
{
	return x->a->id > 0 ? 0 : err_set(x->e, ERR_PROTOCOL, "the answer has no id");
}

/* 422 is three things here: one is open already, drafts are not in the plan, or it is our mistake.
 */
int
github_refused_pull(const struct dialect_reply *x, int rc)
{
	const char *said = buf_str(&x->r->body);

	if (x->r->status != 422)
		return rc;
	if (strstr(said, "already exists"))
		return ERR_CONFLICT;
	if (!x->op->is_draft || !strstr(said, "Draft pull requests are not supported"))
		return rc;
	x->op->is_draft = false;
	return dialect_goto(x->op, 0);
}

int
github_read_token(const struct dialect_reply *x)
{
	const char *token = json_str(x->j, "token");

	x->a->token_expires_ms = shape_time(x->j, "expires_at");
	if (str_is_empty(token) || x->a->token_expires_ms == 0)
		return err_set(x->e, ERR_PROTOCOL, "the answer has no token or no end of its life");
	mem_set(&x->a->token, token);
	return 0;
}

int
github_read_installation(const struct dialect_reply *x)
{
	x->a->id = json_i64(x->j, "id");
	if (!json_is_null(x->j, "suspended_at"))
		return err_set(x->e, ERR_DENIED, "the installation is suspended");
	return x->a->id > 0 ? 0 : err_set(x->e, ERR_PROTOCOL, "the answer has no id");
}
