/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harvest - takes a tree out of a box, and nothing else.
 *
 * What comes in was written by whoever the agent listened to. It may refer only to objects of its
 * own pack and to those that the box was shown: the quarantine's alternates are the checkout's
 * objects, so an id of something secret in the mirror leads nowhere. Only what differs from the
 * base is opened, and every difference must pass every rule; the first that does not ends it all.
 */
#include "repo/repo.h"

#include "repo/bundle.h"
#include "repo/commit.h"
#include "repo/delta.h"
#include "repo/lfs_settle.h"
#include "repo/path.h"
#include "repo/walk.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

/* Larger files are not compared line by line; they count as changed without lines. */
#define DIFF_BYTES_MAX MIB(1)

#define COMMIT_BYTES_MAX MIB(1) /* of the box's commit, of which tree and message are used */

#define MODULE_LINE "submodule " /* in that message, and a path */
#define NOTES_MAX   10

const char *const REPO_PROTECT[] = {
	".github/workflows/**",
	".gitea/workflows/**",
	".forgejo/workflows/**",
	".gitlab-ci.yml",
	NULL,
};

struct check {
	git_repository *repo;
	git_odb *odb;
	struct strs protect;
	struct lfs_settle *lfs;
	int64_t files;
	int64_t bytes;
};

struct trees {
	git_commit *base_commit;
	git_tree *base;
	git_tree *head;
	git_oid tip;   /* the box's commit */
	char *message; /* and what it says */
};

/* ---- One change ---- */

/* Anything else is a directory (never reported on the head's side), a submodule, or a lie. */
static int
check_mode(const git_tree_entry *entry, struct err *e)
{
	unsigned mode = (unsigned)git_tree_entry_filemode_raw(entry);

	if (mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE ||
		mode == GIT_FILEMODE_LINK)
		return 0;
	return err_set(e, ERR_DENIED, "mode %o", mode);
}

static int
check_link(const struct check *k, const char *path, const git_tree_entry *entry, struct err *e)
{
	auto_git(git_blob) *blob = NULL;
	int rc = git_blob_lookup(&blob, k->repo, git_tree_entry_id(entry));

	if (rc < 0)
		return git_err(e, rc, "link");
	if (path_is_git_settings(git_tree_entry_name(entry)))
		return err_set(e, ERR_DENIED, "link in the place of a file that git reads");
	return path_link_check(path, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), e);
}

static int
check_content(struct check *k, const char *path, const git_tree_entry *entry, struct err *e)
{
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size = 0;
	int rc = git_odb_read_header(&size, &type, k->odb, git_tree_entry_id(entry));

	if (rc == GIT_ENOTFOUND || (rc == 0 && type != GIT_OBJECT_BLOB))
		return err_set(e, ERR_DENIED, "content that the box did not send");
	if (rc < 0)
		return git_err(e, rc, "content");
	if (size > (size_t)LIMIT_HARVEST_FILE_BYTES)
		return err_set(
			e, ERR_DENIED, "%zu bytes, at most %ld", size, LIMIT_HARVEST_FILE_BYTES);
	k->bytes += (int64_t)size;
	if (k->bytes > LIMIT_HARVEST_BYTES)
		return err_set(e, ERR_DENIED, "changed files of over %ld bytes together",
			LIMIT_HARVEST_BYTES);
	if (git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK)
		return check_link(k, path, entry, e);
	return 0;
}

static bool
is_submodule(const git_tree_entry *entry)
{
	return entry && git_tree_entry_filemode_raw(entry) == GIT_FILEMODE_COMMIT;
}

static int
check_change(struct check *k, const struct walk_change *c, struct err *e)
{
	int rc = 0;

	if (++k->files > LIMIT_HARVEST_FILES)
		return err_set(e, ERR_DENIED, "over %d changed files", LIMIT_HARVEST_FILES);
	if (path_is_protected(&k->protect, c->path))
		return err_set(e, ERR_DENIED, "protected path");
	if (!strchr(c->path, '/') && path_is_gitmodules(c->path))
		return err_set(e, ERR_DENIED, "submodule settings changed");
	if (is_submodule(c->base) || is_submodule(c->head))
		return err_set(e, ERR_DENIED, "submodule added, changed or removed");
	if (c->head)
		rc = check_mode(c->head, e);
	return rc == 0 && c->head ? check_content(k, c->path, c->head, e) : rc;
}

static int
on_change(void *ctx, const struct walk_change *c, struct err *e)
{
	struct check *k = ctx;

	/* A directory that went: its files are reported one by one. */
	if (!c->head && git_tree_entry_filemode_raw(c->base) == GIT_FILEMODE_TREE)
		return 0;
	int rc = check_change(k, c, e);
	if (rc == 0)
		rc = lfs_settle_look(k->lfs, c, e);
	return rc < 0 ? err_wrap(e, rc, "%.200s", c->path) : 0;
}

static int
check_trees(git_repository *repo, const struct trees *t, const struct strs *protect,
	struct lfs_settle *lfs, struct repo_harvested *out, struct err *e)
{
	auto_git(git_odb) *odb = NULL;
	int rc = git_repository_odb(&odb, repo);

	if (rc < 0)
		return git_err(e, rc, "objects");
	struct check k = { .repo = repo, .odb = odb, .lfs = lfs };
	for (size_t i = 0; REPO_PROTECT[i]; i++)
		strs_add(&k.protect, REPO_PROTECT[i]);
	for (size_t i = 0; protect && i < protect->n; i++)
		strs_add(&k.protect, protect->v[i]);
	rc = walk_trees(repo, t->base, t->head, on_change, &k, e);
	strs_finish(&k.protect);
	out->files = k.files - (int64_t)lfs->left.n;
	return rc;
}

/* ---- What to tell ---- */

static int
count_lines(git_repository *repo, const git_tree *base, const git_tree *head,
	struct repo_harvested *out, struct err *e)
{
	auto_git(git_diff) *diff = NULL;
	auto_git(git_diff_stats) *stats = NULL;
	git_diff_options o;
	int rc = git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);

	o.context_lines = 0;
	o.max_size = DIFF_BYTES_MAX;
	o.flags = GIT_DIFF_IGNORE_SUBMODULES;
	if (rc == 0)
		rc = git_diff_tree_to_tree(
			&diff, repo, (git_tree *)(uintptr_t)base, (git_tree *)(uintptr_t)head, &o);
	if (rc == 0)
		rc = git_diff_get_stats(&stats, diff);
	if (rc < 0)
		return git_err(e, rc, "diff");
	out->insertions = (int64_t)git_diff_stats_insertions(stats);
	out->deletions = (int64_t)git_diff_stats_deletions(stats);
	return 0;
}

/* The box says in its commit's message which submodules the agent changed; only those that are
 * some are believed. */
static void
notes_of(const git_tree *base, const char *message, struct buf *notes)
{
	auto_free char *text = mem_str(message);
	char *rest = text;
	int left = NOTES_MAX;

	for (char *line; left > 0 && (line = strsep(&rest, "\n"));) {
		auto_git(git_tree_entry) *entry = NULL;
		const char *path = line + strlen(MODULE_LINE);

		if (!str_starts(line, MODULE_LINE) || !path[0] ||
			git_tree_entry_bypath(&entry, base, path) < 0 || !is_submodule(entry))
			continue;
		left--;
		(void)buf_adds(notes, notes->len > 0 ? "\n" : "");
		(void)buf_adds(notes, "What was changed inside the submodule ");
		(void)path_quote(notes, path);
		(void)buf_adds(notes, " is not in the commit.");
	}
}

/* ---- The whole ---- */

static void
finish_trees(struct trees *t)
{
	git_commit_free(t->base_commit);
	git_tree_free(t->base);
	git_tree_free(t->head);
	free(t->message);
}

/* The pack's word for sizes is checked first: libgit2 would allocate what it says. */
static int
open_tip(git_repository *repo, const char *sha, struct trees *t, struct err *e)
{
	auto_git(git_commit) *tip = NULL;
	struct err why = { 0 };
	git_oid id;
	int rc = git_id(&id, sha, e);

	if (rc == 0)
		rc = git_check_size(repo, &id, COMMIT_BYTES_MAX, &why);
	if (rc == 0)
		rc = git_commit_get(&tip, repo, sha, &why);
	if (rc == 0)
		rc = git_check_size(repo, git_commit_tree_id(tip), LIMIT_HARVEST_FILE_BYTES, &why);
	if (rc < 0)
		return err_set(e, ERR_PROTOCOL, "bundle: its commit is not in it or broken (%s)",
			why.text);
	t->message = mem_str(git_commit_message_raw(tip));
	t->tip = id;
	rc = git_commit_tree(&t->head, tip);
	return rc < 0 ? git_err(e, rc, "tree") : 0;
}

static int
open_trees(
	git_repository *repo, const struct repo_harvest *h, int fd, struct trees *t, struct err *e)
{
	struct bundle_head head = { 0 };
	int rc = git_commit_get(&t->base_commit, repo, h->base_sha, e);

	if (rc == 0)
		rc = bundle_import(fd, repo, &head, e);
	if (rc < 0)
		return rc;
	if (head.prerequisite[0] && !str_eq(head.prerequisite, h->base_sha))
		return err_set(e, ERR_PROTOCOL, "bundle starts from %s, not from %s",
			head.prerequisite, h->base_sha);
	rc = git_commit_tree(&t->base, t->base_commit);
	return rc < 0 ? git_err(e, rc, "tree") : open_tip(repo, head.tip, t, e);
}

static int
write_commit(git_repository *repo, const struct repo_harvest *h, const struct trees *t,
	struct repo_harvested *out, struct err *e)
{
	auto_buf struct buf message = BUF_INIT(LIMIT_BODY_BYTES);
	auto_buf struct buf payload = BUF_INIT(LIMIT_BODY_BYTES + KIB(4));
	int rc = commit_compose(h->message, h->trailers, &message, e);

	if (rc == 0)
		rc = commit_payload(repo,
			&(struct commit_parts){
				&h->author, buf_str(&message), t->head, t->base_commit },
			&payload, e);
	if (rc == 0)
		rc = commit_store(repo, buf_str(&payload), &out->sha, e);
	if (rc == 0)
		out->payload = buf_steal(&payload);
	return rc;
}

static bool
is_unchanged(const struct trees *t)
{
	return git_oid_equal(git_tree_id(t->base), git_tree_id(t->head));
}

/* Checks the trees; then the head is what may be committed. */
static int
settle(git_repository *repo, const struct repo_harvest *h, struct trees *t,
	struct repo_harvested *out, struct err *e)
{
	auto_buf struct buf notes = BUF_INIT(LIMIT_SUMMARY_BYTES / 2);
	auto_cleanup(lfs_settle_finish) struct lfs_settle lfs = { 0 };
	int rc = lfs_settle_init(&lfs, repo, h->objects, e);

	notes_of(t->base, t->message, &notes);
	if (rc == 0 && !is_unchanged(t))
		rc = check_trees(repo, t, h->protect, &lfs, out, e);
	if (rc == 0 && lfs.left.n > 0)
		rc = lfs_settle_tree(&lfs, t->base, &t->head, e);
	lfs_settle_notes(&lfs, &notes);
	out->notes = notes.len > 0 ? mem_str(buf_str(&notes)) : NULL;
	return rc;
}

static int
write_layer(const struct delta_order *order, struct repo_harvested *out, struct err *e)
{
	auto_strs struct strs unknown = { 0 };
	auto_buf struct buf notes = BUF_INIT(LIMIT_SUMMARY_BYTES - 1);
	int rc = delta_write(order, &unknown, e);

	(void)buf_adds(&notes, out->notes ? out->notes : "");
	for (size_t i = 0; i < unknown.n && i < NOTES_MAX; i++) {
		(void)buf_adds(&notes, notes.len > 0 ? "\n" : "");
		(void)buf_adds(&notes, "The tests saw ");
		(void)path_quote(&notes, unknown.v[i]);
		(void)buf_adds(&notes, " in UTF-8: its working-tree-encoding is not known here.");
	}
	if (notes.len > 0)
		mem_set(&out->notes, buf_str(&notes));
	return rc;
}

static int
take(git_repository *repo, const struct repo_harvest *h, int fd, struct repo_harvested *out,
	struct err *e)
{
	auto_cleanup(finish_trees) struct trees t = { 0 };
	auto_free char *mirror_objects = mem_fmt("%s/objects", h->mirror);
	int rc = open_trees(repo, h, fd, &t, e);

	if (rc == 0)
		rc = settle(repo, h, &t, out, e);
	if (rc < 0 || is_unchanged(&t))
		return rc;
	const struct delta_order order = { .repo = repo,
		.git_dir = h->quarantine,
		.base_commit = git_commit_id(t.base_commit),
		.head_commit = &t.tip,
		.base = t.base,
		.head = t.head,
		.dir = h->delta_dir,
		.lfs_dir = h->lfs_dir,
		.date_s = h->author.date_s };
	rc = count_lines(repo, t.base, t.head, out, e);
	if (rc == 0)
		rc = write_layer(&order, out, e);
	if (rc == 0)
		rc = write_commit(repo, h, &t, out, e);
	/* From here on it may be pushed, which needs the history behind the base. */
	return rc < 0 ? rc : quarantine_alternate(h->quarantine, mirror_objects, e);
}

int
repo_harvest(const struct repo_harvest *h, int bundle_fd, struct repo_harvested *out, struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	struct repo_harvested done = { 0 };
	int rc = repo_mirror_sweep(h->quarantine, e);

	if (rc == 0)
		rc = quarantine_open(&repo, h->quarantine, h->objects, e);
	if (rc == 0)
		rc = take(repo, h, bundle_fd, &done, e);
	if (rc < 0) {
		repo_harvested_finish(&done);
		return rc;
	}
	*out = done;
	return 0;
}

void
repo_harvested_finish(struct repo_harvested *h)
{
	if (!h)
		return;
	free(h->sha);
	free(h->payload);
	free(h->notes);
	*h = (struct repo_harvested){ 0 };
}
