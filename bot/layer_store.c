/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_store - see layer_store.h.
 */
#include "bot/layer_store.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_LEN         (2 * CRYPTO_SHA256_BYTES)
#define ABOUT_BYTES_MAX 128

static bool
is_key(const char *name)
{
	return strlen(name) == KEY_LEN && strspn(name, "0123456789abcdef") == KEY_LEN;
}

/* ---- about: "<boot id> <bytes>\n" ---- */

static int
about_write(const char *layer, int64_t bytes, struct err *e)
{
	auto_free char *path = mem_fmt("%s/about", layer);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char boot[CLOCK_BOOT_ID_BYTES];

	clock_boot_id(boot);
	if (fd < 0 || dprintf(fd, "%s %" PRId64 "\n", boot, bytes) < 0)
		return err_sys(e, "write %s", path);
	return 0;
}

/* Its size; -1: it is not of this run of the machine. */
static int64_t
about_read(int layer)
{
	auto_fd int fd = openat(layer, "about", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[ABOUT_BYTES_MAX] = { 0 };
	char boot[CLOCK_BOOT_ID_BYTES];
	size_t len;

	clock_boot_id(boot);
	len = strlen(boot);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -1;
	if (len == 0 || strncmp(text, boot, len) != 0 || text[len] != ' ')
		return -1;
	return strtoll(text + len, NULL, 10);
}

/* ---- take ---- */

static int
open_layer(const struct layer_store *s, const char *key)
{
	auto_free char *path = mem_fmt("%s/%s", s->dir, key);

	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool
layer_store_take(const struct layer_store *s, const char *key, int *lock)
{
	auto_fd int fd = open_layer(s, key);

	/* Who removes one has it locked while he takes its name away. */
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 || about_read(fd) < 0)
		return false;
	(void)futimens(fd, NULL); /* if that fails it goes a little early */
	*lock = steal_fd(&fd);
	return true;
}

/* ---- room ---- */

struct entry {
	char key[KEY_LEN + 1];
	int64_t used_ns;
	int64_t bytes; /* -1: worth nothing */
};

static int
older_first(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

static size_t
list(const struct layer_store *s, struct entry **out)
{
	auto_dir DIR *d = opendir(s->dir);
	struct entry *v = NULL;
	const struct dirent *de;
	size_t n = 0;

	while (d && (de = readdir(d))) {
		auto_fd int fd = is_key(de->d_name) ? open_layer(s, de->d_name) : -1;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		v = mem_grow(v, n + 1, sizeof(*v));
		memcpy(v[n].key, de->d_name, sizeof(v[n].key));
		v[n].used_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
		v[n++].bytes = about_read(fd);
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), older_first);
	*out = v;
	return n;
}

/* Under another name nobody finds it any more. False: somebody uses it. */
static bool
take_away(const struct layer_store *s, const char *key, struct strs *gone)
{
	static unsigned serial;
	auto_fd int fd = open_layer(s, key);
	auto_free char *from = mem_fmt("%s/%s", s->dir, key);
	auto_free char *to = mem_fmt(
		"%s/gone.%d.%" PRId64 ".%u", s->dir, (int)getpid(), clock_boot_ms(), ++serial);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || rename(from, to) < 0)
		return false;
	strs_add(gone, to);
	return true;
}

/* One in use stays, and the next oldest goes instead. */
static void
make_room(const struct layer_store *s, int64_t bytes, struct strs *gone)
{
	auto_free struct entry *v = NULL;
	size_t n = list(s, &v);
	int64_t used = bytes;

	for (size_t i = 0; i < n; i++)
		used += v[i].bytes > 0 ? v[i].bytes : 0;
	for (size_t i = 0; i < n && used > s->quota; i++) {
		if (take_away(s, v[i].key, gone))
			used -= v[i].bytes > 0 ? v[i].bytes : 0;
	}
}

/* ---- put ---- */

int
layer_store_put(const struct layer_store *s, const char *key, const struct layer_fresh *from,
	int *lock, struct strs *gone, struct err *e)
{
	auto_free char *to = mem_fmt("%s/%s", s->dir, key);
	auto_fd int fd = open(from->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
		return err_sys(e, "hold %s", from->dir);
	if (from->bytes < 0)
		return err_set(e, ERR_LIMIT, "nobody knows how large it is");
	if (from->bytes > s->quota)
		return err_set(e, ERR_LIMIT, "%" PRId64 " bytes, and room for %" PRId64,
			from->bytes, s->quota);
	rc = about_write(from->dir, from->bytes, e);
	if (rc < 0)
		return rc;
	make_room(s, from->bytes, gone);
	if (rename(from->dir, to) < 0)
		return errno == EEXIST || errno == ENOTEMPTY
			       ? err_set(e, ERR_CONFLICT, "somebody else kept one")
			       : err_sys(e, "rename %s", from->dir);
	*lock = steal_fd(&fd);
	return 0;
}

/* ---- the rest ---- */

void
layer_store_sweep(const struct layer_store *s, struct strs *gone)
{
	auto_dir DIR *d = opendir(s->dir);
	auto_free struct entry *v = NULL;
	const struct dirent *de;
	size_t n;

	while (d && (de = readdir(d))) {
		if (str_starts(de->d_name, "new.") || str_starts(de->d_name, "gone."))
			strs_addf(gone, "%s/%s", s->dir, de->d_name);
	}
	n = list(s, &v);
	for (size_t i = 0; i < n; i++) {
		if (v[i].bytes < 0)
			(void)take_away(s, v[i].key, gone); /* in use: the next start sees to it */
	}
	make_room(s, 0, gone); /* the quota may have become smaller */
}

struct layer_sum
layer_store_sum(const struct layer_store *s)
{
	auto_free struct entry *v = NULL;
	struct layer_sum sum = { 0 };
	size_t n = list(s, &v);

	for (size_t i = 0; i < n; i++) {
		if (v[i].bytes < 0)
			continue;
		sum.n++;
		sum.bytes += v[i].bytes;
	}
	return sum;
}
