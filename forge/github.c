/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github - GitHub and GitHub Enterprise Server: the driver and its operations.
 *
 * Source: docs.github.com/rest, version 2022-11-28; every request here is checked against
 * @octokit/openapi by the end-to-end tests.
 */
#include "forge/github.h"

#include "base/limits.h"
#include "forge/drivers.h"
#include "forge/proof.h"
#include "forge/shapes.h"

/* Rows of operations that come in two forms are told apart by the step they start with. */
enum {
	STEP_CHECK = 0,  /* status: a check run, which only an App may make */
	STEP_STATUS = 1, /* status: a commit status, for a personal token */
	STEP_USER = 0,   /* whoami: the user of a personal token */
	STEP_APP = 1,    /* whoami: the App ... */
	STEP_BOT = 2,    /* ... and the account that it acts as */
	STEP_COMMENT = 0,
	STEP_ISSUE = 1,
	STEP_REPOS_USER = 0, /* repos: of a personal token */
	STEP_REPOS_APP = 1,  /* the App's installations, and one of them */
	STEP_REPOS_INSTALLATION = 2,
};

#define REPO  "/repos/{repo}"
#define ISSUE REPO "/issues/{number}"
#define SINCE "[&since={since}]"
#define PAGE  "per_page=100[&page={ref}]"
#define LOG   "deliveries?status=failure&per_page=100[&cursor={ref}]"

static const struct row PULL_CREATE_ROWS[] = {
	ROW_S(struct forge_op, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_op, ref, "head", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, base, "base", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, body, "body", LIMIT_BODY_BYTES),
	ROW_B(struct forge_op, is_draft, "draft"),
	ROW_DONE,
};

#define GET(kind, step, path, answer, read)                                                        \
	{                                                                                          \
		kind, step, "GET", path, NULL, NULL, answer, read, NULL                            \
	}

static const struct dialect_op OPS[] = {
	GET(OP_WHOAMI, STEP_USER, "/user", SHAPE_USER_ROWS, shape_read_user),
	GET(OP_WHOAMI, STEP_APP, "/app", NULL, github_read_app),
	{ OP_WHOAMI, STEP_BOT, "GET", "/users/{user}", NULL, NULL, NULL, github_read_whoami,
		github_refused_whoami },
	GET(OP_REPO, 0, REPO, SHAPE_REPO_ROWS, shape_read_repo),
	{ OP_PERMISSION, 0, "GET", REPO "/collaborators/{user}/permission", NULL, NULL, NULL,
		github_read_permission, github_refused_permission },
	GET(OP_ISSUE, 0, ISSUE, SHAPE_ISSUE_ROWS, shape_read_issue),
	GET(OP_PULL, 0, REPO "/pulls/{number}", SHAPE_PULL_ROWS, shape_read_pull),
	GET(OP_LABEL_EVENT, 0, ISSUE "/events?per_page=100", NULL, github_read_label_event),
	GET(OP_COMMENT, 0, REPO "/issues/comments/{id}", SHAPE_COMMENT_ROWS, shape_read_comment),
	GET(OP_COMMENT_FIND, 0, ISSUE "/comments?per_page=100" SINCE, NULL,
		github_read_comment_find),
	GET(OP_PULL_FIND, 0,
		REPO "/pulls?state=open&head={owner}%3A{ref}[&base={base}]&per_page=100", NULL,
		github_read_pull_find),
	GET(OP_STATUS_FIND, STEP_CHECK,
		REPO "/commits/{sha}/check-runs?filter=all[&check_name={context}]&per_page=100",
		NULL, github_read_status_find),
	GET(OP_ISSUES_LABELED, 0,
		REPO
		"/issues?state=open&labels={label}&sort=updated&direction=asc&per_page=100" SINCE,
		NULL, github_read_issues),
	GET(OP_COMMENTS_SINCE, 0,
		REPO "/issues/comments?sort=updated&direction=asc&per_page=100" SINCE, NULL,
		github_read_comments),
	{ OP_COMMENT_CREATE, 0, "POST", ISSUE "/comments", SHAPE_BODY_ROWS, NULL,
		SHAPE_CREATED_ROWS, shape_read_created, NULL },
	{ OP_COMMENT_EDIT, 0, "PATCH", REPO "/issues/comments/{id}", SHAPE_BODY_ROWS, NULL,
		SHAPE_CREATED_ROWS, shape_read_created, NULL },
	{ OP_REACT, STEP_COMMENT, "POST", REPO "/issues/comments/{id}/reactions", NULL,
		shape_make_eyes, NULL, NULL, NULL },
	{ OP_REACT, STEP_ISSUE, "POST", ISSUE "/reactions", NULL, shape_make_eyes, NULL, NULL,
		NULL },
	{ OP_LABEL_ADD, 0, "POST", ISSUE "/labels", NULL, github_make_labels, NULL, NULL, NULL },
	{ OP_LABEL_REMOVE, 0, "DELETE", ISSUE "/labels/{label}", NULL, NULL, NULL, NULL,
		shape_missing_is_done },
	{ OP_PULL_CREATE, 0, "POST", REPO "/pulls", PULL_CREATE_ROWS, NULL, SHAPE_PULL_ROWS,
		shape_read_pull, github_refused_pull },
	{ OP_PULL_EDIT, 0, "PATCH", REPO "/pulls/{number}", SHAPE_TITLE_BODY_ROWS, NULL,
		SHAPE_PULL_ROWS, shape_read_pull, NULL },
	{ OP_STATUS_CREATE, STEP_CHECK, "POST", REPO "/check-runs", NULL, github_make_check,
		SHAPE_CREATED_ROWS, github_read_check, NULL },
	{ OP_STATUS_CREATE, STEP_STATUS, "POST", REPO "/statuses/{sha}", NULL,
		shape_make_commit_status, NULL, NULL, NULL },
	{ OP_STATUS_EDIT, STEP_CHECK, "PATCH", REPO "/check-runs/{id}", NULL, github_make_check,
		SHAPE_CREATED_ROWS, github_read_check, NULL },
	{ OP_STATUS_EDIT, STEP_STATUS, "POST", REPO "/statuses/{sha}", NULL,
		shape_make_commit_status, NULL, NULL, NULL },
	{ OP_TOKEN, 0, "POST", "/app/installations/{installation}/access_tokens", NULL,
		github_make_token, NULL, github_read_token, NULL },
	GET(OP_INSTALLATION, 0, REPO "/installation", NULL, github_read_installation),
	GET(OP_UNLABEL_EVENT, 0, ISSUE "/events?per_page=100", NULL, github_read_unlabel_event),
	GET(OP_COMMENT_LAST, 0, ISSUE "/comments?per_page=100" SINCE, NULL,
		github_read_comment_last),
	GET(OP_REPOS, STEP_REPOS_USER, "/user/repos?sort=pushed&" PAGE, NULL, github_read_repos),
	GET(OP_REPOS, STEP_REPOS_APP, "/app/installations?" PAGE, NULL, github_read_installations),
	GET(OP_REPOS, STEP_REPOS_INSTALLATION, "/installation/repositories?" PAGE, NULL,
		github_read_repos),
	GET(OP_DELIVERIES, GITHUB_APP_LOG, "/app/hook/" LOG, NULL, github_read_deliveries),
	{ OP_DELIVERIES, GITHUB_HOOKS, "GET", REPO "/hooks?per_page=100", NULL, NULL, NULL,
		github_read_hooks, github_refused_hooks },
	GET(OP_DELIVERIES, GITHUB_HOOK_LOG, REPO "/hooks/{id}/" LOG, NULL, github_read_deliveries),
	{ OP_DELIVERIES, GITHUB_ORG_HOOKS, "GET", "/orgs/{owner}/hooks?per_page=100", NULL, NULL,
		NULL, github_read_hooks, github_refused_hooks },
	GET(OP_DELIVERIES, GITHUB_ORG_HOOK_LOG, "/orgs/{owner}/hooks/{id}/" LOG, NULL,
		github_read_deliveries),
	GET(OP_DELIVERY, GITHUB_APP_LOG, "/app/hook/deliveries/{id}", NULL, github_read_delivery),
	GET(OP_DELIVERY, GITHUB_HOOK_LOG, REPO "/hooks/{number}/deliveries/{id}", NULL,
		github_read_delivery),
	GET(OP_DELIVERY, GITHUB_ORG_HOOK_LOG, "/orgs/{owner}/hooks/{number}/deliveries/{id}", NULL,
		github_read_delivery),
};

static const char *const HEADERS[] = {
	"Accept: application/vnd.github+json",
	"X-GitHub-Api-Version: 2022-11-28",
	NULL,
};

static int
log_step_of(const struct forge_op *op)
{
	int64_t hook = op->kind == OP_DELIVERY ? op->number : op->id;

	if (!op->repo)
		return GITHUB_APP_LOG;
	if (hook <= 0)
		return GITHUB_HOOKS;
	return op->base ? GITHUB_ORG_HOOK_LOG : GITHUB_HOOK_LOG;
}

static int
repos_step_of(const struct forge_op *op)
{
	if (op->installation_id > 0)
		return STEP_REPOS_INSTALLATION;
	return op->id > 0 ? STEP_REPOS_APP : STEP_REPOS_USER;
}

/* The step that an operation is at: a new one starts with the form that fits it. */
static int
step_of(const struct forge_op *op)
{
	if (op->step > 0)
		return op->step;
	switch (op->kind) {
	case OP_WHOAMI:
		return op->id > 0 ? STEP_APP : STEP_USER;
	case OP_REACT:
		return op->id > 0 ? STEP_COMMENT : STEP_ISSUE;
	case OP_STATUS_CREATE:
	case OP_STATUS_FIND:
		return op->installation_id > 0 ? STEP_CHECK : STEP_STATUS;
	case OP_STATUS_EDIT:
		return op->id > 0 ? STEP_CHECK : STEP_STATUS;
	case OP_DELIVERIES:
	case OP_DELIVERY:
		return log_step_of(op);
	case OP_REPOS:
		return repos_step_of(op);
	default:
		return 0;
	}
}

static const struct dialect DIALECT = {
	.name = "github",
	.ops = OPS,
	.n_ops = sizeof(OPS) / sizeof(OPS[0]),
	.step_of = step_of,
	.headers = HEADERS,
	.body_bytes_max = LIMIT_COMMENT_BYTES,
};

static enum forge_auth
auth(const struct forge_op *op)
{
	if (op->kind == OP_TOKEN || op->kind == OP_INSTALLATION)
		return FORGE_AUTH_JWT;
	if (op->kind == OP_DELIVERIES || op->kind == OP_DELIVERY)
		return op->repo ? FORGE_AUTH_TOKEN : FORGE_AUTH_JWT;
	if (op->kind == OP_REPOS)
		return step_of(op) == STEP_REPOS_APP ? FORGE_AUTH_JWT : FORGE_AUTH_TOKEN;
	if (op->kind != OP_WHOAMI || step_of(op) == STEP_USER)
		return FORGE_AUTH_TOKEN;
	return step_of(op) == STEP_APP ? FORGE_AUTH_JWT : FORGE_AUTH_NONE;
}

static void
auth_value(const char *token, bool is_jwt, struct buf *out)
{
	(void)is_jwt; /* the same for both since 2021 */
	(void)buf_addf(out, "Bearer %s", token);
}

static void
git_userinfo(const char *token, struct buf *out)
{
	(void)buf_addf(out, "x-access-token:%s", token);
}

static const char *const GUIDS[] = { "x-github-delivery", NULL };
static const char *const PROOFS[] = { "x-hub-signature-256", NULL };

const struct forge_driver GITHUB_DRIVER = {
	.name = "github",
	.caps = {
		.has_checks = true,
		.has_drafts = true,
		.has_label_events = true,
		.has_delivery_log = true,
		.comment_bytes_max = LIMIT_COMMENT_BYTES,
	},
	.event_header = "x-github-event",
	.guid_headers = GUIDS,
	.proof_headers = PROOFS,
	.verify = proof_hmac,
	.decode = github_decode,
	.dialect = &DIALECT,
	.auth = auth,
	.auth_value = auth_value,
	.git_userinfo = git_userinfo,
	.lacks = github_lacks,
	.app_claims = github_claims,
	.app_refused_time = github_refused_time,
};
