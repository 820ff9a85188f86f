/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_end - how an attempt is told: the gateway's account, the transcript, DONE until it is
 * taken; then nothing is left of it.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/runner_text.h"
#include "bot/shim.h"

#include <inttypes.h>
#include <unistd.h>

#define USAGE_MS_MAX 5000
#define HELD_MS      5000 /* then it is worth a line in the log */

/* ---- the queue ---- */

/* All is told, but its shim works on: it removes a great deal, or a box does not end (shim.c). */
static void
on_held(void *ctx)
{
	struct attempt *a = ctx;
	struct log_ctx log = runner_log(a);

	a->patience = NULL;
	a->is_held = true;
	log_error(&log, "slot.quarantined", "slot=%" PRId64 " dir=%s", a->slot, a->dir);
}

/* Nobody gets its slot before its shim has ended. */
static void
forget_if_over(struct attempt *a)
{
	if (!a->is_told)
		return;
	if (!a->child)
		runner_forget(a);
	else if (!a->patience && !a->is_held)
		a->patience = loop_timer_add(a->r->role->loop, HELD_MS, on_held, a);
}

static void
on_taken(void *ctx, struct msg *m, const struct err *e)
{
	struct attempt *a = ctx;

	(void)m;
	(void)e; /* no deadline: it comes when the queue is there */
	a->call = 0;
	a->is_told = true;
	state_save(a);
	forget_if_over(a);
}

static void
read_log(const struct attempt *a, const char *name, struct buf *out)
{
	auto_free char *path = attempt_path(a, name);
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };
	int rc = fs_read(path, out, &e);

	/* Absent: it ended before its first step. */
	if (rc < 0 && rc != ERR_MISSING)
		log_err(LOG_LEVEL_WARN, &log, "transcript.unread", &e);
}

static void
read_summary(struct attempt *a)
{
	auto_buf struct buf summary = BUF_INIT(LIMIT_SUMMARY_BYTES);
	auto_buf struct buf clean = BUF_INIT(LIMIT_SUMMARY_BYTES);

	read_log(a, SHIM_SUMMARY, &summary);
	(void)str_utf8_clean(&clean, buf_str(&summary), summary.len);
	if (clean.len > 0)
		mem_set(&a->done.summary, clean.data);
}

/* The logs of an attempt that will be repeated are kept too: that is where one looks for the
 * reason. */
static void
tell(struct attempt *a)
{
	auto_buf struct buf cast = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	auto_buf struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	auto_buf struct buf packed = BUF_INIT(2 * LIMIT_TRANSCRIPT_BYTES + KIB(1));
	auto_buf struct buf blocked = BUF_INIT(LIMIT_SUMMARY_BYTES);
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	attempt_mend(a);
	read_log(a, SHIM_CAST, &cast);
	read_log(a, SHIM_TEXT, &text);
	read_summary(a);
	text_blocked(a->done.blocked, buf_str(&cast), &blocked);
	mem_set(&a->done.blocked, blocked.data);
	struct wire_logs logs = { .cast = cast.data, .text = text.data };
	if (row_pack(WIRE_LOGS_ROWS, &logs, &packed, &e) < 0) {
		log_err(LOG_LEVEL_ERROR, &log, "transcript.unsent", &e);
		buf_reset(&packed);
	}
	a->done.task = a->task.id;
	a->done.fence = a->task.fence;
	mem_set(&a->done.tier, a->r->tier);
	a->is_asked = true;
	a->call_to = ROLE_QUEUE;
	log_info(&log, "attempt.done", "outcome=%s reason=\"%s\"",
		task_outcome_name(a->done.outcome), a->done.reason);
	a->call = msg_call(role_link(a->r->role, ROLE_QUEUE),
		&(struct msg_out){ .type = WIRE_DONE,
			.obj = &a->done,
			.blob = packed.data,
			.blob_len = packed.len },
		0, on_taken, a);
}

/* ---- the shim ---- */

void
attempt_transcript_ready(struct attempt *a)
{
	loop_timer_remove(a->patience);
	a->patience = NULL;
	if (a->is_asked || a->has_transcript)
		return;
	a->has_transcript = true;
	/* While the gateway is still asked, it goes on there. */
	if (a->call == 0)
		tell(a);
}

void
attempt_shim_gone(struct attempt *a)
{
	forget_if_over(a);
}

/* ---- the gateway ---- */

static void
end_shim(struct attempt *a)
{
	if (a->has_transcript && !a->is_asked)
		tell(a); /* it ended before we asked it to */
	else
		shim_end(a);
}

/* Kept here too: the next gateway starts from it. */
void
attempt_usage(struct attempt *a, const struct wire_usage *u)
{
	if (a->is_asked)
		return;
	mem_set(&a->done.blocked, u->blocked);
	mem_set(&a->done.usage, u->usage);
	mem_set(&a->spent, u->spent);
	state_save(a);
	if (a->spent)
		shim_step_spent(a);
}

/* An agent that was refused more ends somehow; this is why. */
static void
say_spent(struct attempt *a)
{
	auto_free char *reason = NULL;

	if (!a->spent || a->done.outcome == OUTCOME_GREEN)
		return;
	reason = mem_fmt("%s (%s)", a->done.reason, a->spent);
	mem_set(&a->done.reason, reason);
}

static void
on_usage(void *ctx, struct msg *m, const struct err *e)
{
	struct attempt *a = ctx;
	const struct wire_usage *u = m ? m->obj : NULL;
	struct log_ctx log = runner_log(a);

	a->call = 0;
	if (!u)
		log_err(LOG_LEVEL_WARN, &log, "gateway.no_usage", e);
	else if (u->ok)
		attempt_usage(a, u);
	say_spent(a);
	end_shim(a);
}

static void
on_closed(void *ctx, struct msg *m, const struct err *e)
{
	(void)ctx;
	(void)m;
	(void)e;
}

void
attempt_close_gateway(struct runner *r, int64_t task, int64_t fence)
{
	struct wire_box box = { .task = task, .fence = fence };

	(void)msg_call(role_link(r->role, ROLE_GATEWAY),
		&(struct msg_out){ .type = WIRE_BOX_CLOSE, .obj = &box }, USAGE_MS_MAX, on_closed,
		NULL);
}

void
attempt_wind_up(struct attempt *a)
{
	struct wire_box box = { .task = a->task.id, .fence = a->task.fence };

	if (a->call)
		msg_call_cancel(role_link(a->r->role, a->call_to), a->call);
	a->call = 0;
	attempt_step_end(a, 1, a->done.outcome == OUTCOME_GREEN ? NULL : a->done.reason);
	if (!a->has_gateway) {
		end_shim(a);
		return;
	}
	a->call_to = ROLE_GATEWAY;
	a->call = msg_call(role_link(a->r->role, ROLE_GATEWAY),
		&(struct msg_out){ .type = WIRE_BOX_CLOSE, .obj = &box }, USAGE_MS_MAX, on_usage,
		a);
}
