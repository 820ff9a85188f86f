/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitea_decode - which of Gitea's events mean something to us.
 *
 * Labels at creation come only with "opened". A label event does not say which label changed, and
 * its list may be from before the change (forge_caps.label_list_is_stale).
 */
#include "forge/gitea.h"

#include "base/mem.h"
#include "forge/shapes.h"

/* Forgejo names a label, but not whether it came or went. */
static void
labels(const struct json *j, struct forge_event *ev)
{
	(void)j;
	mem_set(&ev->label, NULL);
}

static void
cleared(const struct json *j, struct forge_event *ev)
{
	labels(j, ev);
	strs_finish(&ev->labels);
	ev->labels_known = true;
}

static void
comment(const struct json *j, struct forge_event *ev)
{
	ev->is_pull = ev->is_pull || json_bool(j, "is_pull");
}

static void
gone(const struct json *j, struct forge_event *ev)
{
	(void)j;
	ev->is_closed = true;
}

static const struct shape_event EVENTS[] = {
	{ "issue_comment", "created", EVENT_COMMENT, SHAPE_COMMENT, comment },
	{ "issue_comment", "deleted", EVENT_COMMENT_EDITED, SHAPE_COMMENT, comment },
	{ "issue_comment", "edited", EVENT_COMMENT_EDITED, SHAPE_COMMENT, comment },
	{ "issues", "closed", EVENT_CLOSED, SHAPE_ISSUE, gone },
	{ "issues", "deleted", EVENT_CLOSED, SHAPE_ISSUE, gone },
	{ "issues", "edited", EVENT_ISSUE_EDITED, SHAPE_ISSUE, NULL },
	{ "issues", "label_cleared", EVENT_LABELS, SHAPE_ISSUE, cleared },
	{ "issues", "label_updated", EVENT_LABELS, SHAPE_ISSUE, labels },
	{ "issues", "opened", EVENT_LABELS, SHAPE_ISSUE, labels },
	{ "pull_request", "closed", EVENT_CLOSED, SHAPE_PULL, gone },
	{ "pull_request", "edited", EVENT_ISSUE_EDITED, SHAPE_PULL, NULL },
	{ "pull_request", "label_cleared", EVENT_LABELS, SHAPE_PULL, cleared },
	{ "pull_request", "label_updated", EVENT_LABELS, SHAPE_PULL, labels },
	{ "pull_request", "opened", EVENT_LABELS, SHAPE_PULL, labels },
	{ "pull_request", "synchronized", EVENT_PULL_PUSHED, SHAPE_PULL, NULL },
	{ "repository", "deleted", EVENT_REPO, SHAPE_REPO, NULL },
	{ NULL, NULL, EVENT_NONE, SHAPE_REPO, NULL },
};

int
gitea_decode(const struct forge_delivery *d, const char *body, size_t len, struct forge_event *out,
	struct err *e)
{
	return shape_decode(EVENTS, d, body, len, out, e);
}
