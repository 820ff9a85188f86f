/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfs_settle - what Git LFS keeps and a box changed does not come out of it.
 *
 * The box's commit has pointers, for the harvest cleans what LFS keeps. A pointer that the base
 * could not have known is one of an object that no server has: a commit with it could not be
 * checked out by anybody. So the base's entry stays in its place.
 */
#ifndef REPO_LFS_SETTLE_H
#define REPO_LFS_SETTLE_H

#include "repo/git.h"
#include "repo/walk.h"

#include "base/str.h"

struct lfs_settle {
	git_repository *repo;
	git_odb *shown;   /* what the box was shown: objects of the base and its history */
	struct strs left; /* paths */
};

/* objects: a directory. */
int lfs_settle_init(struct lfs_settle *s, git_repository *repo, const char *objects, struct err *e);
void lfs_settle_finish(struct lfs_settle *s);

/* For each change of the walk, after it was checked. */
int lfs_settle_look(struct lfs_settle *s, const struct walk_change *c, struct err *e);

/* *head becomes the tree without those changes. */
int lfs_settle_tree(
	const struct lfs_settle *s, const git_tree *base, git_tree **head, struct err *e);

/* Lines for people. */
void lfs_settle_notes(const struct lfs_settle *s, struct buf *out);

#endif
