/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github_make - bodies of requests that are more than members of the operation.
 */
#include "forge/github.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* A check run's texts may have 65,535 characters each; the body was cut to fewer bytes before. */
struct check {
	char *name;
	char *head_sha;
	char *status;
	char *conclusion;
	char *details_url;
	char *external_id;
	char *title;
	char *summary;
	char *text;
};

static const struct row CHECK_ROWS[] = {
	ROW_S(struct check, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct check, head_sha, "head_sha", LIMIT_NAME_BYTES),
	ROW_S(struct check, status, "status", LIMIT_NAME_BYTES),
	ROW_S(struct check, conclusion, "conclusion", LIMIT_NAME_BYTES),
	ROW_S(struct check, details_url, "details_url", LIMIT_URL_BYTES),
	ROW_S(struct check, external_id, "external_id", LIMIT_NAME_BYTES),
	ROW_S(struct check, title, "output.title", LIMIT_TITLE_BYTES),
	ROW_S(struct check, summary, "output.summary", LIMIT_BODY_BYTES),
	ROW_S(struct check, text, "output.text", LIMIT_BODY_BYTES),
	ROW_DONE,
};

static const struct {
	const char *status;
	const char *conclusion;
} STATES[] = {
	[STATUS_QUEUED] = { "queued", NULL },
	[STATUS_RUNNING] = { "in_progress", NULL },
	[STATUS_SUCCESS] = { "completed", "success" },
	[STATUS_FAILURE] = { "completed", "failure" },
	[STATUS_NEUTRAL] = { "completed", "neutral" },
};

int
github_make_check(const struct forge_op *op, struct http_request *out, struct err *e)
{
	auto_free char *status = NULL, *conclusion = NULL;
	struct check c = {
		.name = op->context,
		.head_sha = op->kind == OP_STATUS_CREATE ? op->sha : NULL,
		.details_url = op->url,
		.external_id = op->external_id,
		.text = op->body,
	};

	if (op->state < 0 || op->state > STATUS_NEUTRAL)
		return err_set(e, ERR_INVALID, "no such state");
	if (op->kind == OP_STATUS_CREATE && (!op->context || !op->sha))
		return err_set(e, ERR_INVALID, "a check run needs a name and a commit");
	status = mem_str(STATES[op->state].status);
	conclusion = mem_str(STATES[op->state].conclusion);
	c.status = status;
	c.conclusion = conclusion;
	c.title = op->title ? op->title : op->context;
	c.summary = c.title; /* both are required with a text */
	if (!op->title && !op->body)
		c.title = c.summary = NULL;
	return dialect_json(CHECK_ROWS, &c, out, e);
}

struct labels {
	struct strs labels;
};

static const struct row LABELS_ROWS[] = {
	ROW_SS(struct labels, labels, "labels", LIMIT_NAME_BYTES, 1),
	ROW_DONE,
};

int
github_make_labels(const struct forge_op *op, struct http_request *out, struct err *e)
{
	char *one[] = { op->label };
	const struct labels body = { .labels = { one, 1 } };

	if (str_is_empty(op->label))
		return err_set(e, ERR_INVALID, "no label");
	return dialect_json(LABELS_ROWS, &body, out, e);
}

/* What a task needs and nothing else, in the one repository it is about. Without one: enough to
 * list them. */
int
github_make_token(const struct forge_op *op, struct http_request *out, struct err *e)
{
	struct buf *b = &out->body;
	const char *name = forge_repo_ok(FORGE_GITHUB, op->repo) ? strchr(op->repo, '/') + 1 : NULL;

	strs_add(&out->headers, "Content-Type: application/json");
	if (op->repo_id <= 0 && !op->repo)
		return buf_adds(b, "{\"permissions\":{\"metadata\":\"read\"}}");
	if (op->repo_id <= 0 && !name)
		return err_set(e, ERR_INVALID, "a token for no repository");
	if (op->repo_id > 0) {
		(void)buf_addf(b, "{\"repository_ids\":[%" PRId64 "]", op->repo_id);
	} else {
		(void)buf_adds(b, "{\"repositories\":[");
		(void)json_quote(b, name, strlen(name));
		(void)buf_addc(b, ']');
	}
	(void)buf_adds(b, ",\"permissions\":{");
	for (const struct github_grant *g = GITHUB_GRANTS; g->name; g++)
		(void)buf_addf(
			b, "%s\"%s\":\"%s\"", g == GITHUB_GRANTS ? "" : ",", g->name, g->level);
	return buf_adds(b, "}}");
}
