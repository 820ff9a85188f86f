/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shapes - JSON that GitHub and Gitea have in common.
 *
 * Gitea's API was modelled on GitHub's, so issues, comments, pull requests and deliveries look
 * alike. What differs stays in the drivers.
 */
#ifndef FORGE_SHAPES_H
#define FORGE_SHAPES_H

#include "forge/dialect.h"

/* ---- Replies ---- */

extern const struct row SHAPE_CREATED_ROWS[]; /* id, number, html_url */
extern const struct row SHAPE_COMMENT_ROWS[];
extern const struct row SHAPE_ISSUE_ROWS[];
extern const struct row SHAPE_PULL_ROWS[];
extern const struct row SHAPE_REPO_ROWS[];
extern const struct row SHAPE_USER_ROWS[];

dialect_read shape_read_created; /* ERR_PROTOCOL if there is neither id nor number */
dialect_read shape_read_comment;
dialect_read shape_read_issue;
dialect_read shape_read_pull;
dialect_read shape_read_repo;
dialect_read shape_read_user;

/* The reply is gone or was never there, and that is what was wanted. */
dialect_refused shape_missing_is_done;

/* A list of comments: our own one that starts with op.marker. True when *a was filled. */
bool shape_find_comment(const struct dialect_reply *x);

/* The same for the last one in the list; a->updated_ms is when it was made. */
void shape_last_comment(const struct dialect_reply *x);

/* A list of pull requests: the open one from op.ref of op.repo (and into op.base, if given). */
bool shape_find_pull(const struct dialect_reply *x);

/* Appends an item of which only user and time are read; NULL when there are LIMIT_ITEMS. */
struct forge_item *shape_add_item(const struct dialect_reply *x, const struct json *j);

/* A list of repositories: the same, those that are archived left out. */
void shape_add_repos(const struct dialect_reply *x, const struct json *list);

/* A list of issues or comments: appends items, at most LIMIT_ITEMS. Of comments only those are kept
 * that may hold a command; a->updated_ms is the newest of all seen. */
void shape_add_issues(const struct dialect_reply *x);
void shape_add_comments(const struct dialect_reply *x);

/* A list of {name, id}: the id of the label, 0 if it is not there. */
int64_t shape_label_id(const struct json *list, const char *label);

void shape_labels(const struct json *list, struct strs *out);
int64_t shape_time(const struct json *j, const char *path);
enum forge_permission shape_permission(const char *name);

/* ---- Bodies ---- */

extern const struct row SHAPE_BODY_ROWS[];       /* {body} */
extern const struct row SHAPE_TITLE_BODY_ROWS[]; /* {title, body} */
dialect_make shape_make_eyes;
dialect_make shape_make_commit_status;

/* ---- Deliveries ---- */

/* What the payload is about: which rows read it. */
enum shape_subject { SHAPE_ISSUE, SHAPE_COMMENT, SHAPE_PULL, SHAPE_REPO };

/* One event that means something. Anything else is EVENT_NONE. */
struct shape_event {
	const char *event;
	const char *action; /* NULL: any */
	enum forge_event_kind kind;
	enum shape_subject subject;
	/* What rows cannot say; NULL: nothing. */
	void (*mend)(const struct json *j, struct forge_event *ev);
};

/* table ends with a zeroed row. */
int shape_decode(const struct shape_event *table, const struct forge_delivery *d, const char *body,
	size_t len, struct forge_event *out, struct err *e);

#endif
