/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - see rows.h. By the queue's own connection, while it does nothing.
 */
#include "tests/sim/rows.h"
#include "tests/sim/sim.h"

#include "base/mem.h"
#include "bot/queue.h"
#include "store/sqlite.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define COLUMNS_MAX 16

void
rows_each(const char *sql, rows_cb *cb, void *ctx)
{
	const struct queue *q = actor_of(ROLE_QUEUE)->ctx.own;
	sqlite3_stmt *st = NULL;
	const char *row[COLUMNS_MAX];

	if (sqlite3_prepare_v2(sqlite_of(q->store)->db, sql, -1, &st, NULL) != SQLITE_OK)
		assert(!"a query");
	int n = sqlite3_column_count(st);
	assert(n <= COLUMNS_MAX);
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < n; i++) {
			row[i] = (const char *)sqlite3_column_text(st, i);
			if (!row[i])
				row[i] = "";
		}
		cb(ctx, row);
	}
	(void)sqlite3_finalize(st);
}

static void
take_number(void *ctx, const char *const *row)
{
	(void)str_i64(row[0], INT64_MIN, INT64_MAX, ctx, NULL);
}

int64_t
rows_count(const char *fmt, ...)
{
	char sql[512];
	int64_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sql, sizeof(sql), fmt, ap);
	va_end(ap);
	rows_each(sql, take_number, &n);
	return n;
}
