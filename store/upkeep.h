/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep - what keeps the store's file whole while it is in use: backups, checks, counts.
 *
 * Each function opens a connection of its own that only reads, so it may be called beside the one
 * writer, from another thread or another process. A reader never holds up a commit; the log behind
 * the file grows while it reads.
 *
 * A backup is a whole database of one moment (VACUUM INTO), checked, on the disk, and under its
 * name only then: BACKUPS/nightshift-20261122T221500Z.db, 0600.
 */
#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include "store/tally.h"

#include <stdatomic.h>
#include <stdbool.h>

struct upkeep {
	const char *dir;         /* the store's */
	const char *backups;     /* made if absent, 0700 */
	const atomic_bool *stop; /* NULL, or: when true, what is under way ends with ERR_BUSY */
};

struct backup {
	char *path;
	int64_t made_ms;
	int64_t bytes;
};
extern const struct row BACKUP_ROWS[];
void backup_finish(struct backup *b);
void backup_list_finish(struct row_list *list);

int upkeep_backup(const struct upkeep *u, int64_t now_ms, struct backup *out, struct err *e);

/* struct backup each, newest first; ERR_MISSING: no such directory. */
int upkeep_list(const char *backups, struct row_list *out, struct err *e);

/* The newest so many, and beyond them the newest one of each of the last so many days (UTC). */
struct backup_keep {
	int64_t newest;
	int64_t days;
};
/* Pure. made_ms: newest first. */
bool backup_is_kept(const struct backup_keep *k, const int64_t *made_ms, size_t i, int64_t now_ms);
int upkeep_prune(const struct upkeep *u, const struct backup_keep *k, int64_t now_ms, int64_t *n,
	struct err *e);

/* Quick: every page is where it should be. Full: rows and indexes agree, and every row has the rows
 * that it names. ERR_INVALID says the first thing that is wrong; the next open knows of it, too. */
int upkeep_check(const struct upkeep *u, bool is_full, struct err *e);
int upkeep_check_backup(const char *path, struct err *e);

int upkeep_tally(const struct upkeep *u, struct store_tally *out, struct err *e);

/* Puts a backup in the place of the store, which nobody may have open (ERR_BUSY); what was there is
 * kept at *aside (owned; NULL: there was nothing). A copy: the backup stays. What had been going
 * out to forges is marked as perhaps done, and numbers of tasks are not used twice. */
int upkeep_restore(const struct upkeep *u, const char *path, char **aside, struct err *e);

#endif
