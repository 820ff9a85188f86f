/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - see fs.h. Removing trees is in fs_tree.c.
 */
#include "base/fs.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CHUNK_BYTES 16384

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

/* Everything until end of file. What came is in out even on error. */
static int
read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	char chunk[CHUNK_BYTES];
	int rc = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(e, "read %s", path);
		else if (n > 0 && buf_add(out, chunk, (size_t)n) < 0)
			rc = err_set(e, ERR_LIMIT, "%s: more than %zu bytes", path, out->limit);
		if (n <= 0 || rc < 0)
			break;
	}
	mem_wipe(chunk, sizeof(chunk)); /* it may have been a secret */
	return rc;
}

/* O_NONBLOCK: opening a FIFO that somebody put there must not wait for its writer. */
static int
open_regular(const char *path, int *out_fd, struct stat *st, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fstat(fd, st) < 0)
		return err_sys(e, "stat %s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_INVALID, "%s: not a regular file", path);
	*out_fd = steal_fd(&fd);
	return 0;
}

int
fs_read(const char *path, struct buf *out, struct err *e)
{
	auto_fd int fd = -1;
	size_t start = out->len;
	struct stat st;
	int rc = open_regular(path, &fd, &st, e);

	if (rc < 0)
		return rc;
	rc = read_all(fd, path, out, e);
	if (rc < 0)
		buf_cut(out, start);
	return rc;
}

/* Links are followed (Kubernetes mounts secrets as links): what counts is the file that was opened.
 */
int
fs_read_secret(const char *path, struct buf *out, struct err *e)
{
	auto_fd int fd = -1;
	size_t start = out->len;
	struct stat st;
	int rc = open_regular(path, &fd, &st, e);

	if (rc < 0)
		return rc;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, ERR_DENIED,
			"%s: belongs to uid %u, who could change it: chown root %s", path,
			st.st_uid, path);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, ERR_DENIED,
			"%s: mode %04o lets others read or write it: chmod 600 %s", path,
			st.st_mode & 07777, path);
	rc = read_all(fd, path, out, e);
	if (rc < 0) {
		mem_wipe(out->data + start, out->len - start);
		buf_cut(out, start);
		return rc;
	}
	if (out->len > start && out->data[out->len - 1] == '\n')
		buf_cut(out, out->len - 1);
	if (out->len > start && out->data[out->len - 1] == '\r')
		buf_cut(out, out->len - 1);
	return 0;
}

static int
write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
sync_parent(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = slash ? mem_strn(path, (size_t)(slash - path) + 1) : mem_str(".");
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", dir);
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", dir);
	return 0;
}

static int
write_whole(
	const char *path, const void *data, size_t len, mode_t mode, bool is_synced, struct err *e)
{
	auto_free char *temporary = mem_fmt("%s.XXXXXX", path);
	auto_fd int fd = mkostemp(temporary, O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return err_sys(e, "create %s", temporary);
	if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 || (is_synced && fsync(fd) < 0))
		rc = err_sys(e, "write %s", temporary);
	else if (rename(temporary, path) < 0)
		rc = err_sys(e, "rename %s to %s", temporary, path);
	if (rc < 0)
		(void)unlink(temporary); /* the first error is the one to tell */
	return rc;
}

int
fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	int rc = write_whole(path, data, len, mode, true, e);

	return rc < 0 ? rc : sync_parent(path, e);
}

int
fs_write_whole(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	return write_whole(path, data, len, mode, false, e);
}

static int
make_dir(const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "mkdir %s", path);
	if (stat(path, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFLICT, "%s: exists and is no directory", path);
	return 0;
}

int
fs_mkdirs(const char *path, mode_t mode, struct err *e)
{
	auto_free char *copy = mem_str(path);
	int rc = 0;

	for (char *p = copy; *p && rc == 0; p++) {
		if (*p != '/' || p == copy)
			continue;
		*p = '\0';
		rc = make_dir(copy, mode, e);
		*p = '/';
	}
	return rc < 0 ? rc : make_dir(copy, mode, e);
}

/* RESOLVE_BENEATH would let "a/../b" pass; no honest caller writes that. */
static bool
has_dotdot(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += n;
		path += strspn(path, "/");
	}
	return false;
}

int
fs_open_beneath(int dir_fd, const char *path, int flags, int *out_fd, struct err *e)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY),
		.mode = flags & O_CREAT ? 0600 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	auto_fd int fd = -1;
	struct stat st;

	if (path[0] == '/' || has_dotdot(path))
		return err_set(e, ERR_DENIED, "%s: not a path below the directory", path);
	fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_DENIED, "%s: is or goes through a link", path);
	if (fd < 0 && errno == EXDEV)
		return err_set(e, ERR_DENIED, "%s: leaves the directory or its file system", path);
	if (fd < 0 && errno == ENXIO) /* a socket, or a FIFO without a reader */
		return err_set(e, ERR_DENIED, "%s: not a regular file", path);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DENIED, "%s: not a regular file", path);
	*out_fd = steal_fd(&fd);
	return 0;
}

static int
fill_memfd(int take_fd, const void *data, size_t len, int *out_fd, struct err *e)
{
	auto_fd int fd = take_fd;

	if (fd < 0)
		return err_sys(e, "memfd_create");
	if (write_all(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "write memfd");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_sys(e, "seal memfd");
	*out_fd = steal_fd(&fd);
	return 0;
}

int
fs_memfd(const char *name, const void *data, size_t len, int *out_fd, struct err *e)
{
	return fill_memfd(
		memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), data, len, out_fd, e);
}

int
fs_memfd_program(const char *name, const void *data, size_t len, int *out_fd, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 all may be executed */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fill_memfd(fd, data, len, out_fd, e);
}
