/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_live - the issues at which tasks are at work, as they are now.
 *
 * Lists tell what is there, not what is gone: a label that was taken off, an issue that was closed.
 * So each issue with a live task is asked for; what did not change costs no quota. That a label is
 * missing is believed only when the forge's own record has its removal after its last setting:
 * an answer may be older than what we know.
 */
#include "bot/queue_poll.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>

#define LOOKS_MAX 50              /* of one repository at a time */
#define LATE_MS   (5 * 60 * 1000) /* no answer is that old */

struct live {
	struct queue_poll *p;
	int64_t task;
	struct forge_event ev; /* as far as it is known */
	int64_t set_id;        /* of the label's last setting, in the forge's count */
	size_t n_missing;
	bool has_failed;
};

static void
live_destroy(struct live *l)
{
	forge_event_finish(&l->ev);
	free(l);
}

static void
end(struct live *l)
{
	struct queue_poll *p = l->p;

	if (l->has_failed)
		p->has_failed = true;
	live_destroy(l);
	queue_poll_one_less(p);
}

static void
give_up(struct live *l)
{
	if (--l->n_missing == 0)
		live_destroy(l);
}

static void
store(struct live *l, const char *what, int64_t at)
{
	auto_free char *guid = mem_fmt(
		"poll:%" PRId64 ":%" PRId64 ":%s:%" PRId64, l->ev.repo_id, l->ev.number, what, at);

	queue_found_store(l->p, &l->ev, guid);
}

/* ---- a label that is not there ---- */

/* On a forge that keeps no record only those who may write take labels off; the word of whoever
 * asked for the task does for theirs. */
static bool
take_unrecorded(struct live *l)
{
	struct queue *q = l->p->q;
	struct task t = { 0 };
	bool is_old = q->db->task_get(q->store, l->task, &t, NULL) == 0 &&
		      clock_wall_ms() - t.changed_ms > queue_wait_ms(q, LATE_MS);

	if (is_old) {
		mem_set(&l->ev.actor, t.actor);
		l->ev.actor_id = t.actor_id;
	}
	task_finish(&t);
	return is_old;
}

static void
on_unset(struct queue *q, void *ctx, struct fact *f)
{
	struct live *l = ctx;
	const struct forge_answer *a = f ? &f->answer : NULL;

	(void)q;
	if (!f) {
		give_up(l);
		return;
	}
	bool is_later = a->id > l->set_id;
	if (f->code == 0 && a->user && is_later) {
		mem_set(&l->ev.actor, a->user);
		l->ev.actor_id = a->user_id;
		l->ev.actor_is_bot = a->user_is_bot;
		store(l, "off", a->id);
	} else if (f->code == 0 && !a->user && l->set_id == 0 && take_unrecorded(l)) {
		store(l, "off", l->ev.updated_ms);
	}
	l->has_failed = f->code != 0;
	end(l);
}

static void
ask(struct live *l, enum forge_op_kind kind, queue_fact_cb *cb)
{
	const struct forge_op op = {
		.kind = kind,
		.number = l->ev.number,
		.is_pull = l->ev.is_pull,
		.label = l->ev.label,
	};

	queue_poll_ask(l->p, &op, cb, l);
}

static void
on_set(struct queue *q, void *ctx, struct fact *f)
{
	struct live *l = ctx;

	(void)q;
	if (!f) {
		give_up(l);
		return;
	}
	if (f->code != 0) {
		l->has_failed = true;
		end(l);
		return;
	}
	l->set_id = f->answer.id;
	ask(l, OP_UNLABEL_EVENT, on_unset);
}

/* ---- an issue ---- */

/* Which of our labels should be there, and is not; NULL: none. */
static char *
missing_label(struct live *l)
{
	struct queue *q = l->p->q;
	auto_free char *running = mem_fmt("%s:running", QUEUE_LABEL);
	struct queue_world w;
	struct err e = { 0 };
	const char *out = NULL;

	if (queue_world_load(q, &l->ev, l->p->forge, &w, &e) < 0) {
		queue_world_finish(&w);
		queue_fatal(q, "poll.live", &e);
		return NULL;
	}
	if (w.view.live && w.live.id == l->task) {
		if (w.view.running_is_on && !strs_has(&l->ev.labels, running))
			out = running;
		else if (w.live.state == TASK_QUEUED && w.live.comment_id == 0 &&
			 w.view.label_is_on && !strs_has(&l->ev.labels, QUEUE_LABEL))
			out = QUEUE_LABEL;
	}
	queue_world_finish(&w);
	return mem_str(out);
}

static void
on_issue(struct queue *q, void *ctx, struct fact *f)
{
	struct live *l = ctx;
	struct forge_answer *a = f ? &f->answer : NULL;

	(void)q;
	if (!f) {
		give_up(l);
		return;
	}
	if (f->code != 0) {
		/* Gone or out of reach: the check before the push says what that means. */
		l->has_failed = f->code != ERR_MISSING;
		end(l);
		return;
	}
	mem_set(&l->ev.title, a->title);
	mem_set(&l->ev.body, a->body);
	mem_set(&l->ev.author, a->author);
	l->ev.author_id = a->author_id;
	l->ev.updated_ms = a->updated_ms;
	strs_copy(&l->ev.labels, &a->labels);
	if (a->is_closed) {
		l->ev.kind = EVENT_CLOSED;
		l->ev.is_closed = true;
		mem_set(&l->ev.name, "poll.closed");
		store(l, "closed", a->updated_ms);
		end(l);
		return;
	}
	l->ev.label = missing_label(l);
	if (!l->ev.label) {
		end(l);
		return;
	}
	l->ev.kind = EVENT_LABELS;
	l->ev.labels_known = true;
	mem_set(&l->ev.name, "poll.unlabel");
	ask(l, OP_LABEL_EVENT, on_set);
}

static void
look_at(struct queue_poll *p, const struct task *t)
{
	struct live *l = mem_zero(sizeof(*l));

	l->p = p;
	l->task = t->id;
	l->n_missing = 1;
	l->ev = (struct forge_event){
		.kind = EVENT_LABELS,
		.repo_id = p->repo_id,
		.installation_id = p->installation_id,
		.repo = mem_str(p->repo),
		.default_branch = mem_str(p->default_branch),
		.number = t->number,
		.is_pull = t->is_pull,
	};
	p->n_open++;
	ask(l, OP_ISSUE, on_issue);
}

bool
queue_live_has(const struct queue_poll *p, int64_t number)
{
	const struct forge_event ev = { .repo_id = p->repo_id, .number = number };
	struct queue_world w;
	struct err e = { 0 };

	if (queue_world_load(p->q, &ev, p->forge, &w, &e) < 0)
		queue_fatal(p->q, "poll.orphans", &e);
	bool is_live = w.view.live != NULL;
	queue_world_finish(&w);
	return is_live;
}

static int
look_unless_chore(struct queue *q, struct task *t, void *ctx, struct err *e)
{
	(void)q;
	(void)e;
	if (t->verb != VERB_CHORE)
		look_at(ctx, t);
	return 0;
}

/* Page by page, one a look: where more are at work, the next ones have their turn next time. */
void
queue_live_look(struct queue_poll *p)
{
	const struct task_filter f = {
		.states = TASKS_LIVE,
		.forge = p->forge,
		.repo_id = p->repo_id,
		.after_id = p->live_after,
		.limit = LOOKS_MAX,
	};
	struct row_list list = { 0 };
	struct err e = { 0 };
	int rc = p->q->db->task_list(p->q->store, &f, &list, &e);
	const struct task *v = list.v;

	if (rc == 0) {
		p->live_after = list.n == LOOKS_MAX ? v[list.n - 1].id : 0;
		rc = queue_each_of(p->q, &list, look_unless_chore, p, &e);
	}
	if (rc < 0) {
		queue_fatal(p->q, "poll.live", &e);
		return;
	}
	queue_poll_one_less(p);
}
