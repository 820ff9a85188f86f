/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - files as disk.c keeps them and disk_vfs.c gives them to SQLite.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "tests/sim/sim.h"

#define FILES_MAX  8
#define WRITES_MAX 16384
#define SHM_MAX    8
#define SECTOR     512
#define SHM_BYTES  32768
#define TRUNCATION (-1)

struct write {
	int64_t at; /* TRUNCATION: the size is len from now on */
	int64_t len;
	char *data;
};

struct file {
	char name[160];
	bool exists;
	char *now; /* as a process sees it */
	int64_t size, cap;
	char *synced;
	int64_t synced_size;
	struct write *writes; /* since the last sync */
	size_t n_writes;
	void *shm[SHM_MAX];
};

/* NULL: there is none, or it is not to be made. */
struct file *file_of(const char *name, bool create);
void file_remove(struct file *f);
void file_resize(struct file *f, int64_t size);
/* A write that is not synced. data NULL: the size is len. */
void file_remember(struct file *f, int64_t at, const void *data, int64_t len);
void file_sync(struct file *f);
void file_free_shm(struct file *f);

/* Each death of the process begins a new life; handles of earlier ones are dead. */
int64_t disk_life(void);
bool disk_is_packed(void);

#endif
