/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_apply - what the handlers want becomes true, all of it or nothing.
 *
 * The delivery's end, the trigger, the task and the effects are one part of the round's
 * transaction. A trigger that was seen before is no error: forges repeat themselves, and that is
 * what its key is for.
 */
#include "bot/queue.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "handlers/text.h"

#include <inttypes.h>

struct apply {
	struct queue *q;
	const struct delivery *delivery;
	const struct forge_event *event;
	const struct facts *facts;
	const struct handler_world *world;
	const char *ignored; /* the reason, if nothing else happened */
	bool did;
};

static struct log_ctx
log_of(const struct apply *a, int64_t task)
{
	return (struct log_ctx){
		.delivery = a->delivery->id, .task = task, .repo = a->event->repo
	};
}

static void
fill_task(struct task *t)
{
	uint8_t random[16];
	auto_buf struct buf page = BUF_INIT(64);

	crypto_random(random, sizeof(random));
	(void)str_hex(&page, random, sizeof(random));
	mem_set(&t->page, buf_str(&page));
	t->outcome = OUTCOME_NONE;
	t->changed_ms = t->created_ms;
	t->gate_exit = -1;
}

static int
add_task(struct apply *a, struct intent *i, struct err *e)
{
	struct queue *q = a->q;
	struct task *t = &i->task;
	auto_buf struct buf branch = BUF_INIT(LIMIT_NAME_BYTES);
	bool was_seen = false;

	fill_task(t);
	int rc = q->db->task_add(q->store, i->key, a->delivery->id, t, &was_seen, e);
	if (rc == ERR_CONFLICT) {
		struct log_ctx log = log_of(a, 0);

		log_info(&log, "task.duplicate", "trigger=%s why=%s", i->key,
			was_seen ? "seen" : "another is at work");
		if (!a->did)
			a->ignored = was_seen ? "its trigger was seen before"
					      : "a task is at work here already";
		return 0;
	}
	if (rc < 0)
		return rc;
	/* The branch has the task's number in its name. */
	text_branch(t, &branch);
	mem_set(&t->branch, buf_str(&branch));
	a->did = true;

	struct log_ctx log = log_of(a, t->id);
	log_info(&log, t->state == TASK_QUEUED ? "task.queued" : "task.found",
		"trigger=%s actor=%s page=%s", i->key, t->actor ? t->actor : "?", t->page);
	queue_wake(q, WAKE_DISPATCH);
	queue_poll_learn(q, t);
	if (t->verb == VERB_CHORE)
		rc = queue_chore_learn(q, t, e);
	return rc < 0 ? rc : queue_settle(q, t, e);
}

static int
add_effect(struct apply *a, const struct intent *i, struct err *e)
{
	int rc = queue_plan_one(a->q, i->key, &i->op, e);

	if (rc == ERR_CONFLICT)
		return 0;
	a->did = a->did || rc == 0;
	return rc;
}

static int
set_generation(struct apply *a, bool on, struct err *e)
{
	const struct label_key key = { a->delivery->forge, a->event->repo_id, a->event->number,
		QUEUE_LABEL };
	int64_t generation = 0;

	return a->q->db->label_set(a->q->store, &key, on, &generation, e);
}

static int
apply_one(struct apply *a, struct intent *i, struct err *e)
{
	switch (i->kind) {
	case INTENT_IGNORE:
		a->ignored = i->text;
		return 0;
	case INTENT_GENERATION:
		return set_generation(a, i->on, e);
	case INTENT_TASK:
		return add_task(a, i, e);
	case INTENT_STOP:
		a->did = true;
		return queue_task_stop(a->q, i->id, i->text, i->reason, e);
	case INTENT_EFFECT:
		return add_effect(a, i, e);
	case INTENT_FACT: /* still unanswered after the last round: the handler never agreed */
		a->ignored = "the facts never sufficed";
		return 0;
	case INTENT_KIND_COUNT:
		break;
	}
	return err_set(e, ERR_INVALID, "intent %d", (int)i->kind);
}

/* Somebody with write permission changed the text of a live task: the handlers asked for the
 * permission and did not stop it. The check before the push needs to know. */
static int
note_edit(struct apply *a, const struct intents *intents, struct err *e)
{
	bool was_asked = false;

	if (a->event->kind != EVENT_ISSUE_EDITED && a->event->kind != EVENT_COMMENT_EDITED)
		return 0;
	for (size_t n = 0; n < a->facts->n; n++)
		was_asked = was_asked || a->facts->v[n].kind == OP_PERMISSION;
	for (size_t n = 0; n < intents->n; n++)
		was_asked = was_asked && intents->v[n].kind != INTENT_STOP;
	return was_asked && a->world->live ? queue_push_note_edit(a->q, a->world->live->id, e) : 0;
}

int
queue_apply(struct queue *q, const struct delivery *d, const struct handler_in *in,
	struct intents *intents, struct err *e)
{
	struct apply a = {
		.q = q,
		.delivery = d,
		.event = in->event,
		.facts = in->facts,
		.world = in->world,
		.ignored = "nothing to do", /* until somebody says more */
	};
	int rc = q->db->part_begin(q->store, e);

	if (rc < 0)
		return rc;
	for (size_t n = 0; rc == 0 && n < intents->n; n++)
		rc = apply_one(&a, &intents->v[n], e);
	if (rc == 0)
		rc = note_edit(&a, intents, e);
	if (rc == 0)
		rc = q->db->delivery_end(q->store, d->id,
			a.did ? DELIVERY_HANDLED : DELIVERY_IGNORED, a.did ? NULL : a.ignored, e);
	if (rc == 0)
		rc = q->db->part_keep(q->store, e);
	if (rc < 0) {
		q->db->part_undo(q->store);
		return err_wrap(e, rc, "delivery %" PRId64, d->id);
	}
	if (!a.did) {
		struct log_ctx log = log_of(&a, 0);

		log_info(&log, "delivery.ignored", "event=%s why=\"%s\"",
			in->event->name ? in->event->name : "?", a.ignored);
	}
	queue_wake(q, WAKE_OUTBOX);
	return 0;
}
