/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab - what the files of this dialect share.
 *
 * GitLab's words are not those of the others: a project, a merge request, a note, an iid. Issues
 * and merge requests are counted apart, so the same number may be both, and a note is found only
 * through what it hangs on.
 */
#ifndef FORGE_GITLAB_H
#define FORGE_GITLAB_H

#include "forge/dialect.h"

/* Steps of the operations that take several requests, or come in two forms. */
enum gitlab_step {
	GITLAB_USER = 0, /* WHOAMI */
	GITLAB_SCOPES,

	GITLAB_MEMBER = 0, /* PERMISSION */
	GITLAB_MEMBER_BOT, /* whether it is a machine */

	GITLAB_ISSUES = 0, /* ISSUES_LABELED */
	GITLAB_MERGE_REQUESTS,

	GITLAB_EYES_NOTE = 0, /* REACT */
	GITLAB_EYES_THREAD,

	GITLAB_ATTACH_LOOK = 0, /* ATTACH: is it there already? */
	GITLAB_ATTACH_UPLOAD,
	GITLAB_ATTACH_READ, /* the description as it is by now */
	GITLAB_ATTACH_LINK, /* with the file in it */
};

/* gitlab_decode.c */
int gitlab_decode(const struct forge_delivery *d, const char *body, size_t len,
	struct forge_event *out, struct err *e);

/* gitlab_make.c */
dialect_make gitlab_make_add_label;
dialect_make gitlab_make_eyes;
dialect_make gitlab_make_merge_request;
dialect_make gitlab_make_note;
dialect_make gitlab_make_remove_label;
dialect_make gitlab_make_status;
dialect_make gitlab_make_title_description;
dialect_make gitlab_make_upload;

/* gitlab_read.c */
extern const struct row GITLAB_MERGE_REQUEST_ROWS[];
extern const struct row GITLAB_NOTE_ROWS[];
extern const struct row GITLAB_PROJECT_ROWS[];
extern const struct row GITLAB_THREAD_ROWS[];

dialect_read gitlab_read_description;
dialect_read gitlab_read_issues;
dialect_read gitlab_read_label_events;
dialect_read gitlab_read_linked;
dialect_read gitlab_read_merge_request;
dialect_read gitlab_read_merge_request_find;
dialect_read gitlab_read_note;
dialect_read gitlab_read_note_events;
dialect_read gitlab_read_note_find;
dialect_read gitlab_read_project;
dialect_read gitlab_read_projects;
dialect_read gitlab_read_thread;
dialect_read gitlab_read_upload;
dialect_refused gitlab_refused_eyes;
dialect_refused gitlab_refused_status;
dialect_refused gitlab_refused_upload;

/* gitlab_who.c */
extern const struct row GITLAB_USER_ROWS[];

dialect_read gitlab_read_hooks;
dialect_read gitlab_read_member;
dialect_read gitlab_read_member_bot;
dialect_read gitlab_read_scopes;
dialect_read gitlab_read_user;
dialect_refused gitlab_refused_member;
dialect_refused gitlab_refused_member_bot;
dialect_refused gitlab_refused_scopes;

/* A project's, a group's or a service account, by its name: payloads have no other mark. */
bool gitlab_is_machine(const char *user);

/* forge_driver.lacks */
void gitlab_lacks(const struct http_reply *r, struct forge_lacks *out);

#endif
