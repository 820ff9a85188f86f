/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitea_read - answers that rows alone cannot read, and what old versions leave us with.
 */
#include "forge/gitea.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/page.h"
#include "forge/shapes.h"

#include <string.h>

static bool
is_wanted_user(const struct forge_op *op, const struct json *user)
{
	if (op->user_id)
		return json_i64(user, "id") == op->user_id;
	return op->user && str_eq(json_str(user, "login"), op->user);
}

static int
permission_is(const struct dialect_reply *x, enum forge_permission p)
{
	x->a->permission = p;
	x->a->user_id = x->op->user_id;
	mem_set(&x->a->user, x->op->user);
	return 0;
}

int
gitea_read_permission(const struct dialect_reply *x)
{
	enum forge_permission p = shape_permission(json_str(x->j, "permission"));

	if (p == PERMISSION_UNKNOWN)
		return err_set(x->e, ERR_PROTOCOL, "an unknown permission");
	if (!is_wanted_user(x->op, json_get(x->j, "user")))
		p = PERMISSION_NONE; /* the login was given to somebody else since */
	return permission_is(x, p);
}

/* Asking about others takes an administrator of the repository (403); before 1.17 there is no such
 * route (404). A 401 is no reason to ask elsewhere. */
int
gitea_refused_permission(const struct dialect_reply *x, int rc)
{
	if (x->r->status == 404 || (x->r->status == 403 && rc == ERR_DENIED))
		return dialect_goto(x->op, GITEA_ASSIGNEES);
	return rc;
}

/* "All users that have write access and can be assigned to issues." Who is not in it may read at
 * most, and that is as good as nothing here. */
int
gitea_read_assignees(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		if (is_wanted_user(x->op, json_at(x->j, NULL, i)))
			return permission_is(x, PERMISSION_WRITE);
	}
	return permission_is(x, PERMISSION_NONE);
}

int
gitea_refused_assignees(const struct dialect_reply *x, int rc)
{
	return x->r->status == 404 ? dialect_goto(x->op, GITEA_OWNER) : rc;
}

int
gitea_read_owner(const struct dialect_reply *x)
{
	bool is_owner = is_wanted_user(x->op, json_get(x->j, "owner"));

	return permission_is(x, is_owner ? PERMISSION_ADMIN : PERMISSION_NONE);
}

/* A number that is another kind of comment (a label change, say) answers 204. */
int
gitea_read_comment(const struct dialect_reply *x)
{
	if (!x->j)
		return err_set(x->e, ERR_MISSING, "not a comment");
	return shape_read_comment(x);
}

int
gitea_read_comment_find(const struct dialect_reply *x)
{
	return shape_find_comment(x) ? 0 : err_set(x->e, ERR_MISSING, "no such comment");
}

/* Listed whole and oldest first. */
int
gitea_read_comment_last(const struct dialect_reply *x)
{
	shape_last_comment(x);
	return x->a->id ? 0 : err_set(x->e, ERR_MISSING, "no such comment");
}

/* By number and not by the address of the next page, as in all lists here. */
int
gitea_read_repos(const struct dialect_reply *x)
{
	int64_t page = 1;

	shape_add_repos(x, x->j);
	if (x->op->ref)
		(void)str_i64(x->op->ref, 1, DIALECT_PAGES_MAX, &page, NULL);
	if (page_has_next(x->r) && page < DIALECT_PAGES_MAX) {
		free(x->a->ref);
		x->a->ref = mem_fmt("%lld", (long long)page + 1);
	}
	return 0;
}

int
gitea_read_pull_find(const struct dialect_reply *x)
{
	int rc;

	if (shape_find_pull(x))
		return 0;
	rc = dialect_next_number(x);
	return rc == 0 ? err_set(x->e, ERR_MISSING, "no such pull request") : rc;
}

int
gitea_read_issues(const struct dialect_reply *x)
{
	shape_add_issues(x);
	return x->a->items.n < LIMIT_ITEMS ? dialect_next_number(x) : 0;
}

int
gitea_read_comments(const struct dialect_reply *x)
{
	shape_add_comments(x);
	return x->a->items.n < LIMIT_ITEMS ? dialect_next_number(x) : 0;
}

/* The timeline lists oldest first; a label event's body is "1" if it was added, else empty. */
static int
read_timeline(const struct dialect_reply *x, const char *body)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *ev = json_at(x->j, NULL, i);
		const char *said = json_str(ev, "body");

		if (!str_eq(json_str(ev, "type"), "label") || !str_eq(said ? said : "", body) ||
			!str_eq(json_str(ev, "label.name"), x->op->label))
			continue;
		x->a->id = json_i64(ev, "id");
		x->a->user_id = json_i64(ev, "user.id");
		x->a->updated_ms = shape_time(ev, "created_at");
		mem_set(&x->a->user, json_str(ev, "user.login"));
	}
	return dialect_next_number(x);
}

int
gitea_read_timeline(const struct dialect_reply *x)
{
	return read_timeline(x, "1");
}

int
gitea_read_timeline_off(const struct dialect_reply *x)
{
	return read_timeline(x, "");
}

/* Before 1.18 there is no timeline: nobody knows, which is an answer. */
int
gitea_refused_timeline(const struct dialect_reply *x, int rc)
{
	return x->r->status == 404 ? 0 : rc;
}

int
gitea_read_labels(const struct dialect_reply *x)
{
	int64_t id = shape_label_id(x->j, x->op->label);
	int rc;

	if (id) {
		x->op->id = id;
		return dialect_goto(x->op, GITEA_LABEL_SET);
	}
	rc = dialect_next_number(x);
	return rc == 0 ? dialect_goto(x->op, x->op->step + 1) : rc;
}

/* The owner is a person, who has no labels; or we may not see the organisation. */
int
gitea_refused_labels(const struct dialect_reply *x, int rc)
{
	if (rc == ERR_MISSING || (x->r->status == 403 && rc == ERR_DENIED))
		return dialect_goto(x->op, GITEA_LABEL_CREATE);
	return rc;
}

int
gitea_read_label_created(const struct dialect_reply *x)
{
	x->op->id = json_i64(x->j, "id");
	if (x->op->id <= 0)
		return err_set(x->e, ERR_PROTOCOL, "the new label has no id");
	return dialect_goto(x->op, GITEA_LABEL_SET);
}

int
gitea_read_issue_labels(const struct dialect_reply *x)
{
	x->op->id = shape_label_id(x->j, x->op->label);
	return x->op->id ? dialect_goto(x->op, GITEA_LABEL_UNSET) : 0;
}

static int
take_asset(const struct dialect_reply *x, const struct json *asset)
{
	x->a->id = json_i64(asset, "id");
	x->a->url = dialect_cut(json_str(asset, "browser_download_url"), LIMIT_URL_BYTES);
	return x->a->id > 0 ? 0 : err_set(x->e, ERR_PROTOCOL, "the attachment has no id");
}

/* A file of this name was attached by an earlier try whose answer was lost. */
int
gitea_read_assets(const struct dialect_reply *x)
{
	auto_free char *txt = mem_fmt("%s.txt", x->op->name ? x->op->name : "");

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *asset = json_at(x->j, NULL, i);
		const char *name = json_str(asset, "name");

		if (str_eq(name, x->op->name) || str_eq(name, txt))
			return take_asset(x, asset);
	}
	return dialect_goto(x->op, GITEA_ASSET_CREATE);
}

int
gitea_read_asset(const struct dialect_reply *x)
{
	return take_asset(x, x->j);
}

/* Gitea's words for an ending that is not in its list: before 1.23, and since. */
static bool
is_forbidden_type(const struct dialect_reply *x)
{
	const char *body = buf_str(&x->r->body);

	return strstr(body, "not allowed to be uploaded") ||
	       strstr(body, "forbidden file extension");
}

/* 404 and 405: too old, or attachments are switched off. A refused ending comes as 400, 422 or,
 * before 1.22, 500: then it is said again with one that is always allowed. */
int
gitea_refused_asset(const struct dialect_reply *x, int rc)
{
	if (x->r->status == 404 || x->r->status == 405)
		return ERR_MISSING;
	if (!is_forbidden_type(x))
		return rc;
	if (x->op->step == GITEA_ASSET_CREATE)
		return dialect_goto(x->op, GITEA_ASSET_CREATE_TXT);
	return ERR_MISSING;
}
