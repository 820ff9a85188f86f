/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle - the file that carries commits out of a box: a short head of text, then a pack
 * (gitformat-bundle, gitformat-pack).
 */
#ifndef REPO_BUNDLE_H
#define REPO_BUNDLE_H

#include "repo/git.h"
#include "repo/repo.h"

struct bundle_head {
	char tip[REPO_SHA_LEN + 1];
	char prerequisite[REPO_SHA_LEN + 1]; /* "" = none */
	size_t len;                          /* where the pack starts */
	uint32_t objects;                    /* what the pack says of itself */
};

/* Pure. One tip (under any number of names, at most 8), at most one prerequisite, version 2, or 3
 * with SHA-1. ERR_PROTOCOL, ERR_LIMIT. */
int bundle_head_parse(const char *data, size_t len, struct bundle_head *out, struct err *e);

/* Reads the file and indexes its pack into the repository's objects. */
int bundle_import(int fd, git_repository *repo, struct bundle_head *out, struct err *e);

#endif
