/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_reason - see runner_reason.h.
 */
#include "bot/runner_reason.h"

#include "base/str.h"
#include "bot/runner_text.h"

#include <inttypes.h>

void
reason_take_limits(const struct box_spec *s, struct reason_limits *out)
{
	*out = (struct reason_limits){
		.wall_ms = s->wall_ms,
		.idle_ms = s->idle_ms,
		.memory_bytes_max = s->memory_bytes_max,
		.output_bytes_max = s->output_bytes_max,
		.procs_max = s->procs_max,
	};
}

/* Ends by a limit; NULL: the box ended otherwise. */
static const struct {
	const char *before;
	size_t limit; /* its place in struct reason_limits */
	const char *after;
	bool is_time;
} ENDS[BOX_END_COUNT] = {
	[BOX_END_WALL] = { "after ", offsetof(struct reason_limits, wall_ms), "", true },
	[BOX_END_IDLE] = { "after ", offsetof(struct reason_limits, idle_ms),
		" without output, network traffic or work", true },
	[BOX_END_MEMORY] = { "because it needed more than its ",
		offsetof(struct reason_limits, memory_bytes_max), " of memory", false },
	[BOX_END_OUTPUT] = { "because it printed more than ",
		offsetof(struct reason_limits, output_bytes_max), "", false },
};

static void
add_limit(const struct reason_limits *l, size_t i, struct buf *out)
{
	int64_t value = *(const int64_t *)(const void *)((const char *)l + ENDS[i].limit);
	char text[32];

	if (ENDS[i].is_time)
		text_duration(value, text);
	else
		text_size(value, text);
	(void)buf_addf(out, "was stopped %s%s%s", ENDS[i].before, text, ENDS[i].after);
}

static void
add_met(const struct wire_step_done *d, const struct reason_limits *l, struct buf *out)
{
	if (d->met & BOX_MET_PROCS)
		(void)buf_addf(
			out, " and had met its limit of %" PRId64 " processes", l->procs_max);
}

void
reason_of_end(const struct wire_step_done *d, const struct reason_limits *l, struct buf *out)
{
	if (d->ended_by > 0 && d->ended_by < BOX_END_COUNT && ENDS[d->ended_by].before)
		add_limit(l, (size_t)d->ended_by, out);
	else if (d->ended_by == BOX_END_DISK)
		(void)buf_addf(out, "ended because %s", d->text ? d->text : "its disk was full");
	else if (d->ended_by == BOX_END_START)
		(void)buf_addf(out, "cannot be started: %s", d->text ? d->text : "");
	else
		(void)buf_addf(out, "ended with exit code %" PRId64, d->exit_code);
	add_met(d, l, out);
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
