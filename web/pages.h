/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages - GET /t/<page>: a task for people. Pure but for the answer.
 */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include "web/site.h"

/* rest: what follows "/t/": 32 hex digits, then nothing, "/task.cast" or "/task.txt". ERR_MISSING
 * for anything else. */
int pages_parse(const char *rest, char page[33], enum site_file *what);

/* Appends the page. */
void pages_task(const struct site_task *t, struct buf *out);

#endif
