/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_tree - removes a tree that an enemy may have grown.
 *
 * It can be deeper than any path or number of descriptors allows, and its directories may forbid
 * what we need. So we hold one directory at a time, go down by name and up by "..", and check by
 * inode that up is where we came from. Names are not remembered: after going up, the directory is
 * read again and the child, now empty, goes by rmdir.
 */
#include "base/fs.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* 8 bytes of memory a level, a block of disk a level for whoever grew it. */
#define DEPTH_MAX 1000000

struct walk {
	int fd;        /* of the directory we are in */
	uint64_t *ino; /* of it and its ancestors */
	size_t depth;
	size_t cap;
};

static void
finish_walk(struct walk *w)
{
	clean_fd(&w->fd);
	free(w->ino);
}

/* The owner may always give himself the right to list and change his directory; chmod(2) by
 * descriptor needs /proc when the directory cannot be opened for reading. */
static int
open_dir(int at, const char *name, int *out_fd)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	auto_fd int path_fd = at == AT_FDCWD
				      ? open(name, (int)how.flags)
				      : (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
	char self[64];
	struct stat st;

	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return -1;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	if ((st.st_mode & S_IRWXU) != S_IRWXU)
		(void)chmod(self, S_IRWXU); /* if it fails, the next call tells */
	*out_fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out_fd < 0 ? -1 : 0;
}

static int
enter(struct walk *w, int take_fd, struct err *e)
{
	auto_fd int fd = take_fd;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat a directory");
	if (w->depth == DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "a tree deeper than %d levels", DEPTH_MAX);
	if (w->depth == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->ino = mem_grow(w->ino, w->cap, sizeof(*w->ino));
	}
	w->ino[w->depth++] = st.st_ino;
	clean_fd(&w->fd);
	w->fd = steal_fd(&fd);
	return 0;
}

static int
leave(struct walk *w, struct err *e)
{
	auto_fd int fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open the parent directory");
	w->depth--;
	if (st.st_ino != w->ino[w->depth - 1])
		return err_set(e, ERR_CONFLICT,
			"somebody moved a directory while its tree was being removed");
	clean_fd(&w->fd);
	w->fd = steal_fd(&fd);
	return 0;
}

/* 1: gone. 0: a directory that is not empty. */
static int
remove_name(int at, const char *name, unsigned char type, struct err *e)
{
	if (type != DT_DIR && unlinkat(at, name, 0) == 0)
		return 1;
	if (type != DT_DIR && errno != EISDIR)
		return err_sys(e, "unlink %s", name);
	if (unlinkat(at, name, AT_REMOVEDIR) == 0)
		return 1;
	if (errno == EBUSY)
		return err_sys(e, "rmdir %s: a mount point", name);
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, "rmdir %s", name);
	return 0;
}

/* Empties the current directory. 0: it is empty. 1: we went down into a child that was not. */
static int
sweep(struct walk *w, struct err *e)
{
	int list_fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;
	int child = -1;
	int rc = 1;

	if (!dir) {
		rc = err_sys(e, "list a directory");
		clean_fd(&list_fd);
		return rc;
	}
	do {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? err_sys(e, "list a directory") : 0;
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			rc = remove_name(w->fd, entry->d_name, entry->d_type, e);
	} while (rc > 0);
	if (rc < 0)
		return rc;
	if (open_dir(w->fd, entry->d_name, &child) < 0)
		return err_sys(e, errno == EXDEV ? "%s: a mount point" : "open %s", entry->d_name);
	rc = enter(w, child, e);
	return rc < 0 ? rc : 1;
}

/* Empties the directory name below at. */
static int
empty_tree(int at, const char *name, struct err *e)
{
	auto_cleanup(finish_walk) struct walk w = { .fd = -1 };
	int fd = -1;
	int rc;

	if (open_dir(at, name, &fd) < 0)
		return err_sys(e, errno == EXDEV ? "%s: a mount point" : "open %s", name);
	rc = enter(&w, fd, e);
	while (rc >= 0) {
		rc = sweep(&w, e);
		if (rc == 0 && w.depth == 1)
			return 0;
		if (rc == 0)
			rc = leave(&w, e);
	}
	return rc;
}

/* "/a/b//" to "/a/" and "b". False if there is no name to remove. */
static bool
split(char *path, const char **dir, const char **name)
{
	size_t len = strlen(path);
	char *slash;

	while (len && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	*dir = !slash ? "." : slash == path ? "/" : path;
	if (slash)
		*slash = '\0';
	return **name && !str_eq(*name, ".") && !str_eq(*name, "..");
}

int
fs_remove_tree(const char *path, struct err *e)
{
	auto_free char *copy = mem_str(path);
	const char *dir, *name;
	auto_fd int at = -1;
	int rc;

	if (!split(copy, &dir, &name))
		return err_set(e, ERR_INVALID, "remove \"%s\": it has no name", path);
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 && errno == ENOENT)
		return 0;
	if (at < 0)
		return err_sys(e, "open %s", dir);
	if (faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	rc = remove_name(at, name, DT_UNKNOWN, e);
	if (rc == 0)
		rc = empty_tree(at, name, e);
	if (rc == 0 && unlinkat(at, name, AT_REMOVEDIR) < 0)
		rc = err_sys(e, "rmdir");
	return rc < 0 ? err_wrap(e, rc, "remove %s", path) : 0;
}
