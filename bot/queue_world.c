/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_world - what the store knows of an event's issue, as the handlers want to see it.
 */
#include "bot/queue.h"

#include "base/clock.h"
#include "base/mem.h"

static int
newest(struct queue *q, const struct forge_event *ev, const char *forge, uint32_t states,
	struct task *out, struct err *e)
{
	const struct task_filter f = {
		.states = states,
		.forge = forge,
		.repo_id = ev->repo_id,
		.number = ev->number,
		.newest_first = true,
		.limit = 1,
	};
	struct row_list list = { 0 };
	int rc = q->db->task_list(q->store, &f, &list, e);

	if (rc < 0 || list.n == 0)
		return rc;
	*out = *(struct task *)list.v;
	free(list.v);
	return 0;
}

static int
is_done(struct queue *q, int64_t task, const char *purpose, bool *out, struct err *e)
{
	struct effect f = { 0 };
	int rc = q->db->effect_find(q->store, task, purpose, &f, e);

	*out = rc == 0 && f.state == EFFECT_DONE;
	effect_finish(&f);
	return rc == ERR_MISSING ? 0 : rc;
}

static int
load_live(struct queue *q, struct queue_world *w, struct err *e)
{
	bool was_removed = false;

	if (w->live.id == 0)
		return 0;
	w->view.live = &w->live;
	int rc = is_done(q, w->live.id, "running", &w->view.running_is_on, e);
	if (rc == 0)
		rc = is_done(q, w->live.id, "not-running", &was_removed, e);
	w->view.running_is_on = w->view.running_is_on && !was_removed;
	return rc < 0 ? rc : q->db->task_place(q->store, w->live.id, &w->view.place, e);
}

int
queue_world_load(struct queue *q, const struct forge_event *ev, const char *forge,
	struct queue_world *out, struct err *e)
{
	const struct label_key key = { forge, ev->repo_id, ev->number, QUEUE_LABEL };

	*out = (struct queue_world){
		.view = { .now_ms = clock_wall_ms(), .since_ms = q->started_ms },
	};
	int rc = newest(q, ev, forge, TASKS_LIVE, &out->live, e);
	if (rc == 0)
		rc = newest(q, ev, forge, TASKS_OVER, &out->last, e);
	if (rc == 0)
		rc = load_live(q, out, e);
	if (rc == 0)
		rc = q->db->label_get(
			q->store, &key, &out->view.generation, &out->view.label_is_on, e);
	if (out->last.id != 0)
		out->view.last = &out->last;
	return rc;
}

void
queue_world_finish(struct queue_world *w)
{
	task_finish(&w->live);
	task_finish(&w->last);
	w->view = (struct handler_world){ 0 };
}
