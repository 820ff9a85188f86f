/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_layer - what a repository's setup wrote, kept for the next task with the same lock files.
 *
 * The key is a hash of the repository, its setup commands and the contents of the files that
 * .agent.yml names in setup_key; without setup_key nothing is kept. Only tasks on the default
 * branch add layers: whoever may write there may run what he likes in later tasks anyway. Who uses
 * a layer holds it by flock(LOCK_SH).
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYERS_MAX         16
#define KEY_FILE_BYTES_MAX MIB(16)

/* The checkout with its extras, opened from the top. */
struct trees {
	int extra; /* -1: none */
	int checkout;
};

static int
open_file(const struct trees *t, const char *path, int *fd, struct err *e)
{
	int rc = t->extra < 0 ? ERR_MISSING : fs_open_beneath(t->extra, path, O_RDONLY, fd, e);

	return rc == ERR_MISSING ? fs_open_beneath(t->checkout, path, O_RDONLY, fd, e) : rc;
}

/* Adds the hash of a key file; a file that is absent is part of the key too. */
static int
add_file(const struct trees *t, const char *path, struct buf *text, struct err *e)
{
	auto_fd int fd = -1;
	struct stat st;
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	int rc = open_file(t, path, &fd, e);

	(void)buf_addf(text, "file %s ", path);
	if (rc == ERR_MISSING)
		return buf_adds(text, "absent\n");
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0 || st.st_size > KEY_FILE_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "%s is over %ld bytes", path, KEY_FILE_BYTES_MAX);
	auto_free char *data = mem_array((size_t)st.st_size + 1, 1);
	ssize_t n = pread(fd, data, (size_t)st.st_size, 0);
	if (n < 0)
		return err_sys(e, "read %s", path);
	crypto_sha256_hex(data, (size_t)n, hex);
	return buf_addf(text, "%s\n", hex);
}

static char *
make_key(const struct attempt *a, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(MIB(1));
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	const char *extra_dir = a->base.extra_dir;
	auto_fd int tree = open(a->base.checkout_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int extra = extra_dir ? open(extra_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const struct trees trees = { extra, tree };

	if (tree < 0 || (extra_dir && extra < 0)) {
		(void)err_sys(e, "open %s", tree < 0 ? a->base.checkout_dir : extra_dir);
		return NULL;
	}
	(void)buf_addf(&text, "forge %s\nrepo %" PRId64 "\n", a->task.forge, a->task.repo_id);
	for (size_t i = 0; i < a->settings.setup.n; i++)
		(void)buf_addf(&text, "run %zu %s\n", strlen(a->settings.setup.v[i]),
			a->settings.setup.v[i]);
	if (a->base.extra_dir)
		(void)buf_addf(&text, "extra %d %d\n", a->settings.submodules, a->settings.lfs);
	for (size_t i = 0; i < a->settings.setup_key.n; i++) {
		if (add_file(&trees, a->settings.setup_key.v[i], &text, e) < 0)
			return NULL;
	}
	crypto_sha256_hex(text.data, text.len, hex);
	return mem_str(hex);
}

/* Opens and locks it against removal, and makes it the most recently used one. */
static bool
take(struct attempt *a, const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
		return false;
	(void)futimens(fd, NULL);
	a->layer_lock = steal_fd(&fd);
	return true;
}

bool
layer_find(struct attempt *a)
{
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	if (a->settings.setup.n == 0 || a->settings.setup_key.n == 0)
		return false;
	auto_free char *key = make_key(a, &e);
	if (!key) {
		log_err(LOG_LEVEL_WARN, &log, "layer.no_key", &e);
		return false;
	}
	auto_free char *path = mem_fmt("%s/layers/%s", a->r->dir, key);
	a->layer_key = steal_ptr(&key);
	if (!take(a, path))
		return false;
	a->layer = steal_ptr(&path);
	return true;
}

bool
layer_is_stale(const struct attempt *a)
{
	bool stale = a->layer && a->settings.setup_key.n == 0;

	/* The delta layer holds what differs, a deleted file too. */
	for (size_t i = 0; a->layer && i < a->settings.setup_key.n; i++) {
		auto_free char *path =
			mem_fmt("%s/%s", a->harvest.delta_dir, a->settings.setup_key.v[i]);
		struct stat st;

		stale |= lstat(path, &st) == 0;
	}
	return stale;
}

/* ---- room ---- */

static char *
oldest(const char *dir, size_t *count)
{
	auto_dir DIR *d = opendir(dir);
	const struct dirent *de;
	char *found = NULL;
	struct timespec when = { 0 };

	*count = 0;
	while (d && (de = readdir(d))) {
		struct stat st;

		if (de->d_name[0] == '.' ||
			fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		(*count)++;
		if (!found || st.st_mtim.tv_sec < when.tv_sec) {
			when = st.st_mtim;
			mem_set(&found, de->d_name);
		}
	}
	return found;
}

/* Renamed first: nobody finds it any more. One in use stays, and the next time another may be the
 * oldest. */
static void
make_room(struct runner *r)
{
	auto_free char *dir = mem_fmt("%s/layers", r->dir);
	size_t count;
	auto_free char *name = oldest(dir, &count);

	if (!name || count < LAYERS_MAX)
		return;
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	auto_free char *gone =
		mem_fmt("%s/gone.%" PRId64 ".%d", r->dir, ++r->serial, (int)getpid());
	if (rename(path, gone) == 0)
		sweep_dir(r, steal_ptr(&gone), -1);
}

void
layer_keep(struct attempt *a)
{
	struct log_ctx log = runner_log(a);
	auto_free char *path = NULL;

	if (!a->layer_key || !str_eq(a->base.base_ref, a->base.default_branch))
		return;
	make_room(a->r);
	path = mem_fmt("%s/layers/%s", a->r->dir, a->layer_key);
	/* EEXIST, ENOTEMPTY: another task was first; ours serves this attempt as well. */
	if (rename(a->layer, path) < 0) {
		if (errno != EEXIST && errno != ENOTEMPTY)
			log_warn(&log, "layer.unkept", "errno=%d", errno);
		return;
	}
	free(a->layer);
	a->layer = steal_ptr(&path);
	(void)take(a, a->layer);
	log_info(&log, "layer.kept", "key=%.12s", a->layer_key);
}
