/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_poll - what nobody told us is found by looking.
 *
 * A forge that cannot call us is looked at every few seconds. One that does call is looked at, too,
 * at the start and every few minutes: GitHub never repeats a delivery that found us down. Looked at
 * are the names without wildcards in `repos`, for a pattern names nothing that could be asked for,
 * and every repository that has had a task.
 *
 * What is found is written down as deliveries of our own (a row-packed event) and goes the way of
 * all deliveries: inbox, decoder, handlers. The watermark moves in the same transaction, so nothing
 * is seen and then forgotten; what is seen twice is caught by the delivery's id and by the trigger.
 */
#include "bot/queue.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/decoder.h"

#include <inttypes.h>

#define FACT_TRIES 4
#define OVERLAP_MS 60000 /* forges' clocks and lists are late */
#define SWEEP_MS   (5 * 60 * 1000)
#define FIRST_MS   200
#define SOON_MS    1000
#define REPOS_MAX  200

struct queue_poll {
	struct queue *q;
	struct queue_poll *next;
	char *forge;
	char *repo;
	int64_t repo_id;
	int64_t installation_id;
	char *default_branch;
	struct loop_timer *timer;
	size_t n_open;     /* questions of this look */
	int64_t newest_ms; /* of what was found; the next watermark */
	bool has_failed;
	bool looks_at_comments; /* second half of a look */
};

/* An item on its way to becoming an event. */
struct found {
	struct queue_poll *p;
	struct forge_event ev;
	size_t n_missing;
	bool has_failed;
	bool nobody_knows; /* who set the label: the forge keeps no record of it */
};

static void look(void *ctx);

/* ---- watermarks ---- */

static void
mark_key(const struct queue_poll *p, struct buf *out)
{
	(void)buf_addf(out, "poll:%s:%s:%s", p->forge, p->repo,
		p->looks_at_comments ? "comments" : "labels");
}

static void
mark_set(const struct queue_poll *p, int64_t ms)
{
	auto_buf struct buf key = BUF_INIT(1024), value = BUF_INIT(64);
	struct err e = { 0 };

	mark_key(p, &key);
	(void)buf_addf(&value, "%" PRId64, ms);
	if (queue_begin(p->q) < 0)
		return;
	if (p->q->db->kv_put(p->q->store, buf_str(&key), buf_str(&value), &e) < 0)
		queue_fatal(p->q, "poll.mark", &e);
}

/* Labels that are there before the first look count; comments of the past do not. */
static int64_t
mark_get(const struct queue_poll *p)
{
	auto_buf struct buf key = BUF_INIT(1024), value = BUF_INIT(64);
	int64_t ms = 0;

	mark_key(p, &key);
	if (p->q->db->kv_get(p->q->store, buf_str(&key), &value, NULL) == 0 &&
		str_i64(buf_str(&value), 0, INT64_MAX, &ms, NULL) == 0)
		return ms > OVERLAP_MS ? ms - OVERLAP_MS : 0;
	if (!p->looks_at_comments)
		return 0;
	mark_set(p, clock_wall_ms());
	return clock_wall_ms() - OVERLAP_MS;
}

/* ---- the end of a look ---- */

static void
next_look(struct queue_poll *p)
{
	const struct config *c = p->q->role->config;
	int64_t every = str_eq(c->intake, "poll") ? c->poll_every_ms : SWEEP_MS;

	p->looks_at_comments = false;
	p->timer = loop_timer_add(p->q->role->loop, queue_wait_ms(p->q, every), look, p);
}

static void look_at_comments(struct queue_poll *p);

static void
one_less(struct queue_poll *p)
{
	if (--p->n_open > 0)
		return;
	if (!p->has_failed && p->newest_ms > 0)
		mark_set(p, p->newest_ms);
	if (p->looks_at_comments)
		next_look(p);
	else
		look_at_comments(p);
}

/* ---- items become deliveries ---- */

static void
store_event(struct found *f)
{
	struct queue_poll *p = f->p;
	const struct forge_event *ev = &f->ev;
	auto_buf struct buf body = BUF_INIT(LIMIT_DELIVERY_BYTES);
	auto_free char *guid =
		ev->kind == EVENT_COMMENT
			? mem_fmt("poll:%" PRId64 ":c%" PRId64, ev->repo_id, ev->comment_id)
			: mem_fmt("poll:%" PRId64 ":%" PRId64 ":%" PRId64, ev->repo_id, ev->number,
				  ev->updated_ms);
	static char kind[] = DECODER_POLL_EVENT;
	const struct forge_delivery d = {
		.forge = p->forge, .guid = guid, .event = kind, .received_ms = clock_wall_ms()
	};
	struct log_ctx log = { .repo = p->repo };
	struct err e = { 0 };
	int64_t id = 0;
	int rc = row_pack(FORGE_EVENT_ROWS, ev, &body, &e);

	if (rc == 0 && queue_begin(p->q) < 0)
		return;
	if (rc == 0)
		rc = queue_intake_add(p->q, &d, body.data, body.len, &id, &e);
	if (rc == 0) {
		log_info(
			&log, "poll.found", "delivery=%" PRId64 " number=%" PRId64, id, ev->number);
		queue_wake(p->q, WAKE_DECODE);
	} else if (rc != ERR_CONFLICT) {
		p->has_failed = true;
		log_err(LOG_LEVEL_ERROR, &log, "poll.store", &e);
	}
}

static void
found_one_less(struct found *f)
{
	struct queue_poll *p = f->p;

	if (--f->n_missing > 0)
		return;
	if (f->nobody_knows && !f->ev.actor) {
		mem_set(&f->ev.actor, f->ev.author);
		f->ev.actor_id = f->ev.author_id;
	}
	if (f->has_failed)
		p->has_failed = true;
	else
		store_event(f);
	forge_event_finish(&f->ev);
	free(f);
	one_less(p);
}

/* The role ends before the answer came. */
static void
found_give_up(struct found *f)
{
	if (--f->n_missing > 0)
		return;
	forge_event_finish(&f->ev);
	free(f);
}

/* The issue as it is now: what a webhook would have brought along. */
static void
on_issue(struct queue *q, void *ctx, struct fact *fact)
{
	struct found *f = ctx;
	struct forge_answer *a = fact ? &fact->answer : NULL;

	(void)q;
	if (!fact) {
		found_give_up(f);
		return;
	}
	f->has_failed = f->has_failed || (fact->code != 0 && fact->code != ERR_MISSING);
	mem_set(&f->ev.title, a->title);
	mem_set(&f->ev.body, a->body);
	mem_set(&f->ev.author, a->author);
	f->ev.author_id = a->author_id;
	f->ev.is_closed = a->is_closed || fact->code != 0;
	f->ev.is_pull = a->is_pull;
	strs_copy(&f->ev.labels, &a->labels);
	f->ev.labels_known = f->ev.kind == EVENT_LABELS;
	found_one_less(f);
}

/* Who set the label, never who else is about: nobody acts with another's permission. A forge that
 * does not know who did it (Gitea before 1.18) lets only those label who may write; there the
 * author has to be one of them. */
static void
on_label_event(struct queue *q, void *ctx, struct fact *fact)
{
	struct found *f = ctx;
	const struct queue_forge *forge = queue_forge_find(q, f->p->forge);

	if (!fact) {
		found_give_up(f);
		return;
	}
	f->has_failed = f->has_failed || (fact->code != 0 && fact->code != ERR_MISSING);
	if (fact->code == 0 && fact->answer.user) {
		mem_set(&f->ev.actor, fact->answer.user);
		f->ev.actor_id = fact->answer.user_id;
		f->ev.actor_is_bot = fact->answer.user_is_bot;
	} else {
		f->nobody_knows = forge && !forge->handlers.caps->has_label_events;
	}
	found_one_less(f);
}

static void
ask(struct found *f, enum forge_op_kind kind, queue_fact_cb *cb)
{
	static char label[] = QUEUE_LABEL;
	const struct forge_op op = {
		.kind = kind,
		.forge = f->p->forge,
		.installation_id = f->p->installation_id,
		.repo_id = f->p->repo_id,
		.repo = f->p->repo,
		.number = f->ev.number,
		.is_pull = f->ev.is_pull,
		.label = label,
	};

	f->n_missing++;
	queue_fact_ask(f->p->q, &op, FACT_TRIES, cb, f);
}

static void
complete(struct queue_poll *p, struct forge_event *take_ev)
{
	struct found *f = mem_zero(sizeof(*f));

	f->p = p;
	f->ev = *take_ev;
	f->ev.repo_id = p->repo_id;
	f->ev.installation_id = p->installation_id;
	f->ev.repo = mem_str(p->repo);
	f->ev.default_branch = mem_str(p->default_branch);
	p->n_open++;
	f->n_missing = 1;
	if (f->ev.kind == EVENT_LABELS)
		ask(f, OP_LABEL_EVENT, on_label_event);
	ask(f, OP_ISSUE, on_issue);
	found_one_less(f);
}

static void
take_item(struct queue_poll *p, const struct forge_item *i)
{
	struct forge_event ev = {
		.kind = p->looks_at_comments ? EVENT_COMMENT : EVENT_LABELS,
		.number = i->number,
		.is_pull = i->is_pull,
		.updated_ms = i->updated_ms,
	};

	if (i->updated_ms > p->newest_ms)
		p->newest_ms = i->updated_ms;
	ev.name = mem_str(p->looks_at_comments ? "poll.comment" : "poll.label");
	if (p->looks_at_comments) {
		ev.comment_id = i->id;
		ev.comment_body = mem_str(i->body);
		ev.actor = mem_str(i->user);
		ev.actor_id = i->user_id;
	} else {
		ev.label = mem_str(QUEUE_LABEL);
		ev.label_added = true;
	}
	complete(p, &ev);
}

/* ---- a look ---- */

static void
on_items(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_poll *p = ctx;
	const struct forge_item *v = f ? f->answer.items.v : NULL;

	(void)q;
	if (!f)
		return;
	if (f->code != 0)
		p->has_failed = true;
	for (size_t i = 0; i < f->answer.items.n; i++) {
		/* Most comments are not for us; they need no questions. */
		if (!p->looks_at_comments || (v[i].body && strstr(v[i].body, "/agent")))
			take_item(p, &v[i]);
		else if (v[i].updated_ms > p->newest_ms)
			p->newest_ms = v[i].updated_ms;
	}
	one_less(p);
}

static void
ask_items(struct queue_poll *p, enum forge_op_kind kind)
{
	static char label[] = QUEUE_LABEL;
	const struct forge_op op = {
		.kind = kind,
		.forge = p->forge,
		.installation_id = p->installation_id,
		.repo_id = p->repo_id,
		.repo = p->repo,
		.label = label,
		.since_ms = mark_get(p),
	};

	p->n_open = 1;
	p->newest_ms = 0;
	p->has_failed = false;
	queue_fact_ask(p->q, &op, FACT_TRIES, on_items, p);
}

static void
look_at_comments(struct queue_poll *p)
{
	p->looks_at_comments = true;
	ask_items(p, OP_COMMENTS_SINCE);
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
	ask_items(p, OP_ISSUES_LABELED);
}

static void
look(void *ctx)
{
	struct queue_poll *p = ctx;
	const struct queue_forge *forge = queue_forge_find(p->q, p->forge);
	const struct forge_op op = {
		.kind = OP_REPO,
		.forge = p->forge,
		.installation_id = p->installation_id,
		.repo_id = p->repo_id,
		.repo = p->repo,
	};

	p->timer = NULL;
	if (!forge)
		next_look(p);
	else if (!forge->is_known) /* at our start, when it has not yet said who we are */
		p->timer = loop_timer_add(p->q->role->loop, queue_wait_ms(p->q, SOON_MS), look, p);
	else if (p->default_branch)
		ask_items(p, OP_ISSUES_LABELED);
	else
		queue_fact_ask(p->q, &op, FACT_TRIES, on_repo, p);
}

/* ---- start and end ---- */

static bool
is_looked_at(const struct queue *q, const char *forge, const char *repo)
{
	for (const struct queue_poll *p = q->polls; p; p = p->next) {
		if (str_eq(p->forge, forge) && str_eq(p->repo, repo))
			return true;
	}
	return false;
}

static struct queue_poll *
poll_add(struct queue *q, const struct store_repo *repo, int64_t first_ms)
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

void
queue_poll_learn(struct queue *q, const struct task *t)
{
	const struct store_repo repo = { t->forge, t->repo, t->repo_id, t->installation_id };

	if (is_looked_at(q, t->forge, t->repo))
		return;
	/* From now on its comments are accounted for, also those of the minutes until the first
	 * look. */
	struct queue_poll *p = poll_add(q, &repo, SWEEP_MS);
	p->looks_at_comments = true;
	(void)mark_get(p);
	p->looks_at_comments = false;
}

static void
add_configured(struct queue *q, const struct config_forge *f)
{
	for (size_t k = 0; k < f->repos.n; k++) {
		const struct store_repo repo = { .forge = f->name, .repo = f->repos.v[k] };

		if (strpbrk(repo.repo, "*?") && str_eq(q->role->config->intake, "poll"))
			log_warn(NULL, "poll.pattern",
				"forge=%s repo=%s: only names can be looked at", f->name,
				repo.repo);
		else if (!strpbrk(repo.repo, "*?!") && !is_looked_at(q, f->name, repo.repo))
			(void)poll_add(q, &repo, FIRST_MS);
	}
}

int
queue_poll_start(struct queue *q, struct err *e)
{
	const struct config_forge *v = q->role->config->forges.v;
	struct row_list list = { 0 };
	int rc = q->db->repo_list(q->store, REPOS_MAX, &list, e);

	if (rc < 0)
		return rc;
	struct store_repo *repos = list.v;
	for (size_t i = 0; i < list.n; i++) {
		(void)poll_add(q, &repos[i], FIRST_MS);
		row_finish(STORE_REPO_ROWS, &repos[i]);
	}
	free(repos);
	for (size_t i = 0; i < q->role->config->forges.n; i++)
		add_configured(q, &v[i]);
	return 0;
}

void
queue_poll_finish(struct queue *q)
{
	while (q->polls) {
		struct queue_poll *p = q->polls;

		q->polls = p->next;
		loop_timer_remove(p->timer);
		free(p->forge);
		free(p->repo);
		free(p->default_branch);
		free(p);
	}
}
