/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_case - a store in a directory of its own, somebody else's hands on its file, and children
 * that are killed.
 */
#ifndef TESTS_UNIT_STORE_STORE_CASE_H
#define TESTS_UNIT_STORE_STORE_CASE_H

#include "store/store.h"
#include "store/upkeep.h"

#include <sys/types.h>

struct store_case {
	char root[64];
	char *dir;     /* root/store, made by the first open */
	char *backups; /* root/backups, likewise */
	char *file;    /* the database */
};

int store_case_setup(void **state);
int store_case_teardown(void **state);
#define STORE_CASE(f) cmocka_unit_test_setup_teardown(f, store_case_setup, store_case_teardown)

struct upkeep store_case_upkeep(const struct store_case *c);

/* Heals; fails the test if it cannot be opened. What was told while healing is in *told (static)
 * or NULL. */
struct store *store_case_open(const struct store_case *c, const char **told);
/* Expects code and part of the text. */
void store_case_refused(const struct store_case *c, int code, const char *part);

/* One delivery, committed; its id. */
int64_t store_case_delivery(struct store *s, const char *guid);
/* A queued task and its trigger; its id. */
int64_t store_case_task(struct store *s, const char *trigger, int64_t number);

/* Somebody else's hands on the file. */
void store_case_sql(const struct store_case *c, const char *sql);
int64_t store_case_number(const struct store_case *c, const char *sql);
/* As after a crash: whoever opens it next has to look. */
void store_case_mark(const struct store_case *c, const char *mark);

/* Runs fn in a child, which dies us microseconds after its start if it is not over before. */
void store_case_kill(void (*fn)(const struct store_case *c), const struct store_case *c, long us);

#endif
