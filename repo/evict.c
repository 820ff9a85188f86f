/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict - the oldest checkouts make room.
 *
 * A box holds its checkout by flock(LOCK_SH) on the tree's directory, so who is in use is the
 * kernel's knowledge and survives a crash of everybody. The time since the last use covers the
 * moment between handing a checkout out and the lock. Quarantines go by age alone: what is in them
 * is pushed minutes after it came.
 *
 * Whatever goes is renamed first. A directory of which a killed process had removed a part, under
 * its name, would be taken for a whole one.
 */
#include "repo/repo.h"

#include "repo/checkout.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct kept {
	char sha[REPO_SHA_LEN + 1];
	int64_t used_ms;
};

static int
by_use(const void *a, const void *b)
{
	const struct kept *x = a;
	const struct kept *y = b;

	return (x->used_ms > y->used_ms) - (x->used_ms < y->used_ms);
}

/* What a killed child was making or removing. */
static int
sweep(const char *trees, DIR *d, struct err *e)
{
	struct dirent *entry;

	while ((entry = readdir(d))) {
		if (!str_starts(entry->d_name, CHECKOUT_GONE) && !str_starts(entry->d_name, "tmp."))
			continue;
		auto_free char *path = mem_fmt("%s/%s", trees, entry->d_name);
		int rc = fs_remove_tree(path, e);
		if (rc < 0)
			return rc;
	}
	rewinddir(d);
	return 0;
}

static size_t
list(DIR *d, struct kept **out)
{
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(d))) {
		auto_free char *boot = mem_fmt("%s/boot", entry->d_name);
		struct stat st;

		if (!repo_sha_ok(entry->d_name) || fstatat(dirfd(d), boot, &st, 0) < 0)
			continue;
		*out = mem_grow(*out, n + 1, sizeof(**out));
		memcpy((*out)[n].sha, entry->d_name, REPO_SHA_LEN + 1);
		(*out)[n++].used_ms = st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	}
	if (n > 0)
		qsort(*out, n, sizeof(**out), by_use);
	return n;
}

int
checkout_take_away(const char *dir, const char *name, const char *prefix, struct err *e)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_free char *gone = mem_fmt("%s/%s%s", dir, prefix, name);
	int rc = fs_remove_tree(gone, e);

	if (rc < 0)
		return rc;
	if (rename(path, gone) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "rename %s", path);
	rc = fs_remove_tree(gone, e);
	return rc < 0 ? rc : 1;
}

/* Renamed while we hold the lock: nobody finds it any more, then it may take its time to go.
 * Somebody else may be about to remove it, too. */
int
checkout_remove(const char *trees, const char *sha, const char *prefix, struct err *e)
{
	auto_free char *tree = repo_checkout_path(trees, sha);
	auto_fd int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "open %s", tree);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_sys(e, "lock %s", tree);
	return checkout_take_away(trees, sha, prefix, e);
}

int
repo_checkout_evict(const char *trees, size_t keep, int64_t min_age_ms, struct err *e)
{
	auto_free struct kept *v = NULL;
	auto_dir DIR *d = opendir(trees);
	int removed = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", trees);
	int rc = sweep(trees, d, e);
	if (rc < 0)
		return rc;
	size_t n = list(d, &v);
	for (size_t i = 0; n > keep && i < n - keep; i++) {
		if (clock_wall_ms() - v[i].used_ms < min_age_ms)
			break;
		rc = checkout_remove(trees, v[i].sha, CHECKOUT_GONE, e);
		if (rc < 0)
			return rc;
		removed += rc;
	}
	return removed;
}

static bool
is_task(const char *name)
{
	return strspn(name, "0123456789") == strlen(name);
}

int
repo_quarantine_sweep(const char *dir, int64_t max_age_ms, struct err *e)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *entry;
	struct stat st;
	int removed = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", dir);
	int rc = sweep(dir, d, e);
	while (rc == 0 && (entry = readdir(d))) {
		if (!is_task(entry->d_name) ||
			fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			clock_wall_ms() - st.st_mtim.tv_sec * 1000 < max_age_ms)
			continue;
		int went = checkout_take_away(dir, entry->d_name, CHECKOUT_GONE, e);
		if (went < 0)
			rc = went;
		else
			removed += went;
	}
	return rc < 0 ? rc : removed;
}
