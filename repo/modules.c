/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules - see modules.h.
 *
 * .gitmodules is a file in a tree: whoever wrote it chose names, paths and addresses. A name
 * becomes a directory below .git, a path a directory of the tree, an address the name of a
 * repository on our own forge; what fits none of these is left alone and said.
 */
#include "repo/modules.h"

#include "repo/git.h"
#include "repo/gitmodules.h"
#include "repo/path.h"
#include "repo/repo.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

#define FILE_NAME      ".gitmodules"
#define FILE_BYTES_MAX KIB(64)

const struct row REPO_MODULE_ROWS[] = {
	ROW_S(struct repo_module, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct repo_module, path, "path", LIMIT_PATH_BYTES),
	ROW_S(struct repo_module, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct repo_module, sha, "sha", REPO_SHA_LEN),
	ROW_S(struct repo_module, why, "why", ERR_TEXT_BYTES_MAX),
	ROW_DONE,
};

void
repo_modules_finish(struct row_list *modules)
{
	struct repo_module *v = modules->v;

	for (size_t i = 0; i < modules->n; i++)
		row_finish(REPO_MODULE_ROWS, &v[i]);
	free(modules->v);
	*modules = (struct row_list){ 0 };
}

/* ---- Names and paths ---- */

/* Parts between slashes, each fit to be a directory's name. */
static bool
parts_ok(const char *s)
{
	for (const char *p = s;; p++) {
		size_t len = strcspn(p, "/");
		auto_free char *part = mem_strn(p, len);

		if (path_name_check(part, NULL) < 0)
			return false;
		p += len;
		if (*p == '\0')
			return true;
	}
}

static bool
is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncasecmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Two names must not be one directory on any system, nor one inside the other (git refuses that
 * too: CVE-2024-32002). */
static bool
collides(const struct row_list *modules, size_t i)
{
	const struct repo_module *v = modules->v;

	for (size_t k = 0; k < i; k++) {
		if (is_inside(v[k].name, v[i].name) || is_inside(v[i].name, v[k].name))
			return true;
		if (str_eq(v[k].path, v[i].path))
			return true;
	}
	return false;
}

static const char *
why_not(const struct row_list *modules, size_t i)
{
	const struct repo_module *m = (struct repo_module *)modules->v + i;

	if (!m->path || !m->url)
		return FILE_NAME " does not say path and url of it";
	if (m->name[0] == '-' || !parts_ok(m->name))
		return "its name in " FILE_NAME " is not one that we take";
	if (m->path[0] == '-' || !parts_ok(m->path))
		return "its path is not one that we take";
	if (collides(modules, i))
		return "its name or path is another submodule's too";
	return NULL;
}

/* ---- The commit ---- */

static int
read_text(const char *git_dir, const char *sha, struct row_list *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FILE_BYTES_MAX);
	struct err why = { 0 };
	int rc = repo_file_read(git_dir, sha, FILE_NAME, &text, &why);

	if (rc == ERR_MISSING)
		return 0; /* a link in its place is none, as for git */
	if (rc == 0)
		rc = gitmodules_parse(buf_str(&text), text.len, out, &why);
	if (rc == 0)
		return 0;
	if (rc != ERR_INVALID && rc != ERR_LIMIT)
		return err_set(e, rc, "%s", why.text);
	repo_modules_finish(out);
	struct repo_module *m = row_list_add(out, sizeof(*m));
	m->path = mem_str(FILE_NAME);
	m->why = mem_str(why.text);
	return 0;
}

/* A section without a gitlink is left over from something that was removed. */
static bool
find_link(git_tree *tree, struct repo_module *m)
{
	auto_git(git_tree_entry) *entry = NULL;

	if (!m->path || git_tree_entry_bypath(&entry, tree, m->path) < 0 ||
		git_tree_entry_filemode(entry) != GIT_FILEMODE_COMMIT)
		return false;
	m->sha = mem_str(git_oid_tostr_s(git_tree_entry_id(entry)));
	return true;
}

static void
drop(struct row_list *modules, size_t i)
{
	struct repo_module *v = modules->v;

	row_finish(REPO_MODULE_ROWS, &v[i]);
	modules->n--;
	memmove(&v[i], &v[i + 1], (modules->n - i) * sizeof(*v));
}

static int
open_tree(
	const char *git_dir, const char *sha, git_repository **repo, git_tree **tree, struct err *e)
{
	auto_git(git_commit) *commit = NULL;
	int rc = git_start(e);

	if (rc == 0)
		rc = git_open(repo, git_dir, e);
	if (rc == 0)
		rc = git_commit_get(&commit, *repo, sha, e);
	if (rc < 0)
		return rc;
	rc = git_commit_tree(tree, commit);
	return rc < 0 ? git_err(e, rc, "tree") : 0;
}

int
repo_modules_read(const char *git_dir, const char *sha, struct row_list *out, struct err *e)
{
	auto_git(git_repository) *repo = NULL;
	auto_git(git_tree) *tree = NULL;
	int rc = read_text(git_dir, sha, out, e);

	if (rc == 0 && out->n > 0)
		rc = open_tree(git_dir, sha, &repo, &tree, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < out->n;) {
		struct repo_module *m = (struct repo_module *)out->v + i;

		if (!m->why && !find_link(tree, m)) {
			drop(out, i);
			continue;
		}
		if (!m->why)
			m->why = mem_str(why_not(out, i));
		i++;
	}
	return 0;
}

bool
repo_modules_has(const char *git_dir, const char *sha)
{
	auto_git(git_repository) *repo = NULL;
	auto_git(git_tree) *tree = NULL;

	return open_tree(git_dir, sha, &repo, &tree, NULL) == 0 &&
	       git_tree_entry_byname(tree, FILE_NAME) != NULL;
}

/* ---- Whose it is ---- */

/* As relative_url of git's remote.c: "../" takes a part off the parent's address. */
static char *
resolve(const char *forge_url, const char *parent, const char *url)
{
	auto_free char *base = mem_fmt("%s/%s.git", forge_url, parent);

	for (;;) {
		char *slash;

		if (str_starts(url, "./")) {
			url += strlen("./");
			continue;
		}
		if (!str_starts(url, "../"))
			break;
		url += strlen("../");
		slash = strrchr(base, '/');
		if (!slash)
			return NULL;
		*slash = '\0';
	}
	return mem_fmt("%s/%s", base, url);
}

static bool
is_on(const char *forge_url, const char *url)
{
	const char *host = strstr(forge_url, "://");
	size_t origin = host ? (size_t)(host - forge_url) + 3 + strcspn(host + 3, "/") : 0;
	size_t len = strlen(forge_url);

	/* Scheme and host in any case, the path as it is. */
	return strlen(url) > len && strncasecmp(url, forge_url, origin) == 0 &&
	       strncmp(url + origin, forge_url + origin, len - origin) == 0 && url[len] == '/';
}

int
repo_module_repo(
	const char *forge_url, const char *parent, const char *url, char **out, struct err *e)
{
	bool is_relative = str_starts(url, "./") || str_starts(url, "../");
	auto_free char *full = is_relative ? resolve(forge_url, parent, url) : mem_str(url);

	if (!full || (is_relative && !is_on(forge_url, full)))
		return err_set(e, ERR_DENIED, "its address leads out of the forge");
	if (strncasecmp(full, "https://", 8) != 0 && strncasecmp(full, "http://", 7) != 0)
		return err_set(e, ERR_DENIED,
			"its address is neither relative nor http(s), and no other is followed");
	if (!is_on(forge_url, full))
		return err_set(e, ERR_DENIED, "it is on another host than this repository");
	auto_free char *name = mem_str(full + strlen(forge_url) + 1);
	size_t len = strlen(name);
	while (len > 0 && name[len - 1] == '/')
		name[--len] = '\0';
	if (str_ends(name, ".git"))
		name[len - strlen(".git")] = '\0';
	if (!repo_full_name_ok(name) || strstr(name, ".git/"))
		return err_set(e, ERR_DENIED, "its address is not that of a repository");
	*out = steal_ptr(&name);
	return 0;
}
