/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra_lfs - see extra_lfs.h.
 *
 * There is no git-lfs in a box, and none is needed: the index of the layer has the pointer's id
 * with the size and time of the content, so git takes the file for unchanged and never reads it.
 *
 * Objects are links to the one copy in the cache, which is never written to. It is not fsynced: an
 * object that came before the machine last started is hashed again before it is used.
 */
#include "repo/extra_lfs.h"

#include "repo/checkout.h"
#include "repo/git.h"
#include "repo/lfs.h"
#include "repo/lfs_list.h"
#include "repo/repo.h"

#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_TIME   946684800 /* 2000-01-01: links share it, and no commit of ours is older */
#define READ_BYTES  KIB(64)
#define OBJECTS_MAX 100000 /* looked at when room is made */

/* ---- Objects ---- */

static int
hash_file(int fd, char hex[2 * CRYPTO_SHA256_BYTES + 1])
{
	auto_free char *data = mem_array(READ_BYTES, 1);
	struct crypto_hash *h = crypto_hash_create();
	ssize_t n;

	while ((n = read(fd, data, READ_BYTES)) > 0)
		crypto_hash_add(h, data, (size_t)n);
	crypto_hash_end_hex(h, hex);
	return n < 0 ? -1 : 0;
}

static int64_t
boot_s(void)
{
	struct timespec wall;
	struct timespec up;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	(void)clock_gettime(CLOCK_BOOTTIME, &up);
	return wall.tv_sec - up.tv_sec;
}

/* Opens it, if it is there and whole. ERR_MISSING, ERR_BUSY. A link made since the start of the
 * machine has moved its ctime, and only whole ones are linked. */
static int
open_object(const char *path, const struct lfs_file *f, int *out_fd, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	bool is_old = st.st_ctim.tv_sec <= boot_s();
	if (st.st_size != f->size || (is_old && hash_file(fd, hex) < 0) ||
		(is_old && strcmp(hex, f->oid) != 0)) {
		(void)unlink(path);
		return err_set(e, ERR_BUSY, "an object of Git LFS was broken and is removed");
	}
	*out_fd = steal_fd(&fd);
	return 0;
}

static int
copy_all(int from, int to)
{
	ssize_t n = 1;

	if (lseek(from, 0, SEEK_SET) < 0)
		return -1;
	while (n > 0)
		n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0);
	return n < 0 ? -1 : 0;
}

/* A program of its own, because links share their mode. */
static int
copy_object(int from, int tree, const char *path, bool is_run, struct err *e)
{
	const struct timespec times[2] = { { .tv_sec = FILE_TIME }, { .tv_sec = FILE_TIME } };
	auto_fd int to = openat(tree, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		is_run ? 0755 : 0644);

	if (to < 0 || copy_all(from, to) < 0 || futimens(to, times) < 0)
		return err_sys(e, "copy %s", path);
	return 0;
}

static int
make_parents(int tree, const char *path)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		auto_free char *part = mem_strn(path, (size_t)(slash - path));

		if (mkdirat(tree, part, 0755) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static int
place(const char *object, int fd, int tree, const struct lfs_file *f, bool is_run, struct err *e)
{
	const struct timespec times[2] = { { .tv_sec = FILE_TIME }, { .tv_sec = FILE_TIME } };

	if (make_parents(tree, f->path) < 0)
		return err_sys(e, "directory of %s", f->path);
	if (is_run)
		return copy_object(fd, tree, f->path, true, e);
	if (fchmod(fd, 0644) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "%s", object);
	if (linkat(AT_FDCWD, object, tree, f->path, 0) == 0)
		return 0;
	if (errno != EMLINK && errno != EXDEV)
		return err_sys(e, "link %s", f->path);
	return copy_object(fd, tree, f->path, false, e);
}

/* ---- The layer ---- */

/* None are there for a file that stayed a pointer. */
static int
touch_parents(int tree, const char *path, const struct timespec times[2], struct err *e)
{
	auto_free char *dir = mem_str(path);

	for (char *slash; (slash = strrchr(dir, '/'));) {
		*slash = '\0';
		if (utimensat(tree, dir, times, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return err_sys(e, "time of %s", dir);
	}
	return 0;
}

static int
add_file(const struct repo_extra *x, git_index *index, int tree, const struct lfs_file *f,
	struct err *e)
{
	const git_index_entry *old = git_index_get_bypath(index, f->path, 0);
	auto_free char *object = repo_lfs_path(x->lfs_dir, f->oid);
	auto_fd int fd = -1;
	int rc;

	if (!old)
		return err_set(e, ERR_PROTOCOL, "%s is not in the index", f->path);
	rc = open_object(object, f, &fd, e);
	if (rc < 0)
		return rc == ERR_MISSING ? 0 : rc; /* stays a pointer, which is said */
	rc = place(object, fd, tree, f, (old->mode & 0111) != 0, e);
	if (rc < 0)
		return rc;
	git_index_entry entry = *old;
	entry.file_size = (uint32_t)f->size;
	entry.mtime = (git_index_time){ .seconds = FILE_TIME };
	rc = git_index_add(index, &entry);
	return rc < 0 ? git_err(e, rc, f->path) : 0;
}

static int
add_files(const struct repo_extra *x, const struct row_list *files, const char *tree,
	git_index *index, struct err *e)
{
	const struct lfs_file *v = files->v;
	auto_free char *checkout = repo_checkout_path(x->trees, x->sha);
	auto_fd int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0 || lstat(checkout, &st) < 0)
		return err_sys(e, "open %s", tree);
	const struct timespec times[2] = { st.st_mtim, st.st_mtim };
	for (size_t i = 0; i < files->n && rc == 0; i++)
		rc = add_file(x, index, fd, &v[i], e);
	for (size_t i = 0; i < files->n && rc == 0; i++)
		rc = touch_parents(fd, v[i].path, times, e);
	return rc;
}

/* ---- Room ---- */

struct object {
	char *path;
	int64_t size;
	int64_t used_s; /* its last link, or the removal of one */
	bool is_used;
};

static int
by_use(const void *a, const void *b)
{
	const struct object *x = a;
	const struct object *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static size_t
list_dir(const char *path, struct object **v, size_t n)
{
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;
	struct stat st;

	while (d && n < OBJECTS_MAX && (entry = readdir(d))) {
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(st.st_mode))
			continue;
		*v = mem_grow(*v, n + 1, sizeof(**v));
		(*v)[n++] = (struct object){ mem_fmt("%s/%s", path, entry->d_name), st.st_size,
			st.st_ctim.tv_sec, st.st_nlink > 1 };
	}
	return n;
}

/* Objects that no layer has go, the ones used longest ago first. Best effort. */
static void
make_room(const char *dir)
{
	struct object *v = NULL;
	int64_t sum = 0;
	size_t n = 0;

	for (int i = 0; i < 256; i++) {
		auto_free char *part = mem_fmt("%s/%02x", dir, (unsigned)i);

		n = list_dir(part, &v, n);
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), by_use);
	for (size_t i = 0; i < n; i++)
		sum += v[i].size;
	for (size_t i = 0; i < n; i++) {
		if (sum > LIMIT_LFS_CACHE_BYTES && !v[i].is_used && unlink(v[i].path) == 0)
			sum -= v[i].size;
		free(v[i].path);
	}
	free(v);
}

int
extra_lfs_add(const struct repo_extra *x, const char *tree, struct err *e)
{
	auto_free char *checkout = repo_checkout_path(x->trees, x->sha);
	auto_free char *from = mem_fmt("%s/.git/index", checkout);
	auto_free char *git_dir = mem_fmt("%s/.git", tree);
	auto_free char *path = mem_fmt("%s/index", git_dir);
	auto_git(git_index) *index = NULL;
	struct row_list files = { 0 };
	int rc = lfs_list_read(x->trees, x->sha, &files, e);

	if (rc == 0)
		rc = fs_mkdirs(git_dir, 0755, e);
	if (rc == 0 && checkout_copy_index(from, path) < 0)
		rc = err_sys(e, "copy %s", from);
	if (rc == 0 && git_index_open(&index, path) < 0)
		rc = git_err(e, -1, "index");
	if (rc == 0)
		rc = add_files(x, &files, tree, index, e);
	if (rc == 0 && git_index_write(index) < 0)
		rc = git_err(e, -1, "index");
	lfs_list_finish(&files);
	make_room(x->lfs_dir);
	return rc;
}
