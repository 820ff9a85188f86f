/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitea - what the files of this dialect share.
 */
#ifndef FORGE_GITEA_H
#define FORGE_GITEA_H

#include "forge/dialect.h"

/* Steps of the operations that take several requests. */
enum gitea_step {
	GITEA_PERMISSION = 0, /* since 1.17, and only for administrators of the repository */
	GITEA_ASSIGNEES,      /* everybody who may write, says its documentation */
	GITEA_OWNER,

	GITEA_LABELS = 0, /* LABEL_ADD: of the repository */
	GITEA_ORG_LABELS,
	GITEA_LABEL_CREATE,
	GITEA_LABEL_SET,

	GITEA_ISSUE_LABELS = 0, /* LABEL_REMOVE */
	GITEA_LABEL_UNSET,

	GITEA_ASSETS = 0, /* ATTACH: is it there already? */
	GITEA_ASSET_CREATE,
	GITEA_ASSET_CREATE_TXT, /* the server takes only known endings */
};

/* gitea_decode.c */
int gitea_decode(const struct forge_delivery *d, const char *body, size_t len,
	struct forge_event *out, struct err *e);

/* gitea_make.c */
dialect_make gitea_make_attachment;
dialect_make gitea_make_label;
dialect_make gitea_make_label_ids;
dialect_make gitea_make_pull;

/* gitea_read.c */
dialect_read gitea_read_asset;
dialect_read gitea_read_assets;
dialect_read gitea_read_assignees;
dialect_read gitea_read_comment;
dialect_read gitea_read_comment_find;
dialect_read gitea_read_comment_last;
dialect_read gitea_read_comments;
dialect_read gitea_read_issue_labels;
dialect_read gitea_read_issues;
dialect_read gitea_read_label_created;
dialect_read gitea_read_labels;
dialect_read gitea_read_owner;
dialect_read gitea_read_permission;
dialect_read gitea_read_pull_find;
dialect_read gitea_read_repos;
dialect_read gitea_read_timeline;
dialect_read gitea_read_timeline_off;
dialect_refused gitea_refused_asset;
dialect_refused gitea_refused_assignees;
dialect_refused gitea_refused_labels;
dialect_refused gitea_refused_permission;
dialect_refused gitea_refused_timeline;

#endif
