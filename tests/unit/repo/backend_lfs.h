/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_lfs - the Git LFS part of the backend: the batch request of any repository, and objects
 * that are files of <root>/lfs/.
 */
#ifndef TESTS_UNIT_REPO_BACKEND_LFS_H
#define TESTS_UNIT_REPO_BACKEND_LFS_H

#include "base/buf.h"

#include <stdbool.h>

/* The whole answer to a request, if it is one of LFS. places: what addresses of objects begin with.
 */
bool backend_lfs(const char *target, const struct buf *body, const char *root, const char *places,
	struct buf *out);

#endif
