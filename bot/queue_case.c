/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_case - an event on its way to a decision.
 *
 * The handlers say which facts they need; we fetch them and ask again. Events of one issue are
 * decided one after another in the order of their deliveries; events of different issues do not
 * wait for each other. A case lives in memory only: its delivery stays new until the decision is
 * stored, so after a crash it is decoded and decided again.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/log.h"
#include "base/mem.h"

#define CASES_MAX    64
#define ROUNDS_MAX   8
#define FACT_TRIES   40    /* with waits of at most 5 min: three hours */
#define AUTHORITY_MS 60000 /* a permission is believed for that long */

struct queue_case {
	struct queue *q;
	struct queue_case *next;
	struct delivery delivery;
	struct forge_event event;
	struct facts facts;
	int64_t asked_ms; /* of the oldest fact, boot clock */
	size_t n_missing;
	int rounds;
};

static struct log_ctx
log_of(const struct queue_case *c)
{
	return (struct log_ctx){ .delivery = c->delivery.id, .repo = c->event.repo };
}

static void
case_destroy(struct queue_case *c)
{
	struct queue_case **at = &c->q->cases;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->q->n_cases--;
	delivery_finish(&c->delivery);
	forge_event_finish(&c->event);
	facts_finish(&c->facts);
	free(c);
}

bool
queue_case_has_room(const struct queue *q)
{
	return q->n_cases < CASES_MAX && !(q->n_cases > 0 && BUGGIFY("case.no_room"));
}

void
queue_case_add(struct queue *q, const struct delivery *d, struct forge_event *take_ev)
{
	struct queue_case *c = mem_zero(sizeof(*c));
	struct queue_case **at = &q->cases;

	c->q = q;
	row_copy(DELIVERY_ROWS, &c->delivery, d);
	c->event = *take_ev;
	*take_ev = (struct forge_event){ 0 };
	/* A delivery that was struck comes again after younger ones; it keeps its place. */
	while (*at && (*at)->delivery.id < d->id)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
	q->n_cases++;
	queue_wake(q, WAKE_CASES);
}

static void
on_fact(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_case *c = ctx;

	if (!f)
		return;
	c->facts.v = mem_grow(c->facts.v, c->facts.n + 1, sizeof(*c->facts.v));
	c->facts.v[c->facts.n++] = *f;
	f->user = NULL;
	f->answer = (struct forge_answer){ 0 };
	if (--c->n_missing == 0)
		queue_wake(q, WAKE_CASES);
}

static void
ask_facts(struct queue_case *c, const struct intents *intents)
{
	if (c->facts.n == 0)
		c->asked_ms = loop_now_ms(c->q->role->loop);
	for (size_t i = 0; i < intents->n; i++) {
		if (intents->v[i].kind != INTENT_FACT)
			continue;
		c->n_missing++;
		queue_fact_ask(c->q, &intents->v[i].op, FACT_TRIES, on_fact, c);
	}
}

/* The facts took so long to come that the first of them may not be true any more. */
static bool
is_stale(const struct queue_case *c)
{
	return c->facts.n > 0 && (loop_now_ms(c->q->role->loop) - c->asked_ms > AUTHORITY_MS ||
					 BUGGIFY("case.stale"));
}

static int
end_case(struct queue_case *c, const struct handler_in *in, struct intents *intents, struct err *e)
{
	struct log_ctx log = log_of(c);
	int rc = queue_begin(c->q);

	if (rc < 0)
		return rc;
	rc = queue_apply(c->q, &c->delivery, in, intents, e);
	if (rc < 0)
		return rc;
	log_debug(&log, "delivery.decided", "event=%s", c->event.name ? c->event.name : "?");
	case_destroy(c);
	return 0;
}

static bool
are_judged(struct queue_case *c)
{
	bool all = true;

	for (size_t i = 0; i < c->facts.n; i++) {
		if (c->facts.v[i].kind == OP_COMMENT_LAST)
			all &= queue_lost_judge(c->q, &c->event, c->delivery.forge, &c->facts.v[i]);
	}
	return all;
}

/* Decides if it can. True if the case is over. */
static bool
decide(struct queue_case *c, struct queue_forge *f)
{
	struct queue *q = c->q;
	struct queue_world world;
	struct intents intents = { 0 };
	struct err e = { 0 };
	bool is_over = false;
	int rc = queue_world_load(q, &c->event, f->name, &world, &e);

	if (rc == 0) {
		const struct handler_in in = {
			.conf = &f->handlers,
			.forge = f->name,
			.event = &c->event,
			.facts = &c->facts,
			.world = &world.view,
		};

		if (is_stale(c) && c->rounds < ROUNDS_MAX)
			facts_finish(&c->facts);
		handlers_decide(&in, &intents);
		if (intents_want_facts(&intents) && ++c->rounds <= ROUNDS_MAX) {
			ask_facts(c, &intents);
		} else {
			rc = end_case(c, &in, &intents, &e);
			is_over = rc == 0;
		}
	}
	if (rc < 0)
		queue_fatal(q, "case.decide", &e);
	intents_finish(&intents);
	queue_world_finish(&world);
	return is_over;
}

/* Where people are told if this is the end of us. */
static bool
try_to_decide(struct queue_case *c, struct queue_forge *f)
{
	const struct forge_event *ev = &c->event;
	struct queue *q = c->q;
	const struct forge_op where = {
		.forge = f->name,
		.installation_id = ev->installation_id,
		.repo_id = ev->repo_id,
		.repo = ev->repo,
		.number = ev->number,
		.is_pull = ev->is_pull,
	};

	queue_trial_begin(q, "delivery", c->delivery.id, &where);
	bool is_over = decide(c, f);
	queue_trial_end(q);
	return is_over;
}

/* Ends a delivery that no handler has to see. */
static bool
end_without(struct queue_case *c, const char *why)
{
	struct queue *q = c->q;
	struct err e = { 0 };

	if (queue_begin(q) < 0)
		return false;
	if (q->db->delivery_end(q->store, c->delivery.id, DELIVERY_IGNORED, why, &e) < 0) {
		queue_fatal(q, "delivery.end", &e);
		return false;
	}
	case_destroy(c);
	return true;
}

static bool
is_first_of_its_issue(const struct queue_case *c)
{
	for (const struct queue_case *o = c->q->cases; o != c; o = o->next) {
		if (o->event.repo_id == c->event.repo_id && o->event.number == c->event.number &&
			str_eq(o->delivery.forge, c->delivery.forge))
			return false;
	}
	return true;
}

void
queue_case_pump(struct queue *q)
{
	bool is_freed = false;

	for (struct queue_case *c = q->cases, *next; c; c = next) {
		struct queue_forge *f = queue_forge_find(q, c->delivery.forge);

		next = c->next;
		if (c->n_missing > 0)
			continue;
		if (BUGGIFY("case.later")) {
			queue_wake(q, WAKE_CASES);
			continue;
		}
		if (!f)
			is_freed |= end_without(c, "its forge is not configured any more");
		else if (c->event.kind == EVENT_NONE || c->event.kind == EVENT_PING)
			is_freed |= end_without(c, "nothing for us");
		else if (f->is_known && is_first_of_its_issue(c) && are_judged(c))
			is_freed |= try_to_decide(c, f);
		if (q->is_stopping)
			return;
	}
	/* A case that ended may have let the next one of its issue go on. */
	if (is_freed)
		queue_wake(q, WAKE_CASES | WAKE_DECODE);
}

void
queue_case_finish(struct queue *q)
{
	while (q->cases)
		case_destroy(q->cases);
}
