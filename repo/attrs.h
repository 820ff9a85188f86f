/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attrs - what the .gitattributes of a commit say of a path. As libgit2 reads them, which is as git
 * does but for one thing: a pattern in double quotes matches nothing.
 */
#ifndef REPO_ATTRS_H
#define REPO_ATTRS_H

#include "repo/convert.h"
#include "repo/git.h"

/* libgit2 keeps attributes by path, whatever the commit: so each has a repository of its own. */
struct attrs {
	git_repository *repo; /* NULL: not open */
	git_oid commit;
};

int attrs_open(struct attrs *a, const char *git_dir, const git_oid *commit, struct err *e);
void attrs_close(struct attrs *a);

/* The values are borrowed until the close. */
int attrs_convert(const struct attrs *a, const char *path, struct convert *out, struct err *e);

#endif
