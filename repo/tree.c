/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - what a checkout opens itself: how large the tree will be, and the times of its files.
 *
 * A tree of 10^10 files fits in twelve objects, so it is counted before git is let loose on it.
 */
#include "repo/checkout.h"

#include "repo/git.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FRESH_S 10

struct level {
	git_tree *tree;
	size_t next;
};

struct measure {
	git_repository *repo;
	git_odb *odb;
	struct level *levels;
	size_t depth;
	int64_t entries;
	int64_t bytes;
};

static int
push(struct measure *m, const git_oid *id, struct err *e)
{
	git_tree *tree;
	int rc;

	if (m->depth == LIMIT_CHECKOUT_DEPTH)
		return err_set(
			e, ERR_LIMIT, "the tree is over %d levels deep", LIMIT_CHECKOUT_DEPTH);
	rc = git_tree_lookup(&tree, m->repo, id);
	if (rc < 0)
		return git_err(e, rc, "tree");
	m->levels[m->depth++] = (struct level){ .tree = tree };
	return 0;
}

static int
count(struct measure *m, const git_tree_entry *entry, struct err *e)
{
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size = 0;
	int rc;

	if (++m->entries > LIMIT_CHECKOUT_FILES)
		return err_set(e, ERR_LIMIT, "the tree has over %d files", LIMIT_CHECKOUT_FILES);
	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		return push(m, git_tree_entry_id(entry), e);
	case GIT_FILEMODE_COMMIT:
		return 0; /* a submodule is an empty directory */
	case GIT_FILEMODE_BLOB:
	case GIT_FILEMODE_BLOB_EXECUTABLE:
	case GIT_FILEMODE_LINK:
	case GIT_FILEMODE_UNREADABLE:
	default:
		rc = git_odb_read_header(&size, &type, m->odb, git_tree_entry_id(entry));
	}
	if (rc < 0)
		return git_err(e, rc, git_tree_entry_name(entry));
	if (size > (size_t)LIMIT_CHECKOUT_BYTES ||
		(m->bytes += (int64_t)size) > LIMIT_CHECKOUT_BYTES)
		return err_set(e, ERR_LIMIT, "the tree is over %ld bytes", LIMIT_CHECKOUT_BYTES);
	return 0;
}

static int
walk(struct measure *m, struct err *e)
{
	int rc = 0;

	while (m->depth > 0 && rc == 0) {
		struct level *top = &m->levels[m->depth - 1];

		if (top->next < git_tree_entrycount(top->tree)) {
			rc = count(m, git_tree_entry_byindex(top->tree, top->next++), e);
			continue;
		}
		git_tree_free(top->tree);
		m->depth--;
	}
	while (m->depth > 0)
		git_tree_free(m->levels[--m->depth].tree);
	return rc;
}

int
checkout_measure(const struct repo_checkout *c, int64_t *date_s, struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	auto_git(git_commit) *commit = NULL;
	auto_git(git_odb) *odb = NULL;
	int rc = git_start(e);

	if (rc == 0)
		rc = git_open(&repo, c->mirror, e);
	if (rc == 0)
		rc = git_commit_get(&commit, repo, c->sha, e);
	if (rc < 0)
		return rc;
	rc = git_repository_odb(&odb, repo);
	if (rc < 0)
		return git_err(e, rc, "objects");
	auto_free struct level *levels = mem_array(LIMIT_CHECKOUT_DEPTH, sizeof(*levels));
	struct measure m = { .repo = repo, .odb = odb, .levels = levels };
	rc = push(&m, git_commit_tree_id(commit), e);
	if (rc == 0)
		rc = walk(&m, e);
	if (rc < 0)
		return err_wrap(e, rc, "%s", c->sha);
	/* A file not older than the index counts as changed perhaps, and is read each time. */
	int64_t date = git_commit_time(commit);
	int64_t latest = clock_wall_ms() / 1000 - FRESH_S;
	*date_s = date < 0 ? 0 : date < latest ? date : latest;
	return 0;
}

/* The directories on the way to a file; each is set several times, which costs less than to
 * remember them. */
static int
touch_dirs(int dir, char *path, const struct timespec times[2], struct err *e)
{
	for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
		*slash = '\0';
		if (utimensat(dir, path, times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "time of %s", path);
	}
	return 0;
}

/* A file with other names belongs to older checkouts too, whose indexes know its time. */
static int
touch_file(int dir, const char *path, const struct timespec times[2], struct err *e)
{
	struct stat st;

	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		return 0;
	return utimensat(dir, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(e, "time of %s", path)
								    : 0;
}

/* In the order of the index a directory's files stand together: it is enough to do the directories
 * when they change. */
static int
touch_all(int dir, git_index *index, const struct timespec times[2], struct err *e)
{
	auto_free char *last = mem_str("");

	for (size_t i = 0; i < git_index_entrycount(index); i++) {
		const char *path = git_index_get_byindex(index, i)->path;
		const char *slash = strrchr(path, '/');
		size_t len = slash ? (size_t)(slash - path) : 0;

		int rc = touch_file(dir, path, times, e);
		if (rc < 0)
			return rc;
		if (len == 0 || (strlen(last) == len && memcmp(last, path, len) == 0))
			continue;
		free(last);
		last = mem_strn(path, len);
		auto_free char *name = mem_fmt("%s/", last);
		rc = touch_dirs(dir, name, times, e);
		if (rc < 0)
			return rc;
	}
	return utimensat(dir, ".", times, 0) < 0 ? err_sys(e, "time of the tree") : 0;
}

int
checkout_times(const char *tree, const char *git_dir, int64_t date_s, struct err *e)
{
	const struct timespec times[2] = { { .tv_sec = date_s }, { .tv_sec = date_s } };
	auto_free char *path = mem_fmt("%s/index", git_dir);
	auto_git(git_index) *index = NULL;
	int rc = git_index_open(&index, path);

	if (rc < 0)
		return git_err(e, rc, "index");
	auto_fd int dir = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "open %s", tree);
	return touch_all(dir, index, times, e);
}
