/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_vfs - the files of disk.c as SQLite wants them.
 */
#include "tests/sim/disk.h"

#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct handle {
	sqlite3_file base;
	struct file *f;
	int64_t life; /* a handle of an earlier life is dead */
};

/* ---- what SQLite asks of a file ---- */

static struct file *
live(sqlite3_file *h)
{
	struct handle *x = (struct handle *)(void *)h;

	return disk_is_unplugged() || x->life != disk_life() ? NULL : x->f;
}

static int
f_close(sqlite3_file *h)
{
	(void)h;
	return SQLITE_OK;
}

static int
f_read(sqlite3_file *h, void *out, int n, sqlite3_int64 at)
{
	const struct file *f = live(h);
	int64_t have;

	if (!f)
		return SQLITE_IOERR_READ;
	have = f->size - at < n ? f->size - at : n;
	if (have < 0)
		have = 0;
	if (have > 0)
		memcpy(out, f->now + at, (size_t)have);
	if (have == n)
		return SQLITE_OK;
	memset((char *)out + have, 0, (size_t)(n - have));
	return SQLITE_IOERR_SHORT_READ;
}

/* A process may die at every write. */
static bool
dies_here(void)
{
	if (!SIM.is_calm && chance_u64() % 20000 == 0)
		actor_kill(ROLE_QUEUE);
	return disk_is_unplugged();
}

static int
f_write(sqlite3_file *h, const void *data, int n, sqlite3_int64 at)
{
	struct file *f = live(h);

	if (!f || dies_here())
		return SQLITE_IOERR_WRITE;
	if (disk_is_packed() && at + n > f->size)
		return SQLITE_FULL;
	if (!SIM.is_calm && chance_u64() % 50000 == 0)
		return SQLITE_IOERR_WRITE;
	if (at + n > f->size)
		file_resize(f, at + n);
	memcpy(f->now + at, data, (size_t)n);
	file_remember(f, at, data, n);
	return SQLITE_OK;
}

static int
f_truncate(sqlite3_file *h, sqlite3_int64 size)
{
	struct file *f = live(h);

	if (!f || dies_here())
		return SQLITE_IOERR_TRUNCATE;
	file_resize(f, size);
	file_remember(f, TRUNCATION, NULL, size);
	return SQLITE_OK;
}

static int
f_sync(sqlite3_file *h, int flags)
{
	struct file *f = live(h);

	(void)flags;
	if (!f || dies_here())
		return SQLITE_IOERR_FSYNC;
	if (!SIM.is_calm && chance_u64() % 10000 == 0)
		return SQLITE_IOERR_FSYNC;
	file_sync(f);
	return SQLITE_OK;
}

static int
f_size(sqlite3_file *h, sqlite3_int64 *out)
{
	const struct file *f = live(h);

	if (!f)
		return SQLITE_IOERR_FSTAT;
	*out = f->size;
	return SQLITE_OK;
}

static int
f_lock(sqlite3_file *h, int how)
{
	(void)h, (void)how;
	return SQLITE_OK; /* one process, one connection at a time */
}

static int
f_reserved(sqlite3_file *h, int *out)
{
	(void)h;
	*out = 0;
	return SQLITE_OK;
}

static int
f_control(sqlite3_file *h, int op, void *arg)
{
	(void)h, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}

static int
f_sector(sqlite3_file *h)
{
	(void)h;
	return 4096;
}

static int
f_device(sqlite3_file *h)
{
	(void)h;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int
f_shm_map(sqlite3_file *h, int n, int size, int extend, void volatile **out)
{
	struct file *f = live(h);

	*out = NULL;
	if (!f || n >= SHM_MAX || size != SHM_BYTES)
		return SQLITE_IOERR_SHMMAP;
	if (!f->shm[n] && extend)
		f->shm[n] = mem_zero(SHM_BYTES);
	*out = f->shm[n];
	return SQLITE_OK;
}

static int
f_shm_lock(sqlite3_file *h, int at, int n, int flags)
{
	(void)h, (void)at, (void)n, (void)flags;
	return SQLITE_OK;
}

static void
f_shm_barrier(sqlite3_file *h)
{
	(void)h;
}

static int
f_shm_unmap(sqlite3_file *h, int must_delete)
{
	struct handle *x = (struct handle *)(void *)h;

	if (must_delete && !disk_is_unplugged() && x->life == disk_life())
		file_free_shm(x->f);
	return SQLITE_OK;
}

static const sqlite3_io_methods METHODS = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_lock,
	.xCheckReservedLock = f_reserved,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_device,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

/* ---- what it asks of the file system ---- */

static int
v_open(sqlite3_vfs *v, const char *name, sqlite3_file *out, int flags, int *got)
{
	struct handle *h = (struct handle *)(void *)out;
	struct file *f = name ? file_of(name, true) : NULL;

	(void)v;
	if (!f || disk_is_unplugged())
		return SQLITE_CANTOPEN;
	f->exists = true;
	*h = (struct handle){ .base.pMethods = &METHODS, .f = f, .life = disk_life() };
	if (got)
		*got = flags;
	return SQLITE_OK;
}

static int
v_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
	struct file *f = file_of(name, false);

	(void)v;
	(void)sync_dir;
	if (disk_is_unplugged())
		return SQLITE_IOERR_DELETE;
	if (!f || !f->exists)
		return SQLITE_IOERR_DELETE_NOENT;
	file_remove(f);
	return SQLITE_OK;
}

static int
v_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
	const struct file *f = file_of(name, false);

	(void)v;
	(void)flags;
	*out = f && f->exists;
	return SQLITE_OK;
}

static int
v_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
	(void)v;
	(void)snprintf(out, (size_t)n, "%s", name);
	return SQLITE_OK;
}

static int
v_random(sqlite3_vfs *v, int n, char *out)
{
	(void)v;
	for (int i = 0; i < n; i++)
		out[i] = (char)chance_u64();
	return n;
}

static int
v_wait(sqlite3_vfs *v, int us)
{
	(void)v;
	return us;
}

static int
v_time(sqlite3_vfs *v, sqlite3_int64 *out)
{
	(void)v;
	*out = SIM.now_ms + SIM.wall_ms + INT64_C(210866760000000); /* julian days in ms */
	return SQLITE_OK;
}

static int
v_error(sqlite3_vfs *v, int n, char *out)
{
	(void)v, (void)n, (void)out;
	return 0;
}

void
disk_create(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 2,
		.szOsFile = sizeof(struct handle),
		.mxPathname = 160,
		.zName = "sim",
		.xOpen = v_open,
		.xDelete = v_delete,
		.xAccess = v_access,
		.xFullPathname = v_path,
		.xRandomness = v_random,
		.xSleep = v_wait,
		.xCurrentTimeInt64 = v_time,
		.xGetLastError = v_error,
	};

	/* One thread, and nobody counts bytes: what that saves is a tenth of all time. */
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 1200, 200);
	(void)sqlite3_vfs_register(&vfs, 1);
}
