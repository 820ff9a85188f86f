/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_size - what a tree takes on its disk, whoever has grown it.
 *
 * One directory is held at a time: down by name, up by "..", and by inode it is checked that up is
 * where we came from. The place in each directory on the way is a number, so that depth costs
 * neither descriptors nor paths.
 */
#include "base/fs.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX  4096
#define BLOCK_SIZE 512 /* of st_blocks, whatever the filesystem's is */

struct level {
	ino_t ino;
	long next; /* where to go on reading */
};

struct walk {
	DIR *dir; /* where we are */
	struct level *levels;
	size_t depth;
	struct fs_size size;
	int64_t entries_max;
};

static void
walk_finish(struct walk *w)
{
	if (w->dir)
		(void)closedir(w->dir);
	free(w->levels);
}

static int
open_below(int at, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
}

/* Makes it the directory where we are. */
static int
enter(struct walk *w, int take_fd, struct err *e)
{
	auto_fd int fd = take_fd;
	DIR *dir = fdopendir(fd);

	if (!dir)
		return err_sys(e, "list a directory");
	(void)steal_fd(&fd);
	if (w->dir)
		(void)closedir(w->dir);
	w->dir = dir;
	return 0;
}

/* 1: that is where we are now. */
static int
descend(struct walk *w, const char *name, ino_t ino, struct err *e)
{
	int fd = open_below(dirfd(w->dir), name);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0; /* it was one a moment ago */
	if (fd < 0)
		return err_sys(e, errno == EXDEV ? "%s: a mount point" : "open %s", name);
	if (w->depth == DEPTH_MAX) {
		(void)close(fd);
		return err_set(e, ERR_LIMIT, "a tree deeper than %d levels", DEPTH_MAX);
	}
	w->levels[w->depth - 1].next = telldir(w->dir);
	w->levels[w->depth++] = (struct level){ .ino = ino };
	int rc = enter(w, fd, e);
	return rc < 0 ? rc : 1;
}

static int
ascend(struct walk *w, struct err *e)
{
	auto_fd int fd = openat(dirfd(w->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	w->depth--;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open the parent directory");
	if (st.st_ino != w->levels[w->depth - 1].ino)
		return err_set(e, ERR_CONFLICT, "a directory was moved while it was measured");
	int rc = enter(w, steal_fd(&fd), e);
	if (rc == 0)
		seekdir(w->dir, w->levels[w->depth - 1].next);
	return rc;
}

static int
add(struct walk *w, const struct stat *st, struct err *e)
{
	w->size.bytes += (int64_t)st->st_blocks * BLOCK_SIZE;
	if (++w->size.entries > w->entries_max)
		return err_set(
			e, ERR_LIMIT, "a tree of over %lld names", (long long)w->entries_max);
	return 0;
}

/* The current directory to its end, or to the first directory in it, where we are then. */
static int
step(struct walk *w, struct err *e)
{
	const struct dirent *entry;
	struct stat st;

	for (;;) {
		errno = 0;
		entry = readdir(w->dir);
		if (!entry)
			return errno ? err_sys(e, "list a directory") : 0;
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (fstatat(dirfd(w->dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return err_sys(e, "stat %s", entry->d_name);
		}
		int rc = add(w, &st, e);
		if (rc == 0 && S_ISDIR(st.st_mode))
			rc = descend(w, entry->d_name, st.st_ino, e);
		if (rc != 0)
			return rc;
	}
}

int
fs_measure(const char *path, int64_t entries_max, struct fs_size *out, struct err *e)
{
	auto_cleanup(walk_finish) struct walk w = { .entries_max = entries_max };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	w.levels = mem_array(DEPTH_MAX, sizeof(*w.levels));
	rc = enter(&w, fd, e);
	if (rc == 0 && fstat(dirfd(w.dir), &st) < 0)
		rc = err_sys(e, "stat %s", path);
	if (rc == 0) {
		w.levels[w.depth++].ino = st.st_ino;
		rc = add(&w, &st, e);
	}
	while (rc >= 0) {
		rc = step(&w, e);
		if (rc == 0 && w.depth == 1)
			break;
		if (rc == 0)
			rc = ascend(&w, e);
	}
	*out = w.size;
	return rc < 0 ? err_wrap(e, rc, "measure %s", path) : 0;
}
