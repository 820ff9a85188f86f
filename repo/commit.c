/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - see commit.h.
 *
 * The agent's commits are only a way to carry a tree. Author, date, parent and message are ours, so
 * a repeated harvest gives the same commit id and a repeated push has nothing to do.
 */
#include "repo/commit.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

#define ACCEPTED "refs/accepted"

/* Text of people without what a terminal would obey. */
static int
add_text(struct buf *out, const char *text)
{
	auto_buf struct buf clean = BUF_INIT(out->limit);

	(void)str_utf8_clean(&clean, text, strlen(text));
	for (const char *p = buf_str(&clean); *p; p++) {
		if ((unsigned char)*p >= ' ' ? *p != 0x7f : *p == '\n' || *p == '\t')
			(void)buf_addc(out, *p);
	}
	while (out->len > 0 && strchr(" \t\n", out->data[out->len - 1]))
		buf_cut(out, out->len - 1);
	return clean.is_full || out->is_full ? ERR_LIMIT : 0;
}

int
commit_compose(const char *message, const char *trailers, struct buf *out, struct err *e)
{
	int rc = add_text(out, message ? message : "");

	if (rc == 0 && out->len == 0)
		return err_set(e, ERR_INVALID, "empty commit message");
	if (rc == 0 && !str_is_empty(trailers)) {
		(void)buf_adds(out, "\n\n");
		rc = add_text(out, trailers);
	}
	if (rc == 0)
		rc = buf_addc(out, '\n');
	return rc < 0 ? err_set(e, ERR_LIMIT, "commit message of over %zu bytes", out->limit) : 0;
}

int
commit_payload(
	git_repository *repo, const struct commit_parts *c, struct buf *payload, struct err *e)
{
	auto_git(git_signature) *who = NULL;
	git_buf text = { NULL, 0, 0 };
	const git_commit *parents[] = { c->parent };
	int rc = git_signature_new(&who, c->author->name, c->author->email, c->author->date_s, 0);

	if (rc == 0)
		rc = git_commit_create_buffer(&text, repo, who, who, NULL, c->message, c->tree,
			c->parent ? 1 : 0, parents);
	if (rc < 0)
		return git_err(e, rc, "commit");
	rc = buf_add(payload, text.ptr, text.size);
	git_buf_dispose(&text);
	return rc < 0 ? err_set(e, ERR_LIMIT, "commit of over %zu bytes", payload->limit) : 0;
}

int
commit_accept(git_repository *repo, const git_oid *id, struct err *e)
{
	const char *sha = git_oid_tostr_s(id);
	auto_free char *dir = mem_fmt("%s" ACCEPTED, git_repository_path(repo));
	auto_free char *path = mem_fmt("%s/%s", dir, sha);
	auto_free char *line = mem_fmt("%s\n", sha);
	int rc = fs_mkdirs(dir, 0755, e);

	return rc < 0 ? rc : fs_write_atomic(path, line, strlen(line), 0644, e);
}

bool
commit_is_accepted(const char *git_dir, const char *sha)
{
	auto_free char *path = mem_fmt("%s/" ACCEPTED "/%s", git_dir, sha);

	return repo_sha_ok(sha) && access(path, F_OK) == 0;
}

int
commit_store(git_repository *repo, const char *payload, char **sha, struct err *e)
{
	auto_git(git_odb) *odb = NULL;
	git_oid id;
	int rc = git_repository_odb(&odb, repo);

	if (rc == 0)
		rc = git_odb_write(&id, odb, payload, strlen(payload), GIT_OBJECT_COMMIT);
	if (rc < 0)
		return git_err(e, rc, "commit");
	rc = commit_accept(repo, &id, e);
	if (rc == 0)
		*sha = mem_str(git_oid_tostr_s(&id));
	return rc;
}

int
quarantine_alternate(const char *path, const char *objects, struct err *e)
{
	auto_free char *file = mem_fmt("%s/objects/info/alternates", path);
	auto_free char *line = mem_fmt("%s\n", objects);

	return fs_write_atomic(file, line, strlen(line), 0644, e);
}

int
quarantine_open(git_repository **out, const char *path, const char *objects, struct err *e)
{
	int rc = git_start(e);

	if (rc == 0)
		rc = repo_mirror_create(path, e);
	if (rc == 0 && objects)
		rc = quarantine_alternate(path, objects, e);
	return rc < 0 ? rc : git_open(out, path, e);
}

int
repo_seal(const char *quarantine, const char *payload, const char *signature, char **sha,
	struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	git_oid id;
	int rc = quarantine_open(&repo, quarantine, NULL, e);

	if (rc < 0)
		return rc;
	rc = git_commit_create_with_signature(&id, repo, payload, signature, "gpgsig");
	if (rc < 0)
		return git_err(e, rc, "signed commit");
	rc = commit_accept(repo, &id, e);
	if (rc == 0)
		*sha = mem_str(git_oid_tostr_s(&id));
	return rc;
}

static int
add_log(git_repository *repo, git_treebuilder *tree, const char *name, const char *text,
	struct err *e)
{
	git_oid id;
	int rc = git_blob_create_from_buffer(&id, repo, text ? text : "", text ? strlen(text) : 0);

	if (rc == 0)
		rc = git_treebuilder_insert(NULL, tree, name, &id, GIT_FILEMODE_BLOB);
	return rc < 0 ? git_err(e, rc, name) : 0;
}

int
repo_logs_commit(const struct repo_logs *l, char **sha, struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	auto_git(git_treebuilder) *builder = NULL;
	auto_git(git_tree) *tree = NULL;
	auto_buf struct buf payload = BUF_INIT(KIB(8));
	git_oid id;
	int rc = quarantine_open(&repo, l->quarantine, NULL, e);

	if (rc < 0)
		return rc;
	rc = git_treebuilder_new(&builder, repo, NULL);
	if (rc < 0)
		return git_err(e, rc, "tree");
	rc = add_log(repo, builder, "task.cast", l->cast, e);
	if (rc == 0)
		rc = add_log(repo, builder, "task.txt", l->text, e);
	if (rc < 0)
		return rc;
	rc = git_treebuilder_write(&id, builder);
	if (rc == 0)
		rc = git_tree_lookup(&tree, repo, &id);
	if (rc < 0)
		return git_err(e, rc, "tree");
	rc = commit_payload(repo,
		&(struct commit_parts){ &l->author, "Terminal log\n", tree, NULL }, &payload, e);
	return rc < 0 ? rc : commit_store(repo, buf_str(&payload), sha, e);
}
