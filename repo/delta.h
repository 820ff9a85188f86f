/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta - the difference between two trees as an overlayfs layer over a checkout of the first.
 */
#ifndef REPO_DELTA_H
#define REPO_DELTA_H

#include "repo/git.h"

#include <stdint.h>

/* Writes the directory anew; head must have been checked. All times are date_s. */
int delta_write(git_repository *repo, const git_tree *base, const git_tree *head, const char *dir,
	int64_t date_s, struct err *e);

#endif
