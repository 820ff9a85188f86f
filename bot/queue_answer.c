/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_answer - what became of an effect.
 *
 * Done, dead, or again. Again always means "perhaps it happened": the courier then looks before it
 * creates. What is asked again forever by mistake is bounded by TRIES_MAX, which at the longest
 * wait is most of a day.
 */
#include "bot/queue.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define TRIES_MAX        200
#define DENIED_TRIES_MAX 5 /* rights are sometimes late */

static struct log_ctx
log_of(const struct effect *f)
{
	return (struct log_ctx){ .task = f->task };
}

static bool
is_again(const struct effect *f, int64_t code)
{
	if (code == ERR_DENIED && f->what != EFFECT_PUSH)
		return f->tries < DENIED_TRIES_MAX;
	return queue_is_transient(code) && f->tries < TRIES_MAX;
}

static int
again(struct queue *q, struct effect *f, const struct queue_answer *a, struct err *e)
{
	int64_t now = clock_wall_ms();
	int64_t wait = a->retry_after_ms > 0 ? queue_wait_ms(q, a->retry_after_ms)
					     : queue_backoff_ms(q, f->tries);
	struct log_ctx log = log_of(f);

	log_warn(&log, "effect.again", "purpose=%s tries=%lld wait_ms=%lld error=\"%s\"",
		f->purpose, (long long)f->tries, (long long)wait, a->text ? a->text : "");
	if (a->retry_after_ms > 0)
		queue_bucket_close(q, f->scope, clock_boot_ms() + wait);
	f->state = EFFECT_PENDING;
	f->was_unknown = true;
	/* What was sent last may still be on its way, whatever became of what was sent before. */
	if (a->code != ERR_BUSY)
		f->unknown_ms = now;
	f->not_before_ms = now + wait;
	/* The newest wish need not wait for an older one to succeed first. */
	if (f->next_op) {
		free(f->op);
		free(f->digest);
		f->op = steal_ptr(&f->next_op);
		f->digest = steal_ptr(&f->next_digest);
	}
	return q->db->effect_save(q->store, f, e);
}

static int
dead(struct queue *q, struct effect *f, struct err *e)
{
	struct log_ctx log = log_of(f);
	/* Where a forge cannot attach files, or a person deleted our comment, nothing is wrong. */
	bool is_quiet = f->code == ERR_MISSING;

	log_write(is_quiet ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, &log, "effect.dead",
		"purpose=%s code=%s error=\"%s\"", f->purpose, err_name((int)f->code),
		f->text ? f->text : "");
	f->state = EFFECT_DEAD;
	return q->db->effect_save(q->store, f, e);
}

/* What the answer says about the task. */
static void
note_answer(struct task *t, const struct effect *f, const struct forge_op *op,
	const struct forge_answer *a)
{
	if (f->what == EFFECT_PUSH_LOGS) {
		mem_set(&t->log_ref_sha, a->sha);
		return;
	}
	if (f->what != EFFECT_OP)
		return;
	if (op->kind == OP_COMMENT_CREATE && op->marker && a->id > 0)
		t->sticky_id = a->id;
	if (op->kind == OP_STATUS_CREATE)
		t->check_id = a->id;
	if (op->kind == OP_PULL_CREATE) {
		t->pull_number = a->number;
		mem_set(&t->pull_url, a->url);
	}
}

static int
finish_done(struct queue *q, struct effect *f, struct err *e)
{
	struct log_ctx log = log_of(f);

	log_info(&log, "effect.done", "purpose=%s tries=%lld", f->purpose, (long long)f->tries);
	f->state = EFFECT_DONE;
	if (f->done_ms > 0)
		f->edited_ms = clock_wall_ms();
	f->done_ms = clock_wall_ms();
	f->was_unknown = false;
	f->unknown_ms = 0;
	if (f->next_op) {
		free(f->op);
		free(f->digest);
		f->op = steal_ptr(&f->next_op);
		f->digest = steal_ptr(&f->next_digest);
		f->state = EFFECT_PENDING;
		f->tries = 0;
		f->not_before_ms = f->done_ms + queue_wait_ms(q, QUEUE_EDIT_MS);
	}
	return q->db->effect_save(q->store, f, e);
}

static int
settle_with(struct queue *q, const struct effect *f, const struct forge_op *op,
	const struct forge_answer *a, struct err *e)
{
	struct task t = { 0 };

	if (f->task == 0)
		return 0;
	int rc = q->db->task_get(q->store, f->task, &t, e);
	if (rc == 0 && a)
		note_answer(&t, f, op, a);
	if (rc == 0)
		rc = queue_settle(q, &t, e);
	task_finish(&t);
	return rc;
}

static int
done(struct queue *q, struct effect *f, const struct queue_answer *a, struct err *e)
{
	struct forge_op op = { 0 };
	auto_buf struct buf text = BUF_INIT(LIMIT_BLOB_BYTES);
	int rc = queue_op_read(f->op, &op, e);

	if (rc == 0 && a->answer)
		rc = json_encode(FORGE_ANSWER_ROWS, a->answer, &text, e);
	if (rc == 0) {
		mem_set(&f->answer, text.len > 0 ? buf_str(&text) : NULL);
		rc = finish_done(q, f, e);
	}
	if (rc == 0)
		rc = settle_with(q, f, &op, a->answer, e);
	forge_op_finish(&op);
	return rc;
}

/* The task first: another node that plans its effects has it first, too. */
static int
get_with_task(struct queue *q, int64_t effect, struct effect *out, struct err *e)
{
	int64_t task = 0;
	struct task t = { 0 };
	int rc = q->nodes ? q->db->effect_task(q->store, effect, &task, e) : 0;

	if (rc == 0 && task != 0)
		rc = q->db->task_get(q->store, task, &t, e);
	task_finish(&t);
	return rc < 0 ? rc : q->db->effect_get(q->store, effect, out, e);
}

int
queue_answered(struct queue *q, int64_t effect, const struct queue_answer *a, struct err *e)
{
	struct effect f = { 0 };
	int rc = get_with_task(q, effect, &f, e);

	if (rc < 0)
		return rc;
	f.code = a->code;
	mem_set(&f.text, a->text);
	if (f.state != EFFECT_SENT) {
		rc = 0; /* stopped meanwhile */
	} else if (a->code == ERR_CONFLICT && f.what == EFFECT_PUSH &&
		   (rc = queue_push_late(q, &f, e)) != 0) {
		rc = rc < 0 ? rc : again(q, &f, a, e);
	} else if (a->code == 0) {
		rc = done(q, &f, a, e);
	} else if (is_again(&f, a->code)) {
		rc = again(q, &f, a, e);
	} else {
		rc = dead(q, &f, e);
		if (rc == 0)
			rc = settle_with(q, &f, NULL, NULL, e);
	}
	effect_finish(&f);
	queue_wake(q, WAKE_OUTBOX);
	return rc;
}
