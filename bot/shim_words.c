/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_words - the language of this version, as a number.
 *
 * It is computed from the tables that both sides use: who adds a member to a box spec need not
 * remember that an older shim may be running.
 */
#include "bot/shim.h"

#include "bot/wire.h"
#include "sandbox/sandbox.h"

static uint64_t
add(uint64_t h, uint64_t v)
{
	return (h ^ v) * UINT64_C(1099511628211); /* as FNV-1a does, in larger pieces */
}

int64_t
shim_words(void)
{
	uint64_t h = add(UINT64_C(14695981039346656037), SHIM_PROTOCOL);

	h = add(h, row_fingerprint(BOX_SPEC_ROWS));
	for (size_t i = 0; i < WIRE_RULES_COUNT; i++) {
		const struct msg_rule *r = &WIRE_RULES[i];

		if (!((r->from | r->to) & ROLE_BIT(ROLE_SHIM)))
			continue;
		h = add(add(h, r->type), r->fds_max);
		h = add(add(h, r->blob_max), r->rows ? row_fingerprint(r->rows) : 0);
	}
	return (int64_t)(h >> 1);
}
