/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_rest - when attributes changed: files that did not, but are written in another way now.
 */
#ifndef REPO_DELTA_REST_H
#define REPO_DELTA_REST_H

#include "repo/attrs.h"

struct delta_rest {
	git_repository *repo;
	const git_tree *head;
	int dir; /* the layer: what is in it already is passed over */
	const struct attrs *before;
	const struct attrs *after;
};

typedef int delta_rest_cb(void *ctx, const char *path, const git_tree_entry *entry, struct err *e);

/* Calls back for each such file below the directory ("" or "a/b/"). */
int delta_rest(
	const struct delta_rest *r, const char *dir, delta_rest_cb *cb, void *ctx, struct err *e);

#endif
