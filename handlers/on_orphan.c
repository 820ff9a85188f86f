/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_orphan - an issue says that it is worked at, and no task is.
 *
 * If the comment of a task that nobody remembers is there, it is told what became of it: its pull
 * request is there, or it is lost and somebody has to ask again; the text that was authorised is
 * lost with it, so nothing begins by itself. Else the label is all there is, and goes.
 */
#include "handlers/adopt.h"
#include "handlers/events.h"
#include "handlers/intents.h"

#include "base/mem.h"

#include <inttypes.h>

static void
take_off(const struct handler_in *in, struct intents *out, const char *running)
{
	const struct forge_event *ev = in->event;
	auto_free char *key = mem_fmt("orphan:%s:%" PRId64 ":%" PRId64 ":%" PRId64, in->forge,
		ev->repo_id, ev->number, ev->updated_ms);
	struct forge_op *op = intent_effect(in, out, OP_LABEL_REMOVE, key);

	op->label = mem_str(running);
}

static void
say_lost(const struct handler_in *in, struct intents *out, const struct adopt *found)
{
	const struct forge_event *ev = in->event;
	auto_free char *key = mem_fmt("lost:%s:%" PRId64 ":%" PRId64 ":%" PRId64, in->forge,
		ev->repo_id, ev->number, found->comment->answer.number);
	struct task *t = intent_task(in, out, key);

	adopt_take(found, t);
	if (t->state != TASK_QUEUED)
		return;
	t->state = TASK_FAILED;
	t->attempt = 1;
	mem_set(&t->reason,
		"nightshift has lost its records of this while it was at work; ask for it again");
}

void
on_orphan(const struct handler_in *in, struct intents *out)
{
	auto_free char *running = mem_fmt("%s:running", in->conf->label);
	const struct fact *issue;
	struct adopt found;

	if (in->world->live) {
		intent_ignore(out, "task %" PRId64 " is at work here", in->world->live->id);
		return;
	}
	issue = intent_need(in, out, OP_ISSUE, NULL);
	if (!adopt_look(in, out, 0, &found) || !issue)
		return;
	if (issue->code != 0 || !strs_has(&issue->answer.labels, running))
		intent_ignore(out, "label: %s is gone", running);
	else if (strs_has(&issue->answer.labels, in->conf->label))
		intent_ignore(out, "it was asked for again");
	else if (found.comment)
		say_lost(in, out, &found);
	else
		take_off(in, out, running);
}
