/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_places - which repositories are looked at.
 *
 * The names without wildcards in `repos`, and every repository that has had a task: often. All
 * others that the credential reaches: now and then, for a first order may have been lost too, and
 * so may a database that knew more of them.
 */
#include "bot/queue_poll.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

/* A forge whose repositories are listed. */
struct queue_listing {
	struct queue *q;
	struct queue_listing *next;
	char *forge;
	struct loop_timer *timer;
	int64_t *installations; /* still to be listed; of an App */
	size_t n_installations;
	int64_t installation_id;
	size_t n_found;
};

static void list_all(void *ctx);

static struct queue_poll *
place_of(const struct queue *q, const char *forge, const char *repo)
{
	for (struct queue_poll *p = q->polls; p; p = p->next) {
		if (str_eq(p->forge, forge) && str_eq(p->repo, repo))
			return p;
	}
	return NULL;
}

static bool
has_log(const struct queue *q, const char *forge)
{
	const struct config_forge *f = config_forge_find(q->role->config, forge);
	int kind = f ? forge_kind_parse(f->kind) : -1;

	return kind >= 0 && forge_driver_get((enum forge_kind)kind)->caps.has_delivery_log;
}

static bool
is_app(const struct queue *q, const char *forge)
{
	const struct config_forge *f = config_forge_find(q->role->config, forge);

	return f && f->app_id > 0;
}

/* A place that is looked at often; its hook has a log of its own if no App's has it. */
static struct queue_poll *
add(struct queue *q, const struct store_repo *repo, int64_t first_ms)
{
	struct queue_poll *p = queue_poll_add(q, repo, first_ms);

	if (has_log(q, p->forge) && !is_app(q, p->forge))
		queue_log_add(q, p->forge, p);
	return p;
}

void
queue_poll_learn(struct queue *q, const struct task *t)
{
	const struct store_repo repo = { t->forge, t->repo, t->repo_id, t->installation_id };
	struct queue_poll *p = place_of(q, t->forge, t->repo);

	if (p) {
		p->is_quiet = false;
		return;
	}
	/* From now on its comments are accounted for, also those of the minutes until the first
	 * look. */
	queue_poll_mark_now(add(q, &repo, queue_poll_every_ms(q)));
}

static void
add_configured(struct queue *q, const struct config_forge *f)
{
	for (size_t k = 0; k < f->repos.n; k++) {
		const struct store_repo repo = { .forge = f->name, .repo = f->repos.v[k] };

		if (!strpbrk(repo.repo, "*?!") && !place_of(q, f->name, repo.repo))
			(void)add(q, &repo, POLL_FIRST_MS);
	}
}

/* ---- all that can be reached ---- */

static void
rest(struct queue_listing *l)
{
	l->timer =
		loop_timer_add(l->q->role->loop, queue_wait_ms(l->q, POLL_RARELY_MS), list_all, l);
}

static void on_repos(struct queue *q, void *ctx, struct fact *f);

static void
ask(struct queue_listing *l, char *page)
{
	const struct forge_op op = {
		.kind = OP_REPOS,
		.forge = l->forge,
		.installation_id = l->installation_id,
		.ref = page,
	};

	queue_fact_ask(l->q, &op, POLL_FACT_TRIES, on_repos, l);
}

static void
take_repo(struct queue_listing *l, const struct forge_item *i)
{
	const struct queue_forge *forge = queue_forge_find(l->q, l->forge);
	const struct store_repo repo = { l->forge, i->title, i->id, l->installation_id };

	if (!forge || place_of(l->q, l->forge, i->title) ||
		(forge->handlers.repos->n > 0 && !str_glob_list(forge->handlers.repos, i->title)))
		return;
	/* Where a forge keeps no log of what it delivers, looking is all there is. */
	add(l->q, &repo, POLL_FIRST_MS)->is_quiet =
		has_log(l->q, l->forge) && !str_eq(l->q->role->config->intake, "poll");
	l->n_found++;
}

static void
take_installation(struct queue_listing *l, const struct forge_item *i)
{
	l->installations =
		mem_grow(l->installations, l->n_installations + 1, sizeof(*l->installations));
	l->installations[l->n_installations++] = i->id;
}

static void
next_installation(struct queue_listing *l)
{
	if (l->n_installations == 0 || l->n_found >= POLL_REPOS_MAX) {
		log_info(NULL, "poll.listed", "forge=%s new=%lld", l->forge, (long long)l->n_found);
		l->n_installations = 0;
		rest(l);
		return;
	}
	l->installation_id = l->installations[--l->n_installations];
	ask(l, NULL);
}

static void
on_repos(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_listing *l = ctx;
	const struct forge_item *v = f ? f->answer.items.v : NULL;
	bool are_installations = is_app(q, l->forge) && l->installation_id == 0;

	if (!f)
		return;
	if (f->code != 0)
		log_warn(NULL, "poll.unlisted", "forge=%s code=%s", l->forge,
			err_name((int)f->code));
	for (size_t i = 0; i < f->answer.items.n && l->n_found < POLL_REPOS_MAX; i++) {
		if (are_installations)
			take_installation(l, &v[i]);
		else
			take_repo(l, &v[i]);
	}
	if (f->code == 0 && f->answer.ref && l->n_found < POLL_REPOS_MAX)
		ask(l, f->answer.ref);
	else
		next_installation(l);
}

static void
list_all(void *ctx)
{
	struct queue_listing *l = ctx;
	const struct queue_forge *forge = queue_forge_find(l->q, l->forge);

	l->timer = NULL;
	if (forge && !forge->is_known) {
		l->timer = loop_timer_add(
			l->q->role->loop, queue_wait_ms(l->q, POLL_SOON_MS), list_all, l);
	} else if (!forge) {
		rest(l);
	} else {
		l->installation_id = 0;
		l->n_found = 0;
		ask(l, NULL);
	}
}

static void
list_later(struct queue *q, const char *forge)
{
	struct queue_listing *l = mem_zero(sizeof(*l));

	l->q = q;
	l->forge = mem_str(forge);
	l->next = q->listings;
	q->listings = l;
	l->timer = loop_timer_add(q->role->loop, queue_wait_ms(q, POLL_FIRST_MS), list_all, l);
}

/* ---- start and end ---- */

static bool
is_listed(const struct queue *q, const char *forge)
{
	const struct queue_listing *l = q->listings;

	while (l && !str_eq(l->forge, forge))
		l = l->next;
	return l != NULL;
}

/* A forge that is there no more is asked nothing: whoever would ask finds it gone, and goes on when
 * it is back. */
void
queue_poll_follow(struct queue *q)
{
	const struct config_forge *v = q->role->config->forges.v;

	for (size_t i = 0; i < q->role->config->forges.n; i++) {
		add_configured(q, &v[i]);
		if (is_listed(q, v[i].name))
			continue;
		list_later(q, v[i].name);
		if (has_log(q, v[i].name) && is_app(q, v[i].name))
			queue_log_add(q, v[i].name, NULL);
	}
}

int
queue_poll_start(struct queue *q, struct err *e)
{
	struct row_list list = { 0 };
	int rc = q->db->repo_list(q->store, POLL_REPOS_MAX, &list, e);

	if (rc < 0)
		return rc;
	struct store_repo *repos = list.v;
	for (size_t i = 0; i < list.n; i++) {
		(void)add(q, &repos[i], POLL_FIRST_MS);
		row_finish(STORE_REPO_ROWS, &repos[i]);
	}
	free(repos);
	queue_poll_follow(q);
	return 0;
}

void
queue_poll_finish(struct queue *q)
{
	queue_log_finish(q);
	while (q->listings) {
		struct queue_listing *l = q->listings;

		q->listings = l->next;
		loop_timer_remove(l->timer);
		free(l->installations);
		free(l->forge);
		free(l);
	}
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
