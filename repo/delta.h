/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta - the difference between two trees as an overlayfs layer over a checkout of the first.
 */
#ifndef REPO_DELTA_H
#define REPO_DELTA_H

#include "repo/git.h"

#include <stdint.h>

struct delta_order {
	git_repository *repo;
	const git_tree *base;
	const git_tree *head;
	const char *dir;
	const char *lfs_dir; /* objects of Git LFS that take their pointers' place, or NULL */
	int64_t date_s;      /* of all files */
};

/* Writes the directory anew; head must have been checked. */
int delta_write(const struct delta_order *o, struct err *e);

#endif
