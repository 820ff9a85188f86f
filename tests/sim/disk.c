/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - SQLite's file system, in memory, as unreliable as one that keeps its promises may be.
 *
 * A file is what was synced and, after it, a list of writes that were not. A process that is killed
 * loses nothing; a power cut lets each write of that list survive, vanish, or be torn at a sector's
 * border, each by chance and so in any order. An unplugged disk takes and tells nothing: what a
 * process does between its death and the moment when the simulation notices it never happened.
 */
#include "tests/sim/disk.h"

#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX 8

static struct file files[FILES_MAX];
static int64_t life;
static bool is_unplugged, is_full;

/* ---- files ---- */

struct file *
file_of(const char *name, bool create)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (files[i].name[0] && strcmp(files[i].name, name) == 0)
			return &files[i];
	}
	for (size_t i = 0; create && i < FILES_MAX; i++) {
		if (files[i].name[0])
			continue;
		(void)snprintf(files[i].name, sizeof(files[i].name), "%s", name);
		return &files[i];
	}
	return NULL;
}

void
file_resize(struct file *f, int64_t size)
{
	if (size > f->cap) {
		f->cap = size + size / 2 + 65536;
		f->now = mem_grow(f->now, (size_t)f->cap, 1);
	}
	if (size > f->size)
		memset(f->now + f->size, 0, (size_t)(size - f->size));
	f->size = size;
}

static void
forget_writes(struct file *f)
{
	for (size_t i = 0; i < f->n_writes; i++)
		free(f->writes[i].data);
	f->n_writes = 0;
}

void
file_remember(struct file *f, int64_t at, const void *data, int64_t len)
{
	if (!f->writes)
		f->writes = mem_array(WRITES_MAX, sizeof(*f->writes));
	if (f->n_writes == WRITES_MAX)
		abort();
	f->writes[f->n_writes++] =
		(struct write){ at, len, data ? mem_dup(data, (size_t)len) : NULL };
}

void
file_free_shm(struct file *f)
{
	for (size_t i = 0; i < SHM_MAX; i++) {
		free(f->shm[i]);
		f->shm[i] = NULL;
	}
}

void
file_remove(struct file *f)
{
	forget_writes(f);
	f->exists = false;
	f->size = f->synced_size = 0;
}

/* ---- faults ---- */

void
disk_unplug(void)
{
	is_unplugged = true;
}

bool
disk_is_unplugged(void)
{
	return is_unplugged;
}

void
disk_revive(void)
{
	is_unplugged = false;
	life++;
	for (size_t i = 0; i < FILES_MAX; i++)
		file_free_shm(&files[i]);
}

void
disk_fill(bool full)
{
	is_full = full;
}

static void
replay(struct file *f, const struct write *w)
{
	int64_t from = 0, to = w->len;

	if (w->at == TRUNCATION) {
		file_resize(f, w->len);
		return;
	}
	if (chance_of(200)) { /* torn: the first or the last sectors of it */
		int64_t cut = chance_in(0, w->len / SECTOR) * SECTOR;

		*(chance_of(500) ? &from : &to) = cut;
	}
	if (w->at + to > f->size)
		file_resize(f, w->at + to);
	memcpy(f->now + w->at + from, w->data + from, (size_t)(to - from));
}

void
disk_lose_unsynced(void)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *f = &files[i];
		int keep = (int)chance_in(0, 1000);

		if (!f->exists)
			continue;
		file_resize(f, f->synced_size);
		if (f->synced_size > 0)
			memcpy(f->now, f->synced, (size_t)f->synced_size);
		for (size_t k = 0; k < f->n_writes; k++) {
			if (chance_of(keep))
				replay(f, &f->writes[k]);
		}
		forget_writes(f);
		f->synced = mem_grow(f->synced, (size_t)f->size + 1, 1);
		memcpy(f->synced, f->now, (size_t)f->size);
		f->synced_size = f->size;
	}
}

void
disk_wipe(void)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		file_remove(&files[i]);
		file_free_shm(&files[i]);
		free(files[i].now);
		free(files[i].synced);
		free(files[i].writes);
		files[i] = (struct file){ 0 };
	}
	is_unplugged = is_full = false;
	life++;
	(void)sqlite3_randomness(0, NULL); /* it asks us for a new seed */
}

void
file_sync(struct file *f)
{
	f->synced = mem_grow(f->synced, (size_t)f->cap + 1, 1);
	for (size_t i = 0; i < f->n_writes; i++) {
		const struct write *w = &f->writes[i];
		int64_t end = w->at == TRUNCATION ? w->len : w->at + w->len;

		if (end > f->synced_size || w->at == TRUNCATION) {
			if (end > f->synced_size)
				memset(f->synced + f->synced_size, 0,
					(size_t)(end - f->synced_size));
			f->synced_size = end;
		}
		if (w->data)
			memcpy(f->synced + w->at, w->data, (size_t)w->len);
	}
	forget_writes(f);
}

int64_t
disk_life(void)
{
	return life;
}

bool
disk_is_packed(void)
{
	return is_full;
}
