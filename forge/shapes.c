/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shapes - see shapes.h: replies and bodies. Deliveries are in shapes_decode.c.
 */
#include "forge/shapes.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define STATUS_TEXT_BYTES_MAX 140 /* GitHub refuses a longer description */

const struct row SHAPE_CREATED_ROWS[] = {
	ROW_I(struct forge_answer, id, "id"),
	ROW_I(struct forge_answer, number, "number"),
	ROW_S(struct forge_answer, url, "html_url", LIMIT_URL_BYTES),
	ROW_DONE,
};

const struct row SHAPE_COMMENT_ROWS[] = {
	ROW_I(struct forge_answer, id, "id"),
	ROW_S(struct forge_answer, url, "html_url", LIMIT_URL_BYTES),
	ROW_S(struct forge_answer, body, "body", LIMIT_BODY_BYTES),
	ROW_S(struct forge_answer, author, "user.login", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, author_id, "user.id"),
	ROW_DONE,
};

const struct row SHAPE_ISSUE_ROWS[] = {
	ROW_I(struct forge_answer, id, "id"),
	ROW_I(struct forge_answer, number, "number"),
	ROW_S(struct forge_answer, url, "html_url", LIMIT_URL_BYTES),
	ROW_S(struct forge_answer, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_answer, body, "body", LIMIT_BODY_BYTES),
	ROW_S(struct forge_answer, author, "user.login", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, author_id, "user.id"),
	ROW_DONE,
};

const struct row SHAPE_PULL_ROWS[] = {
	ROW_I(struct forge_answer, id, "id"),
	ROW_I(struct forge_answer, number, "number"),
	ROW_S(struct forge_answer, url, "html_url", LIMIT_URL_BYTES),
	ROW_S(struct forge_answer, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_answer, body, "body", LIMIT_BODY_BYTES),
	ROW_S(struct forge_answer, author, "user.login", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, author_id, "user.id"),
	ROW_S(struct forge_answer, ref, "head.ref", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, sha, "head.sha", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, head_repo_id, "head.repo.id"),
	ROW_S(struct forge_answer, base, "base.ref", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, repo_id, "base.repo.id"),
	ROW_DONE,
};

const struct row SHAPE_REPO_ROWS[] = {
	ROW_I(struct forge_answer, repo_id, "id"),
	ROW_S(struct forge_answer, repo, "full_name", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, ref, "default_branch", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, url, "html_url", LIMIT_URL_BYTES),
	ROW_DONE,
};

const struct row SHAPE_USER_ROWS[] = {
	ROW_I(struct forge_answer, user_id, "id"),
	ROW_S(struct forge_answer, user, "login", LIMIT_NAME_BYTES),
	ROW_DONE,
};

const struct row SHAPE_BODY_ROWS[] = {
	ROW_S(struct forge_op, body, "body", LIMIT_BODY_BYTES),
	ROW_DONE,
};

const struct row SHAPE_TITLE_BODY_ROWS[] = {
	ROW_S(struct forge_op, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_op, body, "body", LIMIT_BODY_BYTES),
	ROW_DONE,
};

int64_t
shape_time(const struct json *j, const char *path)
{
	const char *s = json_str(j, path);
	int64_t ms;

	return s && str_time(s, &ms, NULL) == 0 ? ms : 0;
}

void
shape_labels(const struct json *list, struct strs *out)
{
	size_t n = json_len(list, NULL);

	for (size_t i = 0; i < n && out->n < LIMIT_LABELS; i++) {
		const struct json *label = json_at(list, NULL, i);
		const char *name = json_str(label, "name");
		auto_free char *cut = NULL;

		if (!name)
			name = json_str(label, NULL); /* GitHub may list bare names */
		cut = dialect_cut(name, LIMIT_NAME_BYTES);
		if (cut)
			strs_add(out, cut);
	}
}

int64_t
shape_label_id(const struct json *list, const char *label)
{
	for (size_t i = 0; i < json_len(list, NULL); i++) {
		const struct json *j = json_at(list, NULL, i);

		if (str_eq(json_str(j, "name"), label))
			return json_i64(j, "id");
	}
	return 0;
}

enum forge_permission
shape_permission(const char *name)
{
	static const struct {
		const char *name;
		enum forge_permission permission;
	} NAMES[] = {
		{ "admin", PERMISSION_ADMIN },
		{ "maintain", PERMISSION_WRITE },
		{ "none", PERMISSION_NONE },
		{ "owner", PERMISSION_ADMIN },
		{ "read", PERMISSION_READ },
		{ "triage", PERMISSION_TRIAGE },
		{ "write", PERMISSION_WRITE },
	};

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (str_eq(name, NAMES[i].name))
			return NAMES[i].permission;
	}
	return PERMISSION_UNKNOWN;
}

static int
lacks(const struct dialect_reply *x, const char *what)
{
	return err_set(x->e, ERR_PROTOCOL, "the answer has no %s", what);
}

int
shape_read_created(const struct dialect_reply *x)
{
	return x->a->id > 0 || x->a->number > 0 ? 0 : lacks(x, "id");
}

int
shape_read_comment(const struct dialect_reply *x)
{
	x->a->updated_ms = shape_time(x->j, "updated_at");
	return x->a->id > 0 ? 0 : lacks(x, "id");
}

int
shape_read_issue(const struct dialect_reply *x)
{
	shape_labels(json_get(x->j, "labels"), &x->a->labels);
	x->a->is_closed = str_eq(json_str(x->j, "state"), "closed");
	x->a->is_pull = !json_is_null(x->j, "pull_request");
	x->a->updated_ms = shape_time(x->j, "updated_at");
	return x->a->number > 0 ? 0 : lacks(x, "number");
}

int
shape_read_pull(const struct dialect_reply *x)
{
	shape_labels(json_get(x->j, "labels"), &x->a->labels);
	x->a->is_closed = str_eq(json_str(x->j, "state"), "closed");
	x->a->is_pull = true;
	x->a->updated_ms = shape_time(x->j, "updated_at");
	return x->a->number > 0 && x->a->sha ? 0 : lacks(x, "number or head");
}

int
shape_read_repo(const struct dialect_reply *x)
{
	if (json_is_object(x->j, "permissions"))
		x->a->permission =
			json_bool(x->j, "permissions.push") ? PERMISSION_WRITE : PERMISSION_READ;
	return x->a->repo_id > 0 && x->a->ref ? 0 : lacks(x, "id or default branch");
}

int
shape_read_user(const struct dialect_reply *x)
{
	x->a->user_is_bot = str_eq(json_str(x->j, "type"), "Bot");
	return x->a->user_id > 0 && x->a->user ? 0 : lacks(x, "user");
}

int
shape_missing_is_done(const struct dialect_reply *x, int rc)
{
	(void)x;
	return rc == ERR_MISSING ? 0 : rc;
}

/* Ours by number where we know our number: a login can be given away, and anybody can copy a marker
 * into a comment of his own. */
static bool
is_own(const struct dialect_reply *x, const struct json *comment)
{
	if (x->op->user_id)
		return json_i64(comment, "user.id") == x->op->user_id;
	return x->op->user && str_eq(json_str(comment, "user.login"), x->op->user);
}

static bool
is_marked(const struct dialect_reply *x, const struct json *comment)
{
	const char *body = json_str(comment, "body");

	return body && !str_is_empty(x->op->marker) && str_starts(body, x->op->marker) &&
	       is_own(x, comment);
}

bool
shape_find_comment(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *c = json_at(x->j, NULL, i);

		if (!is_marked(x, c))
			continue;
		json_decode(c, SHAPE_COMMENT_ROWS, x->a);
		x->a->updated_ms = shape_time(c, "updated_at");
		return true;
	}
	return false;
}

void
shape_last_comment(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *c = json_at(x->j, NULL, i);

		if (!is_marked(x, c))
			continue;
		row_finish(SHAPE_COMMENT_ROWS, x->a);
		json_decode(c, SHAPE_COMMENT_ROWS, x->a);
		x->a->updated_ms = shape_time(c, "created_at");
	}
}

static bool
is_wanted_pull(const struct forge_op *op, const struct json *pull)
{
	int64_t repo_id = op->repo_id ? op->repo_id : json_i64(pull, "base.repo.id");

	return str_eq(json_str(pull, "head.ref"), op->ref) &&
	       str_eq(json_str(pull, "state"), "open") &&
	       json_i64(pull, "head.repo.id") == repo_id &&
	       (!op->base || str_eq(json_str(pull, "base.ref"), op->base));
}

bool
shape_find_pull(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *pull = json_at(x->j, NULL, i);

		if (!is_wanted_pull(x->op, pull))
			continue;
		json_decode(pull, SHAPE_PULL_ROWS, x->a);
		x->a->is_pull = true;
		return true;
	}
	return false;
}

struct forge_item *
shape_add_item(const struct dialect_reply *x, const struct json *j)
{
	struct forge_item *item;
	int64_t updated = shape_time(j, "updated_at");

	if (x->a->items.n >= LIMIT_ITEMS)
		return NULL;
	if (updated > x->a->updated_ms)
		x->a->updated_ms = updated;
	item = row_list_add(&x->a->items, sizeof(*item));
	item->user = dialect_cut(json_str(j, "user.login"), LIMIT_NAME_BYTES);
	item->user_id = json_i64(j, "user.id");
	item->updated_ms = updated;
	return item;
}

void
shape_add_issues(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *j = json_at(x->j, NULL, i);
		struct forge_item *item = shape_add_item(x, j);

		if (!item)
			return;
		item->number = json_i64(j, "number");
		item->id = json_i64(j, "id");
		item->is_pull = !json_is_null(j, "pull_request");
		item->title = dialect_cut(json_str(j, "title"), LIMIT_TITLE_BYTES);
	}
}

void
shape_add_repos(const struct dialect_reply *x, const struct json *list)
{
	for (size_t i = 0; i < json_len(list, NULL); i++) {
		const struct json *j = json_at(list, NULL, i);
		const char *name = json_str(j, "full_name");
		struct forge_item *item;

		if (!forge_repo_ok(FORGE_GITHUB, name) || json_bool(j, "archived"))
			continue;
		item = shape_add_item(x, j);
		if (!item)
			return;
		item->id = json_i64(j, "id");
		item->title = mem_str(name);
	}
}

/* The issue's number is the last part of an address. */
static int64_t
tail_number(const char *url)
{
	const char *slash = url ? strrchr(url, '/') : NULL;
	int64_t n;

	return slash && str_i64(slash + 1, 1, INT64_MAX, &n, NULL) == 0 ? n : 0;
}

void
shape_add_comments(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *j = json_at(x->j, NULL, i);
		const char *body = json_str(j, "body");
		int64_t updated = shape_time(j, "updated_at");
		int64_t created = shape_time(j, "created_at");
		struct forge_item *item;

		if (!body || !strstr(body, "/agent") || strlen(body) > LIMIT_BODY_BYTES ||
			(created && created < updated)) {
			if (updated > x->a->updated_ms)
				x->a->updated_ms = updated;
			continue;
		}
		item = shape_add_item(x, j);
		if (!item)
			return;
		item->id = json_i64(j, "id");
		item->number = tail_number(json_str(j, "issue_url"));
		item->is_pull = !str_is_empty(json_str(j, "pull_request_url"));
		if (!item->number)
			item->number = tail_number(json_str(j, "pull_request_url"));
		item->body = mem_str(body);
	}
}

struct eyes {
	char *content;
};

static const struct row EYES_ROWS[] = {
	ROW_S(struct eyes, content, "content", LIMIT_NAME_BYTES),
	ROW_DONE,
};

int
shape_make_eyes(const struct forge_op *op, struct http_request *out, struct err *e)
{
	char word[] = "eyes";
	struct eyes eyes = { .content = word };

	(void)op;
	return dialect_json(EYES_ROWS, &eyes, out, e);
}

struct commit_status {
	char *state;
	char *target_url;
	char *description;
	char *context;
};

static const struct row COMMIT_STATUS_ROWS[] = {
	ROW_S(struct commit_status, state, "state", LIMIT_NAME_BYTES),
	ROW_S(struct commit_status, target_url, "target_url", LIMIT_URL_BYTES),
	ROW_S(struct commit_status, description, "description", LIMIT_TITLE_BYTES),
	ROW_S(struct commit_status, context, "context", LIMIT_NAME_BYTES),
	ROW_DONE,
};

/* There is no neutral state that does not block: what was stopped is green, and its text says so.
 */
int
shape_make_commit_status(const struct forge_op *op, struct http_request *out, struct err *e)
{
	static const char *const STATES[] = {
		[STATUS_QUEUED] = "pending",
		[STATUS_RUNNING] = "pending",
		[STATUS_SUCCESS] = "success",
		[STATUS_FAILURE] = "failure",
		[STATUS_NEUTRAL] = "success",
	};
	auto_free char *text = dialect_cut(op->title, STATUS_TEXT_BYTES_MAX);
	auto_free char *state = NULL;
	struct commit_status s = { .target_url = op->url, .context = op->context };

	if (op->state < 0 || op->state > STATUS_NEUTRAL)
		return err_set(e, ERR_INVALID, "no such state");
	state = mem_str(STATES[op->state]);
	s.state = state;
	s.description = text;
	return dialect_json(COMMIT_STATUS_ROWS, &s, out, e);
}
