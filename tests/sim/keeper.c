/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper - makes markers and signs, as the core sees it.
 */
#include "tests/sim/sim.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

static void
on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	const struct wire_verdict ok = { .ok = true };
	char text[32] = "jwt";
	struct err e = { 0 };

	if (m->type == WIRE_MARKER) {
		const struct wire_name *n = m->obj;
		uint32_t h = 2166136261U;

		for (const char *p = n->name; p && *p; p++)
			h = (h ^ (uint8_t)*p) * 16777619U;
		(void)snprintf(text, sizeof(text), "%08x", h);
	}
	if (msg_reply(role_link(r, from), m->id,
		    &(struct msg_out){ .type = WIRE_SECRET,
			    .obj = &ok,
			    .blob = text,
			    .blob_len = strlen(text) },
		    &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "keeper.unanswered", &e);
}

static int
start(struct role_ctx *r, struct err *e)
{
	(void)r, (void)e;
	return 0;
}

const struct role_spec SIM_KEEPER = { .role = ROLE_KEEPER, .start = start, .on_msg = on_msg };
