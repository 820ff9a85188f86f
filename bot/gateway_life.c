/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_life - what the shim of a box knows its gateway by: a pipe, which ends with us, and on it
 * a byte every few seconds, which does not come when we hang.
 */
#include "bot/gateway.h"
#include "bot/wire.h"

#include "base/clean.h"

#include <unistd.h>

/* Nobody listens any more, or has not for hours: the box is not ours to end. */
static void
say_that_we_live(const struct gateway_box *b)
{
	(void)!write(b->life_fd, "", 1);
}

static void
on_pulse(void *ctx)
{
	struct gateway_box *b = ctx;

	b->pulse = loop_timer_add(gateway_loop(b->g), WIRE_PULSE_MS, on_pulse, b);
	say_that_we_live(b);
}

void
gateway_box_begin_life(struct gateway_box *b, int take_fd)
{
	b->life_fd = take_fd;
	on_pulse(b);
}

void
gateway_box_end_life(struct gateway_box *b)
{
	loop_timer_remove(b->pulse);
	b->pulse = NULL;
	if (b->life_fd >= 0)
		(void)close(steal_fd(&b->life_fd));
}
