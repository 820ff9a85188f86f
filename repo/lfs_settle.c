/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfs_settle - see lfs_settle.h.
 */
#include "repo/lfs_settle.h"

#include "repo/lfs.h"
#include "repo/path.h"

#include "base/mem.h"

#define POINTER_MAX 1024 /* as git-lfs has it; ours are shorter */
#define NOTES_MAX   10

int
lfs_settle_init(struct lfs_settle *s, git_repository *repo, const char *objects, struct err *e)
{
	*s = (struct lfs_settle){ .repo = repo };
	int rc = git_odb_open(&s->shown, objects);

	return rc < 0 ? git_err(e, rc, "objects") : 0;
}

void
lfs_settle_finish(struct lfs_settle *s)
{
	git_odb_free(s->shown);
	strs_finish(&s->left);
}

int
lfs_settle_look(struct lfs_settle *s, const struct walk_change *c, struct err *e)
{
	auto_git(git_blob) *blob = NULL;
	struct repo_lfs pointer = { 0 };

	if (!c->head || git_tree_entry_filemode(c->head) == GIT_FILEMODE_LINK ||
		git_check_size(s->repo, git_tree_entry_id(c->head), POINTER_MAX, NULL) < 0)
		return 0;
	int rc = git_blob_lookup(&blob, s->repo, git_tree_entry_id(c->head));
	if (rc < 0)
		return git_err(e, rc, c->path);
	if (!repo_lfs_pointer(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), &pointer))
		return 0;
	row_finish(REPO_LFS_ROWS, &pointer);
	if (!git_odb_exists(s->shown, git_tree_entry_id(c->head)))
		strs_add(&s->left, c->path);
	return 0;
}

int
lfs_settle_tree(const struct lfs_settle *s, const git_tree *base, git_tree **head, struct err *e)
{
	auto_free git_tree_update *updates = mem_array(s->left.n + 1, sizeof(*updates));
	git_oid id;
	int rc;

	for (size_t i = 0; i < s->left.n; i++) {
		auto_git(git_tree_entry) *entry = NULL;
		bool was_file = git_tree_entry_bypath(&entry, base, s->left.v[i]) == 0 &&
				git_tree_entry_type(entry) == GIT_OBJECT_BLOB;

		updates[i] =
			(git_tree_update){ .action = GIT_TREE_UPDATE_REMOVE, .path = s->left.v[i] };
		if (was_file) {
			updates[i].action = GIT_TREE_UPDATE_UPSERT;
			updates[i].id = *git_tree_entry_id(entry);
			updates[i].filemode = git_tree_entry_filemode(entry);
		}
	}
	rc = git_tree_create_updated(&id, s->repo, *head, s->left.n, updates);
	if (rc < 0)
		return git_err(e, rc, "tree");
	git_tree_free(*head);
	*head = NULL;
	rc = git_tree_lookup(head, s->repo, &id);
	return rc < 0 ? git_err(e, rc, "tree") : 0;
}

void
lfs_settle_notes(const struct lfs_settle *s, struct buf *out)
{
	for (size_t i = 0; i < s->left.n && i < NOTES_MAX; i++) {
		(void)buf_adds(out, out->len > 0 ? "\n" : "");
		(void)buf_adds(out, "The new content of ");
		(void)path_quote(out, s->left.v[i]);
		(void)buf_adds(out, " is not in the commit: Git LFS keeps it, and the bot uploads "
				    "no objects.");
	}
	if (s->left.n > NOTES_MAX)
		(void)buf_addf(out, "\nNor is that of %zu more files.", s->left.n - NOTES_MAX);
}
