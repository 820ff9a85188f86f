/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab_read - answers about issues, merge requests and notes that rows alone cannot read.
 */
#include "forge/gitlab.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/shapes.h"

#include <inttypes.h>
#include <string.h>

/* More would be cut when it is written back. */
#define DESCRIPTION_BYTES_MAX (LIMIT_COMMENT_BYTES - LIMIT_URL_BYTES)

const struct row GITLAB_PROJECT_ROWS[] = {
	ROW_I(struct forge_answer, repo_id, "id"),
	ROW_S(struct forge_answer, repo, "path_with_namespace", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, ref, "default_branch", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, url, "web_url", LIMIT_URL_BYTES),
	ROW_DONE,
};

#define THREAD_MEMBERS                                                                             \
	ROW_I(struct forge_answer, id, "id"), ROW_I(struct forge_answer, number, "iid"),           \
		ROW_S(struct forge_answer, url, "web_url", LIMIT_URL_BYTES),                       \
		ROW_S(struct forge_answer, title, "title", LIMIT_TITLE_BYTES),                     \
		ROW_S(struct forge_answer, body, "description", LIMIT_BODY_BYTES),                 \
		ROW_S(struct forge_answer, author, "author.username", LIMIT_NAME_BYTES),           \
		ROW_I(struct forge_answer, author_id, "author.id")

const struct row GITLAB_THREAD_ROWS[] = { THREAD_MEMBERS, ROW_DONE };

const struct row GITLAB_MERGE_REQUEST_ROWS[] = {
	THREAD_MEMBERS,
	ROW_S(struct forge_answer, ref, "source_branch", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, sha, "sha", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, head_repo_id, "source_project_id"),
	ROW_S(struct forge_answer, base, "target_branch", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, repo_id, "target_project_id"),
	ROW_DONE,
};

const struct row GITLAB_NOTE_ROWS[] = {
	ROW_I(struct forge_answer, id, "id"),
	ROW_S(struct forge_answer, body, "body", LIMIT_BODY_BYTES),
	ROW_S(struct forge_answer, author, "author.username", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, author_id, "author.id"),
	ROW_DONE,
};

static int
lacks(const struct dialect_reply *x, const char *what)
{
	return err_set(x->e, ERR_PROTOCOL, "the answer has no %s", what);
}

int
gitlab_read_project(const struct dialect_reply *x)
{
	return x->a->repo_id > 0 && x->a->ref ? 0 : lacks(x, "id or default branch");
}

/* A page, and the number of the next one. */
int
gitlab_read_projects(const struct dialect_reply *x)
{
	const char *next = http_reply_header(x->r, "x-next-page");
	int64_t page;

	for (size_t i = 0; i < json_len(x->j, NULL) && x->a->items.n < LIMIT_ITEMS; i++) {
		const struct json *j = json_at(x->j, NULL, i);
		const char *name = json_str(j, "path_with_namespace");
		struct forge_item *item;

		if (!forge_repo_ok(FORGE_GITLAB, name))
			continue;
		item = row_list_add(&x->a->items, sizeof(*item));
		item->id = json_i64(j, "id");
		item->title = mem_str(name);
	}
	if (next && str_i64(next, 2, DIALECT_PAGES_MAX, &page, NULL) == 0)
		mem_set(&x->a->ref, next);
	return 0;
}

/* ---- Issues and merge requests ---- */

static void
read_labels(const struct json *list, struct strs *out)
{
	for (size_t i = 0; i < json_len(list, NULL) && out->n < LIMIT_LABELS; i++) {
		auto_free char *cut =
			dialect_cut(json_str(json_at(list, NULL, i), NULL), LIMIT_NAME_BYTES);

		if (cut)
			strs_add(out, cut);
	}
}

/* What not everybody may read is not there: all that we do shows to everybody. */
int
gitlab_read_thread(const struct dialect_reply *x)
{
	const char *state = json_str(x->j, "state");

	if (json_bool(x->j, "confidential"))
		return err_set(x->e, ERR_MISSING, "a confidential issue");
	read_labels(json_get(x->j, "labels"), &x->a->labels);
	x->a->is_closed = str_eq(state, "closed") || str_eq(state, "merged");
	x->a->is_pull = x->op->is_pull;
	x->a->updated_ms = shape_time(x->j, "updated_at");
	return x->a->number > 0 ? 0 : lacks(x, "iid");
}

int
gitlab_read_merge_request(const struct dialect_reply *x)
{
	int rc = gitlab_read_thread(x);

	x->a->is_pull = true;
	if (rc == 0 && x->op->kind == OP_PULL && !x->a->sha)
		return lacks(x, "head");
	return rc;
}

int
gitlab_read_merge_request_find(const struct dialect_reply *x)
{
	int rc;

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *mr = json_at(x->j, NULL, i);

		if (!str_eq(json_str(mr, "source_branch"), x->op->ref) ||
			!str_eq(json_str(mr, "state"), "opened") ||
			json_i64(mr, "source_project_id") != json_i64(mr, "target_project_id") ||
			(x->op->base && !str_eq(json_str(mr, "target_branch"), x->op->base)))
			continue;
		json_decode(mr, GITLAB_MERGE_REQUEST_ROWS, x->a);
		x->a->is_pull = true;
		return 0;
	}
	rc = dialect_next_number(x);
	return rc == 0 ? err_set(x->e, ERR_MISSING, "no such merge request") : rc;
}

static struct forge_item *
add_item(const struct dialect_reply *x, int64_t updated_ms)
{
	struct forge_item *item;

	if (x->a->items.n >= LIMIT_ITEMS)
		return NULL;
	if (updated_ms > x->a->updated_ms)
		x->a->updated_ms = updated_ms;
	item = row_list_add(&x->a->items, sizeof(*item));
	item->updated_ms = updated_ms;
	return item;
}

/* Merge requests are listed after the issues. */
int
gitlab_read_issues(const struct dialect_reply *x)
{
	bool is_pull = x->op->step == GITLAB_MERGE_REQUESTS;
	int rc;

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *j = json_at(x->j, NULL, i);
		struct forge_item *item = add_item(x, shape_time(j, "updated_at"));

		if (!item)
			return 0;
		item->id = json_i64(j, "id");
		item->number = json_i64(j, "iid") * (is_pull ? -1 : 1);
		item->is_pull = is_pull;
		item->title = dialect_cut(json_str(j, "title"), LIMIT_TITLE_BYTES);
		item->user = dialect_cut(json_str(j, "author.username"), LIMIT_NAME_BYTES);
		item->user_id = json_i64(j, "author.id");
	}
	rc = dialect_next_number(x);
	return rc == 0 && !is_pull ? dialect_goto(x->op, GITLAB_MERGE_REQUESTS) : rc;
}

/* Oldest first. The label is null once it was deleted from the project. For who set it last, or
 * took it off last. */
int
gitlab_read_label_events(const struct dialect_reply *x)
{
	const char *action = x->op->kind == OP_LABEL_EVENT ? "add" : "remove";

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *ev = json_at(x->j, NULL, i);

		if (!str_eq(json_str(ev, "action"), action) ||
			!str_eq(json_str(ev, "label.name"), x->op->label))
			continue;
		x->a->id = json_i64(ev, "id");
		x->a->user_id = json_i64(ev, "user.id");
		x->a->updated_ms = shape_time(ev, "created_at");
		mem_set(&x->a->user, json_str(ev, "user.username"));
		x->a->user_is_bot = gitlab_is_machine(x->a->user);
	}
	return dialect_next_number(x);
}

/* ---- Notes ---- */

static void
note_url(const struct dialect_reply *x)
{
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);

	if (forge_issue_url(x->f, x->op->repo, x->op->number, x->op->is_pull, &url, NULL) == 0 &&
		buf_addf(&url, "#note_%" PRId64, x->a->id) == 0)
		mem_set(&x->a->url, buf_str(&url));
}

int
gitlab_read_note(const struct dialect_reply *x)
{
	if (json_bool(x->j, "system"))
		return err_set(x->e, ERR_MISSING, "not a person's note");
	x->a->updated_ms = shape_time(x->j, "updated_at");
	note_url(x);
	return x->a->id > 0 ? 0 : lacks(x, "id");
}

/* Ours by number where we know our number: anybody can copy a marker into a note of his own. */
static bool
is_own(const struct dialect_reply *x, const struct json *note)
{
	if (x->op->user_id)
		return json_i64(note, "author.id") == x->op->user_id;
	return x->op->user && str_eq(json_str(note, "author.username"), x->op->user);
}

/* The first that is ours; of OP_COMMENT_LAST, whose list begins with the newest, when it was made.
 */
int
gitlab_read_note_find(const struct dialect_reply *x)
{
	int rc;

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *note = json_at(x->j, NULL, i);
		const char *body = json_str(note, "body");

		if (!body || str_is_empty(x->op->marker) || !str_starts(body, x->op->marker) ||
			!is_own(x, note))
			continue;
		json_decode(note, GITLAB_NOTE_ROWS, x->a);
		x->a->updated_ms = shape_time(
			note, x->op->kind == OP_COMMENT_LAST ? "created_at" : "updated_at");
		note_url(x);
		return 0;
	}
	rc = dialect_next_number(x);
	return rc == 0 ? err_set(x->e, ERR_MISSING, "no such note") : rc;
}

/* May it hold a command that we may follow? Not if it was edited, is internal, or is old: the list
 * begins with a whole day. */
static bool
is_order(const struct dialect_reply *x, const struct json *note)
{
	const char *body = json_str(note, "body");
	const char *on = json_str(note, "noteable_type");

	return body && strstr(body, "/agent") && strlen(body) <= LIMIT_BODY_BYTES &&
	       (str_eq(on, "Issue") || str_eq(on, "MergeRequest")) && !json_bool(note, "system") &&
	       !json_bool(note, "internal") && !json_bool(note, "confidential") &&
	       shape_time(note, "created_at") >= x->op->since_ms &&
	       shape_time(note, "created_at") >= shape_time(note, "updated_at");
}

/* What people did in the project: the one list of all notes. */
int
gitlab_read_note_events(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *ev = json_at(x->j, NULL, i);
		const struct json *note = json_get(ev, "note");
		int64_t at_ms = shape_time(ev, "created_at");
		struct forge_item *item;

		if (!is_order(x, note)) {
			if (at_ms > x->a->updated_ms)
				x->a->updated_ms = at_ms;
			continue;
		}
		item = add_item(x, at_ms);
		if (!item)
			return 0;
		item->id = json_i64(note, "id");
		item->is_pull = str_eq(json_str(note, "noteable_type"), "MergeRequest");
		item->number = json_i64(note, "noteable_iid") * (item->is_pull ? -1 : 1);
		item->user = dialect_cut(json_str(note, "author.username"), LIMIT_NAME_BYTES);
		item->user_id = json_i64(note, "author.id");
		item->body = mem_str(json_str(note, "body"));
	}
	return dialect_next_number(x);
}

/* 404 is for "it is there already", too. */
int
gitlab_refused_eyes(const struct dialect_reply *x, int rc)
{
	return rc == ERR_MISSING && strstr(buf_str(&x->r->body), "already been taken") ? 0 : rc;
}

/* ---- Statuses and uploads ---- */

/* "Cannot transition status via :run from :running": said before, by a try whose answer was lost.
 */
int
gitlab_refused_status(const struct dialect_reply *x, int rc)
{
	return rc == ERR_INVALID && strstr(buf_str(&x->r->body), "Cannot transition status") ? 0
											     : rc;
}

/* The description as it is; the file may be in it by an earlier try whose answer was lost. */
int
gitlab_read_description(const struct dialect_reply *x)
{
	const char *text = json_str(x->j, "description");
	auto_free char *link = mem_fmt("[%s](", x->op->name ? x->op->name : "");

	if (json_i64(x->j, "iid") <= 0)
		return lacks(x, "iid");
	if (text && strstr(text, link))
		return 0;
	if (x->op->step == GITLAB_ATTACH_LOOK)
		return dialect_goto(x->op, GITLAB_ATTACH_UPLOAD);
	if (text && strlen(text) > DESCRIPTION_BYTES_MAX)
		return err_set(x->e, ERR_MISSING, "the description is too long to add to it");
	free(x->op->body);
	x->op->body = mem_fmt("%s%s%s", text ? text : "", text && *text ? "\n\n" : "",
		x->op->marker ? x->op->marker : "");
	return dialect_goto(x->op, GITLAB_ATTACH_LINK);
}

/* Nobody sees an upload that no text leads to. The link's words are the file's name, always. */
int
gitlab_read_upload(const struct dialect_reply *x)
{
	const char *url = json_str(x->j, "url"), *path = json_str(x->j, "full_path");

	if (!url || !str_starts(url, "/uploads/") || strpbrk(url, "()<> \n\r"))
		return lacks(x, "address of the upload");
	free(x->op->marker);
	x->op->marker = mem_fmt("[%s](%s)", x->op->name, url);
	if (path && path[0] == '/') {
		auto_free char *full = mem_fmt("%s%s", x->f->url, path);

		free(x->a->url);
		x->a->url = dialect_cut(full, LIMIT_URL_BYTES);
	}
	return dialect_goto(x->op, GITLAB_ATTACH_READ);
}

/* Switched off, or larger than the server takes. */
int
gitlab_refused_upload(const struct dialect_reply *x, int rc)
{
	return x->r->status == 404 || x->r->status == 413 ? ERR_MISSING : rc;
}

int
gitlab_read_linked(const struct dialect_reply *x)
{
	return json_i64(x->j, "iid") > 0 ? 0 : lacks(x, "iid");
}
