/* SPDX-License-Identifier: Apache-2.0 */
/*
 * freezer - cgroup v1's, for boxes that are to be found frozen: what is killed in it stays.
 */
#ifndef TESTS_UNIT_BOT_FREEZER_H
#define TESTS_UNIT_BOT_FREEZER_H

#include <stdbool.h>

struct freezer;

/* NULL: we are not root. A machine without one fails the test. */
struct freezer *freezer_make(void);

/* All processes of the box of a trace (the shim's file). From above: nobody can thaw it but by
 * freezer_thaw. */
void freezer_freeze(struct freezer *f, const char *trace, bool from_above);
void freezer_thaw(struct freezer *f);

/* NULL is fine. */
void freezer_remove(struct freezer *f);

#endif
