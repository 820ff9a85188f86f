/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects - what should exist on the forge for a task as it stands.
 *
 * Said as a wish, not as a sequence: the queue compares with what it has done and does the rest. So
 * a crash at any point needs no special way back; planning again gives the same wishes.
 */
#include "handlers/text.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>

#define CONTEXT "nightshift"

static struct effect_plan *
add(struct effect_plans *out, const char *purpose, enum effect_do what, enum effect_mode mode)
{
	struct effect_plan *p;

	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	p = &out->v[out->n++];
	*p = (struct effect_plan){ .purpose = purpose, .what = what, .mode = mode };
	return p;
}

static struct forge_op *
add_op(const struct effects_in *in, struct effect_plans *out, const char *purpose,
	enum forge_op_kind kind)
{
	const struct task *t = in->task;
	struct effect_plan *p = add(out, purpose, EFFECT_OP, EFFECT_ONCE);

	p->op.kind = kind;
	p->op.forge = mem_str(t->forge);
	p->op.installation_id = t->installation_id;
	p->op.repo_id = t->repo_id;
	p->op.repo = mem_str(t->repo);
	p->op.number = t->number;
	p->op.is_pull = t->is_pull;
	return &p->op;
}

static struct effect_plan *
last(struct effect_plans *out)
{
	return &out->v[out->n - 1];
}

void
effect_plans_finish(struct effect_plans *p)
{
	for (size_t i = 0; i < p->n; i++)
		forge_op_finish(&p->v[i].op);
	free(p->v);
	*p = (struct effect_plans){ 0 };
}

bool
outcome_has_work(const struct task *t)
{
	return !str_is_empty(t->head_sha) && t->outcome != OUTCOME_REFUSED &&
	       t->outcome != OUTCOME_EMPTY;
}

static bool
deserves_pull(const struct task *t)
{
	return outcome_has_work(t) && !t->is_pull &&
	       (t->outcome == OUTCOME_GREEN || t->outcome == OUTCOME_UNTESTED);
}

enum task_event
publish_event(const struct task *t)
{
	switch ((enum task_outcome)t->outcome) {
	case OUTCOME_GREEN:
	case OUTCOME_UNTESTED:
		return TASK_EV_PUBLISHED_OK;
	case OUTCOME_EMPTY: /* of a chore: there was nothing to do */
		return t->verb == VERB_CHORE ? TASK_EV_PUBLISHED_OK : TASK_EV_PUBLISHED_FAILED;
	case OUTCOME_REFUSED:
		return TASK_EV_NEEDS_HUMAN;
	case OUTCOME_STOPPED:
		return TASK_EV_STOP;
	case OUTCOME_NONE:
	case OUTCOME_RED:
	case OUTCOME_SETUP:
	case OUTCOME_AGENT:
	case OUTCOME_TIMEOUT:
	case OUTCOME_INFRA:
	case OUTCOME_AWAY:
	case OUTCOME_COUNT:
		break;
	}
	return TASK_EV_PUBLISHED_FAILED;
}

static const char *
final_label(int64_t state)
{
	switch ((enum task_state)state) {
	case TASK_SUCCEEDED:
		return "done";
	case TASK_FAILED:
	case TASK_QUARANTINED:
		return "failed";
	case TASK_WAITING:
		return "needs-human";
	case TASK_QUEUED:
	case TASK_PREPARING:
	case TASK_RUNNING:
	case TASK_GATING:
	case TASK_PUBLISHING:
	case TASK_STOPPED:
	case TASK_STATE_COUNT:
		break;
	}
	return NULL;
}

static void
plan_label(const struct effects_in *in, struct effect_plans *out, const char *purpose,
	enum forge_op_kind kind, const char *what)
{
	struct forge_op *op = add_op(in, out, purpose, kind);

	op->label = what ? mem_fmt("%s:%s", in->conf->label, what) : mem_str(in->conf->label);
}

/* The trigger label goes when the task is taken: labelling again is the one way to run again. */
static void
plan_labels(const struct effects_in *in, struct effect_plans *out)
{
	const struct task *t = in->task;
	const char *end = final_label(t->state);
	bool is_over = end != NULL || task_state_is_final(t->state);

	if (t->state != TASK_QUEUED && t->comment_id == 0) {
		plan_label(in, out, "untrigger", OP_LABEL_REMOVE, NULL);
		last(out)->must = true;
	}
	if (t->attempt > 0 && !task_is_found(t))
		plan_label(in, out, "running", OP_LABEL_ADD, "running");
	if (is_over && t->attempt > 0)
		plan_label(in, out, "not-running", OP_LABEL_REMOVE, "running");
	if (end)
		plan_label(in, out, "end", OP_LABEL_ADD, end);
}

static void
plan_sticky(const struct effects_in *in, struct effect_plans *out)
{
	auto_buf struct buf body = BUF_INIT(LIMIT_COMMENT_BYTES);
	struct forge_op *op = add_op(in, out, "sticky", OP_COMMENT_CREATE);
	struct effect_plan *p = last(out);

	p->mode = EFFECT_LATEST;
	/* However many wait, what they are told does not hold up those who are done. */
	p->is_urgent = in->task->state != TASK_RUNNING && in->task->state != TASK_QUEUED;
	text_sticky(in, &body);
	op->body = buf_steal(&body);
	op->marker = mem_fmt("task=%" PRId64, in->task->id);
	if (in->task->sticky_id > 0) {
		op->kind = OP_COMMENT_EDIT;
		op->id = in->task->sticky_id;
	}
}

static void
plan_push(const struct effects_in *in, struct effect_plans *out)
{
	const struct task *t = in->task;
	auto_buf struct buf branch = BUF_INIT(LIMIT_NAME_BYTES);
	struct forge_op *op = add_op(in, out, "push", OP_COMMENT_CREATE);
	struct effect_plan *p = last(out);

	p->what = EFFECT_PUSH;
	p->must = true;
	text_branch(t, &branch);
	op->kind = 0;
	op->ref = buf_steal(&branch);
	op->sha = mem_str(t->head_sha);
	if (str_eq(op->ref, t->base_ref))
		op->base = mem_str(t->base_sha);
}

static void
plan_logs(const struct effects_in *in, struct effect_plans *out)
{
	(void)add_op(in, out, "logs", OP_COMMENT_CREATE);
	last(out)->op.kind = 0;
	last(out)->what = EFFECT_PUSH_LOGS;
	last(out)->must = true;
}

static void
plan_pull(const struct effects_in *in, struct effect_plans *out)
{
	const struct task *t = in->task;
	auto_buf struct buf title = BUF_INIT(LIMIT_TITLE_BYTES);
	auto_buf struct buf body = BUF_INIT(LIMIT_COMMENT_BYTES);
	auto_buf struct buf branch = BUF_INIT(LIMIT_NAME_BYTES);
	struct forge_op *op = add_op(in, out, "pull", OP_PULL_CREATE);

	last(out)->must = true;
	text_pull_title(t, &title);
	text_pull_body(in, &body);
	text_branch(t, &branch);
	op->title = buf_steal(&title);
	op->body = buf_steal(&body);
	op->ref = buf_steal(&branch);
	op->base = mem_str(t->base_ref);
	op->sha = mem_str(t->head_sha);
	op->is_draft = t->outcome == OUTCOME_UNTESTED;
	op->user_id = t->actor_id; /* who asked for it */
}

static void
plan_attachment(const struct effects_in *in, struct effect_plans *out, const char *purpose,
	const char *suffix)
{
	struct forge_op *op = add_op(in, out, purpose, OP_ATTACH);

	last(out)->what = EFFECT_ATTACH;
	op->number = in->task->pull_number > 0 ? in->task->pull_number : in->task->number;
	op->is_pull = true;
	op->name = mem_fmt("task-%" PRId64 "%s", in->task->id, suffix);
}

static void
plan_status(const struct effects_in *in, struct effect_plans *out)
{
	const struct task *t = in->task;
	auto_buf struct buf title = BUF_INIT(LIMIT_SUMMARY_BYTES);
	auto_buf struct buf body = BUF_INIT(LIMIT_COMMENT_BYTES);
	struct forge_op *op = add_op(in, out, "status", OP_STATUS_CREATE);

	text_gate_title(t, &title);
	text_gate_log(t, &body);
	op->context = mem_str(CONTEXT);
	op->sha = mem_str(t->head_sha);
	op->state = STATUS_NEUTRAL;
	if (t->outcome == OUTCOME_GREEN)
		op->state = STATUS_SUCCESS;
	else if (t->outcome == OUTCOME_RED)
		op->state = STATUS_FAILURE;
	op->title = buf_steal(&title);
	op->body = buf_steal(&body);
	if (!str_is_empty(in->conf->public_url))
		op->url = mem_fmt("%s/t/%s", in->conf->public_url, t->page);
	op->external_id = mem_fmt("task-%" PRId64, t->id);
}

/* A chore speaks when it has something to hand over; nobody waits for it to say that it has not. */
static bool
is_quiet(const struct task *t)
{
	return t->verb == VERB_CHORE &&
	       (!outcome_has_work(t) ||
		       (t->outcome != OUTCOME_GREEN && t->outcome != OUTCOME_UNTESTED));
}

static void
plan_results(const struct effects_in *in, struct effect_plans *out)
{
	const struct task *t = in->task;
	bool has_attachments = in->conf->caps->has_attachments;
	bool to_git = in->conf->logs_to_git && !has_attachments;

	if (to_git || (in->conf->logs_to_git && in->attach_refused))
		plan_logs(in, out);
	if (!outcome_has_work(t))
		return;
	plan_push(in, out);
	if (!in->pushed)
		return;
	plan_status(in, out);
	if (deserves_pull(t) && (in->logs_done || !to_git))
		plan_pull(in, out);
	if (has_attachments && (t->pull_number > 0 || t->is_pull)) {
		plan_attachment(in, out, "attach-cast", ATTACH_CAST);
		plan_attachment(in, out, "attach-text", ATTACH_TEXT);
	}
}

void
effects_plan(const struct effects_in *in, struct effect_plans *out)
{
	bool is_chore = in->task->verb == VERB_CHORE;

	if (is_quiet(in->task))
		return;
	if (!is_chore)
		plan_labels(in, out);
	if (in->task->outcome != OUTCOME_NONE && in->task->outcome != OUTCOME_INFRA &&
		in->task->state >= TASK_PUBLISHING)
		plan_results(in, out);
	/* What was found has said its last word, or its comment was found, too. */
	if (task_is_found(in->task) && in->task->sticky_id == 0)
		return;
	/* A chore's own pull request says it all; one that was there is told what was added. */
	if (!is_chore || (in->task->is_pull && in->pushed))
		plan_sticky(in, out);
}
