/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk - what differs between two trees, one of which may be hostile.
 *
 * Iterative, bounded in entries, depth and path length; only what differs is opened. Each tree on
 * the hostile side is checked to be canonical: sorted, without twins, new names that path.h allows,
 * written as git writes them.
 */
#ifndef REPO_WALK_H
#define REPO_WALK_H

#include "repo/git.h"

#include <stdbool.h>

struct walk_change {
	const char *path;
	const git_tree_entry *base; /* NULL: new */
	const git_tree_entry *head; /* NULL: deleted; never a tree */
	bool is_hidden; /* below a directory that went as a whole, or a file replaced by a
			   directory: a layer has nothing to do */
};

/* 0 to go on. */
typedef int walk_cb(void *ctx, const struct walk_change *c, struct err *e);

int walk_trees(git_repository *repo, const git_tree *base, const git_tree *head, walk_cb *cb,
	void *ctx, struct err *e);

#endif
