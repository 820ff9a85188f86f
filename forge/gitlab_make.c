/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab_make - bodies of requests that are more than members of the operation.
 */
#include "forge/gitlab.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define DRAFT_PREFIX "Draft: "

/* A line that starts with a slash is an order to GitLab ("/merge"), whoever's words it repeats. Not
 * behind a space, which nobody sees. */
static char *
without_orders(const char *text)
{
	auto_buf struct buf out = BUF_INIT(2 * LIMIT_BODY_BYTES + 1);
	bool at_start = true;

	for (const char *p = text ? text : ""; *p; p++) {
		if (at_start && *p == '/')
			(void)buf_addc(&out, ' ');
		(void)buf_addc(&out, *p);
		at_start = *p == '\n' || *p == '\r';
	}
	return text ? mem_str(buf_str(&out)) : NULL;
}

/* ---- Notes and labels ---- */

struct note {
	char *body;
};

static const struct row NOTE_ROWS[] = {
	ROW_S(struct note, body, "body", LIMIT_BODY_BYTES),
	ROW_DONE,
};

int
gitlab_make_note(const struct forge_op *op, struct http_request *out, struct err *e)
{
	auto_free char *body = without_orders(op->body);
	const struct note note = { body };

	return dialect_json(NOTE_ROWS, &note, out, e);
}

struct eyes {
	char *name;
};

static const struct row EYES_ROWS[] = {
	ROW_S(struct eyes, name, "name", LIMIT_NAME_BYTES),
	ROW_DONE,
};

int
gitlab_make_eyes(const struct forge_op *op, struct http_request *out, struct err *e)
{
	char name[] = "eyes";
	const struct eyes eyes = { name };

	(void)op;
	return dialect_json(EYES_ROWS, &eyes, out, e);
}

static const struct row ADD_ROWS[] = {
	ROW_S(struct forge_op, label, "add_labels", LIMIT_NAME_BYTES),
	ROW_DONE,
};

static const struct row REMOVE_ROWS[] = {
	ROW_S(struct forge_op, label, "remove_labels", LIMIT_NAME_BYTES),
	ROW_DONE,
};

/* The members are lists with commas; a label has none. */
static int
make_label(
	const struct row *rows, const struct forge_op *op, struct http_request *out, struct err *e)
{
	if (str_is_empty(op->label) || strchr(op->label, ','))
		return err_set(e, ERR_INVALID, "not a label");
	return dialect_json(rows, op, out, e);
}

int
gitlab_make_add_label(const struct forge_op *op, struct http_request *out, struct err *e)
{
	return make_label(ADD_ROWS, op, out, e);
}

int
gitlab_make_remove_label(const struct forge_op *op, struct http_request *out, struct err *e)
{
	return make_label(REMOVE_ROWS, op, out, e);
}

/* ---- Merge requests ---- */

struct merge_request {
	char *source_branch;
	char *target_branch;
	char *title;
	char *description;
	int64_t assignee_id;
};

static const struct row MERGE_REQUEST_ROWS[] = {
	ROW_S(struct merge_request, source_branch, "source_branch", LIMIT_NAME_BYTES),
	ROW_S(struct merge_request, target_branch, "target_branch", LIMIT_NAME_BYTES),
	ROW_S(struct merge_request, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct merge_request, description, "description", LIMIT_BODY_BYTES),
	ROW_I(struct merge_request, assignee_id, "assignee_id"), /* 0: nobody */
	ROW_DONE,
};

int
gitlab_make_merge_request(const struct forge_op *op, struct http_request *out, struct err *e)
{
	bool is_marked = op->title && str_starts(op->title, DRAFT_PREFIX);
	auto_free char *title = mem_fmt(
		"%s%s", op->is_draft && !is_marked ? DRAFT_PREFIX : "", op->title ? op->title : "");
	auto_free char *description = without_orders(op->body);
	const struct merge_request mr = { op->ref, op->base, title, description, op->user_id };

	if (!op->title || !op->ref || !op->base)
		return err_set(
			e, ERR_INVALID, "a merge request needs a title, a branch and a base");
	return dialect_json(MERGE_REQUEST_ROWS, &mr, out, e);
}

struct texts {
	char *title;
	char *description;
};

static const struct row TEXTS_ROWS[] = {
	ROW_S(struct texts, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct texts, description, "description", LIMIT_BODY_BYTES),
	ROW_DONE,
};

int
gitlab_make_title_description(const struct forge_op *op, struct http_request *out, struct err *e)
{
	auto_free char *description = without_orders(op->body);
	const struct texts texts = { op->title, description };

	return dialect_json(TEXTS_ROWS, &texts, out, e);
}

/* ---- Commit statuses ---- */

struct status {
	char *state;
	char *name;
	char *target_url;
	char *description;
};

static const struct row STATUS_ROWS[] = {
	ROW_S(struct status, state, "state", LIMIT_NAME_BYTES),
	ROW_S(struct status, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct status, target_url, "target_url", 255),
	ROW_S(struct status, description, "description", 255),
	ROW_DONE,
};

/* There is no neutral state that lets a merge request through: what was stopped is green, and its
 * text says so. */
int
gitlab_make_status(const struct forge_op *op, struct http_request *out, struct err *e)
{
	static const char *const STATES[] = {
		[STATUS_QUEUED] = "pending",
		[STATUS_RUNNING] = "running",
		[STATUS_SUCCESS] = "success",
		[STATUS_FAILURE] = "failed",
		[STATUS_NEUTRAL] = "success",
	};
	auto_free char *text = dialect_cut(op->title, 255);
	auto_free char *state = NULL;
	struct status s = { .name = op->context, .target_url = op->url, .description = text };

	if (op->state < 0 || op->state > STATUS_NEUTRAL)
		return err_set(e, ERR_INVALID, "no such state");
	state = mem_str(STATES[op->state]);
	s.state = state;
	return dialect_json(STATUS_ROWS, &s, out, e);
}

/* The file's bytes are in out->body. */
int
gitlab_make_upload(const struct forge_op *op, struct http_request *out, struct err *e)
{
	return dialect_multipart("file", op->name, out, e);
}
