/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file - one file of a commit, as bytes; for .agent.yml.
 *
 * The size is asked for before the blob is read, and only a regular file is a file: a link would
 * have to be followed by somebody.
 */
#include "repo/repo.h"

#include "repo/git.h"

static int
read_blob(git_repository *repo, const git_tree_entry *entry, struct buf *out, struct err *e)
{
	auto_git(git_odb) *odb = NULL;
	auto_git(git_blob) *blob = NULL;
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size = 0;
	int rc = git_repository_odb(&odb, repo);

	if (rc == 0)
		rc = git_odb_read_header(&size, &type, odb, git_tree_entry_id(entry));
	if (rc < 0)
		return git_err(e, rc, git_tree_entry_name(entry));
	if (size > out->limit)
		return err_set(e, ERR_LIMIT, "%s has %zu bytes, at most %zu",
			git_tree_entry_name(entry), size, out->limit);
	rc = git_blob_lookup(&blob, repo, git_tree_entry_id(entry));
	if (rc < 0)
		return git_err(e, rc, git_tree_entry_name(entry));
	return buf_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
}

int
repo_file_read(
	const char *git_dir, const char *sha, const char *path, struct buf *out, struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	auto_git(git_commit) *commit = NULL;
	auto_git(git_tree) *tree = NULL;
	auto_git(git_tree_entry) *entry = NULL;
	int rc = git_start(e);

	if (rc == 0)
		rc = git_open(&repo, git_dir, e);
	if (rc == 0)
		rc = git_commit_get(&commit, repo, sha, e);
	if (rc < 0)
		return rc;
	rc = git_commit_tree(&tree, commit);
	if (rc == 0)
		rc = git_tree_entry_bypath(&entry, tree, path);
	if (rc < 0)
		return git_err(e, rc, path);
	git_filemode_t mode = git_tree_entry_filemode(entry);
	if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
		return err_set(e, ERR_MISSING, "%s is not a regular file", path);
	return read_blob(repo, entry, out, e);
}
