/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfs_list - the files of a checkout that Git LFS keeps, as lfs_scan.c found them.
 */
#ifndef REPO_LFS_LIST_H
#define REPO_LFS_LIST_H

#include "base/err.h"
#include "base/row.h"

#include <stdint.h>

struct lfs_file {
	char *oid;
	int64_t size;
	char *path;
};
extern const struct row LFS_FILE_ROWS[];

int lfs_list_read(const char *trees, const char *sha, struct row_list *out, struct err *e);
void lfs_list_finish(struct row_list *files);

#endif
