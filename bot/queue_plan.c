/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_plan - what should be on the forge, compared with what the outbox knows.
 *
 * The handlers say the whole wish each time; here it becomes rows. A purpose that is not there is
 * added, one that is sent again and again (the progress comment) gets the newest text, anything
 * else is left alone. So planning twice changes nothing, and nothing needs to be remembered about
 * how far planning got before a crash.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

/* ---- operations as text ---- */

/* JSON, not the wire's form: rows of the outbox must survive a program with one more member. */
int
queue_op_write(const struct forge_op *op, struct buf *out, struct err *e)
{
	return json_encode(FORGE_OP_ROWS, op, out, e);
}

int
queue_op_read(const char *text, struct forge_op *out, struct err *e)
{
	auto_json struct json *j = NULL;
	int rc = json_parse(text, strlen(text), &JSON_LIMITS_REPLY, &j, e);

	if (rc < 0)
		return err_wrap(e, rc, "effect");
	*out = (struct forge_op){ 0 };
	json_decode(j, FORGE_OP_ROWS, out);
	return 0;
}

/* Creating and then editing the same thing with the same text is no change. */
static int64_t
kind_of_change(int64_t kind)
{
	if (kind == OP_COMMENT_CREATE)
		return OP_COMMENT_EDIT;
	if (kind == OP_STATUS_CREATE)
		return OP_STATUS_EDIT;
	if (kind == OP_PULL_CREATE)
		return OP_PULL_EDIT;
	return kind;
}

static int
digest_of(const struct forge_op *op, char out[65], struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_BLOB_BYTES);
	struct forge_op same = *op; /* borrows */

	same.kind = kind_of_change(op->kind);
	same.id = 0;
	int rc = queue_op_write(&same, &text, e);
	if (rc == 0)
		crypto_sha256_hex(text.data, text.len, out);
	return rc;
}

/* ---- rows ---- */

struct planning {
	struct queue *q;
	const struct task *task;
	struct effect *effects; /* those of the task */
	size_t n_effects;
	int64_t now_ms;
};

static struct effect *
effect_of(const struct planning *p, const char *purpose)
{
	for (size_t i = 0; i < p->n_effects; i++) {
		if (str_eq(p->effects[i].purpose, purpose))
			return &p->effects[i];
	}
	return NULL;
}

static bool
is_in_state(const struct planning *p, const char *purpose, enum effect_state state)
{
	const struct effect *f = effect_of(p, purpose);

	return f && f->state == (int64_t)state;
}

/* A forge limits its API; git is another matter. */
static void
scope_of(const struct effect *f, const struct forge_op *op, struct buf *out)
{
	(void)buf_adds(out, "");
	if (f->what == EFFECT_OP || f->what == EFFECT_ATTACH)
		(void)buf_addf(
			out, "%s/%lld", op->forge ? op->forge : "", (long long)op->installation_id);
}

/* A label that is put on late would stay on: those of a task keep their order whatever happens. */
static const char *
lane_of(const struct effect *f, const struct forge_op *op)
{
	bool is_label = op->kind == OP_LABEL_ADD || op->kind == OP_LABEL_REMOVE;

	return is_label && f->what == EFFECT_OP ? "labels" : f->purpose;
}

static int
add(struct queue *q, struct effect *f, const struct forge_op *op, struct err *e)
{
	auto_free char *lane = mem_str(lane_of(f, op));
	auto_buf struct buf text = BUF_INIT(LIMIT_BLOB_BYTES);
	auto_buf struct buf scope = BUF_INIT(LIMIT_NAME_BYTES + 32);
	char digest[65];
	int rc = queue_op_write(op, &text, e);

	if (rc == 0)
		rc = digest_of(op, digest, e);
	if (rc < 0)
		return rc;
	scope_of(f, op, &scope);
	f->op = text.data;
	f->digest = digest;
	f->lane = lane;
	f->scope = scope.data;
	f->created_ms = clock_wall_ms();
	f->not_before_ms = f->created_ms;
	f->state = EFFECT_PENDING;
	queue_wake(q, WAKE_OUTBOX);
	return q->db->effect_add(q->store, f, e);
}

int
queue_plan_one(struct queue *q, const char *key, const struct forge_op *op, struct err *e)
{
	auto_free char *purpose = mem_str(key);
	struct effect f = { .purpose = purpose, .what = EFFECT_OP, .is_urgent = true };

	return add(q, &f, op, e);
}

static int
add_planned(const struct planning *p, const struct effect_plan *plan, struct err *e)
{
	auto_free char *purpose = mem_str(plan->purpose);
	struct effect f = {
		.task = p->task->id,
		.purpose = purpose,
		.what = plan->what,
		.is_latest = plan->mode == EFFECT_LATEST,
		.is_urgent = plan->is_urgent,
		.must = plan->must,
	};

	return add(p->q, &f, &plan->op, e);
}

/* The earliest time for doing f again. Only comments have a pace; people read them. The last word
 * of a task waits for an edit's sake only, not for the comment's creation: most tasks that fail,
 * fail early. */
static int64_t
again_ms(const struct planning *p, const struct effect *f, const struct forge_op *op)
{
	bool is_comment = op->kind == OP_COMMENT_CREATE || op->kind == OP_COMMENT_EDIT;
	bool is_over = (TASKS_OVER & TASK_BIT(p->task->state)) != 0 && !BUGGIFY("plan.slow");
	int64_t from = is_over ? f->edited_ms : f->done_ms;
	int64_t at = from + queue_wait_ms(p->q, QUEUE_EDIT_MS);

	return is_comment && from > 0 && at > p->now_ms ? at : p->now_ms;
}

static bool
is_held_by_pace(const struct effect *f)
{
	return f->state == EFFECT_PENDING && f->tries == 0 && !f->was_unknown;
}

/* True if the forge knows this, or will in good time, or shall not: a comment that a person deleted
 * stays deleted. */
static bool
is_settled(const struct planning *p, const struct effect *f, const struct effect_plan *plan,
	const char *digest)
{
	const char *last = f->state == EFFECT_SENT && f->next_digest ? f->next_digest : f->digest;

	if (str_eq(last, digest))
		return !is_held_by_pace(f) || f->not_before_ms <= again_ms(p, f, &plan->op);
	return f->state == EFFECT_DEAD && f->code == ERR_MISSING;
}

/* The newest wish wins; what is under way is let go on, and the wish follows it. */
static int
renew(const struct planning *p, struct effect *f, const struct effect_plan *plan, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_BLOB_BYTES);
	char digest[65];
	int rc = digest_of(&plan->op, digest, e);
	bool is_sent = f->state == EFFECT_SENT, was_pending = f->state == EFFECT_PENDING;

	if (rc < 0 || is_settled(p, f, plan, digest))
		return rc;
	rc = queue_op_write(&plan->op, &text, e);
	if (rc < 0)
		return rc;
	mem_set(is_sent ? &f->next_op : &f->op, buf_str(&text));
	mem_set(is_sent ? &f->next_digest : &f->digest, digest);
	f->is_urgent = plan->is_urgent;
	if (f->state == EFFECT_DONE || f->state == EFFECT_DEAD) {
		f->state = EFFECT_PENDING;
		f->tries = 0;
	}
	/* What could go already keeps its turn. */
	int64_t at = again_ms(p, f, &plan->op);
	if (is_held_by_pace(f) && (!was_pending || at > p->now_ms || f->not_before_ms > at))
		f->not_before_ms = at;
	queue_wake(p->q, WAKE_OUTBOX);
	return p->q->db->effect_save(p->q->store, f, e);
}

static int
reconcile(struct planning *p, const struct effect_plan *plan, struct queue_plan_result *out,
	struct err *e)
{
	struct effect *f = effect_of(p, plan->purpose);

	if (!f) {
		out->must_wait = out->must_wait || plan->must;
		return add_planned(p, plan, e);
	}
	if (plan->must && (f->state == EFFECT_PENDING || f->state == EFFECT_SENT))
		out->must_wait = true;
	if (f->state == EFFECT_DEAD && !out->refused &&
		(str_eq(f->purpose, "push") || str_eq(f->purpose, "pull")))
		out->refused = mem_str(f->text ? f->text : "the forge refused it");
	return plan->mode == EFFECT_LATEST ? renew(p, f, plan, e) : 0;
}

/* ---- the plan ---- */

static int
plan_with_steps(struct planning *p, const struct row_list *steps, struct queue_plan_result *out,
	struct err *e)
{
	struct queue *q = p->q;
	const struct queue_forge *f = queue_forge_find(q, p->task->forge);
	struct effect_plans plans = { 0 };
	struct effects_in in = {
		.task = p->task,
		.steps = steps->v,
		.n_steps = steps->n,
		.now_ms = p->now_ms,
		.pushed = is_in_state(p, "push", EFFECT_DONE),
		.push_refused = is_in_state(p, "push", EFFECT_DEAD),
		.logs_done =
			is_in_state(p, "logs", EFFECT_DONE) || is_in_state(p, "logs", EFFECT_DEAD),
		.attach_refused = is_in_state(p, "attach-cast", EFFECT_DEAD) ||
				  is_in_state(p, "attach-text", EFFECT_DEAD),
	};

	if (!f) {
		/* Its forge was taken out of the configuration: nothing can be said there. */
		out->must_wait = true;
		return 0;
	}
	in.conf = &f->handlers;
	int rc = q->db->task_place(q->store, p->task->id, &in.place, e);
	if (rc < 0)
		return rc;
	/* The row may say less than we know: the task is saved after its plan is made. */
	if (p->task->state != TASK_QUEUED)
		in.place = 0;
	if (BUGGIFY("plan.place") && in.place > 0)
		in.place++;
	effects_plan(&in, &plans);
	for (size_t i = 0; rc == 0 && i < plans.n; i++)
		rc = reconcile(p, &plans.v[i], out, e);
	effect_plans_finish(&plans);
	return rc;
}

static void
list_finish(const struct row *rows, size_t size, struct row_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		row_finish(rows, (char *)list->v + i * size);
	free(list->v);
	*list = (struct row_list){ 0 };
}

int
queue_plan(struct queue *q, const struct task *t, struct queue_plan_result *out, struct err *e)
{
	struct row_list steps = { 0 }, effects = { 0 };
	struct planning p = { .q = q, .task = t, .now_ms = clock_wall_ms() };
	int rc = q->db->step_list(q->store, t->id, &steps, e);

	*out = (struct queue_plan_result){ 0 };
	if (rc == 0)
		rc = q->db->effect_list(q->store, t->id, &effects, e);
	if (rc == 0) {
		p.effects = effects.v;
		p.n_effects = effects.n;
		rc = plan_with_steps(&p, &steps, out, e);
	}
	list_finish(TASK_STEP_ROWS, sizeof(struct task_step), &steps);
	list_finish(EFFECT_ROWS, sizeof(struct effect), &effects);
	return rc;
}
