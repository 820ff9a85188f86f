/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_publish - the task and its picture on the forge, brought in line.
 *
 * Called whenever anything about a task has changed, and as often as one likes. A task in
 * publication becomes final when everything it must wait for is done or dead; what else it wants
 * shown goes on in the outbox after that.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/log.h"
#include "base/mem.h"

#define LATE "the forge did not take it in two days"

/* Green work that cannot be handed over is not a success: a person has to look. */
static void
note_refusal(struct task *t, const char *why)
{
	if (t->outcome != OUTCOME_GREEN && t->outcome != OUTCOME_UNTESTED)
		return;
	t->outcome = OUTCOME_REFUSED;
	free(t->reason);
	t->reason = mem_fmt("the work could not be handed over: %s", why);
}

/* One planning. 1: the state changed, so plan again. */
static int
settle_once(struct queue *q, struct task *t, struct err *e)
{
	struct queue_plan_result r = { 0 };
	int rc = queue_plan(q, t, &r, e);

	if (rc == 0 && t->state == TASK_PUBLISHING && !r.must_wait) {
		if (r.refused)
			note_refusal(t, r.refused);
		rc = queue_task_event(q, t, publish_event(t), e);
		if (rc == 0)
			rc = 1;
	}
	free(r.refused);
	return rc;
}

int
queue_settle(struct queue *q, struct task *t, struct err *e)
{
	const struct forge_op where = {
		.forge = t->forge,
		.installation_id = t->installation_id,
		.repo_id = t->repo_id,
		.repo = t->repo,
		.number = t->number,
		.is_pull = t->is_pull,
	};
	int rc = 0;

	queue_trial_begin(q, "task", t->id, &where);
	if (!queue_trial_is_aside(q, t))
		rc = settle_once(q, t, e);
	if (rc == 1 || (rc == 0 && BUGGIFY("settle.twice") && !queue_trial_is_aside(q, t)))
		rc = settle_once(q, t, e);
	queue_trial_end(q);
	if (rc < 0)
		return rc;
	queue_wake(q, WAKE_OUTBOX);
	return q->db->task_save(q->store, t, e);
}

int
queue_settle_id(struct queue *q, int64_t task, struct err *e)
{
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, task, &t, e);

	if (rc == 0)
		rc = queue_settle(q, &t, e);
	task_finish(&t);
	return rc;
}

/* What is under way will be answered; the next sweep sees it. */
static int
give_up_effects(struct queue *q, int64_t task, bool *is_under_way, struct err *e)
{
	struct row_list list = { 0 };
	int rc = q->db->effect_list(q->store, task, &list, e);

	struct effect *v = list.v;
	for (size_t i = 0; i < list.n; i++) {
		*is_under_way = *is_under_way || (v[i].must && v[i].state == EFFECT_SENT);
		if (rc == 0 && v[i].must && v[i].state == EFFECT_PENDING) {
			v[i].state = EFFECT_DEAD;
			mem_set(&v[i].text, LATE);
			rc = q->db->effect_save(q->store, &v[i], e);
		}
		effect_finish(&v[i]);
	}
	free(v);
	return rc;
}

int
queue_publish_late(struct queue *q, int64_t task, struct err *e)
{
	struct log_ctx log = { .task = task };
	bool is_under_way = false;
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, task, &t, e);

	if (rc == 0)
		rc = give_up_effects(q, task, &is_under_way, e);
	if (rc == 0)
		rc = queue_settle(q, &t, e);
	/* Its forge is not configured any more, say: nothing would ever be done or dead. */
	if (rc == 0 && t.state == TASK_PUBLISHING && !is_under_way) {
		note_refusal(&t, LATE);
		rc = queue_task_event(q, &t, TASK_EV_NEEDS_HUMAN, e);
		if (rc == 0)
			rc = queue_settle(q, &t, e);
	}
	log_warn(&log, "task.late", "state=%s", task_state_name(t.state));
	task_finish(&t);
	return rc;
}
