/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_outbox - effects go out, one at a time of each task.
 *
 * That an effect is under way is on the disk before the courier hears of it, and when the courier
 * or we die before the answer it is pending again with "perhaps it happened". A call of the message
 * layer would be sent again by itself to a new courier, as if nothing had happened; so when one
 * goes, its calls are cancelled here.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define FLIGHTS_MAX 16
#define LOOK_MS     500 /* at least so long until the outbox is looked at again without a cause */
#define LOOK_MS_MAX 60000

#define AUTHORITY_MS 60000 /* so long what allowed a push allows its pull request */

/* An effect that was handed out. */
struct queue_flight {
	struct queue *q;
	struct queue_flight *next;
	int64_t effect;
	int64_t task;
	uint64_t call; /* 0: the courier does not have it yet */
};

static void
flight_end(struct queue_flight *f)
{
	struct queue_flight **at = &f->q->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->q->n_flights--;
	free(f);
}

/* f is gone afterwards. */
static void
land(struct queue_flight *f, const struct queue_answer *a)
{
	struct queue *q = f->q;
	struct err e = { 0 };
	int64_t effect = f->effect;

	flight_end(f);
	if (queue_begin(q) < 0)
		return;
	if (queue_answered(q, effect, a, &e) < 0)
		queue_fatal(q, "effect.answer", &e);
}

static void
land_failed(struct queue_flight *f, int64_t code, const char *text)
{
	const struct queue_answer a = { .code = code, .text = text };

	land(f, &a);
}

/* ---- answers ---- */

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct queue_flight *f = ctx;
	const struct wire_answer *w = m ? m->obj : NULL;

	f->call = 0;
	if (!w || BUGGIFY("outbox.answer_lost")) {
		land_failed(f, ERR_TIMEOUT, w ? "buggify" : e->text);
		return;
	}
	const struct queue_answer a = {
		.code = w->code,
		.text = w->text,
		.retry_after_ms = w->retry_after_ms,
		.answer = w->answer.n == 1 ? w->answer.v : NULL,
	};
	land(f, &a);
}

static void
on_pushed(void *ctx, struct msg *m, const struct err *e)
{
	struct queue_flight *f = ctx;
	const struct wire_pushed *w = m ? m->obj : NULL;

	f->call = 0;
	if (!w || BUGGIFY("outbox.push_lost")) {
		land_failed(f, ERR_TIMEOUT, w ? "buggify" : e->text);
		return;
	}
	const struct forge_answer answer = { .sha = w->sha };
	const struct queue_answer a = {
		.code = w->code,
		.text = w->text,
		.retry_after_ms = w->retry_after_ms,
		.answer = &answer,
	};
	land(f, &a);
}

/* ---- handing out ---- */

static void
call(struct queue_flight *f, const struct msg_out *out, msg_reply_cb *cb)
{
	f->call = msg_call(role_link(f->q->role, ROLE_COURIER), out, 0, cb, f);
}

static void
call_push(struct queue_flight *f, const struct effect *row, const struct forge_op *op,
	const struct buf *logs)
{
	const struct wire_push push = {
		.task = row->task,
		.forge = op->forge,
		.installation_id = op->installation_id,
		.repo_id = op->repo_id,
		.repo = op->repo,
		.branch = op->ref,
		.sha = op->sha,
		.old_sha = op->base,
	};
	const struct msg_out out = {
		.type = logs ? WIRE_PUSH_LOGS : WIRE_PUSH,
		.obj = &push,
		.blob = logs ? logs->data : NULL,
		.blob_len = logs ? logs->len : 0,
	};

	call(f, &out, on_pushed);
}

static int
send_logs(
	struct queue_flight *f, const struct effect *row, const struct forge_op *op, struct err *e)
{
	struct queue *q = f->q;
	auto_buf struct buf cast = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	auto_buf struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	auto_buf struct buf packed = BUF_INIT(2 * LIMIT_TRANSCRIPT_BYTES + KIB(1));
	int rc = q->db->transcript_get(q->store, row->task, &cast, &text, e);
	if (rc < 0)
		return rc;

	const struct wire_logs logs = { .cast = cast.data, .text = text.data };
	rc = row_pack(WIRE_LOGS_ROWS, &logs, &packed, e);
	if (rc == 0)
		call_push(f, row, op, &packed);
	return rc;
}

/* The body gets its marker, and what exists already is edited. Without its marker, which may have
 * been forgotten since it was looked for, nothing is said: nobody could find it again. */
static int
complete_op(struct queue *q, const struct effect *row, struct forge_op *op, struct err *e)
{
	const char *marker = op->marker ? queue_marker(q, op->marker) : NULL;

	if (op->marker && !marker)
		return err_set(e, ERR_BUSY, "its marker is not known yet");
	if (marker) {
		auto_free char *body = steal_ptr(&op->body);
		op->body = mem_fmt("%s\n%s", marker, body ? body : "");
		mem_set(&op->marker, marker);
	}
	if (op->kind == OP_COMMENT_CREATE && row->is_latest) {
		struct task t = { 0 };

		if (q->db->task_get(q->store, row->task, &t, NULL) == 0 && t.sticky_id > 0) {
			op->kind = OP_COMMENT_EDIT;
			op->id = t.sticky_id;
		}
		task_finish(&t);
	}
	return 0;
}

static int
send_op(struct queue_flight *f, const struct effect *row, struct forge_op *op, struct err *e)
{
	struct queue *q = f->q;
	auto_buf struct buf bytes = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	bool is_cast = str_ends(op->name ? op->name : "", ATTACH_CAST);

	int rc = complete_op(q, row, op, e);
	if (rc < 0)
		return rc;
	if (row->what == EFFECT_ATTACH) {
		rc = q->db->transcript_get(
			q->store, row->task, is_cast ? &bytes : NULL, is_cast ? NULL : &bytes, e);
		if (rc < 0)
			return rc;
	}
	const struct wire_effect w = {
		.effect = row->id,
		.task = row->task,
		.was_unknown = row->was_unknown,
		.unknown_ms = row->was_unknown ? row->unknown_ms : 0,
		.op = { op, 1 },
	};
	const struct msg_out out = {
		.type = WIRE_EFFECT, .obj = &w, .blob = bytes.data, .blob_len = bytes.len
	};
	call(f, &out, on_answer);
	return 0;
}

static struct queue_flight *
flight_of(struct queue *q, int64_t effect)
{
	for (struct queue_flight *f = q->flights; f; f = f->next) {
		if (f->effect == effect)
			return f;
	}
	return NULL;
}

struct refused {
	int64_t effect;
	char why[ERR_TEXT_BYTES_MAX];
};

static void
on_found(struct queue *q, void *ctx, struct fact *fact)
{
	auto_free struct refused *x = ctx;
	struct queue_flight *f = fact ? flight_of(q, x->effect) : NULL;

	if (f && fact->code == 0)
		land(f, &(struct queue_answer){ .answer = &fact->answer });
	else if (f)
		land_failed(f, queue_is_transient(fact->code) ? fact->code : ERR_DENIED, x->why);
}

/* It may not be made any more; but a try without an answer may have made it. */
static void
look_for_pull(struct queue *q, int64_t effect, struct forge_op *op, const char *why)
{
	struct refused *x = mem_zero(sizeof(*x));

	x->effect = effect;
	(void)snprintf(x->why, sizeof(x->why), "%s", why);
	op->kind = OP_PULL_FIND;
	queue_fact_ask(q, op, 1, on_found, x);
}

static void
on_checked(struct queue *q, int64_t effect, int64_t code, const char *text)
{
	struct queue_flight *f = flight_of(q, effect);
	struct effect row = { 0 };
	struct forge_op op = { 0 };
	struct err e = { 0 };

	if (!f)
		return;
	int rc = q->db->effect_get(q->store, effect, &row, &e);
	if (rc == 0)
		rc = queue_op_read(row.op, &op, &e);
	if (rc == 0 && code != 0)
		rc = err_set(&e, (int)code, "%s", text ? text : "not allowed any more");
	else if (rc == 0 && row.state != EFFECT_SENT)
		rc = err_set(&e, ERR_CONFLICT, "stopped meanwhile");
	if (rc == 0 && row.what == EFFECT_PUSH)
		call_push(f, &row, &op, NULL);
	else if (rc == 0)
		rc = send_op(f, &row, &op, &e);
	if (rc == ERR_DENIED && row.what == EFFECT_OP && row.was_unknown)
		look_for_pull(q, effect, &op, e.text);
	else if (rc < 0)
		land_failed(f, rc, e.text);
	forge_op_finish(&op);
	effect_finish(&row);
}

/* A pull request follows its push, and what allowed the one allows the other; unless the forge took
 * the one and for a while not the other. */
static bool
is_late_pull(struct queue *q, const struct effect *row, const struct forge_op *op)
{
	struct effect push = { 0 };
	bool is_late = row->what == EFFECT_OP && op->kind == OP_PULL_CREATE &&
		       q->db->effect_find(q->store, row->task, "push", &push, NULL) == 0 &&
		       clock_wall_ms() - push.done_ms > queue_wait_ms(q, AUTHORITY_MS);

	effect_finish(&push);
	return is_late;
}

static int
check_push(struct queue *q, const struct effect *row, struct err *e)
{
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, row->task, &t, e);

	if (rc == 0)
		queue_push_check(q, &t, row->id, on_checked);
	task_finish(&t);
	return rc;
}

static int
hand_out(struct queue_flight *f, const struct effect *row, struct err *e)
{
	struct forge_op op = { 0 };
	int rc = queue_op_read(row->op, &op, e);

	if (rc == 0 && (row->what == EFFECT_PUSH || is_late_pull(f->q, row, &op)))
		rc = check_push(f->q, row, e);
	else if (rc == 0 && row->what == EFFECT_PUSH_LOGS)
		rc = send_logs(f, row, &op, e);
	else if (rc == 0)
		rc = send_op(f, row, &op, e);
	forge_op_finish(&op);
	return rc;
}

static void
after_commit(struct queue *q, void *ctx, bool committed)
{
	struct queue_flight *f = ctx;
	struct effect row = { 0 };
	struct err e = { 0 };

	if (!committed || q->is_stopping)
		return;
	int rc = BUGGIFY("outbox.unsent") ? err_set(&e, ERR_TIMEOUT, "buggify")
					  : q->db->effect_get(q->store, f->effect, &row, &e);
	if (rc == 0)
		rc = hand_out(f, &row, &e);
	if (rc < 0)
		land_failed(f, rc, e.text);
	effect_finish(&row);
}

/* ---- choosing ---- */

static int
take_off(struct queue *q, struct effect *row, int64_t now_ms, struct err *e)
{
	struct queue_flight *f = mem_zero(sizeof(*f));

	row->state = EFFECT_SENT;
	row->tries++;
	if (row->unknown_ms == 0)
		row->unknown_ms = now_ms;
	int rc = q->db->effect_save(q->store, row, e);
	if (rc < 0) {
		free(f);
		return rc;
	}
	f->q = q;
	f->effect = row->id;
	f->task = row->task;
	f->next = q->flights;
	q->flights = f;
	q->n_flights++;
	queue_after(q, after_commit, f);
	return 0;
}

/* A comment goes out with its marker or not at all; the keeper's answer wakes the outbox. */
static int
lacks_marker(struct queue *q, const struct effect *row, bool *out, struct err *e)
{
	struct forge_op op = { 0 };
	int rc = queue_op_read(row->op, &op, e);

	*out = rc == 0 && op.marker && !queue_marker(q, op.marker);
	forge_op_finish(&op);
	return rc;
}

/* Scopes know nothing of each other; what is of no task knows no order. */
static bool
is_under_way(const struct queue *q, int64_t task)
{
	for (const struct queue_flight *f = q->flights; task != 0 && f; f = f->next) {
		if (f->task == task)
			return true;
	}
	return false;
}

static int
consider(struct queue *q, int64_t id, int64_t now_ms, struct err *e)
{
	struct effect row = { 0 };
	bool must_wait = false;
	int rc = q->db->effect_get(q->store, id, &row, e);

	/* Another node may have been faster. */
	must_wait = rc == 0 && (row.state != EFFECT_PENDING || is_under_way(q, row.task));
	if (rc == 0 && !must_wait)
		rc = lacks_marker(q, &row, &must_wait, e);
	if (rc == 0 && !must_wait && BUGGIFY("outbox.later")) {
		row.not_before_ms = now_ms + 3000;
		rc = q->db->effect_save(q->store, &row, e);
	} else if (rc == 0 && !must_wait &&
		   queue_bucket_take(
			   q, row.scope, row.is_urgent || !row.is_latest, clock_boot_ms())) {
		rc = take_off(q, &row, now_ms, e);
	}
	effect_finish(&row);
	return rc;
}

static void
on_timer(void *ctx)
{
	struct queue *q = ctx;

	q->outbox_timer = NULL;
	queue_wake(q, WAKE_OUTBOX);
}

static void
set_timer(struct queue *q, int64_t now_ms)
{
	int64_t at = 0, least = queue_wait_ms(q, LOOK_MS);

	loop_timer_remove(q->outbox_timer);
	q->outbox_timer = NULL;
	if (q->db->effect_next_ms(q->store, &at, NULL) < 0)
		return;
	int64_t wait = at - now_ms;
	if (wait < least)
		wait = least;
	if (wait > LOOK_MS_MAX || BUGGIFY("outbox.sleepy"))
		wait = LOOK_MS_MAX;
	q->outbox_timer = loop_timer_add(q->role->loop, wait, on_timer, q);
}

void
queue_outbox_pump(struct queue *q)
{
	int64_t ids[FLIGHTS_MAX], now_ms = clock_wall_ms();
	size_t n = 0;
	struct err e = { 0 };
	int rc = 0;

	if (!msg_link_is_up(role_link(q->role, ROLE_COURIER)))
		return;
	if (BUGGIFY("outbox.impatient"))
		queue_outbox_gone(q);
	if (q->n_flights < FLIGHTS_MAX && !queue_dispatch_goes_first(q))
		rc = queue_pick(q, now_ms, ids, FLIGHTS_MAX - q->n_flights, &n, &e);
	if (rc == 0 && n > 0 && queue_begin(q) < 0)
		return;
	if (n > 1 && BUGGIFY("outbox.one"))
		n = 1;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = consider(q, ids[i], now_ms, &e);
	if (rc < 0)
		queue_fatal(q, "effect.send", &e);
	else
		set_timer(q, now_ms);
}

void
queue_outbox_gone(struct queue *q)
{
	struct queue_flight *f = q->flights;

	while (f) {
		struct queue_flight *next = f->next;

		if (f->call) {
			msg_call_cancel(role_link(q->role, ROLE_COURIER), f->call);
			land_failed(f, ERR_TIMEOUT, "the courier ended");
		}
		f = next;
	}
}

void
queue_outbox_finish(struct queue *q)
{
	loop_timer_remove(q->outbox_timer);
	q->outbox_timer = NULL;
	while (q->flights) {
		if (q->flights->call)
			msg_call_cancel(role_link(q->role, ROLE_COURIER), q->flights->call);
		flight_end(q->flights);
	}
	mem_set(&q->pick_after, NULL);
}
