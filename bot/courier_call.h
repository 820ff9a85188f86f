/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_call - one forge operation, all its requests: credential, budget, request, reply.
 *
 * Reads are repeated a little when the network or the forge stumbles. A write is sent once: if its
 * outcome is unknown that is the answer (ERR_TIMEOUT), and ERR_BUSY means that it surely did not
 * happen.
 */
#ifndef BOT_COURIER_CALL_H
#define BOT_COURIER_CALL_H

#include "bot/courier.h"

/* What to do; op is copied (rows only), bytes are copied. */
struct courier_work {
	struct courier_forge *forge;
	const struct forge_op *op;
	const char *bytes; /* of OP_ATTACH */
	size_t n_bytes;
};

/* rc 0, or e says why not. a is never NULL and ends with the callback; members may be stolen. */
typedef void courier_call_cb(void *ctx, int rc, struct forge_answer *a, const struct err *e);

/* cb comes exactly once, perhaps before this returns. */
void courier_call(
	struct courier *c, const struct courier_work *work, courier_call_cb *cb, void *ctx);

void courier_budgets_destroy(struct courier *c);

/* Nothing is sent for so long through that installation; 0: through none of the forge's. */
void courier_keep_peace(
	struct courier *c, struct courier_forge *f, int64_t installation_id, int64_t for_ms);

#endif
