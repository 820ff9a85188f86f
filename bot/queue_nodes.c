/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_nodes - this queue among others that have the same store.
 *
 * A task belongs to the node that claimed it, until it is over or the node is gone: that node hears
 * its runner, has its work and sends its effects. What is no node's belongs to the leader: new
 * deliveries, queued tasks, the looking at forges, old rows. The store says who leads and who is
 * gone (store/store.h, struct store_shared).
 *
 * What we hold we hold for as long as the others cannot think that we are gone. The courier is told
 * each time how long that is, and ends by itself if it is not told again: so what it was about to
 * do for us is not done after somebody else was asked to do it.
 */
#include "bot/queue.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define BEATS   10 /* in a lease */
#define SOON_MS 20

#define MARKER_KEY "node.marker" /* of struct store's small things */

struct queue_nodes {
	struct loop_timer *timer;
	struct loop_io *io;
	int fd;        /* a copy of the store's, so that nobody else gets its number meanwhile */
	uint64_t turn; /* of the connection that it is a copy of */
	bool is_marker_known;
};

static int64_t
beat_ms(const struct queue *q)
{
	return q->role->config->node_lease_ms / BEATS;
}

/* ---- the courier's lease ---- */

void
queue_nodes_greet(struct queue *q)
{
	struct wire_lease lease = { .ends_ms = q->node.lease_ends_ms };
	struct err e = { 0 };

	if (!q->nodes)
		return;
	if (msg_send(role_link(q->role, ROLE_COURIER),
		    &(struct msg_out){ .type = WIRE_LEASE, .obj = &lease }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "courier.unleased", &e);
}

/* ---- news ---- */

static int
hear_stop(struct queue *q, struct task *t, void *ctx, struct err *e)
{
	(void)ctx;
	(void)e;
	if (t->stop_wanted)
		queue_dispatch_stop(q, t->id);
	return 0;
}

/* A stop that another node was asked for is in the row of the task. */
static int
hear_stops(struct queue *q, struct err *e)
{
	const struct task_filter f = {
		.states = TASKS_RUNNER, .whose = WHOSE_OWN, .limit = LIMIT_BOXES
	};

	return queue_each_task(q, &f, hear_stop, NULL, e);
}

static void on_news(void *ctx, int fd, uint32_t events);

/* A connection that was made anew has another descriptor. */
static void
watch(struct queue *q)
{
	struct queue_nodes *n = q->nodes;
	uint64_t turn = 0;
	int fd = q->db->shared->fd(q->store, &turn);

	if (turn == n->turn && fd >= 0)
		return;
	loop_io_remove(n->io);
	clean_fd(&n->fd);
	n->io = NULL;
	n->turn = 0;
	n->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (n->fd < 0)
		return;
	n->turn = turn;
	n->io = loop_io_add(q->role->loop, n->fd, EPOLLIN, on_news, q);
}

static void
hear(struct queue *q)
{
	struct err e = { 0 };

	if (!q->db->shared->heard(q->store))
		return;
	queue_wake(q, WAKE_DECODE | WAKE_CASES | WAKE_DISPATCH | WAKE_OUTBOX);
	/* If it cannot be read now, the connection is lost and news come with the next. */
	if (hear_stops(q, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "store.unread", &e);
}

static void
on_news(void *ctx, int fd, uint32_t events)
{
	struct queue *q = ctx;

	(void)fd;
	(void)events;
	if (q->is_stopping)
		return;
	hear(q);
	watch(q);
}

/* ---- those who are gone ---- */

static int
take_over(struct queue *q, struct task *t, void *ctx, struct err *e)
{
	(void)ctx;
	return queue_task_orphaned(q, t->id, e);
}

static int
bury(struct queue *q, struct err *e)
{
	struct row_list list = { 0 };
	auto_free char *name = NULL;
	int rc = q->db->shared->bury(q->store, &name, &list, e);

	if (rc < 0)
		return rc;
	log_warn(NULL, "node.gone", "node=%s tasks=%d", name, (int)list.n);
	return queue_each_of(q, &list, take_over, NULL, e);
}

static void
bury_all(struct queue *q)
{
	struct err e = { 0 };
	int rc = 0;

	if (queue_begin(q) < 0)
		return;
	while (rc == 0)
		rc = bury(q, &e);
	if (rc != ERR_MISSING)
		queue_fatal(q, "node.bury", &e);
}

/* ---- beats ---- */

static void
take_lead(struct queue *q)
{
	struct err e = { 0 };

	log_info(NULL, "node.leads", "nodes=%" PRId64, q->node.n_nodes);
	q->decode_after = 0;
	if (queue_poll_start(q, &e) < 0) {
		queue_fatal(q, "node.lead", &e);
		return;
	}
	queue_wake(q, WAKE_DECODE | WAKE_CASES | WAKE_DISPATCH | WAKE_OUTBOX);
}

/* What a leader has begun another one does now: we forget it all. */
static void
lose_lead(struct queue *q)
{
	struct err e = { 0 };

	(void)err_set(&e, ERR_CONFLICT, "another node leads now");
	queue_fatal(q, "node.leads_no_more", &e);
}

/* Without an answer it goes on as it is: until the lease is over nobody else does what is ours, and
 * then the courier ends. */
static void
beat(struct queue *q)
{
	bool has_led = q->node.leads;
	struct store_node now = { 0 };
	struct err e = { 0 };
	int rc = q->db->shared->beat(q->store, &now, &e);

	if (rc == ERR_DENIED) {
		queue_fatal(q, "node.given_up", &e);
		return;
	}
	if (rc < 0) {
		log_err(LOG_LEVEL_WARN, NULL, "store.away", &e);
		return;
	}
	q->node = now;
	queue_nodes_greet(q);
	if (has_led && !now.leads)
		lose_lead(q);
	else if (!has_led && now.leads)
		take_lead(q);
	if (now.has_silent)
		bury_all(q);
	hear(q);
	watch(q);
}

/* Nodes that do not know each other's marks would not find their comments again. */
static void
check_marker(struct queue *q)
{
	const char *ours = queue_marker(q, "store");
	auto_buf struct buf theirs = BUF_INIT(256);
	struct err e = { 0 };

	if (!ours || q->nodes->is_marker_known)
		return;
	int rc = q->db->kv_get(q->store, MARKER_KEY, &theirs, &e);
	if (rc == ERR_MISSING && queue_begin(q) == 0)
		rc = q->db->kv_put(q->store, MARKER_KEY, ours, &e);
	else if (rc == 0 && !str_eq(ours, buf_str(&theirs)))
		rc = err_set(&e, ERR_INVALID,
			"another node has another marker_key_file: give all of them the same");
	q->nodes->is_marker_known = rc == 0;
	if (rc == ERR_INVALID)
		queue_fatal(q, "node.marker", &e);
}

static void
on_timer(void *ctx)
{
	struct queue *q = ctx;
	/* A beat is a transaction of its own. */
	bool must_wait = q->is_open;

	q->nodes->timer = NULL;
	if (q->is_stopping)
		return;
	if (!must_wait) {
		beat(q);
		check_marker(q);
	}
	q->nodes->timer =
		loop_timer_add(q->role->loop, must_wait ? SOON_MS : beat_ms(q), on_timer, q);
}

/* ---- start and end ---- */

int
queue_nodes_start(struct queue *q, struct err *e)
{
	if (!q->db->shared) {
		q->node = (struct store_node){ .leads = true, .n_nodes = 1 };
		return 0;
	}
	int rc = q->db->shared->beat(q->store, &q->node, e);
	if (rc < 0)
		return rc;
	q->nodes = mem_zero(sizeof(*q->nodes));
	q->nodes->fd = -1;
	q->nodes->timer = loop_timer_add(q->role->loop, beat_ms(q), on_timer, q);
	watch(q);
	log_info(NULL, "node.joined", "leads=%d nodes=%" PRId64, q->node.leads, q->node.n_nodes);
	return 0;
}

void
queue_nodes_finish(struct queue *q)
{
	struct queue_nodes *n = q->nodes;

	if (!n)
		return;
	loop_timer_remove(n->timer);
	loop_io_remove(n->io);
	clean_fd(&n->fd);
	free(n);
	q->nodes = NULL;
}
