/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitea - Gitea and Forgejo: the driver and its operations.
 *
 * Source: the swagger of Gitea 1.23 (npm gitea-js) and recorded traffic of 1.17. Old versions lack
 * routes; each such row says how its absence is taken.
 */
#include "forge/gitea.h"

#include "base/limits.h"
#include "forge/drivers.h"
#include "forge/proof.h"
#include "forge/shapes.h"

#define REPO  "/repos/{repo}"
#define ISSUE REPO "/issues/{number}"
#define PAGE  "page={page}&limit=50"
#define SINCE "[&since={since}]"

#define GET(kind, step, path, answer, read, refused)                                               \
	{                                                                                          \
		kind, step, "GET", path, NULL, NULL, answer, read, refused                         \
	}

static const struct dialect_op OPS[] = {
	GET(OP_WHOAMI, 0, "/user", SHAPE_USER_ROWS, shape_read_user, NULL),
	GET(OP_REPO, 0, REPO, SHAPE_REPO_ROWS, shape_read_repo, NULL),
	GET(OP_PERMISSION, GITEA_PERMISSION, REPO "/collaborators/{user}/permission", NULL,
		gitea_read_permission, gitea_refused_permission),
	GET(OP_PERMISSION, GITEA_ASSIGNEES, REPO "/assignees", NULL, gitea_read_assignees,
		gitea_refused_assignees),
	GET(OP_PERMISSION, GITEA_OWNER, REPO, NULL, gitea_read_owner, NULL),
	GET(OP_ISSUE, 0, ISSUE, SHAPE_ISSUE_ROWS, shape_read_issue, NULL),
	GET(OP_PULL, 0, REPO "/pulls/{number}", SHAPE_PULL_ROWS, shape_read_pull, NULL),
	GET(OP_LABEL_EVENT, 0, ISSUE "/timeline?" PAGE, NULL, gitea_read_timeline,
		gitea_refused_timeline),
	GET(OP_COMMENT, 0, REPO "/issues/comments/{id}", SHAPE_COMMENT_ROWS, gitea_read_comment,
		NULL),
	GET(OP_COMMENT_FIND, 0, ISSUE "/comments[?since={since}]", NULL, gitea_read_comment_find,
		NULL),
	GET(OP_PULL_FIND, 0, REPO "/pulls?state=open&sort=recentupdate&" PAGE, NULL,
		gitea_read_pull_find, NULL),
	GET(OP_ISSUES_LABELED, 0, REPO "/issues?state=open&labels={label}&" PAGE SINCE, NULL,
		gitea_read_issues, NULL),
	GET(OP_COMMENTS_SINCE, 0, REPO "/issues/comments?" PAGE SINCE, NULL, gitea_read_comments,
		NULL),
	{ OP_COMMENT_CREATE, 0, "POST", ISSUE "/comments", SHAPE_BODY_ROWS, NULL,
		SHAPE_CREATED_ROWS, shape_read_created, NULL },
	{ OP_COMMENT_EDIT, 0, "PATCH", REPO "/issues/comments/{id}", SHAPE_BODY_ROWS, NULL,
		SHAPE_COMMENT_ROWS, gitea_read_comment, NULL },
	{ OP_REACT, 0, "POST", REPO "/issues/comments/{id}/reactions", NULL, shape_make_eyes, NULL,
		NULL, NULL },
	{ OP_REACT, 1, "POST", ISSUE "/reactions", NULL, shape_make_eyes, NULL, NULL, NULL },
	GET(OP_LABEL_ADD, GITEA_LABELS, REPO "/labels?" PAGE, NULL, gitea_read_labels, NULL),
	GET(OP_LABEL_ADD, GITEA_ORG_LABELS, "/orgs/{owner}/labels?" PAGE, NULL, gitea_read_labels,
		gitea_refused_labels),
	{ OP_LABEL_ADD, GITEA_LABEL_CREATE, "POST", REPO "/labels", NULL, gitea_make_label, NULL,
		gitea_read_label_created, NULL },
	{ OP_LABEL_ADD, GITEA_LABEL_SET, "POST", ISSUE "/labels", NULL, gitea_make_label_ids, NULL,
		NULL, NULL },
	GET(OP_LABEL_REMOVE, GITEA_ISSUE_LABELS, ISSUE "/labels", NULL, gitea_read_issue_labels,
		NULL),
	{ OP_LABEL_REMOVE, GITEA_LABEL_UNSET, "DELETE", ISSUE "/labels/{id}", NULL, NULL, NULL,
		NULL, shape_missing_is_done },
	{ OP_PULL_CREATE, 0, "POST", REPO "/pulls", NULL, gitea_make_pull, SHAPE_PULL_ROWS,
		shape_read_pull, NULL },
	{ OP_PULL_EDIT, 0, "PATCH", REPO "/pulls/{number}", SHAPE_TITLE_BODY_ROWS, NULL,
		SHAPE_PULL_ROWS, shape_read_pull, NULL },
	{ OP_STATUS_CREATE, 0, "POST", REPO "/statuses/{sha}", NULL, shape_make_commit_status, NULL,
		NULL, NULL },
	{ OP_STATUS_EDIT, 0, "POST", REPO "/statuses/{sha}", NULL, shape_make_commit_status, NULL,
		NULL, NULL },
	GET(OP_UNLABEL_EVENT, 0, ISSUE "/timeline?" PAGE, NULL, gitea_read_timeline_off,
		gitea_refused_timeline),
	GET(OP_COMMENT_LAST, 0, ISSUE "/comments[?since={since}]", NULL, gitea_read_comment_last,
		NULL),
	GET(OP_REPOS, 0, "/user/repos?limit=50[&page={ref}]", NULL, gitea_read_repos, NULL),
	GET(OP_ATTACH, GITEA_ASSETS, ISSUE "/assets", NULL, gitea_read_assets, gitea_refused_asset),
	{ OP_ATTACH, GITEA_ASSET_CREATE, "POST", ISSUE "/assets?name={name}", NULL,
		gitea_make_attachment, NULL, gitea_read_asset, gitea_refused_asset },
	{ OP_ATTACH, GITEA_ASSET_CREATE_TXT, "POST", ISSUE "/assets?name={name}.txt", NULL,
		gitea_make_attachment, NULL, gitea_read_asset, gitea_refused_asset },
};

static const char *const HEADERS[] = {
	"Accept: application/json",
	NULL,
};

/* A reaction to an issue instead of a comment is the one operation with two forms. */
static int
step_of(const struct forge_op *op)
{
	return op->kind == OP_REACT && op->id <= 0 ? 1 : op->step;
}

static const struct dialect DIALECT = {
	.name = "gitea",
	.ops = OPS,
	.n_ops = sizeof(OPS) / sizeof(OPS[0]),
	.step_of = step_of,
	.headers = HEADERS,
	.body_bytes_max = LIMIT_COMMENT_BYTES,
};

static void
auth_value(const char *token, bool is_jwt, struct buf *out)
{
	(void)is_jwt; /* there are none */
	(void)buf_addf(out, "token %s", token);
}

/* Any name will do beside a token. */
static void
git_userinfo(const char *token, struct buf *out)
{
	(void)buf_addf(out, "nightshift:%s", token);
}

/* All but names. */
#define DRIVER                                                                                     \
	.caps = {                                                                                  \
		.has_attachments = true,                                                           \
		.opened_tells_labels = true,                                                       \
		.label_list_is_stale = true,                                                       \
		.comment_bytes_max = LIMIT_COMMENT_BYTES,                                          \
	},                                                                                         \
	.form_signs_json = true, .verify = proof_hmac, .decode = gitea_decode,                     \
	.dialect = &DIALECT, .auth_value = auth_value, .git_userinfo = git_userinfo

static const char *const GITEA_GUIDS[] = { "x-gitea-delivery", NULL };
static const char *const GITEA_PROOFS[] = { "x-gitea-signature", NULL };
static const char *const FORGEJO_GUIDS[] = { "x-forgejo-delivery", NULL };
static const char *const FORGEJO_PROOFS[] = { "x-forgejo-signature", NULL };

const struct forge_driver GITEA_DRIVER = {
	.name = "gitea",
	.event_header = "x-gitea-event",
	.event_type_header = "x-gitea-event-type",
	.guid_headers = GITEA_GUIDS,
	.proof_headers = GITEA_PROOFS,
	DRIVER,
};

/* It sends the headers of Gitea too, for now; these are its own. */
const struct forge_driver FORGEJO_DRIVER = {
	.name = "forgejo",
	.event_header = "x-forgejo-event",
	.event_type_header = "x-forgejo-event-type",
	.guid_headers = FORGEJO_GUIDS,
	.proof_headers = FORGEJO_PROOFS,
	DRIVER,
};
