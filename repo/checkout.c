/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkout - a frozen tree at one commit, shared by all boxes that start from it.
 *
 * It is written once, in a directory with a name of its own, and renamed when whole; after that it
 * never changes. Its .git has a pack with what the commit reaches and nothing else: alternates to
 * the mirror would show a box every branch ever fetched. All file times are the commit's and the
 * index knows them, so that git status in an overlay over it reads no file.
 *
 * A checkout is a cache and is not fsynced: one made before the machine last started is made anew.
 */
#include "repo/repo.h"

#include "repo/checkout.h"
#include "repo/git.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BRANCH "refs/heads/agent/task"

/* An author is set so that an agent may commit; what it commits as is not taken over. */
const char CHECKOUT_CONFIG[] = "[core]\n"
			       "\trepositoryformatversion = 0\n"
			       "\tfilemode = true\n"
			       "\tbare = false\n"
			       "\tlogAllRefUpdates = true\n"
			       "\tsymlinks = true\n"
			       "\tcheckStat = minimal\n"
			       "\ttrustctime = false\n"
			       "[gc]\n"
			       "\tauto = 0\n"
			       "[maintenance]\n"
			       "\tauto = false\n"
			       "[user]\n"
			       "\tname = agent\n"
			       "\temail = agent@localhost\n";

bool
checkout_is_whole(const char *trees, const char *sha)
{
	auto_free char *path = mem_fmt("%s/%s/boot", trees, sha);
	auto_buf struct buf made = BUF_INIT(64);
	char now[CLOCK_BOOT_ID_BYTES];

	clock_boot_id(now);
	return fs_read(path, &made, NULL) == 0 && made.len > 0 && str_eq(made.data, now);
}

bool
repo_checkout_ready(const char *trees, const char *sha)
{
	auto_free char *path = mem_fmt("%s/%s/boot", trees, sha);

	if (!checkout_is_whole(trees, sha))
		return false;
	/* The time of use; if it cannot be written the checkout is evicted a little early. */
	(void)utimensat(AT_FDCWD, path, NULL, 0);
	return true;
}

int
checkout_put(const char *dir, const char *name, const char *text, struct err *e)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t len = strlen(text);

	if (fd < 0)
		return err_sys(e, "create %s", path);
	return write(fd, text, len) == (ssize_t)len ? 0 : err_sys(e, "write %s", path);
}

/* .git by hand: git init would run nothing bad, but takes longer and writes samples. */
static int
make_git_dir(const char *git_dir, const char *sha, struct err *e)
{
	static const char *const dirs[] = { "objects/pack", "objects/info", "refs/heads/agent",
		"refs/tags", "info" };
	auto_free char *head = mem_fmt("%s\n", sha);
	int rc = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == 0; i++) {
		auto_free char *dir = mem_fmt("%s/%s", git_dir, dirs[i]);

		rc = fs_mkdirs(dir, 0755, e);
	}
	if (rc == 0)
		rc = checkout_put(git_dir, "HEAD", "ref: " BRANCH "\n", e);
	if (rc == 0)
		rc = checkout_put(git_dir, "config", CHECKOUT_CONFIG, e);
	return rc < 0 ? rc : checkout_put(git_dir, BRANCH, head, e);
}

static int
command(struct repo_command *c, const char *git_dir, const char *tree, const char *const *args,
	struct err *e)
{
	int rc = repo_command_init(c, e);

	if (rc < 0)
		return rc;
	strs_addf(&c->argv, "--git-dir=%s", git_dir);
	if (tree)
		strs_addf(&c->argv, "--work-tree=%s", tree);
	for (; *args; args++)
		repo_command_arg(c, *args);
	return 0;
}

/* The whole history of a small repository; of a large one what fits in a moment. The mirror is only
 * read: git would put its temporary file into the repository that it works in. */
static int
copy_objects(const struct repo_checkout *c, const char *git_dir, struct err *e)
{
	static const char *const args[] = { "pack-objects", "--revs", "-q", "--delta-base-offset",
		NULL };
	auto_repo_command struct repo_command cmd = { 0 };
	auto_buf struct buf revs = BUF_INIT(KIB(64));
	auto_buf struct buf name = BUF_INIT(KIB(1));
	bool is_shallow = false;
	int rc = checkout_history(c, &revs, &is_shallow, git_dir, e);

	if (rc == 0)
		rc = command(&cmd, git_dir, NULL, args, e);
	if (rc < 0)
		return rc;
	if (is_shallow)
		repo_command_arg(&cmd, "--shallow");
	strs_addf(&cmd.argv, "%s/objects/pack/pack", git_dir);
	strs_addf(&cmd.env, "GIT_ALTERNATE_OBJECT_DIRECTORIES=%s/objects", c->mirror);
	return repo_command_run(&cmd, &revs, &name, e);
}

static int
write_tree(const char *git_dir, const char *tree, const char *sha, struct err *e)
{
	const char *const args[] = { "read-tree", "-u", "--reset", sha, NULL };
	auto_repo_command struct repo_command cmd = { 0 };
	int rc = command(&cmd, git_dir, tree, args, e);

	if (rc < 0)
		return rc;
	repo_command_config(&cmd, "checkout.workers", "2");
	return repo_command_run(&cmd, NULL, NULL, e);
}

/* The files have other times than the index remembers: git reads them all once, here, so that no
 * box has to. */
static int
refresh_index(const char *git_dir, const char *tree, struct err *e)
{
	static const char *const args[] = { "update-index", "-q", "--refresh", NULL };
	auto_repo_command struct repo_command cmd = { 0 };
	int rc = command(&cmd, git_dir, tree, args, e);

	return rc < 0 ? rc : repo_command_run(&cmd, NULL, NULL, e);
}

/* With the objects of the commit, but without its files. */
static int
prepare(const struct repo_checkout *c, const char *tmp, const char *git_dir, struct err *e)
{
	int rc = fs_remove_tree(tmp, e);

	if (rc == 0)
		rc = make_git_dir(git_dir, c->sha, e);
	return rc < 0 ? rc : copy_objects(c, git_dir, e);
}

static int
fill(const struct repo_checkout *c, const char *tmp, struct err *e)
{
	auto_free char *tree = mem_fmt("%s/tree", tmp);
	auto_free char *git_dir = mem_fmt("%s/.git", tree);
	char boot[CLOCK_BOOT_ID_BYTES];
	int64_t date = 0;
	int rc = checkout_measure(c, &date, e);

	if (rc == 0)
		rc = prepare(c, tmp, git_dir, e);
	if (rc == 0 && !checkout_reuse(c, tree, git_dir)) {
		rc = prepare(c, tmp, git_dir, e);
		if (rc == 0)
			rc = write_tree(git_dir, tree, c->sha, e);
	}
	if (rc == 0)
		rc = checkout_times(tree, git_dir, date, e);
	if (rc == 0)
		rc = refresh_index(git_dir, tree, e);
	if (rc == 0)
		rc = checkout_has(tree, git_dir, tmp, e);
	if (rc == 0)
		rc = checkout_put_size(tmp, e);
	clock_boot_id(boot);
	return rc < 0 ? rc : checkout_put(tmp, "boot", boot, e);
}

int
repo_checkout_make(const struct repo_checkout *c, struct err *e)
{
	auto_free char *done = mem_fmt("%s/%s", c->trees, c->sha);
	auto_free char *tmp = mem_fmt("%s/tmp.%s", c->trees, c->sha);
	mode_t mask;
	int rc;

	if (!repo_sha_ok(c->sha))
		return err_set(e, ERR_INVALID, "not a commit id");
	if (repo_checkout_ready(c->trees, c->sha))
		return 0;
	mask = umask(022); /* boxes of another user read it */
	rc = fs_mkdirs(c->trees, 0755, e);
	if (rc == 0) /* of before the last start of the machine */
		rc = checkout_take_away(c->trees, c->sha, CHECKOUT_GONE, e);
	if (rc >= 0)
		rc = fill(c, tmp, e);
	(void)umask(mask);
	if (rc == 0 && rename(tmp, done) < 0)
		rc = err_sys(e, "rename %s", tmp);
	if (rc < 0)
		(void)fs_remove_tree(tmp, NULL); /* the first error is the one to tell */
	return rc;
}
