/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shapes_decode - a delivery of GitHub or Gitea to an event.
 *
 * Forges break their own schemas (53 of GitHub's 329 examples do), so nothing here insists: what
 * is absent stays empty, and an event that lacks what it would need means nothing.
 */
#include "forge/shapes.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/markdown.h"

#include <string.h>

#define EV_I(m, name)      ROW_I(struct forge_event, m, name)
#define EV_S(m, name, max) ROW_S(struct forge_event, m, name, max)

#define REPO_MEMBERS                                                                               \
	EV_I(repo_id, "repository.id"), EV_S(repo, "repository.full_name", LIMIT_NAME_BYTES),      \
		EV_S(default_branch, "repository.default_branch", LIMIT_NAME_BYTES),               \
		EV_I(installation_id, "installation.id"),                                          \
		EV_S(actor, "sender.login", LIMIT_NAME_BYTES), EV_I(actor_id, "sender.id")

#define SUBJECT_MEMBERS(of)                                                                        \
	EV_I(number, of ".number"), EV_I(issue_id, of ".id"),                                      \
		EV_S(title, of ".title", LIMIT_TITLE_BYTES),                                       \
		EV_S(body, of ".body", LIMIT_BODY_BYTES),                                          \
		EV_S(author, of ".user.login", LIMIT_NAME_BYTES), EV_I(author_id, of ".user.id")

static const struct row ISSUE_ROWS[] = {
	REPO_MEMBERS,
	SUBJECT_MEMBERS("issue"),
	EV_S(label, "label.name", LIMIT_NAME_BYTES),
	ROW_DONE,
};

static const struct row COMMENT_ROWS[] = {
	REPO_MEMBERS,
	SUBJECT_MEMBERS("issue"),
	EV_I(comment_id, "comment.id"),
	EV_S(comment_body, "comment.body", LIMIT_BODY_BYTES),
	ROW_DONE,
};

static const struct row PULL_ROWS[] = {
	REPO_MEMBERS,
	SUBJECT_MEMBERS("pull_request"),
	EV_S(label, "label.name", LIMIT_NAME_BYTES),
	EV_S(head_ref, "pull_request.head.ref", LIMIT_NAME_BYTES),
	EV_S(head_sha, "pull_request.head.sha", LIMIT_NAME_BYTES),
	EV_I(head_repo_id, "pull_request.head.repo.id"),
	EV_S(base_ref, "pull_request.base.ref", LIMIT_NAME_BYTES),
	ROW_DONE,
};

static const struct row REPO_ROWS[] = {
	REPO_MEMBERS,
	ROW_DONE,
};

static const struct {
	const struct row *rows;
	const char *issue;   /* where the issue or pull request is; NULL: nowhere */
	const char *updated; /* where its time is, or the comment's */
} SUBJECTS[] = {
	[SHAPE_ISSUE] = { ISSUE_ROWS, "issue", "issue.updated_at" },
	[SHAPE_COMMENT] = { COMMENT_ROWS, "issue", "comment.updated_at" },
	[SHAPE_PULL] = { PULL_ROWS, "pull_request", "pull_request.updated_at" },
	[SHAPE_REPO] = { REPO_ROWS, NULL, NULL },
};

static const struct shape_event *
find(const struct shape_event *table, const char *event, const char *action)
{
	for (const struct shape_event *r = table; r->event; r++) {
		if (str_eq(r->event, event) && (!r->action || str_eq(r->action, action)))
			return r;
	}
	return NULL;
}

static bool
is_known(const struct shape_event *table, const char *event)
{
	for (const struct shape_event *r = table; r->event; r++) {
		if (str_eq(r->event, event))
			return true;
	}
	return false;
}

static char *
full_name(const char *event, const char *action)
{
	auto_free char *name = NULL;

	if (str_is_empty(event))
		return mem_str("unnamed");
	name = action ? mem_fmt("%s.%s", event, action) : mem_str(event);
	return dialect_cut(name, LIMIT_NAME_BYTES);
}

/* Commands are read from the whole text or not at all, never from a cut one. */
static void
read_commands(const struct json *j, struct forge_event *ev)
{
	const char *body = json_str(j, "comment.body");

	if (body && ev->kind == EVENT_COMMENT)
		markdown_commands(body, &ev->commands);
}

static void
read_subject(const struct json *j, const struct shape_event *row, struct forge_event *ev)
{
	const struct json *issue = json_get(j, SUBJECTS[row->subject].issue);

	ev->is_pull = row->subject == SHAPE_PULL || !json_is_null(issue, "pull_request");
	ev->is_closed = str_eq(json_str(issue, "state"), "closed");
	ev->updated_ms = shape_time(j, SUBJECTS[row->subject].updated);
	ev->actor_is_bot = str_eq(json_str(j, "sender.type"), "Bot");
	if (row->kind == EVENT_LABELS) {
		shape_labels(json_get(issue, "labels"), &ev->labels);
		ev->labels_known =
			json_len(issue, "labels") == ev->labels.n && !json_is_null(issue, "labels");
	}
	read_commands(j, ev);
}

/* An event about an issue that does not say which one is of no use. */
static bool
is_whole(const struct shape_event *row, const struct forge_event *ev)
{
	if (row->subject == SHAPE_REPO)
		return true;
	if (row->subject == SHAPE_COMMENT && ev->comment_id <= 0)
		return false;
	return ev->repo_id > 0 && forge_repo_ok(FORGE_GITHUB, ev->repo) && ev->number > 0;
}

int
shape_decode(const struct shape_event *table, const struct forge_delivery *d, const char *body,
	size_t len, struct forge_event *out, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct shape_event *row;
	int rc;

	*out = (struct forge_event){ .kind = EVENT_NONE };
	if (!is_known(table, d->event)) { /* 25 MB of a push are not worth a second */
		out->name = full_name(d->event, NULL);
		return 0;
	}
	rc = json_parse(body, len, &JSON_LIMITS_DELIVERY, &j, e);
	if (rc < 0)
		return err_wrap(e, rc, "delivery %s", d->event);
	row = find(table, d->event, json_str(j, "action"));
	if (row) {
		json_decode(j, SUBJECTS[row->subject].rows, out);
		out->kind = row->kind;
		if (SUBJECTS[row->subject].issue)
			read_subject(j, row, out);
		if (row->mend)
			row->mend(j, out);
		if (!is_whole(row, out))
			forge_event_finish(out); /* zeroed: EVENT_NONE */
	}
	out->name = full_name(d->event, json_str(j, "action"));
	return 0;
}
