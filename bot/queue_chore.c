/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_chore - chores that are due become deliveries of our own.
 *
 * Of each chore of each repository the store has a mark: everything up to that time is settled. The
 * first time that it is due after the mark is its nominal time, and names the delivery: so it is
 * there once however often it is found, also when the clock is set back, or another node finds it.
 * Whatever else was due while nobody looked is passed over: a chore is made up for once.
 *
 * A chore that was added, or whose schedule was changed, begins now and not in the past.
 */
#include "bot/queue_poll.h"

#include "base/clock.h"
#include "base/cron.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define LOOK_MS    5000
#define JITTER_MAX (5 * 60 * INT64_C(1000))
#define JITTER_OF  10 /* at most so small a part of the time until it is due again */

/* A chore of one repository. */
struct queue_chore {
	struct queue_chore *next;
	struct queue_poll *place;
	char *name;
	char *mark; /* name of its mark in the store */
	struct cron cron;
	struct zone *zone;
	int64_t mark_ms;
	int64_t nominal_ms;
	int64_t after_ms; /* the one after that */
	int64_t due_ms;   /* with its delay */
};

static void
chores_destroy(struct queue_chore *c)
{
	while (c) {
		struct queue_chore *next = c->next;

		zone_close(c->zone);
		free(c->name);
		free(c->mark);
		free(c);
		c = next;
	}
}

static void
plan(struct queue_chore *c)
{
	int64_t below;

	c->nominal_ms = cron_next(&c->cron, c->zone, c->mark_ms);
	c->after_ms = cron_next(&c->cron, c->zone, c->nominal_ms);
	below = (c->after_ms - c->nominal_ms) / JITTER_OF;
	c->due_ms = c->nominal_ms + cron_jitter(c->mark, below < JITTER_MAX ? below : JITTER_MAX);
}

static void
settle(struct queue *q, struct queue_chore *c, int64_t ms)
{
	c->mark_ms = ms;
	queue_mark_set(q, c->mark, ms);
	plan(c);
}

static void
add(struct queue *q, struct queue_poll *place, const struct config_chore *conf)
{
	struct queue_chore *c = mem_zero(sizeof(*c));
	struct err e = { 0 };

	if (cron_parse(conf->schedule, &c->cron, &e) < 0 ||
		zone_open(conf->zone, &c->zone, &e) < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "chore.schedule", &e);
		chores_destroy(c);
		return;
	}
	c->place = place;
	c->name = mem_str(conf->name);
	c->mark = mem_fmt("chore:%s:%" PRId64 ":%s:%s:%s", place->forge, place->repo_id, conf->name,
		conf->zone, conf->schedule);
	c->next = q->chores;
	q->chores = c;
	c->mark_ms = queue_mark_get(q, c->mark);
	if (c->mark_ms == 0)
		settle(q, c, clock_wall_ms());
	else
		plan(c);
}

/* Places become known one after the other. */
static void
add_new(struct queue *q)
{
	const struct config *conf = q->role->config;
	const struct config_chore *v = conf->chores.v;

	for (struct queue_poll *p = q->polls; p; p = p->next) {
		const struct queue_forge *f = queue_forge_find(q, p->forge);
		bool is_ours = f && (f->handlers.repos->n == 0 ||
					    str_glob_list(f->handlers.repos, p->repo));

		if (p->has_chores || p->repo_id == 0)
			continue;
		p->has_chores = true;
		for (size_t i = 0; is_ours && i < conf->chores.n; i++) {
			if (str_glob_list(&v[i].repos, p->repo))
				add(q, p, &v[i]);
		}
	}
}

static char *
last_key(const char *forge, int64_t repo_id, const char *name)
{
	return mem_fmt("chore-task:%s:%" PRId64 ":%s", forge, repo_id, name);
}

int
queue_chore_learn(struct queue *q, const struct task *t, struct err *e)
{
	auto_free char *key = last_key(t->forge, t->repo_id, t->actor);
	auto_free char *value = mem_fmt("%" PRId64, t->id);

	return q->db->kv_put(q->store, key, value, e);
}

/* The pull request of the last time, 0 if it left none; false if that time is not over. */
static bool
is_free(struct queue *q, const struct queue_chore *c, int64_t *pull, struct err *e)
{
	auto_free char *key = last_key(c->place->forge, c->place->repo_id, c->name);
	const struct queue_forge *f = queue_forge_find(q, c->place->forge);
	int64_t id = queue_mark_get(q, key);
	struct task t = { 0 };
	int rc = id > 0 ? q->db->task_get(q->store, id, &t, e) : ERR_MISSING;
	bool is_over = rc == ERR_MISSING || (rc == 0 && (TASKS_OVER & TASK_BIT(t.state)) != 0);

	*pull = t.is_pull                            ? t.number
		: f && f->handlers.caps->pulls_apart ? -t.pull_number
						     : t.pull_number;
	if (rc < 0 && rc != ERR_MISSING)
		queue_fatal(q, "chore.last", e);
	task_finish(&t);
	return is_over;
}

static void
store_event(const struct queue_chore *c, const struct config_chore *conf, int64_t pull)
{
	auto_free char *guid =
		mem_fmt("chore:%" PRId64 ":%s:%" PRId64, c->place->repo_id, c->name, c->nominal_ms);
	struct forge_command what = { .verb = c->name, .args = conf->agent };
	struct forge_event ev = {
		.kind = EVENT_CHORE,
		.repo_id = c->place->repo_id,
		.installation_id = c->place->installation_id,
		.repo = c->place->repo,
		.default_branch = c->place->default_branch,
		.number = pull,
		.is_pull = pull != 0,
		.body = conf->prompt,
		.commands = { &what, 1 },
		.updated_ms = c->nominal_ms,
	};
	static char name[] = "chore";
	auto_free char *title = mem_strn(conf->prompt, strcspn(conf->prompt, "\n"));

	ev.name = name;
	ev.title = title;
	queue_found_store(c->place, &ev, guid);
}

static void
begin(struct queue *q, struct queue_chore *c, int64_t now)
{
	const struct config_chore *conf = config_chore_find(q->role->config, c->name);
	struct log_ctx log = { .repo = c->place->repo };
	int64_t stored = queue_mark_get(q, c->mark), pull = 0;
	struct err e = { 0 };

	if (stored != c->mark_ms && stored <= now) { /* another node was here */
		c->mark_ms = stored;
		plan(c);
		return;
	}
	if (!conf || queue_begin(q) < 0)
		return;
	if (is_free(q, c, &pull, &e)) {
		log_info(&log, "chore.due", "name=%s pull=%" PRId64, c->name, pull);
		store_event(c, conf, pull);
	} else {
		log_info(&log, "chore.passed_over", "name=%s why=\"the last one is at work\"",
			c->name);
	}
	settle(q, c, c->after_ms > now ? c->nominal_ms : now);
}

static void
look(void *ctx)
{
	struct queue *q = ctx;
	int64_t now = clock_wall_ms();

	q->chore_timer = loop_timer_add(q->role->loop, queue_wait_ms(q, LOOK_MS), look, q);
	if (q->role->config->chores.n == 0 || !queue_poll_is_ours(q))
		return;
	add_new(q);
	for (struct queue_chore *c = q->chores; c && !q->is_stopping; c = c->next) {
		if (c->mark_ms > now) /* the clock was set back */
			settle(q, c, now);
		else if (c->due_ms <= now)
			begin(q, c, now);
	}
}

void
queue_chore_load(struct queue *q)
{
	chores_destroy(q->chores);
	q->chores = NULL;
	for (struct queue_poll *p = q->polls; p; p = p->next)
		p->has_chores = false;
	if (!q->chore_timer)
		q->chore_timer =
			loop_timer_add(q->role->loop, queue_wait_ms(q, POLL_FIRST_MS), look, q);
}

void
queue_chore_finish(struct queue *q)
{
	loop_timer_remove(q->chore_timer);
	chores_destroy(q->chores);
	q->chores = NULL;
}
