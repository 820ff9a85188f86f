/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_poll - what nobody told us is found by looking.
 *
 * A forge that cannot call us is looked at every few seconds. One that does call is looked at, too,
 * at the start and every few minutes: a delivery that found us down is not repeated.
 *
 * What is found is written down as deliveries of our own (a row-packed event) and goes the way of
 * all deliveries: inbox, decoder, handlers. The watermark moves in the same transaction, so nothing
 * is seen and then forgotten; what is seen twice is caught by the delivery's id and by the trigger.
 */
#include "bot/queue_poll.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

static void look(void *ctx);

/* ---- watermarks ---- */

void
queue_mark_set(struct queue *q, const char *key, int64_t ms)
{
	auto_buf struct buf value = BUF_INIT(64);
	struct err e = { 0 };

	(void)buf_addf(&value, "%" PRId64, ms);
	if (queue_begin(q) < 0)
		return;
	if (q->db->kv_put(q->store, key, buf_str(&value), &e) < 0)
		queue_fatal(q, "poll.mark", &e);
}

int64_t
queue_mark_get(struct queue *q, const char *key)
{
	auto_buf struct buf value = BUF_INIT(64);
	int64_t ms = 0;

	if (q->db->kv_get(q->store, key, &value, NULL) == 0 &&
		str_i64(buf_str(&value), 0, INT64_MAX, &ms, NULL) == 0)
		return ms;
	return 0;
}

static char *
mark_key(const struct queue_poll *p, enum poll_stage stage)
{
	return mem_fmt(
		"poll:%s:%s:%s", p->forge, p->repo, stage == POLL_COMMENTS ? "comments" : "labels");
}

void
queue_poll_mark_now(struct queue_poll *p)
{
	auto_free char *key = mark_key(p, POLL_COMMENTS);

	if (queue_mark_get(p->q, key) == 0)
		queue_mark_set(p->q, key, clock_wall_ms());
}

/* Labels that are there before the first look count; comments of the past do not. */
static int64_t
since(struct queue_poll *p)
{
	auto_free char *key = mark_key(p, p->stage);

	if (p->stage == POLL_COMMENTS)
		queue_poll_mark_now(p);
	int64_t ms = queue_mark_get(p->q, key);
	if (BUGGIFY("poll.far_back"))
		ms -= 10 * POLL_OVERLAP_MS;
	return ms > POLL_OVERLAP_MS ? ms - POLL_OVERLAP_MS : 0;
}

/* A list that was cut and is not in order says nothing about how far we have come. True: the mark
 * moved. */
static bool
move_mark(struct queue_poll *p)
{
	auto_free char *key = mark_key(p, p->stage);

	if (p->has_failed || BUGGIFY("poll.no_mark") || (p->is_cut && !p->is_ordered) ||
		p->newest_ms <= queue_mark_get(p->q, key))
		return false;
	queue_mark_set(p->q, key, p->newest_ms);
	return true;
}

/* ---- the end of a look ---- */

int64_t
queue_poll_every_ms(const struct queue *q)
{
	const struct config *c = q->role->config;

	return str_eq(c->intake, "poll") ? c->poll_every_ms : c->reconcile_every_ms;
}

static void
next_look(struct queue_poll *p)
{
	int64_t every = queue_poll_every_ms(p->q);

	if (p->is_quiet && every < POLL_RARELY_MS)
		every = POLL_RARELY_MS;
	if (BUGGIFY("poll.soon"))
		every = POLL_SOON_MS;
	p->timer = loop_timer_add(p->q->role->loop, queue_wait_ms(p->q, every), look, p);
}

static void begin_stage(struct queue_poll *p);

void
queue_poll_one_less(struct queue_poll *p)
{
	bool goes_on = false;

	if (--p->n_open > 0)
		return;
	if (p->stage == POLL_ORPHANS)
		p->is_searched = !p->has_failed && !p->is_cut;
	else if (p->stage != POLL_LIVE)
		goes_on = move_mark(p) && p->is_cut;
	if (!goes_on)
		p->stage++;
	if (p->stage < POLL_STAGE_COUNT && !(p->stage == POLL_ORPHANS && p->is_searched))
		begin_stage(p);
	else
		next_look(p);
}

/* ---- a look ---- */

void
queue_poll_ask(struct queue_poll *p, const struct forge_op *what, queue_fact_cb *cb, void *ctx)
{
	struct forge_op op = *what; /* borrows */

	op.forge = p->forge;
	op.installation_id = p->installation_id;
	op.repo_id = p->repo_id;
	op.repo = p->repo;
	queue_fact_ask(p->q, &op, POLL_FACT_TRIES, cb, ctx);
}

/* Most comments are not for us, and our own are not either; they need no questions. */
static bool
is_for_us(const struct queue_poll *p, const struct forge_item *i)
{
	const struct queue_forge *forge = queue_forge_find(p->q, p->forge);

	if (p->stage == POLL_LABELS)
		return true;
	if (p->stage == POLL_ORPHANS)
		return !queue_live_has(p, i->number);
	return i->body && strstr(i->body, "/agent") &&
	       !(forge && forge->bot_user_id > 0 && i->user_id == forge->bot_user_id);
}

static void
on_items(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_poll *p = ctx;
	const struct forge_item *v = f ? f->answer.items.v : NULL;
	int64_t last_ms = 0;

	(void)q;
	if (!f)
		return;
	if (f->code != 0 || BUGGIFY("poll.failed"))
		p->has_failed = true;
	p->is_cut = f->answer.items.n >= LIMIT_ITEMS;
	for (size_t i = 0; i < f->answer.items.n; i++) {
		p->is_ordered = p->is_ordered && v[i].updated_ms >= last_ms;
		last_ms = v[i].updated_ms;
		if (last_ms > p->newest_ms)
			p->newest_ms = last_ms;
		if (is_for_us(p, &v[i]))
			queue_found_item(p, &v[i]);
	}
	queue_poll_one_less(p);
}

static void
begin_stage(struct queue_poll *p)
{
	static char label[] = QUEUE_LABEL, running[] = QUEUE_LABEL ":running";
	const bool comments = p->stage == POLL_COMMENTS, orphans = p->stage == POLL_ORPHANS;

	p->n_open = 1;
	p->newest_ms = 0;
	p->is_ordered = true;
	p->is_cut = false;
	p->has_failed = false;
	if (p->stage == POLL_LIVE) {
		queue_live_look(p);
		return;
	}
	const struct forge_op op = {
		.kind = comments ? OP_COMMENTS_SINCE : OP_ISSUES_LABELED,
		.label = orphans ? running : label,
		.since_ms = orphans ? 0 : since(p),
	};
	queue_poll_ask(p, &op, on_items, p);
}

static void
begin_look(struct queue_poll *p)
{
	p->stage = POLL_LABELS;
	begin_stage(p);
}

static void
on_repo(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_poll *p = ctx;
	struct log_ctx log = { .repo = p->repo };

	(void)q;
	if (!f)
		return;
	if (f->code != 0 || f->answer.repo_id == 0) {
		log_warn(&log, "poll.repo", "code=%s", err_name((int)f->code));
		next_look(p);
		return;
	}
	p->repo_id = f->answer.repo_id;
	mem_set(&p->default_branch, f->answer.ref);
	begin_look(p);
}

bool
queue_poll_is_ours(const struct queue *q)
{
	return q->node.leads;
}

static void
look(void *ctx)
{
	struct queue_poll *p = ctx;
	const struct queue_forge *forge = queue_forge_find(p->q, p->forge);
	const struct forge_op op = { .kind = OP_REPO };

	p->timer = NULL;
	if (!forge || !queue_poll_is_ours(p->q))
		next_look(p);
	else if (!forge->is_known) /* at our start, when it has not yet said who we are */
		p->timer = loop_timer_add(
			p->q->role->loop, queue_wait_ms(p->q, POLL_SOON_MS), look, p);
	else if (p->default_branch)
		begin_look(p);
	else
		queue_poll_ask(p, &op, on_repo, p);
}

struct queue_poll *
queue_poll_add(struct queue *q, const struct store_repo *repo, int64_t first_ms)
{
	struct queue_poll *p = mem_zero(sizeof(*p));

	p->q = q;
	p->forge = mem_str(repo->forge);
	p->repo = mem_str(repo->repo);
	p->repo_id = repo->repo_id;
	p->installation_id = repo->installation_id;
	p->next = q->polls;
	q->polls = p;
	p->timer = loop_timer_add(q->role->loop, queue_wait_ms(q, first_ms), look, p);
	return p;
}
