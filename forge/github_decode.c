/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github_decode - which of GitHub's events mean something to us.
 *
 * A label set at creation comes as "opened" and as "labeled", in either order; only "labeled"
 * counts, so that there is one event for one label.
 */
#include "forge/github.h"

#include "forge/shapes.h"

static void
label_on(const struct json *j, struct forge_event *ev)
{
	(void)j;
	ev->label_added = true;
}

/* The list is from after the change; one that still has the label is not to be believed. */
static void
label_off(const struct json *j, struct forge_event *ev)
{
	(void)j;
	if (ev->label && strs_has(&ev->labels, ev->label))
		ev->labels_known = false;
}

/* Gone from here, whatever its state says. */
static void
gone(const struct json *j, struct forge_event *ev)
{
	(void)j;
	ev->is_closed = true;
}

static const struct shape_event EVENTS[] = {
	{ "installation", NULL, EVENT_REPO, SHAPE_REPO, NULL },
	{ "installation_repositories", NULL, EVENT_REPO, SHAPE_REPO, NULL },
	{ "issue_comment", "created", EVENT_COMMENT, SHAPE_COMMENT, NULL },
	{ "issue_comment", "deleted", EVENT_COMMENT_EDITED, SHAPE_COMMENT, NULL },
	{ "issue_comment", "edited", EVENT_COMMENT_EDITED, SHAPE_COMMENT, NULL },
	{ "issues", "closed", EVENT_CLOSED, SHAPE_ISSUE, gone },
	{ "issues", "deleted", EVENT_CLOSED, SHAPE_ISSUE, gone },
	{ "issues", "edited", EVENT_ISSUE_EDITED, SHAPE_ISSUE, NULL },
	{ "issues", "labeled", EVENT_LABELS, SHAPE_ISSUE, label_on },
	{ "issues", "transferred", EVENT_CLOSED, SHAPE_ISSUE, gone },
	{ "issues", "unlabeled", EVENT_LABELS, SHAPE_ISSUE, label_off },
	{ "ping", NULL, EVENT_PING, SHAPE_REPO, NULL },
	{ "pull_request", "closed", EVENT_CLOSED, SHAPE_PULL, gone },
	{ "pull_request", "edited", EVENT_ISSUE_EDITED, SHAPE_PULL, NULL },
	{ "pull_request", "labeled", EVENT_LABELS, SHAPE_PULL, label_on },
	{ "pull_request", "synchronize", EVENT_PULL_PUSHED, SHAPE_PULL, NULL },
	{ "pull_request", "unlabeled", EVENT_LABELS, SHAPE_PULL, label_off },
	{ "repository", "deleted", EVENT_REPO, SHAPE_REPO, NULL },
	{ "repository", "renamed", EVENT_REPO, SHAPE_REPO, NULL },
	{ "repository", "transferred", EVENT_REPO, SHAPE_REPO, NULL },
	{ NULL, NULL, EVENT_NONE, SHAPE_REPO, NULL },
};

bool
github_means(const char *event, const char *action)
{
	for (const struct shape_event *row = EVENTS; row->event; row++) {
		if (str_eq(row->event, event) && (!row->action || str_eq(row->action, action)))
			return true;
	}
	return false;
}

int
github_decode(const struct forge_delivery *d, const char *body, size_t len, struct forge_event *out,
	struct err *e)
{
	return shape_decode(EVENTS, d, body, len, out, e);
}
