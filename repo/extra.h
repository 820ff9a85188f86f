/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra - what a repository wants in its tree besides its own files: submodules, LFS objects.
 *
 * It is a layer over the frozen checkout and not in it: checkouts of other commits are made from
 * that one by links, and other settings of the repository want other extras of the same commit.
 * Layers lie beside their checkout and go with it:
 *
 *	<trees>/<sha>/tree              the checkout
 *	<trees>/<sha>/has               which extras the commit could have: letters of REPO_EXTRA_*
 *	<trees>/<sha>/lfs               its files that Git LFS keeps (lfs.h)
 *	<trees>/<sha>/extra.<what>.<n>  a layer: tree/, notes
 *
 * A layer never changes once it is there; a newer one has a higher number.
 */
#ifndef REPO_EXTRA_H
#define REPO_EXTRA_H

#include "base/err.h"
#include "base/row.h"

#include <stdbool.h>
#include <stdint.h>

#define REPO_EXTRA_MODULES 's'
#define REPO_EXTRA_LFS     'l'

/* A submodule, everything from the root of the outermost repository. */
struct repo_extra_module {
	char *path;
	char *git_dir; /* below .git: "modules/<name>" */
	char *parent;  /* git_dir of the submodule that it is in, or NULL */
	char *name;
	char *url;   /* for git submodule to show; nothing in a box fetches from it */
	char *trees; /* where its own checkout is */
	char *sha;
};
extern const struct row REPO_EXTRA_MODULE_ROWS[];
void repo_extra_modules_finish(struct row_list *modules);

struct repo_extra {
	const char *trees; /* with the checkout of sha */
	const char *sha;
	const char *name;               /* from repo_extra_name */
	const struct row_list *modules; /* struct repo_extra_module, parents first */
	const char *lfs_dir;            /* objects of Git LFS; NULL: none are wanted */
	const char *notes;              /* what could not be had, or NULL */
	bool is_partial;                /* and might be had another day */
};

/* Makes the layer: all or nothing. In a child. */
int repo_extra_make(const struct repo_extra *x, struct err *e);

/* True if the commit of a ready checkout could have this extra. */
bool repo_extra_wanted(const char *trees, const char *sha, char what);

/* The name of the newest whole layer with the extras `what` (their letters), or NULL. One that is
 * partial is found for ten minutes only. *notes gets its notes or NULL. Both are the caller's. */
char *repo_extra_find(const char *trees, const char *sha, const char *what, char **notes);

/* A name that is not taken. */
char *repo_extra_name(const char *trees, const char *sha, const char *what);

/* The tree of a layer. */
char *repo_extra_path(const char *trees, const char *sha, const char *name);

#endif
