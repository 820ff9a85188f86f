/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_rig - a fresh store in a directory of its own, for each test.
 */
#ifndef TESTS_CONTRACT_STORE_RIG_H
#define TESTS_CONTRACT_STORE_RIG_H

#include "store/store.h"

struct rig {
	char dir[64];
	struct store *s;
	const struct store_driver *db;
};

/* For cmocka_unit_test_setup_teardown. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* Around a group of tests: which driver it is about. A driver is done when it passes all of them.
 */
int rig_sqlite(void **state);
int rig_postgres(void **state);
int rig_postgres_stop(void **state);
#define RUN_WITH_EACH_DRIVER(tests)                                                                \
	(cmocka_run_group_tests_name("sqlite", (tests), rig_sqlite, NULL) +                        \
		cmocka_run_group_tests_name("postgres", (tests), rig_postgres, rig_postgres_stop))

void rig_reopen(struct rig *r);

/* A queued fix task of the repository; owned members. Pages are numbered, so each is unique. */
struct task rig_task(int64_t repo_id, int64_t number);

/* Adds it with the trigger "t<n>" and returns its id. */
int64_t rig_add_task(struct rig *r, int64_t repo_id, int64_t number);

int64_t rig_add_delivery(struct rig *r, const char *guid);

#endif
