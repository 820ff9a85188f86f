/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_found - an item of a list becomes what a webhook would have brought along.
 *
 * Lists abridge, so the issue is asked for as it is now, and of a label who set it. A delivery of
 * our own carries an id that is the same whenever the same is found again.
 */
#include "bot/queue_poll.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/decoder.h"

#include <inttypes.h>

struct found {
	struct queue_poll *p;
	struct forge_event ev;
	size_t n_missing;
	bool has_failed;
	bool is_gone;      /* or not for everybody to read, which is the same to us */
	bool nobody_knows; /* who set the label: the forge keeps no record of it */
};

void
queue_found_store(struct queue_poll *p, const struct forge_event *ev, const char *guid)
{
	static char kind[] = DECODER_POLL_EVENT;
	auto_buf struct buf body = BUF_INIT(LIMIT_DELIVERY_BYTES);
	auto_free char *id_text = mem_str(guid);
	const struct forge_delivery d = {
		.forge = p->forge, .guid = id_text, .event = kind, .received_ms = clock_wall_ms()
	};
	struct log_ctx log = { .repo = p->repo };
	struct err e = { 0 };
	int64_t id = 0;
	int rc = row_pack(FORGE_EVENT_ROWS, ev, &body, &e);

	if (rc == 0 && queue_begin(p->q) < 0)
		return;
	if (rc == 0)
		rc = queue_intake_add(p->q, &d, body.data, body.len, &id, &e);
	if (rc == 0) {
		log_info(&log, "poll.found", "delivery=%" PRId64 " number=%" PRId64 " event=%s", id,
			ev->number, ev->name);
		queue_wake(p->q, WAKE_DECODE);
	} else if (rc != ERR_CONFLICT) {
		p->has_failed = true;
		log_err(LOG_LEVEL_ERROR, &log, "poll.store", &e);
	}
}

static char *
guid_of(const struct forge_event *ev)
{
	if (ev->kind == EVENT_COMMENT)
		return mem_fmt("poll:%" PRId64 ":c%" PRId64, ev->repo_id, ev->comment_id);
	if (ev->kind == EVENT_ORPHAN)
		return mem_fmt("poll:%" PRId64 ":%" PRId64 ":orphan:%" PRId64, ev->repo_id,
			ev->number, ev->updated_ms);
	return mem_fmt(
		"poll:%" PRId64 ":%" PRId64 ":%" PRId64, ev->repo_id, ev->number, ev->updated_ms);
}

static void
one_less(struct found *f)
{
	struct queue_poll *p = f->p;

	if (--f->n_missing > 0)
		return;
	if (f->nobody_knows && !f->ev.actor) {
		mem_set(&f->ev.actor, f->ev.author);
		f->ev.actor_id = f->ev.author_id;
	}
	if (f->has_failed) {
		p->has_failed = true;
	} else if (!f->is_gone) {
		auto_free char *guid = guid_of(&f->ev);

		queue_found_store(p, &f->ev, guid);
	}
	forge_event_finish(&f->ev);
	free(f);
	queue_poll_one_less(p);
}

/* The role ends before the answer came. */
static void
give_up(struct found *f)
{
	if (--f->n_missing > 0)
		return;
	forge_event_finish(&f->ev);
	free(f);
}

static void
on_issue(struct queue *q, void *ctx, struct fact *fact)
{
	struct found *f = ctx;
	struct forge_answer *a = fact ? &fact->answer : NULL;

	(void)q;
	if (!fact) {
		give_up(f);
		return;
	}
	f->is_gone = fact->code == ERR_MISSING;
	if (fact->code != 0) {
		f->has_failed = f->has_failed || !f->is_gone;
		one_less(f);
		return;
	}
	mem_set(&f->ev.title, a->title);
	mem_set(&f->ev.body, a->body);
	mem_set(&f->ev.author, a->author);
	f->ev.author_id = a->author_id;
	f->ev.is_closed = a->is_closed;
	f->ev.is_pull = a->is_pull;
	strs_copy(&f->ev.labels, &a->labels);
	f->ev.labels_known = f->ev.kind == EVENT_LABELS;
	one_less(f);
}

/* Who set the label, never who else is about: nobody acts with another's permission. A forge that
 * does not know who did it (Gitea before 1.18) lets only those label who may write; there the
 * author has to be one of them. */
static void
on_label_event(struct queue *q, void *ctx, struct fact *fact)
{
	struct found *f = ctx;
	const struct queue_forge *forge = queue_forge_find(q, f->p->forge);

	if (!fact) {
		give_up(f);
		return;
	}
	f->has_failed = f->has_failed || (fact->code != 0 && fact->code != ERR_MISSING);
	if (fact->code == 0 && fact->answer.user) {
		mem_set(&f->ev.actor, fact->answer.user);
		f->ev.actor_id = fact->answer.user_id;
		f->ev.actor_is_bot = fact->answer.user_is_bot;
	} else {
		f->nobody_knows = forge && !forge->handlers.caps->has_label_events;
	}
	one_less(f);
}

static void
ask(struct found *f, enum forge_op_kind kind, queue_fact_cb *cb)
{
	static char label[] = QUEUE_LABEL;
	const struct forge_op op = {
		.kind = kind,
		.number = f->ev.number,
		.is_pull = f->ev.is_pull,
		.label = label,
	};

	f->n_missing++;
	queue_poll_ask(f->p, &op, cb, f);
}

static const struct found_kind {
	int64_t kind;
	const char *name;
} KINDS[POLL_STAGE_COUNT] = {
	[POLL_LABELS] = { EVENT_LABELS, "poll.label" },
	[POLL_COMMENTS] = { EVENT_COMMENT, "poll.comment" },
	[POLL_ORPHANS] = { EVENT_ORPHAN, "poll.orphan" },
};

void
queue_found_item(struct queue_poll *p, const struct forge_item *i)
{
	const struct found_kind *kind = &KINDS[p->stage];
	struct found *f = mem_zero(sizeof(*f));

	f->p = p;
	f->ev = (struct forge_event){
		.kind = kind->kind,
		.name = mem_str(kind->name),
		.repo_id = p->repo_id,
		.installation_id = p->installation_id,
		.repo = mem_str(p->repo),
		.default_branch = mem_str(p->default_branch),
		.number = i->number,
		.is_pull = i->is_pull,
		.updated_ms = i->updated_ms,
	};
	if (kind->kind == EVENT_COMMENT) {
		f->ev.comment_id = i->id;
		f->ev.comment_body = mem_str(i->body);
		f->ev.actor = mem_str(i->user);
		f->ev.actor_id = i->user_id;
	}
	if (kind->kind == EVENT_LABELS) {
		f->ev.label = mem_str(QUEUE_LABEL);
		f->ev.label_added = true;
	}
	p->n_open++;
	f->n_missing = 1;
	if (kind->kind == EVENT_LABELS)
		ask(f, OP_LABEL_EVENT, on_label_event);
	ask(f, OP_ISSUE, on_issue);
	one_less(f);
}
