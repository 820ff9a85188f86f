/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitea_make - bodies of requests that are more than members of the operation.
 */
#include "forge/gitea.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define DRAFT_PREFIX "WIP: " /* Gitea has no draft flag; this is in its default prefixes */

struct pull {
	char *title;
	char *head;
	char *base;
	char *body;
};

static const struct row PULL_ROWS[] = {
	ROW_S(struct pull, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct pull, head, "head", LIMIT_NAME_BYTES),
	ROW_S(struct pull, base, "base", LIMIT_NAME_BYTES),
	ROW_S(struct pull, body, "body", LIMIT_BODY_BYTES),
	ROW_DONE,
};

int
gitea_make_pull(const struct forge_op *op, struct http_request *out, struct err *e)
{
	bool is_marked = op->title && str_starts(op->title, DRAFT_PREFIX);
	auto_free char *title = mem_fmt(
		"%s%s", op->is_draft && !is_marked ? DRAFT_PREFIX : "", op->title ? op->title : "");
	const struct pull p = { title, op->ref, op->base, op->body };

	if (!op->title || !op->ref || !op->base)
		return err_set(e, ERR_INVALID, "a pull request needs a title, a branch and a base");
	return dialect_json(PULL_ROWS, &p, out, e);
}

struct label {
	char *name;
	char *color;
	char *description;
};

static const struct row LABEL_ROWS[] = {
	ROW_S(struct label, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct label, color, "color", LIMIT_NAME_BYTES),
	ROW_S(struct label, description, "description", LIMIT_NAME_BYTES),
	ROW_DONE,
};

int
gitea_make_label(const struct forge_op *op, struct http_request *out, struct err *e)
{
	char color[] = "#5319e7", description[] = "set by nightshift";
	const struct label l = { op->label, color, description };

	if (str_is_empty(op->label))
		return err_set(e, ERR_INVALID, "no label");
	return dialect_json(LABEL_ROWS, &l, out, e);
}

int
gitea_make_label_ids(const struct forge_op *op, struct http_request *out, struct err *e)
{
	(void)e;
	strs_add(&out->headers, "Content-Type: application/json");
	return buf_addf(&out->body, "{\"labels\":[%" PRId64 "]}", op->id);
}

/* The file's bytes are in out->body. */
int
gitea_make_attachment(const struct forge_op *op, struct http_request *out, struct err *e)
{
	return dialect_multipart("attachment", op->name, out, e);
}
