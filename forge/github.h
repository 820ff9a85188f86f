/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github - what the files of this dialect share.
 */
#ifndef FORGE_GITHUB_H
#define FORGE_GITHUB_H

#include "forge/dialect.h"

/* github_decode.c */
int github_decode(const struct forge_delivery *d, const char *body, size_t len,
	struct forge_event *out, struct err *e);

/* github_app.c: the rights that the App and each of its tokens need, ended by a row of NULL */
struct github_grant {
	const char *name;
	const char *level;
};
extern const struct github_grant GITHUB_GRANTS[];

int github_claims(int64_t app_id, int64_t now_ms, struct buf *out);
int64_t github_refused_time(const struct http_reply *r);
void github_lacks(const struct http_reply *r, struct forge_lacks *out);

/* github_log.c: what was delivered, and which repositories there are */
enum github_log_step {
	GITHUB_APP_LOG = 0,
	GITHUB_HOOKS, /* which of the repository's hooks is ours */
	GITHUB_HOOK_LOG,
	GITHUB_ORG_HOOKS, /* which of its owner's */
	GITHUB_ORG_HOOK_LOG,
};
dialect_read github_read_delivery;
dialect_read github_read_deliveries;
dialect_read github_read_hooks;
dialect_read github_read_installations;
dialect_read github_read_repos;
dialect_refused github_refused_hooks;

/* True for events that github_decode gives a meaning. */
bool github_means(const char *event, const char *action);

/* github_make.c: bodies that rows cannot say */
dialect_make github_make_check;
dialect_make github_make_labels;
dialect_make github_make_token;

/* github_read.c */
dialect_read github_read_app;
dialect_read github_read_check;
dialect_read github_read_comment_find;
dialect_read github_read_comment_last;
dialect_read github_read_comments;
dialect_read github_read_installation;
dialect_read github_read_issues;
dialect_read github_read_label_event;
dialect_read github_read_permission;
dialect_read github_read_pull_find;
dialect_read github_read_status_find;
dialect_read github_read_token;
dialect_read github_read_unlabel_event;
dialect_read github_read_whoami;
dialect_refused github_refused_permission;
dialect_refused github_refused_pull;
dialect_refused github_refused_whoami;

#endif
