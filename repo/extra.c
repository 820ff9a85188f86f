/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extra - see extra.h.
 *
 * A submodule in the layer is what `git submodule update` would leave: its files, a `.git` file
 * beside them, its repository in .git/modules, and its entry in .git/config, so that an agent's git
 * works in it and a setup that runs `git submodule update --init --recursive` finds nothing to do.
 * Files and packs are links to those of its own frozen checkout, and the index comes with them: the
 * times that it knows are the files'.
 */
#include "repo/extra.h"

#include "repo/checkout.h"
#include "repo/extra_lfs.h"
#include "repo/git.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTIAL_MS (10 * 60 * 1000)
#define NUMBER_MAX 10000
#define LIST_NAME  "nightshift-modules" /* read by the harvest's script */
#define LIST_MAX   (LIMIT_MODULES * 2 * LIMIT_PATH_BYTES)
#define CONFIG_MAX MIB(1)
#define NOTES_MAX  LIMIT_SUMMARY_BYTES

const struct row REPO_EXTRA_MODULE_ROWS[] = {
	ROW_S(struct repo_extra_module, path, "path", LIMIT_PATH_BYTES),
	ROW_S(struct repo_extra_module, git_dir, "git_dir", LIMIT_PATH_BYTES),
	ROW_S(struct repo_extra_module, parent, "parent", LIMIT_PATH_BYTES),
	ROW_S(struct repo_extra_module, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct repo_extra_module, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct repo_extra_module, trees, "trees", LIMIT_PATH_BYTES),
	ROW_S(struct repo_extra_module, sha, "sha", REPO_SHA_LEN),
	ROW_DONE,
};

void
repo_extra_modules_finish(struct row_list *modules)
{
	struct repo_extra_module *v = modules->v;

	for (size_t i = 0; i < modules->n; i++)
		row_finish(REPO_EXTRA_MODULE_ROWS, &v[i]);
	free(modules->v);
	*modules = (struct row_list){ 0 };
}

/* ---- What is there ---- */

char *
repo_extra_path(const char *trees, const char *sha, const char *name)
{
	return mem_fmt("%s/%s/%s/tree", trees, sha, name);
}

bool
repo_extra_wanted(const char *trees, const char *sha, char what)
{
	auto_free char *path = mem_fmt("%s/%s/has", trees, sha);
	auto_buf struct buf text = BUF_INIT(64);

	return fs_read(path, &text, NULL) == 0 && strchr(buf_str(&text), what) != NULL;
}

/* The number of "extra.<what>.<n>", or -1. */
static int64_t
number_of(const char *name, const char *what)
{
	auto_free char *prefix = mem_fmt("extra.%s.", what);
	int64_t n;

	if (!str_starts(name, prefix) ||
		str_i64(name + strlen(prefix), 0, NUMBER_MAX, &n, NULL) < 0)
		return -1;
	return n;
}

/* The highest number of those with that many extras, or -1. */
static int64_t
newest(const char *trees, const char *sha, const char *what)
{
	auto_free char *path = mem_fmt("%s/%s", trees, sha);
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;
	int64_t last = -1;

	while (d && (entry = readdir(d))) {
		int64_t n = number_of(entry->d_name, what);

		last = n > last ? n : last;
	}
	return last;
}

char *
repo_extra_name(const char *trees, const char *sha, const char *what)
{
	return mem_fmt("extra.%s.%lld", what, (long long)newest(trees, sha, what) + 1);
}

static bool
is_usable(const char *dir)
{
	auto_free char *partial = mem_fmt("%s/partial", dir);
	struct stat st;

	if (lstat(partial, &st) < 0)
		return errno == ENOENT;
	return clock_wall_ms() - st.st_mtim.tv_sec * 1000 < PARTIAL_MS;
}

char *
repo_extra_find(const char *trees, const char *sha, const char *what, char **notes)
{
	int64_t n = newest(trees, sha, what);

	if (n < 0)
		return NULL;
	auto_free char *name = mem_fmt("extra.%s.%lld", what, (long long)n);
	auto_free char *dir = mem_fmt("%s/%s/%s", trees, sha, name);
	auto_free char *path = mem_fmt("%s/notes", dir);
	auto_buf struct buf text = BUF_INIT(NOTES_MAX);
	if (!is_usable(dir) || fs_read(path, &text, NULL) < 0)
		return NULL;
	*notes = text.len > 0 ? mem_str(buf_str(&text)) : NULL;
	return steal_ptr(&name);
}

/* ---- Making one ---- */

static int
link_dir(const char *from, const char *to, struct err *e)
{
	auto_dir DIR *d = opendir(from);
	auto_fd int out = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	if (!d || out < 0)
		return err_sys(e, "open %s", d ? to : from);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (checkout_link_file(dirfd(d), out, entry->d_name) < 0)
			return err_sys(e, "link %s/%s", from, entry->d_name);
	}
	return 0;
}

/* git's quoting of a value in its configuration. */
static void
add_quoted(struct buf *out, const char *text)
{
	(void)buf_addc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			(void)buf_addc(out, '\\');
		(void)buf_addc(out, *text);
	}
	(void)buf_addc(out, '"');
}

/* The configuration of a repository, by its git_dir or NULL, with the submodules that it has. */
static int
write_config(const struct repo_extra *x, const char *git_dir, const char *worktree, const char *dir,
	struct err *e)
{
	const struct repo_extra_module *v = x->modules->v;
	auto_buf struct buf text = BUF_INIT(CONFIG_MAX);

	(void)buf_adds(&text, CHECKOUT_CONFIG);
	if (worktree) {
		(void)buf_adds(&text, "[core]\n\tworktree = ");
		add_quoted(&text, worktree);
		(void)buf_addc(&text, '\n');
	}
	for (size_t i = 0; i < x->modules->n; i++) {
		if (!str_eq(v[i].parent, git_dir))
			continue;
		(void)buf_adds(&text, "[submodule ");
		add_quoted(&text, v[i].name);
		(void)buf_adds(&text, "]\n\tactive = true\n\turl = ");
		add_quoted(&text, v[i].url);
		(void)buf_addc(&text, '\n');
	}
	return text.is_full ? err_set(e, ERR_LIMIT, "configuration of submodules")
			    : checkout_put(dir, "config", buf_str(&text), e);
}

/* "../" for each part of the path. */
static char *
way_up(const char *path)
{
	auto_buf struct buf up = BUF_INIT(4 * LIMIT_PATH_BYTES);

	for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		(void)buf_adds(&up, "../");
	return mem_str(buf_str(&up));
}

/* The repository of a submodule, from the .git of its checkout. */
static int
make_git_dir(const struct repo_extra *x, const struct repo_extra_module *m, const char *from,
	const char *dir, struct err *e)
{
	static const char *const dirs[] = { "objects/pack", "objects/info", "refs/heads",
		"refs/tags", "info" };
	auto_free char *from_packs = mem_fmt("%s/.git/objects/pack", from);
	auto_free char *packs = mem_fmt("%s/objects/pack", dir);
	auto_free char *shallow = mem_fmt("%s/.git/shallow", from);
	auto_free char *head = mem_fmt("%s\n", m->sha);
	auto_free char *up = way_up(m->git_dir);
	auto_free char *worktree = mem_fmt("../%s%s", up, m->path);
	auto_buf struct buf cut = BUF_INIT(KIB(64));
	int rc = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == 0; i++) {
		auto_free char *path = mem_fmt("%s/%s", dir, dirs[i]);

		rc = fs_mkdirs(path, 0755, e);
	}
	if (rc == 0)
		rc = link_dir(from_packs, packs, e);
	if (rc == 0)
		rc = checkout_put(dir, "HEAD", head, e);
	if (rc == 0)
		rc = write_config(x, m->git_dir, worktree, dir, e);
	if (rc == 0 && fs_read(shallow, &cut, NULL) == 0)
		rc = checkout_put(dir, "shallow", buf_str(&cut), e);
	return rc;
}

/* The directories that lead to a path have the checkout's time. */
static int
touch_parents(const char *tree, const char *path, const struct timespec times[2], struct err *e)
{
	auto_free char *full = mem_fmt("%s/%s", tree, path);
	size_t least = strlen(tree);

	for (char *p = strrchr(full, '/'); p && p >= full + least; p = strrchr(full, '/')) {
		*p = '\0';
		if (utimensat(AT_FDCWD, full, times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "time of %s", full);
	}
	return 0;
}

static int
add_module(const struct repo_extra *x, const struct repo_extra_module *m, const char *tree,
	struct err *e)
{
	auto_free char *from = repo_checkout_path(m->trees, m->sha);
	auto_free char *to = mem_fmt("%s/%s", tree, m->path);
	auto_free char *dir = mem_fmt("%s/.git/%s", tree, m->git_dir);
	auto_free char *index = mem_fmt("%s/index", dir);
	auto_free char *up = way_up(m->path);
	auto_free char *file = mem_fmt("gitdir: %s.git/%s\n", up, m->git_dir);
	struct stat st = { 0 };
	int rc = make_git_dir(x, m, from, dir, e);

	if (rc == 0)
		rc = fs_mkdirs(to, 0755, e);
	if (rc == 0 && lstat(from, &st) < 0)
		rc = err_sys(e, "checkout of %s", m->path);
	if (rc == 0 && checkout_link(from, to, index) < 0)
		rc = err_sys(e, "files of %s", m->path);
	if (rc == 0)
		rc = checkout_put(to, ".git", file, e);
	if (rc < 0)
		return rc;
	return checkout_times(to, dir, st.st_mtim.tv_sec, e);
}

static int
write_list(const struct repo_extra *x, const char *git_dir, struct err *e)
{
	const struct repo_extra_module *v = x->modules->v;
	auto_buf struct buf text = BUF_INIT(LIST_MAX);

	for (size_t i = 0; i < x->modules->n; i++)
		(void)buf_addf(&text, "%s\t%s\n", v[i].git_dir, v[i].path);
	return text.is_full ? err_set(e, ERR_LIMIT, "list of submodules")
			    : checkout_put(git_dir, LIST_NAME, buf_str(&text), e);
}

static int
add_modules(
	const struct repo_extra *x, const char *tree, const struct timespec times[2], struct err *e)
{
	const struct repo_extra_module *v = x->modules->v;
	auto_free char *git_dir = mem_fmt("%s/.git", tree);
	int rc = 0;

	if (x->modules->n == 0)
		return 0;
	for (size_t i = 0; i < x->modules->n && rc == 0; i++)
		rc = add_module(x, &v[i], tree, e);
	if (rc == 0)
		rc = write_config(x, NULL, NULL, git_dir, e);
	if (rc == 0)
		rc = write_list(x, git_dir, e);
	for (size_t i = 0; i < x->modules->n && rc == 0; i++)
		rc = touch_parents(tree, v[i].path, times, e);
	return rc;
}

static int
fill(const struct repo_extra *x, const char *tmp, struct err *e)
{
	auto_free char *tree = mem_fmt("%s/tree", tmp);
	auto_free char *checkout = repo_checkout_path(x->trees, x->sha);
	struct stat st;
	int rc = fs_remove_tree(tmp, e);

	if (rc == 0)
		rc = fs_mkdirs(tree, 0755, e);
	if (rc == 0 && lstat(checkout, &st) < 0)
		rc = err_sys(e, "checkout %s", checkout);
	if (rc < 0)
		return rc;
	const struct timespec times[2] = { st.st_mtim, st.st_mtim };
	rc = add_modules(x, tree, times, e);
	if (rc == 0 && x->lfs_dir)
		rc = extra_lfs_add(x, tree, e);
	if (rc == 0)
		rc = checkout_put(tmp, "notes", x->notes ? x->notes : "", e);
	if (rc == 0 && x->is_partial)
		rc = checkout_put(tmp, "partial", "", e);
	if (rc == 0)
		rc = checkout_put_size(tmp, e);
	if (rc == 0 && utimensat(AT_FDCWD, tree, times, 0) < 0)
		rc = err_sys(e, "time of %s", tree);
	return rc;
}

int
repo_extra_make(const struct repo_extra *x, struct err *e)
{
	auto_free char *done = mem_fmt("%s/%s/%s", x->trees, x->sha, x->name);
	auto_free char *tmp = mem_fmt("%s/%s/tmp.%s", x->trees, x->sha, x->name);
	mode_t mask = umask(022); /* boxes of another user read it */
	int rc = git_start(e);

	if (rc == 0)
		rc = fill(x, tmp, e);
	(void)umask(mask);
	if (rc == 0 && rename(tmp, done) < 0)
		rc = err_sys(e, "rename %s", tmp);
	if (rc < 0)
		(void)fs_remove_tree(tmp, NULL); /* the first error is the one to tell */
	return rc;
}
