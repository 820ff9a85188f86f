/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_budget - how often one installation may be written to. Pure.
 *
 * GitHub's limit is 80 writes that create content a minute and 500 an hour
 * (docs.github.com, "Rate limits for the REST API"); we keep below both in every window of that
 * length, wherever it starts.
 */
#ifndef BOT_COURIER_BUDGET_H
#define BOT_COURIER_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#define BUDGET_MINUTE_MAX 60
#define BUDGET_HOUR_MAX   400

struct budget {
	int64_t at_ms[BUDGET_HOUR_MAX]; /* of the last writes, a ring */
	size_t n;                       /* writes so far */
	int64_t blocked_until_ms;       /* the forge said when to come back */
};

/* 0: go. Else how long to wait before asking again. */
int64_t budget_read_wait_ms(const struct budget *b, int64_t now_ms);
int64_t budget_write_wait_ms(const struct budget *b, int64_t now_ms);

/* A write is about to be sent. */
void budget_write(struct budget *b, int64_t now_ms);

/* The forge asked for peace. */
void budget_block(struct budget *b, int64_t until_ms);

#endif
