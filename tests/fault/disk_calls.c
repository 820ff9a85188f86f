/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_calls - the C library's calls by which files change; see disk.h.
 *
 * A program's own functions come before those of its shared libraries, so SQLite gets these, too.
 * What it writes through a mapping is not seen: that is its index of the log, which is no file to
 * be believed after a crash.
 */
#include "tests/fault/disk.h"

#include "base/clean.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The headers' own versions check arguments at compile time; these are what they end in. */
int open64(const char *path, int flags, ...);
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at);
int ftruncate64(int fd, off64_t size);

static int
file_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? disk_file(st.st_dev, st.st_ino, false) : -1;
}

/* ---- names ---- */

static int
open_it(const char *path, int flags, mode_t mode)
{
	const char *below = flags & O_CREAT ? disk_below(path) : NULL;
	bool is_new = below && syscall(SYS_access, path, F_OK) < 0;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	struct stat st;

	if (fd < 0 || !below || fstat(fd, &st) < 0)
		return fd;
	int file = disk_file(st.st_dev, st.st_ino, is_new);
	if (is_new)
		disk_add(&(struct disk_line){
			.kind = DISK_NEW, .file = file, .path = (char *)(uintptr_t)below });
	else if (flags & O_TRUNC)
		disk_add(&(struct disk_line){ .kind = DISK_TRUNCATE, .file = file });
	return fd;
}

static mode_t
mode_of(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int
open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	int fd = open_it(path, flags, mode_of(flags, ap));
	va_end(ap);
	return fd;
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	int fd = open_it(path, flags, mode_of(flags, ap));
	va_end(ap);
	return fd;
}

static int
named(int rc, enum disk_kind kind, const char *from, const char *path)
{
	const char *below = disk_below(path);

	if (rc == 0 && below)
		disk_add(&(struct disk_line){
			.kind = kind,
			.path = (char *)(uintptr_t)below,
			.from = from ? (char *)(uintptr_t)disk_below(from) : NULL,
		});
	return rc;
}

int
unlink(const char *path)
{
	return named((int)syscall(SYS_unlink, path), DISK_GONE, NULL, path);
}

int
mkdir(const char *path, mode_t mode)
{
	return named((int)syscall(SYS_mkdir, path, mode), DISK_MKDIR, NULL, path);
}

int
rename(const char *from, const char *to)
{
	return named((int)syscall(SYS_rename, from, to), DISK_MOVE, from, to);
}

int
link(const char *from, const char *to)
{
	return named((int)syscall(SYS_link, from, to), DISK_LINK, from, to);
}

/* ---- contents ---- */

static ssize_t
wrote(int fd, const void *data, ssize_t n, off_t at)
{
	int file = n > 0 ? file_of(fd) : -1;

	if (file >= 0)
		disk_add(&(struct disk_line){ .kind = DISK_WRITE,
			.file = file,
			.at = at,
			.data = (char *)(uintptr_t)data,
			.len = (size_t)n });
	return n;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	return wrote(fd, data, syscall(SYS_pwrite64, fd, data, len, at), at);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite(fd, data, len, at);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	off_t at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);

	return wrote(fd, data, syscall(SYS_write, fd, data, len), at);
}

int
ftruncate(int fd, off_t size)
{
	int rc = (int)syscall(SYS_ftruncate, fd, size);
	int file = rc == 0 ? file_of(fd) : -1;

	if (file >= 0)
		disk_add(&(struct disk_line){ .kind = DISK_TRUNCATE, .file = file, .at = size });
	return rc;
}

int
ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

/* ---- what makes it last ---- */

int
fsync(int fd)
{
	char self[64], path[PATH_MAX];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		int file = disk_file(st.st_dev, st.st_ino, false);

		if (file >= 0)
			disk_add(&(struct disk_line){ .kind = DISK_SYNC, .file = file });
		return 0;
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(self, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	const char *below = disk_below(path);
	if (below)
		disk_add(&(struct disk_line){
			.kind = DISK_SYNC_DIR, .path = (char *)(uintptr_t)below });
	return 0;
}

/* It may leave out times only; a size that is needed to read the data it syncs. */
int
fdatasync(int fd)
{
	return fsync(fd);
}
