/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules - the submodules of a commit: where they lie, which commit they are at, whose they are.
 */
#ifndef REPO_MODULES_H
#define REPO_MODULES_H

#include "base/err.h"
#include "base/row.h"

struct repo_module {
	char *name; /* of its section */
	char *path; /* of its gitlink, from the root of the tree that was read */
	char *url;  /* as written: not to be used but for repo_module_repo */
	char *sha;
	char *why; /* not NULL: it cannot be had, and this is why */
};
extern const struct row REPO_MODULE_ROWS[];
void repo_modules_finish(struct row_list *modules);

/* Adds what .gitmodules of the commit names and the tree has; none is no error. In a child, as all
 * that opens objects. */
int repo_modules_read(const char *git_dir, const char *sha, struct row_list *out, struct err *e);

/* True if the commit has a .gitmodules at all. */
bool repo_modules_has(const char *git_dir, const char *sha);

/* "owner/name" of a submodule, whose repository must be on the same forge (web and git address,
 * without a slash at the end) as its parent "owner/name". Relative addresses are resolved as git
 * does. Nothing of the written address is ever asked for: the answer is a name, and the address is
 * made from the configuration. ERR_DENIED: it is elsewhere; e says where without its text. */
int repo_module_repo(
	const char *forge_url, const char *parent, const char *url, char **out, struct err *e);

#endif
