/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta - the difference between two trees as an overlayfs layer over a checkout of the first.
 */
#ifndef REPO_DELTA_H
#define REPO_DELTA_H

#include "repo/git.h"

#include "base/str.h"

#include <stdint.h>

struct delta_order {
	git_repository *repo;
	const char *git_dir; /* of it */
	const git_tree *base;
	const git_tree *head;
	const git_oid *base_commit; /* whose attributes the checkout was written by */
	const git_oid *head_commit; /* and those that hold for the layer */
	const char *dir;
	const char *lfs_dir; /* objects of Git LFS that take their pointers' place, or NULL */
	int64_t date_s;      /* of all files */
};

/* Writes the directory anew; head must have been checked. Files are as git checkout writes them,
 * also those that only other attributes make different. unknown gets the paths of those whose
 * encoding is not known: they are in UTF-8. */
int delta_write(const struct delta_order *o, struct strs *unknown, struct err *e);

#endif
