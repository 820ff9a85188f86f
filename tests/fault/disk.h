/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - a disk whose power can be cut, for the program that this is linked into.
 *
 * The C library's calls that change files are ours here (disk_calls.c), for SQLite's as for the
 * store's own code. They do what they are to do, and write down what they did to anything below one
 * directory. fsync writes itself down and syncs nothing, which also makes it quick. From that list
 * any number of disks can be made as a power cut before one of its lines might leave them:
 *
 *  - what was synced is there;
 *  - of what was not, any sectors of any writes may be there, in any order, some of them torn;
 *  - a name is there for certain when its directory was synced after it was made, renamed or
 *    removed. Of later changes to one directory the first so many are there.
 *
 * That is what POSIX allows, and less than any file system in use leaves out.
 */
#ifndef TESTS_FAULT_DISK_H
#define TESTS_FAULT_DISK_H

#include "tests/fault/dice.h"

#include <stddef.h>
#include <sys/types.h>

/* From here on root (absolute, exists) is watched; what is below it is on the disk. */
void disk_watch(const char *root);
/* The list stays. */
void disk_unwatch(void);
void disk_forget(void);

/* The caller's own line: everything before it had been promised by then. */
void disk_promise(int64_t what);

size_t disk_lines(void);
/* The last promise before that line; 0: there is none. */
int64_t disk_promised(size_t line);

/* How the power goes. */
struct disk_cut {
	size_t line;  /* this one and all later ones did not happen */
	bool is_liar; /* a disk that says it had synced, and had not */
};
/* Makes what is left in `to`, an empty directory. */
void disk_make(const struct disk_cut *c, struct dice *d, const char *to);

/* ---- disk_calls.c tells disk.c; path is relative to root ---- */
enum disk_kind {
	DISK_WRITE,    /* file, at, data, len */
	DISK_TRUNCATE, /* file, at: the new size */
	DISK_SYNC,     /* file */
	DISK_NEW,      /* path, file */
	DISK_GONE,     /* path */
	DISK_MOVE,     /* from, path */
	DISK_LINK,     /* from, path */
	DISK_MKDIR,    /* path */
	DISK_SYNC_DIR, /* path */
	DISK_PROMISE,  /* at */
};

struct disk_line {
	enum disk_kind kind;
	int file;
	int64_t at;
	char *data;
	size_t len;
	char *path;
	char *from;
};

/* NULL: not below the root, or nobody watches. */
const char *disk_below(const char *path);
/* -1: not one of ours. A new file gets a number. */
int disk_file(dev_t dev, ino_t ino, bool is_new);
/* Everything in it is copied. */
void disk_add(const struct disk_line *line);

#endif
