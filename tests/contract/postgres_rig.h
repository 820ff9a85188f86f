/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_rig - a PostgreSQL server of the test's own: a new cluster in a directory of its own,
 * reached through a socket there and through nothing else. It ends with the test, however that
 * ends.
 */
#ifndef TESTS_CONTRACT_POSTGRES_RIG_H
#define TESTS_CONTRACT_POSTGRES_RIG_H

#include <stdbool.h>
#include <sys/types.h>

/* One for the program: the second call does nothing. Fails the test if there is no server. */
void postgres_rig_start(void);
void postgres_rig_stop(void);

/* The same, as cmocka's setup and teardown of a group. */
int postgres_rig_group_setup(void **state);
int postgres_rig_group_teardown(void **state);

/* Kills it as the loss of power would (SIGQUIT: no checkpoint, recovery at the next start). */
void postgres_rig_crash(void);
/* After a crash. */
void postgres_rig_again(void);

/* "postgres:///test?host=...": what store_conf takes. The directory has its socket. */
const char *postgres_rig_url(void);
const char *postgres_rig_dir(void);

/* Takes out everything that is in the database. */
void postgres_rig_empty(void);
void postgres_rig_sql(const char *sql);
long long postgres_rig_number(const char *sql);

#endif
