/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_dispatch - who works at what, and whether he still lives.
 *
 * A claim (attempt and fence one higher, lease) is on the disk before START is said. START is one
 * way; that it arrived shows in the runner's next CLAIM, which lists what lives with him. As long
 * as it is not there START is said again, and the runner takes the same fence twice as once. An
 * attempt that was listed and is no more, or whose lease no CLAIM has renewed for LEASE_MS, is
 * lost.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define LEASE_MS     30000
#define QUIET_MS_MAX 1000
#define SILENT_MS                                                                                  \
	5000 /* a runner speaks every second; what it said before that is not believed             \
	      */

static int64_t
now_boot(const struct queue *q)
{
	return loop_now_ms(q->role->loop);
}

static struct queue_held *
held_find(struct queue *q, int64_t task)
{
	for (size_t i = 0; i < q->n_held; i++) {
		if (q->held[i].task == task)
			return &q->held[i];
	}
	return NULL;
}

static struct queue_held *
held_add(struct queue *q, const struct task *t)
{
	q->held = mem_grow(q->held, q->n_held + 1, sizeof(*q->held));
	struct queue_held *h = &q->held[q->n_held++];

	*h = (struct queue_held){
		.task = t->id,
		.fence = t->fence,
		.lease_ms = now_boot(q) + queue_wait_ms(q, LEASE_MS),
		.stored_ms = t->lease_ms,
		.stop_wanted = t->stop_wanted,
	};
	return h;
}

void
queue_dispatch_forget(struct queue *q, int64_t task)
{
	struct queue_held *h = held_find(q, task);

	if (!h)
		return;
	*h = q->held[--q->n_held];
	queue_wake(q, WAKE_OUTBOX);
}

/* ---- starts go before effects ---- */

static bool
is_starting(const struct queue *q)
{
	bool found = false;

	for (size_t i = 0; i < q->n_held; i++)
		found |= !q->held[i].has_begun;
	return found;
}

/* The forge, the disk and the processors are the same ones, and a person waits for the agent. A
 * repository may take minutes to come, so this has an end, and after it a rest. */
bool
queue_dispatch_goes_first(struct queue *q)
{
	if (!is_starting(q) || BUGGIFY("dispatch.hasty")) {
		q->quiet_ms = 0;
		return false;
	}
	if (q->quiet_ms == 0)
		q->quiet_ms = now_boot(q);
	return now_boot(q) - q->quiet_ms < queue_wait_ms(q, QUIET_MS_MAX);
}

void
queue_dispatch_begun(struct queue *q, int64_t task)
{
	struct queue_held *h = held_find(q, task);

	if (!h || h->has_begun)
		return;
	h->has_begun = true;
	if (!is_starting(q))
		queue_wake(q, WAKE_OUTBOX);
}

void
queue_dispatch_finish(struct queue *q)
{
	free(q->held);
	q->held = NULL;
	q->n_held = 0;
}

static int
hold(struct queue *q, struct task *t, void *ctx, struct err *e)
{
	struct queue_held *h = held_add(q, t);

	(void)ctx;
	(void)e;
	h->is_committed = h->was_started = h->has_begun = true;
	h->was_seen = t->state != TASK_PREPARING;
	return 0;
}

/* After a start everything that was with a runner gets a whole lease: he may be fine. An attempt
 * that is not on his list when he next speaks is begun again if no box of it ever ran, for START
 * may never have been said. Else it is lost: begun twice it would be counted once, and a task that
 * takes the machine down with it must not live for ever. */
int
queue_dispatch_load(struct queue *q, struct err *e)
{
	const struct task_filter f = {
		.states = TASKS_RUNNER, .whose = WHOSE_MINE, .limit = LIMIT_BOXES
	};

	return queue_each_task(q, &f, hold, NULL, e);
}

/* ---- saying START and STOP ---- */

static void
say_stop(struct queue *q, int64_t task, int64_t fence)
{
	struct wire_stop stop = { .task = task, .fence = fence };
	struct log_ctx log = { .task = task };
	struct err e = { 0 };

	if (BUGGIFY("dispatch.no_stop"))
		return;
	if (msg_send(role_link(q->role, ROLE_RUNNER),
		    &(struct msg_out){ .type = WIRE_STOP, .obj = &stop }, &e) < 0)
		log_err(LOG_LEVEL_WARN, &log, "runner.unstopped", &e);
}

static void
say_start(struct queue *q, struct queue_held *h)
{
	struct task t = { 0 };
	struct log_ctx log = { .task = h->task };
	struct err e = { 0 };
	auto_free char *name = mem_fmt("task=%" PRId64, h->task);
	auto_free char *marker = mem_str(queue_marker(q, name));

	if (!marker)
		return;
	int rc = q->db->task_get(q->store, h->task, &t, &e);
	if (rc < 0) {
		queue_fatal(q, "task.read", &e);
		return;
	}
	struct wire_start start = { .task = { &t, 1 }, .marker = marker };
	for (int n = BUGGIFY("dispatch.start_twice") ? 2
		     : BUGGIFY("dispatch.no_start")  ? 0
						     : 1;
		n > 0; n--)
		rc = msg_send(role_link(q->role, ROLE_RUNNER),
			&(struct msg_out){ .type = WIRE_START, .obj = &start }, &e);
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, &log, "runner.unstarted", &e);
	h->was_started = rc == 0;
	task_finish(&t);
}

static void
start_all(struct queue *q)
{
	for (size_t i = 0; i < q->n_held; i++) {
		if (q->held[i].is_committed && !q->held[i].was_started)
			say_start(q, &q->held[i]);
	}
}

static void
after_claim(struct queue *q, void *ctx, bool committed)
{
	(void)ctx;
	if (!committed)
		return;
	for (size_t i = 0; i < q->n_held; i++)
		q->held[i].is_committed = true;
	start_all(q);
}

void
queue_dispatch_stop(struct queue *q, int64_t task)
{
	struct queue_held *h = held_find(q, task);

	if (!h)
		return;
	/* Repeated at every CLAIM until the runner has it no more. */
	h->stop_wanted = true;
	say_stop(q, h->task, h->fence);
}

/* ---- claims ---- */

/* The trigger label comes off when its task is taken: its generation is over. */
static int
end_generation(struct queue *q, const struct task *t, struct err *e)
{
	const struct label_key key = { t->forge, t->repo_id, t->number, QUEUE_LABEL };
	int64_t generation = 0;

	if (t->comment_id != 0)
		return 0;
	return q->db->label_set(q->store, &key, false, &generation, e);
}

static int
claim_one(struct queue *q, struct err *e)
{
	const struct task_claim c = {
		.now_ms = clock_wall_ms(),
		.lease_ms = now_boot(q) + queue_wait_ms(q, LEASE_MS),
		.running_max = q->role->config->boxes,
		.lane_max = q->role->config->tasks_per_repo,
	};
	struct task t = { 0 };
	int rc = q->db->task_claim(q->store, &c, &t, e);

	if (rc < 0)
		return rc;

	struct log_ctx log = { .task = t.id, .attempt = t.attempt, .repo = t.repo };
	log_info(&log, "task.claimed", "fence=%" PRId64, t.fence);
	(void)held_add(q, &t);
	rc = end_generation(q, &t, e);
	if (rc == 0)
		rc = queue_settle(q, &t, e);
	task_finish(&t);
	return rc;
}

/* Asked before a transaction is opened for nothing: a round of nothing but deliveries survives a
 * full disk. */
static bool
is_anything_queued(struct queue *q)
{
	const struct task_filter f = { .states = TASK_BIT(TASK_QUEUED), .limit = 1 };
	struct row_list list = { 0 };

	if (q->db->task_list(q->store, &f, &list, NULL) < 0)
		return true; /* the claim will tell */
	size_t n = list.n;
	if (n > 0)
		task_finish(list.v);
	free(list.v);
	return n > 0;
}

static bool
may_start(const struct queue *q)
{
	return q->free_slots > 0 && !BUGGIFY("dispatch.none") &&
	       msg_link_is_up(role_link(q->role, ROLE_RUNNER)) &&
	       now_boot(q) - q->claimed_ms <= queue_wait_ms(q, SILENT_MS);
}

void
queue_dispatch_pump(struct queue *q)
{
	struct err e = { 0 };
	int rc = 0;

	start_all(q);
	if (!may_start(q) || !is_anything_queued(q) || queue_begin(q) < 0)
		return;
	while (q->free_slots > 0 && rc == 0) {
		rc = claim_one(q, &e);
		if (rc == 0)
			q->free_slots--;
		if (BUGGIFY("dispatch.one"))
			break;
	}
	if (rc < 0 && rc != ERR_MISSING) {
		queue_fatal(q, "task.claim", &e);
		return;
	}
	queue_after(q, after_claim, NULL);
}

/* ---- CLAIM, leases ---- */

static bool
is_alive(const struct wire_claim *c, const struct queue_held *h)
{
	const struct wire_alive *v = c->alive.v;

	for (size_t i = 0; i < c->alive.n; i++) {
		if (v[i].task == h->task && v[i].fence == h->fence)
			return true;
	}
	return false;
}

static void
renew(struct queue *q, struct queue_held *h)
{
	struct err e = { 0 };
	int64_t lease = queue_wait_ms(q, LEASE_MS);

	h->was_seen = true;
	h->lease_ms = now_boot(q) + lease;
	/* The disk hears of it rarely: it is for other nodes and for the reader of a dead store. */
	if (h->lease_ms - h->stored_ms < lease / 2 && !BUGGIFY("dispatch.renew"))
		return;
	if (queue_begin(q) < 0)
		return;
	int rc = q->db->task_renew(q->store, h->task, h->fence, h->lease_ms, &e);
	if (rc < 0 && rc != ERR_CONFLICT)
		queue_fatal(q, "task.renew", &e);
	h->stored_ms = h->lease_ms;
}

static void
stop_strangers(struct queue *q, const struct wire_claim *c)
{
	const struct wire_alive *v = c->alive.v;

	for (size_t i = 0; i < c->alive.n; i++) {
		const struct queue_held *h = held_find(q, v[i].task);

		if (!h || h->fence != v[i].fence)
			say_stop(q, v[i].task, v[i].fence);
	}
}

/* A lease ends at once for an attempt that the runner had and has no more: a runner that was killed
 * cannot say DONE, and one that lives lists an attempt until its DONE was taken. True: it was lost.
 */
static bool
lose(struct queue *q, const struct queue_held *h)
{
	int64_t task = h->task;
	struct err e = { 0 };

	if (queue_begin(q) < 0)
		return false;
	if (queue_task_lost(q, task, "its runner ended", &e) == 0)
		return true;
	queue_fatal(q, "task.lost", &e);
	return false;
}

void
queue_claim(struct queue *q, const struct wire_claim *c)
{
	q->free_slots = c->free_slots;
	q->held_slots = c->held_slots;
	q->is_disk_low = c->is_disk_low;
	q->claimed_ms = now_boot(q);
	for (size_t i = 0; i < q->n_held;) {
		struct queue_held *h = &q->held[i];

		if (is_alive(c, h)) {
			renew(q, h);
		} else if (!h->was_seen) {
			/* START may be on its way; its place is not free. */
			h->was_started = false;
			q->free_slots--;
		} else if (lose(q, h)) {
			continue; /* the last one has its place now */
		}
		if (h->stop_wanted)
			say_stop(q, h->task, h->fence);
		i++;
	}
	stop_strangers(q, c);
	queue_wake(q, WAKE_DISPATCH);
}

/* Called every second: leases end when nobody says anything, too. */
void
queue_dispatch_tick(struct queue *q)
{
	for (size_t i = 0; i < q->n_held;) {
		struct queue_held h = q->held[i];
		struct err e = { 0 };

		if (h.lease_ms > now_boot(q)) {
			i++;
			continue;
		}
		if (queue_begin(q) < 0)
			return;
		/* Takes it out of the list, so i stays. */
		if (queue_task_lost(q, h.task, "its runner was not heard of any more", &e) < 0) {
			queue_fatal(q, "task.lost", &e);
			return;
		}
	}
}
