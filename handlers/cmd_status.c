/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_status - "/agent status": what the task here is doing.
 */
#include "handlers/commands.h"
#include "handlers/intents.h"
#include "handlers/text.h"

#include "base/mem.h"

#include <inttypes.h>

static char *
link_to(const struct handler_in *in, const struct task *t)
{
	if (str_is_empty(in->conf->public_url) || str_is_empty(t->page))
		return mem_str("");
	return mem_fmt(" [Task page](%s/t/%s)", in->conf->public_url, t->page);
}

void
cmd_status(const struct command_in *c, struct intents *out)
{
	const struct handler_world *w = c->in->world;
	const struct task *t = w->live ? w->live : w->last;
	auto_buf struct buf place = BUF_INIT(64);
	auto_free char *text = NULL;
	auto_free char *link = NULL;

	if (!t) {
		intent_reply(c->in, out, c->n, "There has been no task here.");
		return;
	}
	link = link_to(c->in, t);
	if (w->live && w->place > 0) {
		text_place(w->place, &place);
		text = mem_fmt("Task %" PRId64 " is %s.%s", t->id, buf_str(&place), link);
	} else {
		text = mem_fmt("Task %" PRId64 " is %s, attempt %" PRId64 ".%s", t->id,
			task_state_name(t->state), t->attempt, link);
	}
	intent_reply(c->in, out, c->n, text);
}
