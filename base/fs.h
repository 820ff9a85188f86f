/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - files and directories, carefully.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* Whole file into out (its limit holds). ERR_MISSING, ERR_LIMIT. */
int fs_read(const char *path, struct buf *out, struct err *e);

/* A secret: regular file, owned by us or root, not readable or writable by group or others
 * (ERR_DENIED names the chmod). A trailing newline is dropped. */
int fs_read_secret(const char *path, struct buf *out, struct err *e);

/* Writes to a temporary name beside it, fsyncs, renames, fsyncs the directory. */
int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e);

/* The same without fsync: whole for whoever reads it while the machine runs, perhaps not after. */
int fs_write_whole(const char *path, const void *data, size_t len, mode_t mode, struct err *e);

/* mkdir -p; existing directories keep their mode. */
int fs_mkdirs(const char *path, mode_t mode, struct err *e);

/* rm -rf below and with path, iterative, never follows links or crosses mounts; absent is fine. */
int fs_remove_tree(const char *path, struct err *e);

/* What path and everything below it takes on its disk; a file with several names counts with each.
 * What goes away meanwhile is passed over. Never follows links. ERR_LIMIT: more names than that, or
 * too deep; ERR_DENIED: a directory that may not be read; a mount below it is an error, too. *out
 * is what was counted until then. */
struct fs_size {
	int64_t bytes;
	int64_t entries;
};
int fs_measure(const char *path, int64_t entries_max, struct fs_size *out, struct err *e);

/* Opens below dir_fd refusing links, magic links, "..", other mounts; O_NONBLOCK|O_CLOEXEC are
 * added; only regular files. */
int fs_open_beneath(int dir_fd, const char *path, int flags, int *out_fd, struct err *e);

/* A sealed memfd that holds a copy of the bytes. */
int fs_memfd(const char *name, const void *data, size_t len, int *out_fd, struct err *e);

/* The same, to be executed: where a machine forbids that unless it is asked for, it is. */
int fs_memfd_program(const char *name, const void *data, size_t len, int *out_fd, struct err *e);

#endif
