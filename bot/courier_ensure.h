/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_ensure - an effect happens once.
 *
 * What can be found again is looked for before it is made, and adopted; what was made without an
 * answer is looked for once more ten seconds later, before it is made again. Two effects that may
 * not meet (the same one sent twice, labels of one repository) wait for each other.
 */
#ifndef BOT_COURIER_ENSURE_H
#define BOT_COURIER_ENSURE_H

#include "bot/courier_call.h"

struct courier_effect {
	struct courier_work work;
	int64_t id;         /* in the outbox */
	int64_t unknown_ms; /* wall time of a try whose outcome is unknown; 0: there was none */
};

/* Like courier_call. ERR_TIMEOUT: it may have happened; say so when it is sent again. */
void courier_ensure(
	struct courier *c, const struct courier_effect *effect, courier_call_cb *cb, void *ctx);

/* A read; fills in who we are where the operation asks for what is ours. */
void courier_fact(
	struct courier *c, const struct courier_work *work, courier_call_cb *cb, void *ctx);

#endif
