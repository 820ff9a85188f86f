/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfs_scan - see lfs.h: which files of a checkout are pointers.
 *
 * The index knows the size of every file, and few have that of a pointer; those are read. Whether
 * one is Git LFS's is a question of attributes, which git answers best: a text that only looks like
 * a pointer stays one.
 */
#include "repo/lfs.h"

#include "repo/git.h"
#include "repo/lfs_list.h"
#include "repo/repo.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POINTER_MIN 126 /* version, oid, size of one digit */
#define POINTER_MAX 160
#define LIST_MAX    (LIMIT_LFS_FILES * KIB(1))

char *
repo_lfs_path(const char *dir, const char *oid)
{
	return mem_fmt("%s/%.2s/%s", dir, oid, oid);
}

static char *
list_path(const char *trees, const char *sha)
{
	return mem_fmt("%s/%s/lfs", trees, sha);
}

/* ---- Finding them ---- */

struct found {
	struct row_list v; /* struct lfs_file */
	struct buf paths;  /* each with its NUL, for git */
};

static int
look(git_repository *repo, const git_index_entry *entry, struct found *f, struct err *e)
{
	auto_git(git_blob) *blob = NULL;
	struct repo_lfs pointer = { 0 };
	int rc;

	if (entry->file_size < POINTER_MIN || entry->file_size > POINTER_MAX ||
		(entry->mode & 0170000) != 0100000)
		return 0;
	rc = git_blob_lookup(&blob, repo, &entry->id);
	if (rc < 0)
		return git_err(e, rc, entry->path);
	if (!repo_lfs_pointer(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), &pointer))
		return 0;
	if (f->v.n == LIMIT_LFS_FILES) {
		row_finish(REPO_LFS_ROWS, &pointer);
		return 0;
	}
	struct lfs_file *file = row_list_add(&f->v, sizeof(*file));
	file->oid = pointer.oid;
	file->size = pointer.size;
	file->path = mem_str(entry->path);
	(void)buf_adds(&f->paths, entry->path);
	return buf_addc(&f->paths, '\0') < 0 ? err_set(e, ERR_LIMIT, "paths of LFS files") : 0;
}

static int
look_at_all(const char *git_dir, struct found *f, struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	auto_git(git_index) *index = NULL;
	auto_free char *path = mem_fmt("%s/index", git_dir);
	int rc = git_start(e);

	if (rc == 0)
		rc = git_open(&repo, git_dir, e);
	if (rc < 0)
		return rc;
	rc = git_index_open(&index, path);
	if (rc < 0)
		return git_err(e, rc, "index");
	for (size_t i = 0; i < git_index_entrycount(index) && rc == 0; i++)
		rc = look(repo, git_index_get_byindex(index, i), f, e);
	return rc;
}

/* "path NUL filter NUL value NUL" for each path that was asked. */
static int
ask_attributes(const char *tree, const struct buf *paths, struct buf *out, struct err *e)
{
	static const char *const args[] = { "check-attr", "-z", "--stdin", "filter" };
	auto_repo_command struct repo_command c = { 0 };
	int rc = repo_command_init(&c, e);

	if (rc < 0)
		return rc;
	strs_addf(&c.argv, "--git-dir=%s/.git", tree);
	strs_addf(&c.argv, "--work-tree=%s", tree);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		repo_command_arg(&c, args[i]);
	c.cwd = mem_str(tree);
	return repo_command_run(&c, paths, out, e);
}

static int
add_files(const struct found *f, const struct buf *attributes, struct buf *out, struct err *e)
{
	const struct lfs_file *v = f->v.v;
	const char *p = buf_str(attributes);
	const char *end = p + attributes->len;

	for (size_t i = 0; i < f->v.n; i++) {
		const char *path = p;
		const char *value = path + strlen(path) + 1 + sizeof("filter");

		if (value >= end || !str_eq(path, v[i].path))
			return err_set(e, ERR_PROTOCOL, "git check-attr says something else");
		p = value + strlen(value) + 1;
		if (str_eq(value, "lfs")) {
			(void)buf_addf(out, "%s %lld %s", v[i].oid, (long long)v[i].size, path);
			(void)buf_addc(out, '\0');
		}
	}
	return out->is_full ? err_set(e, ERR_LIMIT, "list of LFS files") : 0;
}

static void
found_finish(struct found *f)
{
	lfs_list_finish(&f->v);
	buf_finish(&f->paths);
}

int
repo_lfs_scan(const char *trees, const char *sha, struct err *e)
{
	auto_free char *tree = repo_checkout_path(trees, sha);
	auto_free char *git_dir = mem_fmt("%s/.git", tree);
	auto_free char *path = list_path(trees, sha);
	auto_cleanup(found_finish) struct found f = { .paths = BUF_INIT(LIST_MAX) };
	auto_buf struct buf attributes = BUF_INIT(2 * LIST_MAX);
	auto_buf struct buf list = BUF_INIT(LIST_MAX);

	if (access(path, F_OK) == 0)
		return 0;
	int rc = look_at_all(git_dir, &f, e);
	if (rc == 0 && f.v.n > 0)
		rc = ask_attributes(tree, &f.paths, &attributes, e);
	if (rc == 0)
		rc = add_files(&f, &attributes, &list, e);
	return rc < 0 ? rc : fs_write_atomic(path, buf_str(&list), list.len, 0644, e);
}

/* ---- The list ---- */

const struct row LFS_FILE_ROWS[] = {
	ROW_S(struct lfs_file, oid, "oid", REPO_LFS_OID_LEN),
	ROW_I(struct lfs_file, size, "size"),
	ROW_S(struct lfs_file, path, "path", LIMIT_PATH_BYTES),
	ROW_DONE,
};

void
lfs_list_finish(struct row_list *files)
{
	struct lfs_file *v = files->v;

	for (size_t i = 0; i < files->n; i++)
		row_finish(LFS_FILE_ROWS, &v[i]);
	free(files->v);
	*files = (struct row_list){ 0 };
}

/* "<oid> <size> <path>" */
static int
add_line(const char *line, struct row_list *out, struct err *e)
{
	const char *size = strchr(line, ' ');
	const char *path = size ? strchr(size + 1, ' ') : NULL;
	int64_t n;

	if (!path || size - line != REPO_LFS_OID_LEN)
		return err_set(e, ERR_PROTOCOL, "list of LFS files");
	auto_free char *number = mem_strn(size + 1, (size_t)(path - size - 1));
	int rc = str_i64(number, 0, INT64_MAX, &n, e);
	if (rc < 0)
		return rc;
	struct lfs_file *f = row_list_add(out, sizeof(*f));
	f->oid = mem_strn(line, REPO_LFS_OID_LEN);
	f->size = n;
	f->path = mem_str(path + 1);
	return 0;
}

int
lfs_list_read(const char *trees, const char *sha, struct row_list *out, struct err *e)
{
	auto_free char *path = list_path(trees, sha);
	auto_buf struct buf text = BUF_INIT(LIST_MAX);
	int rc = fs_read(path, &text, e);

	if (rc < 0)
		return rc;
	for (size_t at = 0; at < text.len && rc == 0; at += strlen(buf_str(&text) + at) + 1)
		rc = add_line(buf_str(&text) + at, out, e);
	return rc;
}

/* An object is what the pointer says by its name; a wrong size can only be a broken file. */
static bool
is_here(const char *dir, const struct lfs_file *f)
{
	auto_free char *path = repo_lfs_path(dir, f->oid);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == f->size;
}

static bool
has(const struct row_list *objects, const char *oid)
{
	const struct repo_lfs *v = objects->v;

	for (size_t i = 0; i < objects->n; i++) {
		if (strcmp(v[i].oid, oid) == 0)
			return true;
	}
	return false;
}

int
repo_lfs_missing(const char *trees, const char *sha, const char *dir, struct row_list *out,
	size_t *left, struct err *e)
{
	struct row_list files = { 0 };
	int64_t bytes = 0;
	int rc = lfs_list_read(trees, sha, &files, e);

	*left = 0;
	for (size_t i = 0; i < files.n; i++) {
		const struct lfs_file *f = (struct lfs_file *)files.v + i;

		if (is_here(dir, f) || has(out, f->oid))
			continue;
		if (out->n == LIMIT_LFS_OBJECTS || f->size > LIMIT_LFS_OBJECT_BYTES ||
			f->size > LIMIT_LFS_BYTES - bytes) {
			(*left)++;
			continue;
		}
		bytes += f->size;
		struct repo_lfs *o = row_list_add(out, sizeof(*o));
		o->oid = mem_str(f->oid);
		o->size = f->size;
	}
	lfs_list_finish(&files);
	return rc;
}
