/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_rest - see delta_rest.h.
 *
 * `*.bat eol=crlf` changes no other file of the tree, and all the same what everybody has after a
 * checkout. Only attributes are compared at first; contents only where these differ.
 */
#include "repo/delta_rest.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CONVERTED_MAX (16 * LIMIT_HARVEST_FILE_BYTES)

struct level {
	git_tree *tree;
	size_t next;
	size_t path_len; /* with its slash */
};

struct visit {
	const struct delta_rest *r;
	struct buf path;
	struct level *levels;
	size_t depth;
	size_t entries;
	delta_rest_cb *cb;
	void *ctx;
};

static bool
is_same(const struct convert *a, const struct convert *b)
{
	return str_eq(a->text, b->text) && str_eq(a->crlf, b->crlf) && str_eq(a->eol, b->eol) &&
	       str_eq(a->ident, b->ident) && str_eq(a->encoding, b->encoding);
}

static int
differs(const struct visit *v, const git_tree_entry *entry, bool *out, struct err *e)
{
	const git_oid *id = git_tree_entry_id(entry);
	auto_git(git_blob) *blob = NULL;
	auto_buf struct buf a = BUF_INIT(CONVERTED_MAX);
	auto_buf struct buf b = BUF_INIT(CONVERTED_MAX);
	struct convert before = { 0 };
	struct convert after = { 0 };
	int rc = attrs_convert(v->r->before, v->path.data, &before, e);

	*out = false;
	if (rc == 0)
		rc = attrs_convert(v->r->after, v->path.data, &after, e);
	if (rc < 0 || is_same(&before, &after) ||
		git_check_size(v->r->repo, id, LIMIT_HARVEST_FILE_BYTES, NULL) < 0)
		return rc;
	rc = git_blob_lookup(&blob, v->r->repo, id);
	if (rc < 0)
		return git_err(e, rc, v->path.data);
	const char *data = git_blob_rawcontent(blob);
	size_t len = (size_t)git_blob_rawsize(blob);
	(void)convert_to_file(&before, git_oid_tostr_s(id), data, len, &a);
	(void)convert_to_file(&after, git_oid_tostr_s(id), data, len, &b);
	*out = a.len != b.len || memcmp(buf_str(&a), buf_str(&b), a.len) != 0;
	return 0;
}

static bool
is_there(const struct visit *v)
{
	struct stat st;

	return fstatat(v->r->dir, v->path.data, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
add_level(struct visit *v, const git_oid *id, struct err *e)
{
	struct level l = { .path_len = v->path.len };

	if (v->depth == LIMIT_CHECKOUT_DEPTH)
		return err_set(e, ERR_LIMIT, "over %d directories deep", LIMIT_CHECKOUT_DEPTH);
	int rc = git_tree_lookup(&l.tree, v->r->repo, id);
	if (rc < 0)
		return git_err(e, rc, "tree");
	v->levels[v->depth++] = l;
	return 0;
}

static int
look(struct visit *v, const git_tree_entry *entry, struct err *e)
{
	bool is_other = false;
	int rc;

	if (++v->entries > LIMIT_CHECKOUT_FILES)
		return err_set(e, ERR_LIMIT, "over %d files", LIMIT_CHECKOUT_FILES);
	if (buf_adds(&v->path, git_tree_entry_name(entry)) < 0)
		return 0;
	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		return buf_addc(&v->path, '/') < 0 ? 0 : add_level(v, git_tree_entry_id(entry), e);
	case GIT_FILEMODE_BLOB:
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		break;
	case GIT_FILEMODE_COMMIT:
	case GIT_FILEMODE_LINK:
	case GIT_FILEMODE_UNREADABLE:
	default:
		return 0;
	}
	if (is_there(v))
		return 0;
	rc = differs(v, entry, &is_other, e);
	return rc == 0 && is_other ? v->cb(v->ctx, v->path.data, entry, e) : rc;
}

static int
visit(struct visit *v, struct err *e)
{
	int rc = 0;

	while (v->depth > 0 && rc == 0) {
		struct level *top = &v->levels[v->depth - 1];

		buf_cut(&v->path, top->path_len);
		if (top->next < git_tree_entrycount(top->tree)) {
			rc = look(v, git_tree_entry_byindex(top->tree, top->next++), e);
			continue;
		}
		git_tree_free(top->tree);
		v->depth--;
	}
	while (v->depth > 0)
		git_tree_free(v->levels[--v->depth].tree);
	return rc;
}

int
delta_rest(const struct delta_rest *r, const char *dir, delta_rest_cb *cb, void *ctx, struct err *e)
{
	auto_free struct level *levels = mem_array(LIMIT_CHECKOUT_DEPTH, sizeof(*levels));
	auto_git(git_tree_entry) *entry = NULL;
	struct visit v = { .r = r,
		.path = BUF_INIT(LIMIT_PATH_BYTES - 1),
		.levels = levels,
		.cb = cb,
		.ctx = ctx };
	size_t len = strlen(dir);
	auto_free char *name = mem_strn(dir, len > 0 ? len - 1 : 0);
	int rc = 0;

	(void)buf_adds(&v.path, dir);
	if (len == 0)
		rc = add_level(&v, git_tree_id(r->head), e);
	else if (git_tree_entry_bypath(&entry, r->head, name) == 0 &&
		 git_tree_entry_type(entry) == GIT_OBJECT_TREE)
		rc = add_level(&v, git_tree_entry_id(entry), e);
	if (rc == 0)
		rc = visit(&v, e);
	buf_finish(&v.path);
	return rc;
}
