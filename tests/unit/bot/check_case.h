/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_case - a directory of its own for each test of `nightshift check`, and its report asked.
 */
#ifndef TESTS_UNIT_BOT_CHECK_CASE_H
#define TESTS_UNIT_BOT_CHECK_CASE_H

#include "bot/check.h"

#include <sys/types.h>

/* Of the running test, which is in it. */
extern char check_case_dir[64];

int check_case_setup(void **state);
int check_case_teardown(void **state);

/* Writes a file of the directory. */
void check_case_put(const char *path, const char *text, mode_t mode);

/* Parses a nightshift.yaml that would lie there; fails the test if it is refused. */
void check_case_parse(const char *text, struct config *c);

/* The item of that name whose text has that in it, or NULL. */
const struct check_item *check_case_find(
	const struct check_report *r, const char *name, const char *text);

/* Fails the test, and shows the report, if there is none of that state. */
void check_case_has(
	const struct check_report *r, const char *name, const char *state, const char *text);

#define CHECK_TEST(f) cmocka_unit_test_setup_teardown(f, check_case_setup, check_case_teardown)

#endif
