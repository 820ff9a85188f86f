/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - a disk of its own for what an attempt writes: a file with an ext4 in it.
 *
 * Its size is a limit that the kernel holds, in bytes and in names, and nobody else's space is lost
 * when it is full. It is mounted in a mount namespace of the process that has it, and its file has
 * no name: with the last process of that namespace, and in whatever way it ended, mount, loop
 * device and file are gone, however much is on it.
 *
 * That takes root, loop devices and mkfs.ext4. Where one is absent, what an attempt writes lies in
 * a directory, and somebody has to watch it (bot/shim_disk.c).
 */
#ifndef SANDBOX_DISK_H
#define SANDBOX_DISK_H

#include "base/err.h"
#include "sandbox/sandbox.h"

#include <stdint.h>

#define DISK_BYTES_PER_NAME 8192 /* so many bytes for each file that it can hold */

/* An empty disk, to be copied: a memfd that takes as much memory as its tables have in them, some
 * hundred kilobytes whatever its size. Takes 20 to 30 ms. */
int disk_blank(int64_t bytes, int *out_fd, struct err *e);

/* A copy of it in a file without a name in the directory dir, mounted, but nowhere yet: it is gone
 * with its descriptor. Takes 2 ms of a processor, and on a busy machine much longer to wait for. */
int disk_make(int blank_fd, const char *dir, int *out_mount_fd, struct err *e);

/* Puts it at dir, which is made. The process leaves its mount namespace for one of its own, which
 * goes on following what is mounted outside. */
int disk_attach(int mount_fd, const char *dir, struct err *e);

/* Unmounts it. What was not written back is forgotten: nobody will read it. */
void disk_detach(const char *dir);

/* What is free on the filesystem of a path. */
struct disk_room {
	int64_t bytes;
	int64_t bytes_free;
	int64_t names;
	int64_t names_free;
};
int disk_room(const char *path, struct disk_room *out, struct err *e);

/* Less than a hundredth left, of bytes or of names: programs fail for it. */
bool disk_is_full(const struct disk_room *r);

/* What trees hold that lie elsewhere. Whoever writes them decides how long it takes to count that:
 * so it is a child of its own, to be killed when its answer is no longer wanted, and readable when
 * it is there. It sees all that belongs to us, also what was closed to us. */
struct disk_count {
	pid_t pid;
	int pidfd;
	int answer_fd; /* one struct disk_counted */
};
struct disk_counted {
	int64_t bytes;
	int64_t names;
	int rc; /* ERR_LIMIT: over names_max, or too deep; ERR_CONFLICT: moved meanwhile */
};
int disk_count_start(
	const struct strs *paths, int64_t names_max, struct disk_count *out, struct err *e);

/* The same, and waits for it. */
int disk_count(
	const struct strs *paths, int64_t names_max, struct disk_counted *out, struct err *e);

/* Tries it in a process of its own, in a directory that may be written. */
void disk_probe(const char *dir, struct sandbox_feature *f);

#endif
