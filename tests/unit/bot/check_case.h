/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_case - what tests of `nightshift check` ask its report.
 */
#ifndef TESTS_UNIT_BOT_CHECK_CASE_H
#define TESTS_UNIT_BOT_CHECK_CASE_H

#include "bot/check.h"
#include "tests/unit/scratch.h"

/* Parses a nightshift.yaml that would lie in scratch_dir; fails the test if it is refused. */
void check_case_parse(const char *text, struct config *c);

/* The item of that name whose text has that in it, or NULL. */
const struct check_item *check_case_find(
	const struct check_report *r, const char *name, const char *text);

/* Fails the test, and shows the report, if there is none of that state. */
void check_case_has(
	const struct check_report *r, const char *name, const char *state, const char *text);

#endif
