/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adopt - see adopt.h.
 *
 * Other tasks of the lost store have numbers, too, and their branches stand in the repository. So
 * the new ones begin at the next ten thousand.
 */
#include "handlers/adopt.h"

#include "handlers/intents.h"
#include "handlers/text.h"

#include "base/limits.h"
#include "base/mem.h"

#define MARK_START "<!-- nightshift:task="
#define CLOCKS_MS  (5 * 60 * 1000) /* so much a forge's clock may differ from ours */
#define NUMBERS    10000

static struct forge_op *
last_op(struct intents *out)
{
	return &out->v[out->n - 1].op;
}

static const struct fact *
need_comment(const struct handler_in *in, struct intents *out, int64_t trigger_ms)
{
	const struct fact *f = intent_need(in, out, OP_COMMENT_LAST, NULL);

	if (!f) {
		last_op(out)->marker = mem_str(MARK_START);
		last_op(out)->since_ms = trigger_ms;
	}
	return f;
}

static const struct fact *
need_pull(const struct handler_in *in, struct intents *out, int64_t task)
{
	const struct fact *f = intent_need(in, out, OP_PULL_FIND, NULL);

	if (!f) {
		auto_buf struct buf branch = BUF_INIT(LIMIT_NAME_BYTES);
		const struct task lost = { .id = task, .title = in->event->title };

		text_branch(&lost, &branch);
		last_op(out)->ref = buf_steal(&branch);
	}
	return f;
}

bool
adopt_look(
	const struct handler_in *in, struct intents *out, int64_t trigger_ms, struct adopt *found)
{
	const struct fact *comment;

	*found = (struct adopt){ 0 };
	if (in->world->since_ms == 0 || trigger_ms > in->world->since_ms + CLOCKS_MS)
		return true;
	comment = need_comment(in, out, trigger_ms);
	if (!comment)
		return false;
	if (comment->code != 0 || comment->answer.updated_ms < trigger_ms)
		return true;
	found->comment = comment;
	if (in->event->is_pull)
		return true;
	found->pull = need_pull(in, out, comment->answer.number);
	if (!found->pull)
		return false;
	if (found->pull->code != 0 || found->pull->answer.number == 0)
		found->pull = NULL;
	return true;
}

void
adopt_take(const struct adopt *found, struct task *t)
{
	const struct forge_answer *c;
	int64_t end;

	if (!found->comment)
		return;
	c = &found->comment->answer;
	end = text_sticky_end(c->body);
	t->id = (c->number / NUMBERS + 1) * NUMBERS;
	if (found->pull) {
		t->pull_number = found->pull->answer.number;
		mem_set(&t->pull_url, found->pull->answer.url);
	}
	if (end < 0)
		t->sticky_id = c->id;
	if (end < 0 && !found->pull)
		return;
	t->state = end < 0 ? TASK_SUCCEEDED : end;
	t->attempt = 1;
	mem_set(&t->reason, "the records of it are lost; this is what was found of it");
}
