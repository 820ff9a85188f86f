/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror - the bare repository that all tasks of a repository share.
 *
 * Only branches that a task starts from are fetched, into flat names, always as packs. git may be
 * killed at any point: whatever it leaves half done is removed under the lock before the next
 * fetch. Nothing is ever pruned; packs are put together when there are many.
 */
#include "repo/repo.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKS_MAX 40 /* a lookup goes through all of them */

static const char CONFIG[] = "[core]\n"
			     "\trepositoryformatversion = 0\n"
			     "\tfilemode = true\n"
			     "\tbare = true\n"
			     "\tlogAllRefUpdates = false\n"
			     "[gc]\n"
			     "\tauto = 0\n"
			     "[maintenance]\n"
			     "\tauto = false\n";

static int
make_dir(const char *root, const char *name, struct err *e)
{
	auto_free char *path = mem_fmt("%s/%s", root, name);

	return fs_mkdirs(path, 0755, e);
}

static int
make_file(const char *root, const char *name, const char *text, struct err *e)
{
	auto_free char *path = mem_fmt("%s/%s", root, name);

	return fs_write_atomic(path, text, strlen(text), 0644, e);
}

/* HEAD comes last: with it, git and we call it a repository. */
int
repo_mirror_create(const char *mirror, struct err *e)
{
	auto_free char *head = mem_fmt("%s/HEAD", mirror);
	int rc = 0;

	if (access(head, F_OK) == 0)
		return 0;
	static const char *const dirs[] = { "objects/info", "objects/pack", "refs/branch", "info" };
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == 0; i++)
		rc = make_dir(mirror, dirs[i], e);
	if (rc == 0 && chmod(mirror, 0700) < 0)
		rc = err_sys(e, "chmod %s", mirror);
	if (rc == 0)
		rc = make_file(mirror, "config", CONFIG, e);
	if (rc == 0)
		rc = make_file(mirror, "HEAD", "ref: refs/heads/none\n", e);
	return rc;
}

int
repo_mirror_default(const char *mirror, char **out, struct err *e)
{
	auto_free char *path = mem_fmt("%s/default-branch", mirror);
	auto_buf struct buf text = BUF_INIT(LIMIT_NAME_BYTES);
	int rc = fs_read(path, &text, e);

	*out = NULL;
	if (rc < 0)
		return rc == ERR_MISSING ? 0 : rc;
	*out = mem_str(buf_str(&text));
	return 0;
}

int
repo_mirror_set_default(const char *mirror, const char *branch, struct err *e)
{
	auto_free char *old = NULL;
	int rc = repo_mirror_default(mirror, &old, e);

	if (rc < 0 || str_eq(old, branch))
		return rc;
	return make_file(mirror, "default-branch", branch, e);
}

int
repo_mirror_lock(const char *mirror, int *out_fd, struct err *e)
{
	auto_free char *path = mem_fmt("%s/lock", mirror);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "lock %s", path);
	(void)futimens(fd, NULL); /* the time of use; if that fails it goes a little early */
	*out_fd = steal_fd(&fd);
	return 0;
}

/* What a killed writer may have left: git, libgit2, or fs_write_atomic. */
static const struct {
	const char *dir;
	const char *pattern;
} LEFT_OVER[] = {
	{ "", "[!.]*.*" },         /* HEAD.lock, config.Ab12Cd */
	{ "objects", "tmp_obj*" }, /* tmp_objdir-*, tmp_object_git2_* */
	{ "objects", "incoming-*" },
	{ "objects/info", "[!.]*.*" },
	{ "objects/pack", "tmp_*" },
	{ "objects/pack", ".tmp-*" },
	{ "objects/pack", "pack_git2_*" },
	{ "objects/pack", "*.lock" },
	{ "objects/pack", "*.keep" }, /* such a pack would never be put together with others */
	{ "refs/accepted", "[!.]*.*" },
	{ "refs/branch", "*.lock" },
};

static int
sweep_row(const char *mirror, size_t row, struct err *e)
{
	auto_free char *path = mem_fmt("%s/%s", mirror, LEFT_OVER[row].dir);
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	while ((entry = readdir(d))) {
		if (fnmatch(LEFT_OVER[row].pattern, entry->d_name, 0) != 0)
			continue;
		auto_free char *victim = mem_fmt("%s/%s", path, entry->d_name);
		int rc = fs_remove_tree(victim, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
repo_mirror_sweep(const char *mirror, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(LEFT_OVER) / sizeof(LEFT_OVER[0]) && rc == 0; i++)
		rc = sweep_row(mirror, i, e);
	return rc;
}

static int
start_fetch(struct repo_command *c, const char *mirror, const char *url, struct err *e)
{
	static const char *const args[] = { "fetch", "--quiet", "--no-tags", "--atomic",
		"--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
		"--no-show-forced-updates", "--refmap=", "--end-of-options" };
	int rc = repo_command_init(c, e);

	if (rc < 0)
		return rc;
	c->wall_ms = LIMIT_FETCH_MS;
	strs_addf(&c->argv, "--git-dir=%s", mirror);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		repo_command_arg(c, args[i]);
	repo_command_arg(c, url);
	return 0;
}

int
repo_mirror_fetch(struct repo_command *c, const char *mirror, const char *url,
	const char *const branches[2], struct err *e)
{
	int rc = start_fetch(c, mirror, url, e);

	for (size_t i = 0; rc == 0 && i < 2; i++) {
		if (!branches[i] || (i == 1 && str_eq(branches[0], branches[1])))
			continue;
		if (!repo_branch_ok(branches[i]))
			return err_set(e, ERR_INVALID, "'%s' is not a branch name", branches[i]);
		auto_free char *ref = repo_mirror_ref(branches[i]);
		strs_addf(&c->argv, "+refs/heads/%s:%s", branches[i], ref);
	}
	return rc;
}

/* A forge gives out any commit that a branch reaches; the ref keeps it. */
int
repo_mirror_fetch_commit(
	struct repo_command *c, const char *mirror, const char *url, const char *sha, struct err *e)
{
	int rc = start_fetch(c, mirror, url, e);

	if (rc == 0 && !repo_sha_ok(sha))
		return err_set(e, ERR_INVALID, "not a commit id");
	if (rc == 0)
		strs_addf(&c->argv, "+%s:refs/branch/%s", sha, sha);
	return rc;
}

bool
repo_mirror_wants_repack(const char *mirror)
{
	auto_free char *path = mem_fmt("%s/objects/pack", mirror);
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (d && n <= PACKS_MAX && (entry = readdir(d)))
		n += str_ends(entry->d_name, ".pack") ? 1 : 0;
	return n > PACKS_MAX;
}

/* Geometric: the big old pack is left alone, the many small ones become one. Every object stays. */
int
repo_mirror_repack(struct repo_command *c, const char *mirror, struct err *e)
{
	int rc = repo_command_init(c, e);

	if (rc < 0)
		return rc;
	c->wall_ms = LIMIT_FETCH_MS;
	strs_addf(&c->argv, "--git-dir=%s", mirror);
	static const char *const args[] = { "repack", "-d", "-q", "-n", "--geometric=2" };
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		repo_command_arg(c, args[i]);
	return 0;
}
