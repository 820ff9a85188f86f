/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta - see delta.h.
 *
 * A deleted name is a character device 0:0, which any user may make. A changed file is a file, a
 * directory in the place of a file hides it, a file in the place of a directory hides that: these
 * four are all that overlayfs needs. The clean box of the gate is the frozen checkout with this on
 * top, so it holds what was harvested and nothing that the agent's own box wrote beside it.
 */
#include "repo/delta.h"

#include "repo/attrs.h"
#include "repo/convert.h"
#include "repo/delta_rest.h"
#include "repo/lfs.h"
#include "repo/walk.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define CONVERTED_MAX (16 * LIMIT_HARVEST_FILE_BYTES)

struct delta {
	const struct delta_order *order;
	struct attrs attrs; /* of the head */
	struct strs *unknown;
	struct strs changed; /* directories with other attributes, "" for the root */
	int dir;
	struct strs dirs; /* made so far, in order */
	struct timespec times[2];
};

/* The directory of `path` below ours, never through a link. */
static int
open_parent(const struct delta *d, const char *path, int *out_fd)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = slash ? mem_strn(path, (size_t)(slash - path)) : mem_str(".");
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	*out_fd = (int)syscall(SYS_openat2, d->dir, parent, &how, sizeof(how));
	return *out_fd < 0 ? -1 : 0;
}

/* Makes the directories on the way, which are parts of names that walk has checked. */
static int
make_parents(struct delta *d, const char *path, int *out_fd, struct err *e)
{
	if (open_parent(d, path, out_fd) == 0)
		return 0;
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		auto_free char *part = mem_strn(path, (size_t)(slash - path));
		auto_fd int fd = -1;

		if (open_parent(d, part, &fd) < 0)
			return err_sys(e, "directory of %s", part);
		const char *name = strrchr(part, '/') ? strrchr(part, '/') + 1 : part;
		if (mkdirat(fd, name, 0755) == 0)
			strs_add(&d->dirs, part);
		else if (errno != EEXIST)
			return err_sys(e, "mkdir %s", part);
	}
	return open_parent(d, path, out_fd) < 0 ? err_sys(e, "directory of %s", path) : 0;
}

static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A file of Git LFS that was moved has its content, as in the checkout; whatever is wrong with the
 * object, there is the pointer. */
static bool
copy_object(const struct delta *d, const char *data, size_t len, int to)
{
	struct repo_lfs pointer = { 0 };
	struct stat st;
	ssize_t n = 1;

	if (!d->order->lfs_dir || !repo_lfs_pointer(data, len, &pointer))
		return false;
	auto_free char *path = repo_lfs_path(d->order->lfs_dir, pointer.oid);
	auto_fd int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_whole = from >= 0 && fstat(from, &st) == 0 && st.st_size == pointer.size;
	row_finish(REPO_LFS_ROWS, &pointer);
	while (is_whole && n > 0)
		n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0);
	if (is_whole && n < 0 && (ftruncate(to, 0) < 0 || lseek(to, 0, SEEK_SET) < 0))
		return false;
	return is_whole && n == 0;
}

/* As git checkout writes it. */
static int
write_content(const struct delta *d, const char *path, const git_blob *blob, int fd, struct err *e)
{
	const char *data = git_blob_rawcontent(blob);
	size_t len = (size_t)git_blob_rawsize(blob);
	auto_buf struct buf out = BUF_INIT(CONVERTED_MAX);
	struct convert c = { 0 };
	int rc = attrs_convert(&d->attrs, path, &c, e);

	if (rc < 0)
		return rc;
	enum convert_end end =
		convert_to_file(&c, git_oid_tostr_s(git_blob_id(blob)), data, len, &out);
	if (end == CONVERT_UNKNOWN)
		strs_add(d->unknown, path);
	if (out.is_full)
		return err_set(e, ERR_LIMIT, "%.200s: too large as a file", path);
	if (out.len > 0) {
		data = buf_str(&out);
		len = out.len;
	}
	return write_all(fd, data, len) < 0 ? err_sys(e, "write %.200s", path) : 0;
}

static int
write_file(const struct delta *d, int parent, const char *path, const git_tree_entry *entry,
	struct err *e)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	bool is_run = git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB_EXECUTABLE;
	auto_git(git_blob) *blob = NULL;
	int rc = git_blob_lookup(&blob, d->order->repo, git_tree_entry_id(entry));

	if (rc < 0)
		return git_err(e, rc, name);
	const char *data = git_blob_rawcontent(blob);
	size_t len = (size_t)git_blob_rawsize(blob);
	if (git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK) {
		auto_free char *target = mem_strn(data, len);

		return symlinkat(target, parent, name) < 0 ? err_sys(e, "link %s", name) : 0;
	}
	auto_fd int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		is_run ? 0755 : 0644);
	if (fd < 0)
		return err_sys(e, "create %s", name);
	return copy_object(d, data, len, fd) ? 0 : write_content(d, path, blob, fd, e);
}

static int
add_file(struct delta *d, const char *path, const git_tree_entry *head, struct err *e)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	auto_fd int parent = -1;
	int rc = make_parents(d, path, &parent, e);

	if (rc < 0)
		return rc;
	if (head)
		rc = write_file(d, parent, path, head, e);
	else if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) < 0)
		rc = err_sys(e, "whiteout %s", name);
	if (rc < 0)
		return err_wrap(e, rc, "layer");
	return utimensat(parent, name, d->times, AT_SYMLINK_NOFOLLOW) < 0
		       ? err_sys(e, "time of %s", name)
		       : 0;
}

static int
on_change(void *ctx, const struct walk_change *c, struct err *e)
{
	struct delta *d = ctx;
	const char *name = strrchr(c->path, '/') ? strrchr(c->path, '/') + 1 : c->path;

	if (strcmp(name, ".gitattributes") == 0) {
		auto_free char *dir = mem_strn(c->path, (size_t)(name - c->path));

		strs_add(&d->changed, dir);
	}
	return c->is_hidden ? 0 : add_file(d, c->path, c->head, e);
}

/* ---- Files that only other attributes make different ---- */

static int
on_unchanged(void *ctx, const char *path, const git_tree_entry *entry, struct err *e)
{
	return add_file(ctx, path, entry, e);
}

static int
add_rest(struct delta *d, struct err *e)
{
	const struct delta_order *o = d->order;
	struct attrs before = { 0 };
	const struct delta_rest rest = { o->repo, o->head, d->dir, &before, &d->attrs };
	int rc = d->changed.n > 0 ? attrs_open(&before, o->git_dir, o->base_commit, e) : 0;

	for (size_t i = 0; i < d->changed.n && rc == 0; i++)
		rc = delta_rest(&rest, d->changed.v[i], on_unchanged, d, e);
	attrs_close(&before);
	return rc;
}

/* Last, because making a file changes its directory's time; the deepest first. */
static int
touch_dirs(const struct delta *d, struct err *e)
{
	for (size_t i = d->dirs.n; i-- > 0;) {
		if (utimensat(d->dir, d->dirs.v[i], d->times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "time of %s", d->dirs.v[i]);
	}
	return utimensat(d->dir, ".", d->times, 0) < 0 ? err_sys(e, "time of the layer") : 0;
}

int
delta_write(const struct delta_order *o, struct strs *unknown, struct err *e)
{
	mode_t mask = umask(022); /* boxes of another user read it */
	int rc = fs_remove_tree(o->dir, e);

	if (rc == 0)
		rc = fs_mkdirs(o->dir, 0755, e);
	auto_fd int fd =
		rc < 0 ? -1 : open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (rc == 0 && fd < 0)
		rc = err_sys(e, "open %s", o->dir);
	struct delta d = {
		.order = o,
		.unknown = unknown,
		.dir = fd,
		.times = { { .tv_sec = o->date_s }, { .tv_sec = o->date_s } },
	};
	if (rc == 0)
		rc = attrs_open(&d.attrs, o->git_dir, o->head_commit, e);
	if (rc == 0)
		rc = walk_trees(o->repo, o->base, o->head, on_change, &d, e);
	if (rc == 0)
		rc = add_rest(&d, e);
	if (rc == 0)
		rc = touch_dirs(&d, e);
	attrs_close(&d.attrs);
	strs_finish(&d.dirs);
	strs_finish(&d.changed);
	(void)umask(mask);
	if (rc < 0)
		(void)fs_remove_tree(o->dir, NULL); /* the first error is the one to tell */
	return rc;
}
