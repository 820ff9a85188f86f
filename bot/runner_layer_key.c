/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_layer_key - what a setup depends on: the repository, the commands, the contents of the
 * files that .agent.yml names in setup_key, and the programs that run it.
 *
 * Files are read once for each commit: a start costs the same however large a lock file has become.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX MIB(16)
#define HEX_BYTES      (2 * CRYPTO_SHA256_BYTES + 1)

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
	char hex[HEX_BYTES];
	int rc = open_file(t, path, &fd, e);

	(void)buf_addf(text, "file %s ", path);
	if (rc == ERR_MISSING)
		return buf_adds(text, "absent\n");
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0 || st.st_size > FILE_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "%s is over %ld bytes", path, FILE_BYTES_MAX);
	auto_free char *data = mem_array((size_t)st.st_size + 1, 1);
	ssize_t n = pread(fd, data, (size_t)st.st_size, 0);
	if (n < 0)
		return err_sys(e, "read %s", path);
	crypto_sha256_hex(data, (size_t)n, hex);
	return buf_addf(text, "%s\n", hex);
}

static int
add_files(const struct attempt *a, struct buf *text, struct err *e)
{
	const char *extra_dir = a->base.extra_dir;
	auto_fd int tree = open(a->base.checkout_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int extra = extra_dir ? open(extra_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const struct trees trees = { extra, tree };
	int rc = 0;

	if (tree < 0 || (extra_dir && extra < 0))
		return err_sys(e, "open %s", tree < 0 ? a->base.checkout_dir : extra_dir);
	for (size_t i = 0; rc == 0 && i < a->settings.setup_key.n; i++)
		rc = add_file(&trees, a->settings.setup_key.v[i], text, e);
	return rc;
}

/* What a compiler of another system built does not run here. */
static void
add_programs(const struct config *c, struct buf *text)
{
	auto_free char *usr = mem_fmt("%s/usr", c->sandbox_rootfs ? c->sandbox_rootfs : "");
	struct stat st = { 0 };

	if (c->sandbox_rootfs)
		(void)lstat(usr, &st);
	(void)buf_addf(text, "rootfs %s %ju %lld\n", c->sandbox_rootfs ? c->sandbox_rootfs : "",
		(uintmax_t)st.st_ino, (long long)st.st_mtim.tv_sec);
}

/* All but the files. */
static void
add_rest(const struct attempt *a, struct buf *text)
{
	(void)buf_addf(text, "forge %s\nrepo %" PRId64 "\n", a->task.forge, a->task.repo_id);
	add_programs(a->r->role->config, text);
	for (size_t i = 0; i < a->settings.setup.n; i++)
		(void)buf_addf(text, "run %zu %s\n", strlen(a->settings.setup.v[i]),
			a->settings.setup.v[i]);
	if (a->base.extra_dir)
		(void)buf_addf(text, "extra %d %d\n", a->settings.submodules, a->settings.lfs);
}

/* The question whose answer is a key; a layer of extras never changes either. */
static void
name_question(const struct attempt *a, const struct buf *rest, char out[HEX_BYTES])
{
	auto_buf struct buf text = BUF_INIT(MIB(2));

	(void)buf_addf(&text, "at %s\nwith %s\n", a->base.checkout_dir,
		a->base.extra_dir ? a->base.extra_dir : "");
	for (size_t i = 0; i < a->settings.setup_key.n; i++)
		(void)buf_addf(&text, "file %s\n", a->settings.setup_key.v[i]);
	(void)buf_add(&text, rest->data, rest->len);
	crypto_sha256_hex(text.data, text.len, out);
}

char *
layer_key(const struct attempt *a, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(MIB(1));
	struct runner *r = a->r;
	struct layer_known k;

	add_rest(a, &text);
	name_question(a, &text, k.of);
	for (size_t i = 0; i < LAYERS_KNOWN; i++) {
		if (str_eq(r->known[i].of, k.of))
			return mem_str(r->known[i].key);
	}
	if (add_files(a, &text, e) < 0)
		return NULL;
	crypto_sha256_hex(text.data, text.len, k.key);
	r->known[r->known_next] = k;
	r->known_next = (r->known_next + 1) % LAYERS_KNOWN;
	return mem_str(k.key);
}
