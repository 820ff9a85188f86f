/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner - a machine with boxes, and the role that speaks for them.
 *
 * Boxes outlive the role, as with shims, and end in all the ways there are. What is checked here is
 * what the queue may not do to them: start a task again that it was told is alive.
 */
#include "tests/sim/sim.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define BOXES_MAX 64
#define SLOTS     4
#define BEGUN_MAX 128
#define SPEAK_MS  1000
#define IDLE_MS   4000  /* the real one speaks every second; the queue waits for five */
#define GAP_MS    15000 /* a list may be so late and still be one of a row */
#define ROW_MS    60000

struct box {
	int64_t task, fence;
	int64_t prepared_ms, gating_ms, ended_ms;
	int64_t listed_ms; /* last */
	int64_t row_ms;    /* since when it was listed without a gap */
	int64_t outcome;
	bool told_running, told_gating, told_done;
};

struct runner {
	struct role_ctx *r;
	struct loop_timer *timer;
};

static struct box boxes[BOXES_MAX]; /* the machine */
static size_t n_boxes;
/* Attempts that got as far as an agent. One that the queue had not heard of when everybody died may
 * be begun twice and is the same attempt. */
static struct wire_alive begun[BEGUN_MAX];
static size_t n_begun;

void
machine_wipe(void)
{
	n_boxes = 0;
	n_begun = 0;
}

void
machine_lose_boxes(void)
{
	n_boxes = 0;
}

int64_t
machine_attempts(int64_t task)
{
	int64_t n = 0;

	for (size_t i = 0; i < n_begun; i++)
		n += begun[i].task == task;
	return n;
}

static void
count_begun(const struct box *b)
{
	for (size_t i = 0; i < n_begun; i++) {
		if (begun[i].task == b->task && begun[i].fence == b->fence)
			return;
	}
	if (n_begun < BEGUN_MAX)
		begun[n_begun++] = (struct wire_alive){ b->task, b->fence };
}

static struct box *
find(int64_t task, int64_t fence)
{
	for (size_t i = 0; i < n_boxes; i++) {
		if (boxes[i].task == task && (fence < 0 || boxes[i].fence == fence))
			return &boxes[i];
	}
	return NULL;
}

static void
box_forget(struct box *b)
{
	*b = boxes[--n_boxes];
}

/* ---- what the runner says ---- */

static void
say_progress(struct runner *u, const struct box *b, int64_t state)
{
	char base_ref[] = "main", base_sha[] = "1111111111111111111111111111111111111111";
	const struct wire_progress p = {
		.task = b->task,
		.fence = b->fence,
		.state = state,
		.base_ref = base_ref,
		.base_sha = base_sha,
	};
	struct err e = { 0 };

	if (msg_send(role_link(u->r, ROLE_QUEUE),
		    &(struct msg_out){ .type = WIRE_PROGRESS, .obj = &p }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "progress.unsaid", &e);
}

static void
say_claim(struct runner *u)
{
	struct wire_alive alive[BOXES_MAX];
	struct msg_link *link = role_link(u->r, ROLE_QUEUE);
	struct err e = { 0 };

	for (size_t i = 0; i < n_boxes; i++) {
		struct box *b = &boxes[i];

		alive[i] = (struct wire_alive){ b->task, b->fence };
		if (SIM.now_ms - b->listed_ms > GAP_MS || !msg_link_is_up(link))
			b->row_ms = SIM.now_ms;
		b->listed_ms = SIM.now_ms;
	}
	const struct wire_claim c = {
		.free_slots = n_boxes < SLOTS ? SLOTS - (int64_t)n_boxes : 0,
		.alive = { alive, n_boxes },
	};
	if (msg_link_is_up(link) &&
		msg_send(link, &(struct msg_out){ .type = WIRE_CLAIM, .obj = &c }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "claim.unsaid", &e);
}

struct ended {
	int64_t task, fence;
};

static void
on_taken(void *ctx, struct msg *m, const struct err *e)
{
	auto_free struct ended *d = ctx;
	struct box *b = find(d->task, d->fence);

	(void)e;
	if (m && b)
		box_forget(b);
}

static void
say_done(struct runner *u, struct box *b)
{
	char sha[48], base_ref[] = "main", base_sha[] = "1111111111111111111111111111111111111111";
	char cast[] = "{\"version\":2}\n", text[] = "done\n", reason[] = "as it had to come";
	bool has_work = b->outcome == OUTCOME_GREEN || b->outcome == OUTCOME_RED ||
			b->outcome == OUTCOME_UNTESTED;
	const struct wire_logs logs = { .cast = cast, .text = text };
	const struct wire_done d = {
		.task = b->task,
		.fence = b->fence,
		.outcome = b->outcome,
		.reason = reason,
		.head_sha = has_work ? sha : NULL,
		.base_ref = base_ref,
		.base_sha = base_sha,
		.files = has_work,
	};
	auto_buf struct buf blob = BUF_INIT(65536);
	struct ended *end = mem_zero(sizeof(*end));

	(void)snprintf(sha, sizeof(sha), "%020" PRId64 "%020" PRId64, b->task, b->fence);
	(void)row_pack(WIRE_LOGS_ROWS, &logs, &blob, NULL);
	*end = (struct ended){ b->task, b->fence };
	b->told_done = true;
	(void)msg_call(role_link(u->r, ROLE_QUEUE),
		&(struct msg_out){
			.type = WIRE_DONE, .obj = &d, .blob = blob.data, .blob_len = blob.len },
		0, on_taken, end);
}

/* ---- time passes for boxes ---- */

static void
look(struct runner *u, struct box *b)
{
	int64_t now = SIM.now_ms;

	if (now >= b->prepared_ms && !b->told_running && b->prepared_ms < b->ended_ms) {
		count_begun(b);
		b->told_running = true;
		say_progress(u, b, TASK_RUNNING);
	}
	if (now >= b->gating_ms && !b->told_gating && b->gating_ms < b->ended_ms) {
		b->told_gating = true;
		say_progress(u, b, TASK_GATING);
	}
	if (now >= b->ended_ms && !b->told_done)
		say_done(u, b);
}

static void
tick(void *ctx)
{
	struct runner *u = ctx;

	for (size_t i = 0; i < n_boxes; i++)
		look(u, &boxes[i]);
	say_claim(u);
	u->timer = loop_timer_add(u->r->loop, n_boxes > 0 ? SPEAK_MS : IDLE_MS, tick, u);
}

/* ---- what it is told ---- */

static int64_t
choose_outcome(void)
{
	static const int64_t OTHERS[] = { OUTCOME_RED, OUTCOME_UNTESTED, OUTCOME_EMPTY,
		OUTCOME_AGENT, OUTCOME_SETUP, OUTCOME_REFUSED, OUTCOME_TIMEOUT };

	if (fault_of(150))
		return chance_of(300) ? OUTCOME_AWAY : OUTCOME_INFRA;
	return chance_of(650) ? OUTCOME_GREEN : OTHERS[chance_in(0, 6)];
}

static void
stop(struct box *b)
{
	if (b->ended_ms <= SIM.now_ms)
		return;
	int64_t end = SIM.now_ms + chance_in(0, 10000);
	if (end < b->ended_ms) {
		b->ended_ms = end;
		b->outcome = OUTCOME_STOPPED;
	}
}

/* The real one, too, ends an old box of the task before it begins a new one: START is said again.
 */
static bool
is_in_the_way(struct box *old)
{
	if (!old || old->ended_ms <= SIM.now_ms)
		return false;
	if (SIM.now_ms - old->row_ms > ROW_MS && SIM.now_ms - old->listed_ms < 2 * SPEAK_MS)
		sim_violation("I6: task %" PRId64 " is started again while its fence %" PRId64
			      " is alive and said so",
			old->task, old->fence);
	stop(old);
	return true;
}

static void
on_start(struct runner *u, const struct wire_start *w)
{
	const struct task *t = w->task.v;
	int64_t now = SIM.now_ms;

	if (find(t->id, t->fence) || n_boxes >= SLOTS || is_in_the_way(find(t->id, -1)))
		return;
	struct box *b = &boxes[n_boxes++];
	*b = (struct box){
		.task = t->id,
		.fence = t->fence,
		.prepared_ms = now + chance_delay(3000, 90000),
		.listed_ms = now,
		.row_ms = now,
		.outcome = choose_outcome(),
	};
	b->gating_ms = b->prepared_ms + chance_in(1000, chance_of(200) ? 15 * MINUTE : MINUTE);
	b->ended_ms = b->gating_ms + chance_in(100, 20000);
	if (b->outcome == OUTCOME_AWAY)
		b->ended_ms = b->prepared_ms; /* nothing to work on */
	else if (fault_of(100))               /* early, anywhere */
		b->ended_ms = now + chance_in(0, b->ended_ms - now);
	sim_note("  box of task %" PRId64 " fence %" PRId64 " begins", t->id, t->fence);
	say_claim(u);
}

static void
on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	struct runner *u = r->own;

	(void)from;
	if (m->type == WIRE_START && fault_of(30))
		return; /* it ended before it had begun */
	if (m->type == WIRE_START) {
		on_start(u, m->obj);
	} else if (m->type == WIRE_STOP) {
		const struct wire_stop *s = m->obj;
		struct box *b = find(s->task, s->fence);

		if (b)
			stop(b);
	}
}

static int
start(struct role_ctx *r, struct err *e)
{
	struct runner *u = mem_zero(sizeof(*u));

	(void)e;
	r->own = u;
	u->r = r;
	/* What was said to a queue by the one before may have been lost with him. */
	for (size_t i = 0; i < n_boxes; i++)
		boxes[i].told_running = boxes[i].told_gating = boxes[i].told_done = false;
	u->timer = loop_timer_add(r->loop, 10, tick, u);
	return 0;
}

static void
finish(struct role_ctx *r)
{
	free(r->own);
	r->own = NULL;
}

const struct role_spec SIM_RUNNER = {
	.role = ROLE_RUNNER, .start = start, .on_msg = on_msg, .stop = finish
};
