/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_task - what happens to a task while somebody works at it.
 *
 * Every word of a runner carries the fence of its claim. An older fence is somebody who was given
 * up already: what he says is not believed, and he is told to stop.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/usage.h"

#include <inttypes.h>

/* What failed outside (a forge, a network) is given time; what only lost its runner is not. Each
 * further time waits four times as long. */
#define HOLD_MS      30000
#define HOLD_LOST_MS 2000
#define HOLD_FACTOR  4
#define HOLD_MS_MAX  (10 * 60 * INT64_C(1000))
#define AWAY_MAX     147 /* a day of such waits; counted, for a clock may be set */

static struct log_ctx
log_of(const struct task *t)
{
	return (struct log_ctx){ .task = t->id, .attempt = t->attempt, .repo = t->repo };
}

int
queue_task_event(struct queue *q, struct task *t, enum task_event ev, struct err *e)
{
	struct log_ctx log = log_of(t);
	int64_t next = t->state;
	int rc = task_state_next(t->state, ev, &next, e);

	(void)q;
	if (rc < 0)
		return rc;
	if (next == t->state)
		return 0;
	log_info(&log, "task.state", "from=%s to=%s", task_state_name(t->state),
		task_state_name(next));
	t->state = next;
	t->changed_ms = clock_wall_ms();
	return 0;
}

static bool
is_with_runner(const struct task *t, int64_t fence)
{
	return t->fence == fence && TASK_STATES[t->state].owner == OWNER_RUNNER;
}

static int
end_attempt(
	struct queue *q, const struct task *t, int64_t outcome, const char *reason, struct err *e)
{
	auto_free char *why = mem_str(reason);
	const struct attempt a = {
		.task = t->id,
		.number = t->attempt,
		.ended_ms = clock_wall_ms(),
		.outcome = outcome,
		.reason = why,
	};

	queue_dispatch_forget(q, t->id);
	return q->db->attempt_end(q->store, &a, e);
}

/* How many of the last attempts, one after the other, ended so through nobody's fault. A forge that
 * was away in between ends no row of another kind. */
static int
count_lost(struct queue *q, int64_t task, enum task_outcome outcome, int64_t *out, struct err *e)
{
	struct row_list list = { 0 };
	int rc = q->db->attempt_list(q->store, task, &list, e);

	if (rc < 0)
		return rc;
	struct attempt *v = list.v;
	*out = 0;
	for (size_t i = 0; i < list.n; i++) {
		if (v[i].outcome == (int64_t)outcome)
			++*out;
		else if (v[i].outcome != OUTCOME_AWAY)
			*out = 0;
		attempt_finish(&v[i]);
	}
	free(v);
	return 0;
}

static int
repeat(struct queue *q, struct task *t, int64_t lost, int64_t hold_ms, struct err *e)
{
	int rc = queue_task_event(q, t, TASK_EV_LOST, e);

	if (rc < 0)
		return rc;
	for (int64_t i = 1; i < lost && hold_ms < HOLD_MS_MAX; i++)
		hold_ms *= HOLD_FACTOR;
	hold_ms = hold_ms < HOLD_MS_MAX ? hold_ms : HOLD_MS_MAX;
	if (BUGGIFY("task.no_hold"))
		hold_ms = 0;
	return q->db->task_hold(q->store, t->id, clock_wall_ms() + queue_wait_ms(q, hold_ms), e);
}

static int
give_up(struct queue *q, struct task *t, int64_t lost, const char *why, struct err *e)
{
	struct log_ctx log = log_of(t);

	log_error(&log, "task.quarantined", "lost=%lld why=\"%s\"", (long long)lost, why);
	free(t->reason);
	t->reason = mem_fmt("given up after %" PRId64 " attempts: %s", lost, why);
	t->outcome = OUTCOME_INFRA;
	return queue_task_event(q, t, TASK_EV_POISON, e);
}

/* An attempt that ended through nobody's fault: once more, unless a person wants it stopped or it
 * happens every time. */
static int
lost_by(struct queue *q, struct task *t, enum task_outcome outcome, const char *why,
	int64_t hold_ms, struct err *e)
{
	struct log_ctx log = log_of(t);
	int64_t most = outcome == OUTCOME_AWAY ? AWAY_MAX : q->role->config->limit_attempts;
	int64_t n = 0;
	int rc = end_attempt(q, t, outcome, why, e);

	if (rc == 0)
		rc = count_lost(q, t->id, outcome, &n, e);
	if (rc < 0)
		return rc;
	log_warn(&log, "attempt.lost", "lost=%lld why=\"%s\"", (long long)n, why);
	if (t->stop_wanted) {
		t->outcome = OUTCOME_STOPPED;
		rc = queue_task_event(q, t, TASK_EV_PUBLISH, e);
	} else if (n >= most) {
		rc = give_up(q, t, n, why, e);
	} else {
		rc = repeat(q, t, n, hold_ms, e);
	}
	queue_wake(q, WAKE_DISPATCH);
	return rc < 0 ? rc : queue_settle(q, t, e);
}

static int
lost(struct queue *q, struct task *t, const char *why, int64_t hold_ms, struct err *e)
{
	return lost_by(q, t, OUTCOME_INFRA, why, hold_ms, e);
}

int
queue_task_lost(struct queue *q, int64_t task, const char *why, struct err *e)
{
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, task, &t, e);

	if (rc == 0 && TASK_STATES[t.state].owner == OWNER_RUNNER)
		rc = lost(q, &t, why, HOLD_LOST_MS, e);
	else
		queue_dispatch_forget(q, task);
	task_finish(&t);
	return rc;
}

/* ---- a node that is gone ---- */

/* Work that was not pushed is with whoever did it. It may have been pushed all the same, or be
 * pushed late: then the branch is ours to move on. See queue_push_late. */
static int
begin_anew(struct queue *q, struct task *t, struct effect *push, struct err *e)
{
	int rc = queue_push_note_late(q, t, e);

	if (rc == 0)
		rc = q->db->effect_drop(q->store, push->id, e);
	if (rc == 0 && t->stop_wanted)
		return queue_task_stop(q, t->id, t->stop_by, t->reason, e);
	t->outcome = OUTCOME_NONE;
	mem_set(&t->reason, NULL);
	return rc < 0 ? rc : lost(q, t, "its node is gone, and the work with it", HOLD_LOST_MS, e);
}

static int
orphan_publishing(struct queue *q, struct task *t, struct err *e)
{
	struct effect push = { 0 };
	int rc = q->db->effect_find(q->store, t->id, "push", &push, e);

	if (rc == ERR_MISSING)
		rc = 0;
	else if (rc == 0 && (push.state == EFFECT_PENDING || push.state == EFFECT_SENT))
		rc = begin_anew(q, t, &push, e);
	else if (rc == 0)
		rc = queue_settle(q, t, e);
	effect_finish(&push);
	return rc;
}

int
queue_task_orphaned(struct queue *q, int64_t task, struct err *e)
{
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, task, &t, e);

	if (rc == 0 && TASK_STATES[t.state].owner == OWNER_RUNNER)
		rc = lost(q, &t, "its node is gone", HOLD_LOST_MS, e);
	else if (rc == 0 && t.state == TASK_PUBLISHING)
		rc = orphan_publishing(q, &t, e);
	task_finish(&t);
	return rc;
}

/* ---- a stop ---- */

/* Effects that nobody has begun and that would publish the work. */
static int
drop_work(struct queue *q, int64_t task, bool *was_pushed, struct err *e)
{
	struct effect f = { 0 };
	int rc = q->db->effect_find(q->store, task, "push", &f, e);

	*was_pushed = rc == 0 && (f.state == EFFECT_DONE || f.state == EFFECT_SENT);
	if (rc == 0 && f.state == EFFECT_PENDING && !f.was_unknown) {
		f.state = EFFECT_DEAD;
		mem_set(&f.text, "stopped");
		rc = q->db->effect_save(q->store, &f, e);
	}
	effect_finish(&f);
	return rc == ERR_MISSING ? 0 : rc;
}

static int
stop_publishing(struct queue *q, struct task *t, struct err *e)
{
	bool was_pushed = false;
	int rc = drop_work(q, t->id, &was_pushed, e);

	if (rc == 0 && !was_pushed)
		t->outcome = OUTCOME_STOPPED;
	return rc;
}

int
queue_task_stop(struct queue *q, int64_t task, const char *by, const char *reason, struct err *e)
{
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, task, &t, e);

	if (rc < 0)
		return rc;
	if (!task_state_is_final(t.state)) {
		struct log_ctx log = log_of(&t);

		log_info(
			&log, "task.stop", "by=%s why=\"%s\"", by ? by : "?", reason ? reason : "");
		t.stop_wanted = true;
		mem_set(&t.stop_by, by);
		mem_set(&t.reason, reason);
		if (t.state == TASK_PUBLISHING) {
			rc = stop_publishing(q, &t, e);
		} else {
			rc = queue_task_event(q, &t, TASK_EV_STOP, e);
			if (t.state == TASK_STOPPED)
				t.outcome = OUTCOME_STOPPED;
			else
				queue_dispatch_stop(q, task);
		}
		if (rc == 0)
			rc = queue_settle(q, &t, e);
	}
	task_finish(&t);
	return rc;
}

/* ---- what the runner says ---- */

static int
move_to(struct queue *q, struct task *t, int64_t state, struct err *e)
{
	if (state == t->state || state < 0)
		return 0;
	if (state == TASK_RUNNING)
		return queue_task_event(q, t, TASK_EV_PREPARED, e);
	if (state == TASK_GATING)
		return queue_task_event(q, t, TASK_EV_HARVESTING, e);
	return err_set(e, ERR_CONFLICT, "a runner cannot say \"%s\"", task_state_name(state));
}

static int
progress(struct queue *q, struct task *t, const struct wire_progress *p, struct err *e)
{
	struct err refused = { 0 };
	int rc = 0;

	if (move_to(q, t, p->state, &refused) < 0) {
		struct log_ctx log = log_of(t);

		log_err(LOG_LEVEL_WARN, &log, "task.state_refused", &refused);
	}
	if (p->step.n == 1) {
		struct task_step *step = p->step.v;

		step->attempt = t->attempt;
		rc = step->name ? q->db->step_put(q->store, t->id, step, e) : 0;
	}
	if (p->tail)
		mem_set(&t->tail, p->tail);
	if (p->base_sha)
		mem_set(&t->base_sha, p->base_sha);
	if (p->base_ref)
		mem_set(&t->base_ref, p->base_ref);
	return rc < 0 ? rc : queue_settle(q, t, e);
}

void
queue_progress(struct queue *q, const struct wire_progress *p)
{
	struct task t = { 0 };
	struct err e = { 0 };

	if (BUGGIFY("task.unheard") || queue_begin(q) < 0)
		return;
	int rc = q->db->task_get(q->store, p->task, &t, &e);
	if (rc == ERR_MISSING)
		return;
	/* Who is not believed is told so when he next says what lives with him (CLAIM). */
	if (rc == 0 && is_with_runner(&t, p->fence)) {
		rc = progress(q, &t, p, &e);
		if (t.state != TASK_PREPARING)
			queue_dispatch_begun(q, t.id);
	}
	if (rc < 0)
		queue_fatal(q, "task.progress", &e);
	task_finish(&t);
}

static void
take_result(struct task *t, const struct wire_done *d)
{
	t->outcome = d->outcome;
	mem_set(&t->reason, d->reason);
	mem_set(&t->head_sha, d->head_sha);
	if (d->base_sha)
		mem_set(&t->base_sha, d->base_sha);
	if (d->base_ref)
		mem_set(&t->base_ref, d->base_ref);
	t->files = d->files;
	t->insertions = d->insertions;
	t->deletions = d->deletions;
	mem_set(&t->gate_command, d->gate_command);
	t->gate_exit = d->gate_exit;
	mem_set(&t->summary, d->summary);
	mem_set(&t->tail, d->tail);
	mem_set(&t->tier, d->tier);
	mem_set(&t->blocked, d->blocked);
	mem_set(&t->notes, d->notes);
}

static int
keep_logs(struct queue *q, const struct task *t, const struct msg *m, struct err *e)
{
	struct wire_logs logs = { 0 };
	int rc = m->blob_len == 0 ? 0 : row_unpack(WIRE_LOGS_ROWS, &logs, m->blob, m->blob_len, e);

	if (rc < 0) {
		struct log_ctx log = log_of(t);

		log_err(LOG_LEVEL_ERROR, &log, "transcript.unreadable", e);
		rc = 0;
	} else if (m->blob_len > 0) {
		const struct transcript as_stored = { .cast = logs.cast, .text = logs.text };

		rc = q->db->transcript_put(q->store, t->id, t->attempt, &as_stored, e);
	}
	row_finish(WIRE_LOGS_ROWS, &logs);
	return rc;
}

static int
done(struct queue *q, struct task *t, const struct msg *m, struct err *e)
{
	const struct wire_done *d = m->obj;
	struct log_ctx log = log_of(t);
	int rc = keep_logs(q, t, m, e);

	log_info(&log, "attempt.ended", "outcome=%s reason=\"%s\"", task_outcome_name(d->outcome),
		d->reason ? d->reason : "");
	if (rc < 0)
		return rc;
	usage_merge(&t->usage, d->usage);
	if (d->outcome == OUTCOME_AWAY)
		return lost_by(q, t, OUTCOME_AWAY, d->reason ? d->reason : "the forge was away",
			HOLD_MS, e);
	if (d->outcome == OUTCOME_INFRA || d->outcome == OUTCOME_NONE)
		return lost(q, t, d->reason ? d->reason : "the attempt ended without a result",
			HOLD_MS, e);

	auto_free char *stop_reason = t->stop_wanted ? mem_str(t->reason) : NULL;
	take_result(t, d);
	if (t->outcome == OUTCOME_STOPPED && stop_reason)
		mem_set(&t->reason, stop_reason);
	rc = end_attempt(q, t, t->outcome, t->reason, e);
	if (rc == 0)
		rc = queue_task_event(q, t, TASK_EV_PUBLISH, e);
	queue_wake(q, WAKE_DISPATCH);
	return rc < 0 ? rc : queue_settle(q, t, e);
}

struct taken {
	uint64_t call;
};

static void
say_taken(struct queue *q, void *ctx, bool committed)
{
	struct taken *taken = ctx;
	struct err e = { 0 };

	if (committed && msg_reply(role_link(q->role, ROLE_RUNNER), taken->call,
				 &(struct msg_out){ .type = WIRE_TAKEN }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "task.untaken", &e);
	free(taken);
}

void
queue_done(struct queue *q, struct msg *m)
{
	const struct wire_done *d = m->obj;
	struct task t = { 0 };
	struct err e = { 0 };

	if (queue_begin(q) < 0)
		return;
	int rc = q->db->task_get(q->store, d->task, &t, &e);
	/* Said twice, or by somebody who was given up: he may forget it all the same. */
	if (rc == 0 && is_with_runner(&t, d->fence))
		rc = done(q, &t, m, &e);
	task_finish(&t);
	if (rc < 0 && rc != ERR_MISSING) {
		queue_fatal(q, "task.done", &e);
		return;
	}
	struct taken *taken = mem_zero(sizeof(*taken));
	taken->call = m->id;
	queue_after(q, say_taken, taken);
}
