/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally - does everything that came in still exist, or have a reason not to?
 *
 *	received = duplicates + new + handled + ignored (each with a reason) + pruned
 *	accepted = final + waiting + live
 *
 * The left sides and what leaves no row are counted in the transaction in which they happen; the
 * rest is counted by looking. Pure.
 */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include "base/row.h"

#include <stdint.h>

struct store_tally {
	/* Deliveries. */
	int64_t received;
	int64_t duplicates;
	int64_t pruned; /* ended and older than they are kept */
	int64_t fresh;  /* not yet decided */
	int64_t handled;
	int64_t ignored;
	int64_t quarantined;
	int64_t unexplained; /* ignored or quarantined without a reason; each is among those */
	/* Tasks. */
	int64_t accepted;
	int64_t final;
	int64_t waiting; /* for a person */
	int64_t live;
	int64_t stray; /* tasks without a trigger or at work without an open attempt */
};
extern const struct row STORE_TALLY_ROWS[];

/* ERR_INVALID says what does not add up, with the numbers. */
int store_tally_check(const struct store_tally *t, struct err *e);

#endif
