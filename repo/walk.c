/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk - see walk.h.
 */
#include "repo/walk.h"

#include "repo/path.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

struct level {
	git_tree *base; /* owned; NULL: nothing on this side */
	git_tree *head;
	size_t next; /* in head, then in base */
	bool is_head_done;
	bool is_hidden;
	size_t path_len; /* of this directory with its slash */
};

struct walk {
	git_repository *repo;
	struct buf path;
	struct level *levels;
	size_t depth;
	size_t entries;
	walk_cb *cb;
	void *ctx;
};

/* ---- A tree as git writes it ---- */

static bool
is_tree(const git_tree_entry *entry)
{
	return entry && git_tree_entry_filemode_raw(entry) == GIT_FILEMODE_TREE;
}

/* git sorts a directory as if its name ended in a slash. */
static int
order(const git_tree_entry *a, const git_tree_entry *b)
{
	const char *x = git_tree_entry_name(a);
	const char *y = git_tree_entry_name(b);
	size_t n = strlen(x);
	size_t m = strlen(y);
	int c = memcmp(x, y, n < m ? n : m);

	if (c != 0)
		return c;
	unsigned char after_x = (unsigned char)(n > m ? x[m] : is_tree(a) ? '/' : '\0');
	unsigned char after_y = (unsigned char)(m > n ? y[n] : is_tree(b) ? '/' : '\0');
	return (after_x > after_y) - (after_x < after_y);
}

/* A file and a directory of one name are apart in that order; what stands between them starts with
 * the name. */
static bool
has_twin(const git_tree *tree, size_t i)
{
	const char *name = git_tree_entry_name(git_tree_entry_byindex(tree, i));
	size_t len = strlen(name);

	while (i-- > 0) {
		const char *other = git_tree_entry_name(git_tree_entry_byindex(tree, i));

		if (strncmp(other, name, len) != 0)
			return false;
		if (other[len] == '\0')
			return true;
	}
	return false;
}

/* The tree written again must be the tree that was read. */
static int
check_bytes(const git_tree *tree, struct err *e)
{
	size_t n = git_tree_entrycount(tree);
	auto_buf struct buf b = BUF_INIT(n * (LIMIT_NAME_COMPONENT_BYTES + 32));
	git_oid id;

	for (size_t i = 0; i < n; i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		(void)buf_addf(&b, "%o %s", (unsigned)git_tree_entry_filemode_raw(entry),
			git_tree_entry_name(entry));
		(void)buf_addc(&b, '\0');
		(void)buf_add(&b, git_tree_entry_id(entry)->id, GIT_OID_RAWSZ);
	}
	int rc = git_odb_hash(&id, buf_str(&b), b.len, GIT_OBJECT_TREE);
	if (rc < 0)
		return git_err(e, rc, "tree");
	if (b.is_full || !git_oid_equal(&id, git_tree_id(tree)))
		return err_set(e, ERR_DENIED, "directory that git would write in another way");
	return 0;
}

/* The message names the directory by the path so far. */
static int
denied(const struct walk *w, const char *name, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(200); /* a longer path is cut */

	(void)path_quote(&b, buf_str(&w->path));
	(void)path_quote(&b, name);
	return err_wrap(e, ERR_DENIED, "%s", buf_str(&b));
}

/* A name that the base has in the same place is the repository's own, however odd. */
static int
check_name(const git_tree *base, const char *name, struct err *e)
{
	if (base && git_tree_entry_byname(base, name))
		return 0;
	return path_name_check(name, e);
}

static int
check_tree(struct walk *w, const git_tree *base, const git_tree *tree, struct err *e)
{
	size_t n = git_tree_entrycount(tree);

	w->entries += n;
	if (w->entries > LIMIT_HARVEST_ENTRIES)
		return err_set(e, ERR_LIMIT, "over %d entries in changed directories",
			LIMIT_HARVEST_ENTRIES);
	for (size_t i = 0; i < n; i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		const char *name = git_tree_entry_name(entry);
		int rc = check_name(base, name, e);

		if (rc == 0 && i > 0 && order(git_tree_entry_byindex(tree, i - 1), entry) >= 0)
			rc = err_set(e, ERR_DENIED, "directory with unsorted or repeated names");
		if (rc == 0 && is_tree(entry) && has_twin(tree, i))
			rc = err_set(e, ERR_DENIED, "file and directory of one name");
		if (rc < 0)
			return denied(w, name, e);
	}
	int rc = check_bytes(tree, e);
	return rc < 0 ? denied(w, "", e) : 0;
}

/* ---- Down and up ---- */

static int
open_tree(const struct walk *w, const git_tree_entry *entry, git_tree **out, struct err *e)
{
	int rc;

	if (!is_tree(entry))
		return 0;
	rc = git_check_size(w->repo, git_tree_entry_id(entry), LIMIT_HARVEST_FILE_BYTES, e);
	if (rc == ERR_MISSING)
		return err_set(e, ERR_DENIED, "%.200s: directory that the box did not send",
			buf_str(&w->path));
	if (rc < 0)
		return err_wrap(e, rc, "%.200s", buf_str(&w->path));
	rc = git_tree_lookup(out, w->repo, git_tree_entry_id(entry));
	if (rc == GIT_ENOTFOUND) /* an object of another type */
		return err_set(e, ERR_DENIED, "%.200s: not a directory", buf_str(&w->path));
	return rc < 0 ? git_err(e, rc, buf_str(&w->path)) : 0;
}

static int
add_level(struct walk *w, struct level l, struct err *e)
{
	l.path_len = w->path.len;
	w->levels[w->depth++] = l;
	return l.head ? check_tree(w, l.base, l.head, e) : 0;
}

/* Enters the directory `name`; either side may be no directory. */
static int
descend(struct walk *w, const char *name, const git_tree_entry *base, const git_tree_entry *head,
	bool is_hidden, struct err *e)
{
	struct level l = { .is_hidden = is_hidden };

	if (w->depth == LIMIT_HARVEST_DEPTH)
		return err_set(e, ERR_DENIED, "%.200s: over %d directories deep", buf_str(&w->path),
			LIMIT_HARVEST_DEPTH);
	if (buf_addf(&w->path, "%s/", name) < 0)
		return err_set(e, ERR_DENIED, "%.200s: path over %d bytes", buf_str(&w->path),
			LIMIT_PATH_BYTES);
	int rc = open_tree(w, base, &l.base, e);
	if (rc == 0)
		rc = open_tree(w, head, &l.head, e);
	if (rc < 0) {
		git_tree_free(l.base);
		return rc;
	}
	return add_level(w, l, e);
}

static int
report(struct walk *w, const char *name, const git_tree_entry *base, const git_tree_entry *head,
	bool is_hidden, struct err *e)
{
	size_t len = w->path.len;

	if (buf_adds(&w->path, name) < 0)
		return err_set(e, ERR_DENIED, "%.200s: path over %d bytes", buf_str(&w->path),
			LIMIT_PATH_BYTES);
	struct walk_change c = { buf_str(&w->path), base, head, is_hidden };
	int rc = w->cb(w->ctx, &c, e);
	buf_cut(&w->path, len);
	return rc;
}

static int
compare(struct walk *w, const struct level *l, const git_tree_entry *base,
	const git_tree_entry *head, struct err *e)
{
	const char *name = git_tree_entry_name(head ? head : base);
	bool is_hidden = l->is_hidden;
	int rc = 0;

	if (base && head && git_oid_equal(git_tree_entry_id(base), git_tree_entry_id(head)) &&
		git_tree_entry_filemode_raw(base) == git_tree_entry_filemode_raw(head))
		return 0;
	if (is_tree(head)) {
		if (base && !is_tree(base))
			rc = report(w, name, base, NULL, true, e);
		return rc < 0 ? rc : descend(w, name, base, head, is_hidden, e);
	}
	rc = report(w, name, base, head, is_hidden, e);
	if (rc == 0 && is_tree(base))
		rc = descend(w, name, base, NULL, true, e);
	return rc;
}

static int
step(struct walk *w, struct err *e)
{
	struct level *l = &w->levels[w->depth - 1];
	const git_tree *side = l->is_head_done ? l->base : l->head;

	buf_cut(&w->path, l->path_len);
	if (side && l->next < git_tree_entrycount(side)) {
		const git_tree_entry *entry = git_tree_entry_byindex(side, l->next++);
		const git_tree *other = l->is_head_done ? l->head : l->base;
		const git_tree_entry *twin =
			other ? git_tree_entry_byname(other, git_tree_entry_name(entry)) : NULL;

		if (!l->is_head_done)
			return compare(w, l, twin, entry, e);
		if (++w->entries > LIMIT_HARVEST_ENTRIES)
			return err_set(e, ERR_LIMIT, "over %d entries in changed directories",
				LIMIT_HARVEST_ENTRIES);
		return twin ? 0 : compare(w, l, entry, NULL, e);
	}
	l->next = 0;
	if (!l->is_head_done) {
		l->is_head_done = true;
		return 0;
	}
	git_tree_free(l->base);
	git_tree_free(l->head);
	w->depth--;
	return 0;
}

int
walk_trees(git_repository *repo, const git_tree *base, const git_tree *head, walk_cb *cb, void *ctx,
	struct err *e)
{
	auto_free struct level *levels = mem_array(LIMIT_HARVEST_DEPTH, sizeof(*levels));
	struct walk w = {
		.repo = repo,
		.path = BUF_INIT(LIMIT_PATH_BYTES - 1),
		.levels = levels,
		.cb = cb,
		.ctx = ctx,
	};
	struct level root = { 0 };
	int rc = git_tree_lookup(&root.base, repo, git_tree_id(base));

	if (rc == 0)
		rc = git_tree_lookup(&root.head, repo, git_tree_id(head));
	if (rc < 0) {
		git_tree_free(root.base);
		return git_err(e, rc, "tree");
	}
	rc = add_level(&w, root, e);
	while (rc == 0 && w.depth > 0)
		rc = step(&w, e);
	while (w.depth > 0) {
		git_tree_free(levels[--w.depth].base);
		git_tree_free(levels[w.depth].head);
	}
	buf_finish(&w.path);
	return rc;
}
