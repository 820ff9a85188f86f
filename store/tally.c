/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally - does everything that came in still exist, or have a reason not to?
 */
#include "store/tally.h"

#include <inttypes.h>

#define T(member) ROW_I(struct store_tally, member, #member)

const struct row STORE_TALLY_ROWS[] = {
	T(received),
	T(duplicates),
	T(pruned),
	T(fresh),
	T(handled),
	T(ignored),
	T(quarantined),
	T(unexplained),
	T(accepted),
	T(final),
	T(waiting),
	T(live),
	T(stray),
	ROW_DONE,
};

int
store_tally_check(const struct store_tally *t, struct err *e)
{
	int64_t known =
		t->duplicates + t->pruned + t->fresh + t->handled + t->ignored + t->quarantined;
	int64_t tasks = t->final + t->waiting + t->live;

	if (t->received != known)
		return err_set(e, ERR_INVALID,
			"%" PRId64 " deliveries were received, %" PRId64 " are accounted for",
			t->received, known);
	if (t->unexplained > 0)
		return err_set(e, ERR_INVALID,
			"%" PRId64 " deliveries were ignored without a reason", t->unexplained);
	if (t->accepted != tasks)
		return err_set(e, ERR_INVALID,
			"%" PRId64 " tasks were accepted, %" PRId64 " are there", t->accepted,
			tasks);
	if (t->stray > 0)
		return err_set(e, ERR_INVALID,
			"%" PRId64 " tasks have no trigger, or are at work in no attempt",
			t->stray);
	return 0;
}
