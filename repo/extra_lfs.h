/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra_lfs - the part of a layer (extra.h) that has the contents of Git LFS files.
 */
#ifndef REPO_EXTRA_LFS_H
#define REPO_EXTRA_LFS_H

#include "repo/extra.h"

/* Puts each object that is there in the place of its pointer in `tree`, and beside them an index
 * that takes it for the pointer. ERR_BUSY: an object was found broken and removed; again. */
int extra_lfs_add(const struct repo_extra *x, const char *tree, struct err *e);

#endif
