/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path - which names may come out of a box. Pure.
 *
 * A name is refused if any system on which people check the branch out would take it for something
 * else: the repository's own directory, a parent, another file.
 */
#ifndef REPO_PATH_H
#define REPO_PATH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

/* One component. ERR_DENIED, e says the rule without the name. */
int path_name_check(const char *name, struct err *e);

/* True for a name that some system takes for `.gitmodules`, the exact one included; the same for
 * the other files that git reads from a tree. */
bool path_is_gitmodules(const char *name);
bool path_is_git_settings(const char *name);

/* The target of a link at `path`: relative, inside the tree, ".." only at its front, not into .git.
 * ERR_DENIED. */
int path_link_check(const char *path, const char *target, size_t len, struct err *e);

/* True if the globs cover the path, in whatever case, or if something below it would be covered:
 * then no link or file may stand there either. */
bool path_is_protected(const struct strs *globs, const char *path);

/* For messages: printable ASCII stays, the rest becomes \xNN. */
int path_quote(struct buf *out, const char *path);

#endif
