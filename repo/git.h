/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git - libgit2 as this folder uses it: set up against hostile objects, errors as ours, locals that
 * free themselves.
 */
#ifndef REPO_GIT_H
#define REPO_GIT_H

#include "base/clean.h"
#include "base/err.h"

#include <git2.h>

/* Once a process; no settings of system or user, no owner check, strict hashes, bounds. */
int git_start(struct err *e);

/* The last error of libgit2 as ours, with "what: " before it; rc is what libgit2 returned.
 * ERR_SYSTEM: the kernel refused. ERR_PROTOCOL: the objects are broken. ERR_MISSING, ERR_CONFLICT,
 * ERR_LIMIT (memory). */
int git_err(struct err *e, int rc, const char *what);

/* A bare repository by its path, nothing searched. */
int git_open(git_repository **out, const char *path, struct err *e);

/* ERR_INVALID for what is not 40 hex digits. */
int git_id(git_oid *out, const char *sha, struct err *e);

/* ERR_MISSING: not there, or not a commit. */
int git_commit_get(git_commit **out, git_repository *repo, const char *sha, struct err *e);

/* What the pack says of the object's size, before anything believes it and allocates: ERR_LIMIT
 * over max, ERR_MISSING if it is not there. */
int git_check_size(git_repository *repo, const git_oid *id, size_t max, struct err *e);

#define GIT_AUTO(name, fn)                                                                         \
	static inline void clean_##name(void *p)                                                   \
	{                                                                                          \
		(fn)(*(__typeof__(name) **)p);                                                     \
	}

GIT_AUTO(git_repository, git_repository_free)
GIT_AUTO(git_odb, git_odb_free)
GIT_AUTO(git_odb_object, git_odb_object_free)
GIT_AUTO(git_commit, git_commit_free)
GIT_AUTO(git_tree, git_tree_free)
GIT_AUTO(git_tree_entry, git_tree_entry_free)
GIT_AUTO(git_blob, git_blob_free)
GIT_AUTO(git_index, git_index_free)
GIT_AUTO(git_indexer, git_indexer_free)
GIT_AUTO(git_signature, git_signature_free)
GIT_AUTO(git_diff, git_diff_free)
GIT_AUTO(git_diff_stats, git_diff_stats_free)
GIT_AUTO(git_treebuilder, git_treebuilder_free)
GIT_AUTO(git_reference, git_reference_free)

#define auto_git(type) auto_cleanup(clean_##type) type

#endif
