/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git - see git.h.
 */
#include "repo/git.h"

#include "repo/repo.h"

#include "base/limits.h"

static const struct {
	int rc;
	int code;
} CODES[] = {
	{ GIT_ENOTFOUND, ERR_MISSING },
	{ GIT_EEXISTS, ERR_CONFLICT },
	{ GIT_EINVALIDSPEC, ERR_INVALID },
	{ GIT_EINVALID, ERR_INVALID },
	{ GIT_ELOCKED, ERR_BUSY },
};

/* What the kernel refused may work tomorrow; what is wrong with the bytes stays wrong. */
static int
code_of(int rc, const git_error *last)
{
	for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
		if (CODES[i].rc == rc)
			return CODES[i].code;
	}
	if (last && last->klass == GIT_ERROR_NOMEMORY)
		return ERR_LIMIT;
	if (!last || last->klass == GIT_ERROR_OS || last->klass == GIT_ERROR_FILESYSTEM)
		return ERR_SYSTEM;
	return ERR_PROTOCOL;
}

int
git_err(struct err *e, int rc, const char *what)
{
	const git_error *last = git_error_last();

	return err_set(e, code_of(rc, last), "%s: %s", what,
		last && last->message ? last->message : "no reason");
}

int
git_start(struct err *e)
{
	static const int levels[] = { GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
		GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA };
	int rc = git_libgit2_init();

	if (rc < 0)
		return git_err(e, rc, "libgit2");
	rc = 0;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]) && rc == 0; i++)
		rc = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)MIB(32));
	return rc < 0 ? git_err(e, rc, "libgit2") : 0;
}

int
git_open(git_repository **out, const char *path, struct err *e)
{
	int rc = git_repository_open_bare(out, path);

	return rc < 0 ? git_err(e, rc, path) : 0;
}

int
git_id(git_oid *out, const char *sha, struct err *e)
{
	if (!repo_sha_ok(sha) || git_oid_fromstr(out, sha) < 0)
		return err_set(e, ERR_INVALID, "'%s' is not a commit id", sha ? sha : "");
	return 0;
}

int
git_commit_get(git_commit **out, git_repository *repo, const char *sha, struct err *e)
{
	git_oid id;
	int rc = git_id(&id, sha, e);

	if (rc < 0)
		return rc;
	rc = git_commit_lookup(out, repo, &id);
	return rc < 0 ? git_err(e, rc, sha) : 0;
}

int
git_check_size(git_repository *repo, const git_oid *id, size_t max, struct err *e)
{
	auto_git(git_odb) *odb = NULL;
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size = 0;
	int rc = git_repository_odb(&odb, repo);

	if (rc == 0)
		rc = git_odb_read_header(&size, &type, odb, id);
	if (rc < 0)
		return git_err(e, rc, git_oid_tostr_s(id));
	return size > max ? err_set(e, ERR_LIMIT, "object of %zu bytes, at most %zu", size, max)
			  : 0;
}
