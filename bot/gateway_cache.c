/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_cache - answers of registries on disk.
 */
#include "bot/gateway_cache.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        "nsreg01"
#define HEAD_MAX     KIB(8)
#define SHARE_OF_ONE 4 /* of the quota */
#define LOW_PERCENT  80
#define ENTRIES_MAX  200000
#define TEMPORARY    "tmp."

struct cache {
	int dir;
	int64_t quota;
	int64_t used;
	int64_t serial;
};

/* At the start of a file; then the headers, one a line; then the body. */
struct prelude {
	char magic[8];
	int64_t stored_ms;
	int64_t body_len;
	int64_t headers_len;
	uint8_t sha[CRYPTO_SHA256_BYTES];
};

struct cache_reader {
	struct cache *c;
	char key[CACHE_KEY_BYTES];
	int fd;
	struct http_reply head;
	int64_t left;
	struct crypto_hash *hash;
	uint8_t want[CRYPTO_SHA256_BYTES];
};

struct cache_writer {
	struct cache *c;
	char key[CACHE_KEY_BYTES];
	char name[64];
	int fd;
	bool is_broken;
	struct prelude p;
	struct crypto_hash *hash;
};

void
cache_key(const char *text, char out[CACHE_KEY_BYTES])
{
	crypto_sha256_hex(text, strlen(text), out);
}

/* ---- how much there is ---- */

struct entry {
	char name[CACHE_KEY_BYTES];
	int64_t used_ms;
	int64_t size;
};

static int
older_first(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return x->used_ms < y->used_ms ? -1 : x->used_ms > y->used_ms;
}

static DIR *
open_dir(const struct cache *c)
{
	int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		(void)close(fd);
	return d;
}

/* All of them; what a writer of an earlier life left is removed. */
static size_t
list(struct cache *c, struct entry **out)
{
	auto_dir DIR *d = open_dir(c);
	struct entry *v = NULL;
	size_t n = 0, room = 0;

	for (struct dirent *e; d && n < ENTRIES_MAX && (e = readdir(d));) {
		struct stat st;

		if (str_starts(e->d_name, TEMPORARY) && c->serial == 0)
			(void)unlinkat(c->dir, e->d_name, 0);
		if (strlen(e->d_name) != CACHE_KEY_BYTES - 1 ||
			fstatat(c->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n == room) {
			room = room ? 2 * room : 256;
			v = mem_grow(v, room, sizeof(*v));
		}
		memcpy(v[n].name, e->d_name, CACHE_KEY_BYTES);
		v[n].used_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		v[n++].size = st.st_size;
	}
	*out = v;
	return n;
}

static void
make_room(struct cache *c)
{
	auto_free struct entry *v = NULL;
	size_t n, gone = 0;

	if (c->used <= c->quota)
		return;
	n = list(c, &v);
	if (n > 0)
		qsort(v, n, sizeof(*v), older_first);
	c->used = 0;
	for (size_t i = 0; i < n; i++)
		c->used += v[i].size;
	for (; gone < n && c->used > c->quota / 100 * LOW_PERCENT; gone++) {
		if (unlinkat(c->dir, v[gone].name, 0) == 0)
			c->used -= v[gone].size;
	}
	log_info(NULL, "cache.made_room", "removed=%d left=%d", (int)gone, (int)(n - gone));
}

int
cache_create(const char *dir, int64_t quota, struct cache **out, struct err *e)
{
	auto_free struct entry *v = NULL;
	struct cache *c;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s", dir);
	c = mem_zero(sizeof(*c));
	c->dir = fd;
	c->quota = quota;
	size_t n = list(c, &v);
	for (size_t i = 0; i < n; i++)
		c->used += v[i].size;
	make_room(c);
	*out = c;
	return 0;
}

void
cache_destroy(struct cache *c)
{
	if (!c)
		return;
	(void)close(c->dir);
	free(c);
}

/* ---- reading ---- */

static bool
read_all(int fd, void *out, size_t len)
{
	return read(fd, out, len) == (ssize_t)len;
}

static int
read_head(struct cache_reader *r, int64_t keep_ms)
{
	struct prelude p;
	struct stat st;
	auto_free char *headers = NULL;
	char *rest, *line;

	if (fstat(r->fd, &st) < 0 || !S_ISREG(st.st_mode) || !read_all(r->fd, &p, sizeof(p)))
		return -1;
	int64_t age = clock_wall_ms() - p.stored_ms;
	if (memcmp(p.magic, MAGIC, sizeof(p.magic)) != 0 || p.headers_len < 0 ||
		p.headers_len > HEAD_MAX || p.body_len < 0 ||
		st.st_size != (int64_t)sizeof(p) + p.headers_len + p.body_len || age < 0 ||
		age > keep_ms)
		return -1;
	headers = mem_zero((size_t)p.headers_len + 1);
	if (p.headers_len > 0 && !read_all(r->fd, headers, (size_t)p.headers_len))
		return -1;
	for (rest = headers; (line = strsep(&rest, "\n"));) {
		if (*line)
			strs_add(&r->head.headers, line);
	}
	strs_addf(&r->head.headers, "content-length: %lld", (long long)p.body_len);
	r->head.status = 200;
	r->left = p.body_len;
	memcpy(r->want, p.sha, sizeof(r->want));
	return 0;
}

struct cache_reader *
cache_open(struct cache *c, const char *key, int64_t keep_ms)
{
	struct cache_reader *r;
	int fd = openat(c->dir, key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	r = mem_zero(sizeof(*r));
	r->c = c;
	r->fd = fd;
	(void)snprintf(r->key, sizeof(r->key), "%s", key);
	r->hash = crypto_hash_create();
	if (read_head(r, keep_ms) < 0) {
		cache_reader_destroy(r);
		return NULL;
	}
	(void)futimens(fd, NULL); /* used now */
	return r;
}

const struct http_reply *
cache_reader_head(const struct cache_reader *r)
{
	return &r->head;
}

static int64_t
broken(struct cache_reader *r)
{
	log_warn(NULL, "cache.broken", "key=%s", r->key);
	(void)unlinkat(r->c->dir, r->key, 0);
	return -1;
}

int64_t
cache_read(struct cache_reader *r, char *out, size_t size)
{
	uint8_t sha[CRYPTO_SHA256_BYTES];
	ssize_t n = read(r->fd, out, (int64_t)size < r->left ? size : (size_t)r->left);

	if (n < 0 || (n == 0 && r->left > 0))
		return broken(r);
	crypto_hash_add(r->hash, out, (size_t)n);
	r->left -= n;
	if (r->left > 0 || !r->hash)
		return n;
	crypto_hash_end(r->hash, sha);
	r->hash = crypto_hash_create();
	if (n > 0 && memcmp(sha, r->want, sizeof(sha)) != 0)
		return broken(r);
	return n;
}

void
cache_reader_destroy(struct cache_reader *r)
{
	if (!r)
		return;
	(void)close(r->fd);
	crypto_hash_end(r->hash, NULL);
	http_reply_finish(&r->head);
	free(r);
}

/* ---- writing ---- */

static void
put(struct cache_writer *w, const void *data, size_t len)
{
	if (!w->is_broken && write(w->fd, data, len) != (ssize_t)len)
		w->is_broken = true;
}

static void
put_headers(struct cache_writer *w, const struct http_reply *head)
{
	static const char *const kept[] = { "content-type", "etag", "last-modified" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const char *value = http_reply_header(head, kept[i]);
		auto_free char *line = value ? mem_fmt("%s: %s\n", kept[i], value) : NULL;

		if (!line || w->p.headers_len + (int64_t)strlen(line) > HEAD_MAX)
			continue;
		put(w, line, strlen(line));
		w->p.headers_len += (int64_t)strlen(line);
	}
}

struct cache_writer *
cache_write(struct cache *c, const char *key, const struct http_reply *head)
{
	struct cache_writer *w;

	bool has_end = http_reply_header(head, "content-length") ||
		       http_reply_header(head, "transfer-encoding");

	/* What is packed depends on what was asked for, and we ask for nothing packed; what has no
	 * end of its own may have been cut off. */
	if (c->quota == 0 || head->status != 200 || !has_end ||
		http_reply_header(head, "content-encoding"))
		return NULL;
	w = mem_zero(sizeof(*w));
	w->c = c;
	(void)snprintf(w->key, sizeof(w->key), "%s", key);
	(void)snprintf(w->name, sizeof(w->name), TEMPORARY "%lld", (long long)++c->serial);
	w->fd = openat(c->dir, w->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	w->is_broken = w->fd < 0;
	w->hash = crypto_hash_create();
	put(w, &w->p, sizeof(w->p));
	put_headers(w, head);
	return w;
}

void
cache_writer_add(struct cache_writer *w, const char *data, size_t len)
{
	put(w, data, len);
	crypto_hash_add(w->hash, data, len);
	w->p.body_len += (int64_t)len;
	if (w->p.body_len > w->c->quota / SHARE_OF_ONE)
		w->is_broken = true;
}

/* No fsync: a file that a power cut leaves half written is found out by its length or its hash. */
static void
finish(struct cache_writer *w)
{
	struct prelude p = w->p;
	int64_t size = (int64_t)sizeof(p) + p.headers_len + p.body_len;

	memcpy(p.magic, MAGIC, sizeof(p.magic));
	p.stored_ms = clock_wall_ms();
	if (pwrite(w->fd, &p, sizeof(p), 0) != (ssize_t)sizeof(p) ||
		renameat(w->c->dir, w->name, w->c->dir, w->key) < 0) {
		(void)unlinkat(w->c->dir, w->name, 0);
		return;
	}
	w->c->used += size;
	make_room(w->c);
}

void
cache_writer_end(struct cache_writer *take_w, bool is_whole)
{
	struct cache_writer *w = take_w;

	if (!w)
		return;
	crypto_hash_end(w->hash, w->p.sha);
	if (is_whole && !w->is_broken)
		finish(w);
	else if (w->fd >= 0)
		(void)unlinkat(w->c->dir, w->name, 0);
	if (w->fd >= 0)
		(void)close(w->fd);
	free(w);
}
