/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab - GitLab, gitlab.com and self-managed: the driver and its operations.
 *
 * Source: docs.gitlab.com/api, version 4. Everything is asked of the project's number, where it is
 * known: it outlives renames and moves.
 */
#include "forge/gitlab.h"

#include "base/limits.h"
#include "forge/drivers.h"
#include "forge/proof.h"
#include "forge/shapes.h"

#define PROJECT "/projects/{project}"
#define THREAD  PROJECT "/{thread}/{number}"
#define MR      PROJECT "/merge_requests/{number}"
#define PAGE    "page={page}&per_page=100"
#define LABELED                                                                                    \
	"?state=opened&labels={label}&order_by=updated_at&sort=asc&" PAGE "[&updated_after={"      \
	"since}]"

#define GET(kind, step, path, answer, read, refused)                                               \
	{                                                                                          \
		kind, step, "GET", path, NULL, NULL, answer, read, refused                         \
	}

static const struct dialect_op OPS[] = {
	GET(OP_WHOAMI, GITLAB_USER, "/user", GITLAB_USER_ROWS, gitlab_read_user, NULL),
	GET(OP_WHOAMI, GITLAB_SCOPES, "/personal_access_tokens/self", NULL, gitlab_read_scopes,
		gitlab_refused_scopes),
	GET(OP_REPO, 0, PROJECT, GITLAB_PROJECT_ROWS, gitlab_read_project, NULL),
	GET(OP_PERMISSION, GITLAB_MEMBER, PROJECT "/members/all/{user_id}", NULL,
		gitlab_read_member, gitlab_refused_member),
	GET(OP_PERMISSION, GITLAB_MEMBER_BOT, "/users/{user_id}", NULL, gitlab_read_member_bot,
		gitlab_refused_member_bot),
	GET(OP_ISSUE, 0, THREAD, GITLAB_THREAD_ROWS, gitlab_read_thread, NULL),
	GET(OP_PULL, 0, MR, GITLAB_MERGE_REQUEST_ROWS, gitlab_read_merge_request, NULL),
	GET(OP_LABEL_EVENT, 0, THREAD "/resource_label_events?" PAGE, NULL,
		gitlab_read_label_events, NULL),
	GET(OP_COMMENT, 0, THREAD "/notes/{id}", GITLAB_NOTE_ROWS, gitlab_read_note, NULL),
	GET(OP_COMMENT_FIND, 0, THREAD "/notes?order_by=created_at&sort=asc&" PAGE, NULL,
		gitlab_read_note_find, NULL),
	GET(OP_PULL_FIND, 0,
		PROJECT "/merge_requests?state=opened&source_branch={ref}[&target_branch={base}]"
			"&" PAGE,
		NULL, gitlab_read_merge_request_find, NULL),
	GET(OP_ISSUES_LABELED, GITLAB_ISSUES, PROJECT "/issues" LABELED "&confidential=false", NULL,
		gitlab_read_issues, NULL),
	GET(OP_ISSUES_LABELED, GITLAB_MERGE_REQUESTS, PROJECT "/merge_requests" LABELED, NULL,
		gitlab_read_issues, NULL),
	GET(OP_COMMENTS_SINCE, 0,
		PROJECT "/events?action=commented&sort=asc&" PAGE "[&after={since_day}]", NULL,
		gitlab_read_note_events, NULL),
	{ OP_COMMENT_CREATE, 0, "POST", THREAD "/notes", NULL, gitlab_make_note, GITLAB_NOTE_ROWS,
		gitlab_read_note, NULL },
	{ OP_COMMENT_EDIT, 0, "PUT", THREAD "/notes/{id}", NULL, gitlab_make_note, GITLAB_NOTE_ROWS,
		gitlab_read_note, NULL },
	{ OP_REACT, GITLAB_EYES_NOTE, "POST", THREAD "/notes/{id}/award_emoji", NULL,
		gitlab_make_eyes, NULL, NULL, gitlab_refused_eyes },
	{ OP_REACT, GITLAB_EYES_THREAD, "POST", THREAD "/award_emoji", NULL, gitlab_make_eyes, NULL,
		NULL, gitlab_refused_eyes },
	{ OP_LABEL_ADD, 0, "PUT", THREAD, NULL, gitlab_make_add_label, NULL, NULL, NULL },
	{ OP_LABEL_REMOVE, 0, "PUT", THREAD, NULL, gitlab_make_remove_label, NULL, NULL, NULL },
	{ OP_PULL_CREATE, 0, "POST", PROJECT "/merge_requests", NULL, gitlab_make_merge_request,
		GITLAB_MERGE_REQUEST_ROWS, gitlab_read_merge_request, NULL },
	{ OP_PULL_EDIT, 0, "PUT", MR, NULL, gitlab_make_title_description,
		GITLAB_MERGE_REQUEST_ROWS, gitlab_read_merge_request, NULL },
	{ OP_STATUS_CREATE, 0, "POST", PROJECT "/statuses/{sha}", NULL, gitlab_make_status, NULL,
		NULL, gitlab_refused_status },
	{ OP_STATUS_EDIT, 0, "POST", PROJECT "/statuses/{sha}", NULL, gitlab_make_status, NULL,
		NULL, gitlab_refused_status },
	GET(OP_UNLABEL_EVENT, 0, THREAD "/resource_label_events?" PAGE, NULL,
		gitlab_read_label_events, NULL),
	GET(OP_COMMENT_LAST, 0, THREAD "/notes?order_by=created_at&sort=desc&" PAGE, NULL,
		gitlab_read_note_find, NULL),
	GET(OP_REPOS, 0,
		"/projects?membership=true&archived=false&order_by=last_activity_at&per_page=100"
		"[&page={ref}]",
		NULL, gitlab_read_projects, NULL),
	GET(OP_HOOK, 0, PROJECT "/hooks?" PAGE, NULL, gitlab_read_hooks, NULL),
	GET(OP_ATTACH, GITLAB_ATTACH_LOOK, THREAD, NULL, gitlab_read_description, NULL),
	{ OP_ATTACH, GITLAB_ATTACH_UPLOAD, "POST", PROJECT "/uploads", NULL, gitlab_make_upload,
		NULL, gitlab_read_upload, gitlab_refused_upload },
	GET(OP_ATTACH, GITLAB_ATTACH_READ, THREAD, NULL, gitlab_read_description, NULL),
	{ OP_ATTACH, GITLAB_ATTACH_LINK, "PUT", THREAD, NULL, gitlab_make_title_description, NULL,
		gitlab_read_linked, NULL },
};

static const char *const HEADERS[] = {
	"Accept: application/json",
	NULL,
};

/* A reaction to an issue instead of a note is the one operation with two forms. */
static int
step_of(const struct forge_op *op)
{
	return op->kind == OP_REACT && op->id <= 0 ? GITLAB_EYES_THREAD : op->step;
}

static const struct dialect DIALECT = {
	.name = "gitlab",
	.ops = OPS,
	.n_ops = sizeof(OPS) / sizeof(OPS[0]),
	.step_of = step_of,
	.headers = HEADERS,
	.body_bytes_max = LIMIT_COMMENT_BYTES,
};

/* Taken of every kind of token: a person's, a project's, a group's and OAuth's. */
static void
auth_value(const char *token, bool is_jwt, struct buf *out)
{
	(void)is_jwt; /* there are none */
	(void)buf_addf(out, "Bearer %s", token);
}

/* The one name that every kind of token is taken with. */
static void
git_userinfo(const char *token, struct buf *out)
{
	(void)buf_addf(out, "oauth2:%s", token);
}

/* The id is what the signature covers, so that a copy under another id is no delivery of its own;
 * it says the same as Idempotency-Key, which servers from 17.4 on send without a signature. */
static const char *const GUIDS[] = { "webhook-id", "idempotency-key", NULL };

enum { PROOF_TOKEN, PROOF_ID, PROOF_TIME, PROOF_SIGNATURE };
static const char *const PROOFS[] = {
	[PROOF_TOKEN] = "x-gitlab-token",
	[PROOF_ID] = "webhook-id",
	[PROOF_TIME] = "webhook-timestamp",
	[PROOF_SIGNATURE] = "webhook-signature",
	NULL,
};

/* The secret tells which of the two it is for; a signing key is never taken as a password. */
static int
verify(const struct forge_proof *p, const struct buf *secret)
{
	if (p->values->n < sizeof(PROOFS) / sizeof(PROOFS[0]) - 1)
		return ERR_DENIED;
	if (!proof_is_signing_secret(secret))
		return proof_token(p->values->v[PROOF_TOKEN], secret);

	const struct proof_signed s = {
		.id = p->values->v[PROOF_ID],
		.time = p->values->v[PROOF_TIME],
		.signatures = p->values->v[PROOF_SIGNATURE],
	};

	return proof_standard(&s, p, secret);
}

const struct forge_driver GITLAB_DRIVER = {
	.name = "gitlab",
	.caps = {
		.has_drafts = true,
		.has_attachments = true,
		.has_label_events = true,
		.has_hook_state = true,
		.pulls_apart = true,
		.opened_tells_labels = true,
		.comment_bytes_max = LIMIT_COMMENT_BYTES,
	},
	.event_header = "x-gitlab-event",
	.guid_headers = GUIDS,
	.proof_headers = PROOFS,
	.verify = verify,
	.decode = gitlab_decode,
	.dialect = &DIALECT,
	.auth_value = auth_value,
	.git_userinfo = git_userinfo,
	.lacks = gitlab_lacks,
};
