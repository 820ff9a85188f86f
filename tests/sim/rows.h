/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - the store as it is, asked in SQL beside everything that could hide something.
 */
#ifndef TESTS_SIM_ROWS_H
#define TESTS_SIM_ROWS_H

#include <stdint.h>

/* The number that the query gives; 0 for none. */
int64_t rows_count(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Each row of the query; texts and numbers as text, NULL as "". */
typedef void rows_cb(void *ctx, const char *const *row);
void rows_each(const char *sql, rows_cb *cb, void *ctx);

#endif
