/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitmodules - the text of .gitmodules as a list. Pure.
 *
 * It is git's configuration syntax, but it comes from a tree: libgit2 would read it from a file
 * only, and follow `include.path` out of it.
 */
#ifndef REPO_GITMODULES_H
#define REPO_GITMODULES_H

#include "repo/modules.h"

/* Adds a struct repo_module with name, path and url, as far as they are given, for each section
 * [submodule "name"]. ERR_INVALID names the line (git refuses such a file too), ERR_LIMIT: over
 * LIMIT_MODULES sections. */
int gitmodules_parse(const char *text, size_t len, struct row_list *out, struct err *e);

#endif
