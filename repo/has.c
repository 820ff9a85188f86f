/* SPDX-License-Identifier: Apache-2.0 */
/*
 * has - which extras the commit of a checkout could have, written down once, so that a start asks
 * a file of three letters and not the objects.
 */
#include "repo/checkout.h"
#include "repo/extra.h"
#include "repo/git.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTES_MAX MIB(1)

/* Of a file in the tree; a link is none, as for git. */
static bool
says_lfs(int tree, const char *path)
{
	auto_fd int fd = -1;
	auto_free char *text = mem_zero(ATTRIBUTES_MAX);
	ssize_t n;

	if (fs_open_beneath(tree, path, O_RDONLY, &fd, NULL) < 0)
		return false;
	n = pread(fd, text, ATTRIBUTES_MAX, 0);
	return n > 0 && memmem(text, (size_t)n, "filter=lfs", strlen("filter=lfs")) != NULL;
}

int
checkout_has(const char *tree, const char *git_dir, const char *dir, struct err *e)
{
	auto_free char *path = mem_fmt("%s/index", git_dir);
	auto_free char *out = mem_fmt("%s/has", dir);
	auto_git(git_index) *index = NULL;
	auto_fd int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[3] = "";
	bool lfs = false;
	int rc = git_index_open(&index, path);

	if (rc < 0)
		return git_err(e, rc, "index");
	if (fd < 0)
		return err_sys(e, "open %s", tree);
	if (git_index_get_bypath(index, ".gitmodules", 0))
		text[strlen(text)] = REPO_EXTRA_MODULES;
	for (size_t i = 0; i < git_index_entrycount(index) && !lfs; i++) {
		const char *name = git_index_get_byindex(index, i)->path;

		lfs = str_ends(name, ".gitattributes") && says_lfs(fd, name);
	}
	if (lfs)
		text[strlen(text)] = REPO_EXTRA_LFS;
	return fs_write_atomic(out, text, strlen(text), 0644, e);
}
