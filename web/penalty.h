/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penalty - who knocks too often without a key.
 *
 * Each address may be refused so many times at once, and then once a second. Whoever comes more
 * often is told to come later, before anything of the body is read. The table has a fixed size: of
 * addresses that fall into the same place the guiltiest stay.
 */
#ifndef WEB_PENALTY_H
#define WEB_PENALTY_H

#include <stdbool.h>
#include <stdint.h>

#define PENALTY_BURST   30
#define PENALTY_EACH_MS 1000

struct penalty;

struct penalty *penalty_create(void);
void penalty_destroy(struct penalty *p); /* NULL is fine */

/* It was refused. True: it is over its share from now on, and was not before. */
bool penalty_note(struct penalty *p, const char *client, int64_t now_ms);

/* 0: it may come. Else how many seconds it is to stay away. */
int penalty_wait_s(const struct penalty *p, const char *client, int64_t now_ms);

#endif
