/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - the commits that we write, the same bytes for the same input, and the mark that lets one
 * be pushed.
 */
#ifndef REPO_COMMIT_H
#define REPO_COMMIT_H

#include "repo/git.h"
#include "repo/repo.h"

struct commit_parts {
	const struct repo_author *author; /* and committer */
	const char *message;
	const git_tree *tree;
	const git_commit *parent; /* NULL: none */
};

/* The bytes of a commit; payload's limit holds. */
int commit_payload(
	git_repository *repo, const struct commit_parts *c, struct buf *payload, struct err *e);

/* Message, an empty line, trailers; control characters and bad UTF-8 mended. */
int commit_compose(const char *message, const char *trailers, struct buf *out, struct err *e);

/* Writes the bytes as an object and marks it as one that may be pushed. */
int commit_store(git_repository *repo, const char *payload, char **sha, struct err *e);

/* The mark alone, a ref; and whether it is there, without libgit2. It is written without a lock
 * file: one that a killed writer left would refuse the same commit for ever. */
int commit_accept(git_repository *repo, const git_oid *id, struct err *e);
bool commit_is_accepted(const char *git_dir, const char *sha);

/* The quarantine repository, made if absent, with alternates to `objects` (a directory of objects)
 * if given. */
int quarantine_open(git_repository **out, const char *path, const char *objects, struct err *e);
int quarantine_alternate(const char *path, const char *objects, struct err *e);

#endif
