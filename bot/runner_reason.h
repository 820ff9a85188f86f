/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_reason - how a box ended, in words for people: one sentence for each end. Pure.
 */
#ifndef BOT_RUNNER_REASON_H
#define BOT_RUNNER_REASON_H

#include "bot/wire.h"
#include "sandbox/sandbox.h"

/* What a box was allowed, as far as it is told. */
struct reason_limits {
	int64_t wall_ms;
	int64_t idle_ms;
	int64_t memory_bytes_max;
	int64_t output_bytes_max;
	int64_t procs_max;
};

void reason_take_limits(const struct box_spec *s, struct reason_limits *out);

/* What is said of who was in the box: "was stopped after 45m", "ended with exit code 3 and had met
 * its limit of 512 processes". */
void reason_of_end(const struct wire_step_done *d, const struct reason_limits *l, struct buf *out);

/* Of a box that we, or the machine, failed to provide: a whole sentence. */
void reason_of_loss(const struct wire_step_done *d, struct buf *out);

#endif
