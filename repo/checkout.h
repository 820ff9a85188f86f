/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkout - the parts of making one that open objects (tree.c) or choose them (history.c).
 */
#ifndef REPO_CHECKOUT_H
#define REPO_CHECKOUT_H

#include "repo/repo.h"

/* What .git/config of a checkout says. */
extern const char CHECKOUT_CONFIG[];

/* There, and made since the machine started. Not a use. */
bool checkout_is_whole(const char *trees, const char *sha);

/* Counts files and bytes of the commit's tree before any is written, and reads the commit's date.
 * ERR_LIMIT, ERR_MISSING. */
int checkout_measure(const struct repo_checkout *c, int64_t *date_s, struct err *e);

/* Gives every file of the index, link and directory of the tree the time; files that another
 * checkout has too keep theirs. */
int checkout_times(const char *tree, const char *git_dir, int64_t date_s, struct err *e);

/* Makes files and index from the last checkout of the repository. False: there is none, or it does
 * not work; the tree may be half made. */
bool checkout_reuse(const struct repo_checkout *c, const char *tree, const char *git_dir);

/* The same files in another place: by links, where the file system has them; the index is copied to
 * the given path. -1: errno says why; the tree may be half made. */
int checkout_link(const char *from_tree, const char *tree, const char *index);

int checkout_copy_index(const char *from, const char *to);

/* A small file with that text. */
int checkout_put(const char *dir, const char *name, const char *text, struct err *e);

/* One file, of two directories. */
int checkout_link_file(int from, int to, const char *path);

/* Writes <dir>/size: what all in it takes. */
int checkout_put_size(const char *dir, struct err *e);

#define CHECKOUT_GONE "gone." /* what is being removed; the next who makes room finishes it */

/* Gives it a name with that prefix in one step, then removes it: whoever is killed over that leaves
 * nothing half under a name that somebody looks for. 1: it is gone. 0: it was not there. */
int checkout_take_away(const char *dir, const char *name, const char *prefix, struct err *e);

/* The same, unless somebody uses it: 0 then, too. */
int checkout_remove(const char *trees, const char *sha, const char *prefix, struct err *e);

/* Writes <dir>/has: which extras (extra.h) the commit could have. */
int checkout_has(const char *tree, const char *git_dir, const char *dir, struct err *e);

/* What git pack-objects --revs shall pack: the commit, and where history is cut; <git_dir>/shallow
 * is written then. */
int checkout_history(const struct repo_checkout *c, struct buf *revs, bool *is_shallow,
	const char *git_dir, struct err *e);

#endif
