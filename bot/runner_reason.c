/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_reason - see runner_reason.h.
 */
#include "bot/runner_reason.h"

#include "base/str.h"
#include "bot/runner_text.h"

#include <inttypes.h>

/* Ends by a limit; NULL: the box ended otherwise. */
static const struct {
	const char *before;
	void (*print)(int64_t limit, char out[32]);
	const char *after;
} ENDS[BOX_END_COUNT] = {
	[BOX_END_WALL] = { "after ", text_duration, "" },
	[BOX_END_IDLE] = { "after ", text_duration, " without output, network traffic or work" },
	[BOX_END_MEMORY] = { "because it needed more than its ", text_size, " of memory" },
	[BOX_END_OUTPUT] = { "because it printed more than ", text_size, "" },
};

void
reason_of_end(const struct wire_step_done *d, struct buf *out)
{
	bool is_known = d->ended_by >= 0 && d->ended_by < BOX_END_COUNT;
	char limit[32];

	if (is_known && ENDS[d->ended_by].print) {
		ENDS[d->ended_by].print(d->limit, limit);
		(void)buf_addf(out, "was stopped %s%s%s", ENDS[d->ended_by].before, limit,
			ENDS[d->ended_by].after);
	} else if (d->ended_by == BOX_END_DISK) {
		(void)buf_addf(out, "ended because %s", d->text ? d->text : "its disk was full");
	} else if (d->ended_by == BOX_END_BUDGET) {
		(void)buf_adds(out, "was stopped because it may not ask the model any more");
	} else if (d->ended_by == BOX_END_START) {
		(void)buf_addf(out, "cannot be started: %s", d->text ? d->text : "");
	} else {
		(void)buf_addf(out, "ended with exit code %" PRId64, d->exit_code);
	}
	if (d->procs_met > 0)
		(void)buf_addf(
			out, " and had met its limit of %" PRId64 " processes", d->procs_met);
}

void
reason_of_loss(const struct wire_step_done *d, struct buf *out)
{
	const char *why = d->text ? d->text : box_end_name(d->ended_by);

	if (d->ended_by == BOX_END_START)
		(void)buf_addf(
			out, "the box could not be built (stage %" PRId64 "): %s", d->stage, why);
	else
		(void)buf_addf(out, "the box was lost: %s", why);
}
