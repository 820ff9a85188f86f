/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_reason - how a box ended, in words for people: one sentence for each end. Pure.
 */
#ifndef BOT_RUNNER_REASON_H
#define BOT_RUNNER_REASON_H

#include "bot/wire.h"
#include "sandbox/sandbox.h"

/* What is said of who was in the box: "was stopped after 45m", "ended with exit code 3 and had met
 * its limit of 512 processes". */
void reason_of_end(const struct wire_step_done *d, struct buf *out);

/* Of a box that we, or the machine, failed to provide: a whole sentence. */
void reason_of_loss(const struct wire_step_done *d, struct buf *out);

#endif
