/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit - checkouts and mirrors of all repositories together stay within what they may take.
 *
 * A checkout is measured once, when it is made. Here its size is read, so that looking costs a few
 * calls for each and not one for each of its files. Those that share files by links count whole,
 * each: rather a little less is kept than allowed.
 *
 * What goes is renamed first, under the lock that says that nobody uses it, to a name that nobody
 * but the next run of this looks for. There is one run at a time.
 */
#include "repo/repo.h"

#include "repo/checkout.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLD       "old."
#define NAMES_MAX (2 * LIMIT_CHECKOUT_FILES)

struct item {
	char *dir;  /* it is in */
	char *name; /* of a checkout: the commit; of a mirror: the repository's id */
	int64_t used_ms;
	int64_t bytes;
};

struct items {
	struct item *v;
	size_t n;
	bool tidies;        /* what somebody was killed over goes for good */
	int64_t min_age_ms; /* older than anybody's who is still at work on it */
};

static void
clean_items(struct items *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].dir);
		free(l->v[i].name);
	}
	free(l->v);
}

static int64_t
time_ms(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

/* ---- sizes ---- */

int
checkout_put_size(const char *dir, struct err *e)
{
	char text[32];
	struct fs_size size;
	int rc = fs_measure(dir, NAMES_MAX, &size, e);

	if (rc < 0)
		return rc;
	(void)snprintf(text, sizeof(text), "%" PRId64 "\n", size.bytes);
	return checkout_put(dir, "size", text, e);
}

static int64_t
read_size(const char *dir)
{
	auto_free char *path = mem_fmt("%s/size", dir);
	auto_buf struct buf text = BUF_INIT(64);
	struct fs_size size;

	if (fs_read(path, &text, NULL) == 0)
		return strtoll(buf_str(&text), NULL, 10);
	(void)fs_measure(dir, NAMES_MAX, &size, NULL); /* of an older version */
	return size.bytes;
}

/* With its extras, which are made later and have sizes of their own. */
static int64_t
checkout_bytes(const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	const struct dirent *de;
	int64_t sum = read_size(dir);

	while (d && (de = readdir(d))) {
		auto_free char *extra = mem_fmt("%s/%s", dir, de->d_name);

		if (str_starts(de->d_name, "extra."))
			sum += read_size(extra);
	}
	return sum;
}

/* ---- what there is ---- */

static void
add(struct items *l, const char *dir, const char *name, int64_t used_ms, int64_t bytes)
{
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct item){ mem_str(dir), mem_str(name), used_ms, bytes };
}

/* Calls fn for each name in dir that ends so. */
static void
each(const char *dir, const char *end, void (*fn)(const char *dir, const char *name, void *arg),
	void *arg)
{
	auto_dir DIR *d = opendir(dir);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		if (de->d_name[0] != '.' && str_ends(de->d_name, end))
			fn(dir, de->d_name, arg);
	}
}

/* What a run of ours was making room of, or what a maker of checkouts has in hand. That one sees to
 * it himself, if he ever comes again to this repository. */
static bool
is_left_over(const struct items *l, const char *dir, const char *name)
{
	struct stat st;

	if (!l->tidies || str_starts(name, OLD))
		return l->tidies;
	if (!str_starts(name, CHECKOUT_GONE) && !str_starts(name, "tmp."))
		return false;
	return lstat(dir, &st) == 0 && clock_wall_ms() - time_ms(&st) >= l->min_age_ms;
}

static void
add_checkout(const char *trees, const char *sha, void *arg)
{
	auto_free char *dir = mem_fmt("%s/%s", trees, sha);
	auto_free char *boot = mem_fmt("%s/boot", dir);
	struct stat st;

	if (is_left_over(arg, dir, sha))
		(void)fs_remove_tree(dir, NULL); /* the next run tries again */
	else if (repo_sha_ok(sha) && stat(boot, &st) == 0)
		add(arg, trees, sha, time_ms(&st), checkout_bytes(dir));
}

static void
add_trees(const char *dir, const char *name, void *arg)
{
	auto_free char *trees = mem_fmt("%s/%s", dir, name);

	each(trees, "", add_checkout, arg);
}

static void
add_modules(const char *dir, const char *name, void *arg)
{
	auto_free char *modules = mem_fmt("%s/%s", dir, name);

	each(modules, ".trees", add_trees, arg);
}

static void
add_forge(const char *dir, const char *name, void *arg)
{
	auto_free char *forge = mem_fmt("%s/%s", dir, name);

	each(forge, ".trees", add_trees, arg);
	each(forge, ".modules", add_modules, arg);
}

static void
add_tree_size(const char *dir, const char *name, void *arg)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	int64_t *sum = arg;
	struct fs_size size = { 0 };

	(void)fs_measure(path, NAMES_MAX, &size, NULL);
	*sum += size.bytes;
}

struct mirror {
	int64_t used_ms;
	int64_t bytes;
};

static void
newest(const char *trees, const char *sha, void *arg)
{
	auto_free char *boot = mem_fmt("%s/%s/boot", trees, sha);
	struct mirror *m = arg;
	struct stat st;

	if (stat(boot, &st) == 0 && time_ms(&st) > m->used_ms)
		m->used_ms = time_ms(&st);
}

/* Used is when it was fetched, or a checkout of it handed out. */
static void
add_mirror(const char *forge, const char *name, void *arg)
{
	auto_free char *id = mem_strn(name, strlen(name) - strlen(".git"));
	auto_free char *lock = mem_fmt("%s/%s/lock", forge, name);
	auto_free char *lfs = mem_fmt("%s.lfs", id);
	auto_free char *modules = mem_fmt("%s/%s.modules", forge, id);
	auto_free char *trees = mem_fmt("%s/%s.trees", forge, id);
	struct mirror m = { 0 };
	struct stat st;

	if (strspn(id, "0123456789") != strlen(id) || stat(lock, &st) < 0)
		return;
	m.used_ms = time_ms(&st);
	each(trees, "", newest, &m);
	add_tree_size(forge, name, &m.bytes);
	add_tree_size(forge, lfs, &m.bytes);
	each(modules, ".git", add_tree_size, &m.bytes);
	add(arg, forge, id, m.used_ms, m.bytes);
}

static void
add_forge_mirrors(const char *dir, const char *name, void *arg)
{
	auto_free char *forge = mem_fmt("%s/%s", dir, name);

	each(forge, ".git", add_mirror, arg);
}

/* ---- what goes ---- */

static int
by_use(const void *a, const void *b)
{
	const struct item *x = a;
	const struct item *y = b;

	return (x->used_ms > y->used_ms) - (x->used_ms < y->used_ms);
}

static struct repo_sum
sum_of(const struct items *l)
{
	struct repo_sum sum = { .n = l->n };

	for (size_t i = 0; i < l->n; i++)
		sum.bytes += l->v[i].bytes;
	return sum;
}

static int
fit(struct items *l, int64_t quota, int64_t min_age_ms,
	int (*go)(const struct item *, struct err *), struct err *e)
{
	int64_t used = sum_of(l).bytes;
	int removed = 0;

	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_use);
	for (size_t i = 0; i < l->n && used > quota; i++) {
		if (clock_wall_ms() - l->v[i].used_ms < min_age_ms)
			break;
		int rc = go(&l->v[i], e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			used -= l->v[i].bytes;
		removed += rc;
	}
	return removed;
}

static int
remove_checkout(const struct item *i, struct err *e)
{
	return checkout_remove(i->dir, i->name, OLD, e);
}

static void
remove_unused(const char *trees, const char *sha, void *arg)
{
	bool *is_free = arg;

	if (repo_sha_ok(sha) && checkout_remove(trees, sha, OLD, NULL) != 1)
		*is_free = false;
}

static int
take_away(const char *forge, const char *id, const char *suffix, struct err *e)
{
	auto_free char *name = mem_fmt("%s.%s", id, suffix);
	int rc = checkout_take_away(forge, name, OLD, e);

	return rc < 0 ? rc : 0;
}

/* The repository's lock lies in the mirror, and by the mirror the next run finds what this one did
 * not come to: so it goes last. Whoever comes then finds nothing and makes a new one. */
static int
remove_mirror(const struct item *i, struct err *e)
{
	static const char *const parts[] = { "trees", "modules", "lfs", "git" };
	auto_free char *mirror = mem_fmt("%s/%s.git", i->dir, i->name);
	auto_free char *trees = mem_fmt("%s/%s.trees", i->dir, i->name);
	auto_free char *path = mem_fmt("%s/lock", mirror);
	auto_fd int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool is_free = true;
	int rc = 0;

	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return 0;
	each(trees, "", remove_unused, &is_free);
	for (size_t k = 0; is_free && rc == 0 && k < sizeof(parts) / sizeof(parts[0]); k++)
		rc = take_away(i->dir, i->name, parts[k], e);
	return rc < 0 ? rc : is_free;
}

/* ---- from outside ---- */

static void
remove_old(const char *dir, const char *name, void *arg)
{
	auto_free char *forge = mem_fmt("%s/%s", dir, name);
	auto_dir DIR *d = opendir(forge);
	const struct dirent *de;

	(void)arg;
	while (d && (de = readdir(d))) {
		auto_free char *path = mem_fmt("%s/%s", forge, de->d_name);

		if (str_starts(de->d_name, OLD))
			(void)fs_remove_tree(path, NULL); /* the next run tries again */
	}
}

int
repo_checkouts_fit(const char *mirrors, int64_t quota, int64_t min_age_ms, struct err *e)
{
	auto_cleanup(clean_items) struct items l = { .tidies = true, .min_age_ms = min_age_ms };

	each(mirrors, "", add_forge, &l);
	return fit(&l, quota, min_age_ms, remove_checkout, e);
}

int
repo_mirrors_fit(const char *mirrors, int64_t quota, int64_t min_age_ms, struct err *e)
{
	auto_cleanup(clean_items) struct items l = { 0 };

	each(mirrors, "", remove_old, NULL);
	each(mirrors, "", add_forge_mirrors, &l);
	return fit(&l, quota, min_age_ms, remove_mirror, e);
}

struct repo_sum
repo_checkouts_sum(const char *mirrors)
{
	auto_cleanup(clean_items) struct items l = { 0 };

	each(mirrors, "", add_forge, &l);
	return sum_of(&l);
}

struct repo_sum
repo_mirrors_sum(const char *mirrors)
{
	auto_cleanup(clean_items) struct items l = { 0 };

	each(mirrors, "", add_forge_mirrors, &l);
	return sum_of(&l);
}
