/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_log - what a forge failed to deliver is fetched.
 *
 * GitHub does not repeat a delivery that found us down; it writes it into a log that it keeps for
 * three days. What failed there and is not in our inbox is fetched and stored under the forge's own
 * id, and goes on as if it had just arrived. The watermark moves when all up to it are stored, in
 * the same transaction as the last of them.
 */
#include "bot/queue_poll.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define FETCHES_MAX 4 /* at once */

struct queue_log {
	struct queue *q;
	struct queue_log *next;
	char *forge;
	char *repo; /* NULL: the log of an App */
	int64_t repo_id;
	int64_t installation_id;
	struct loop_timer *timer;

	/* One reading. */
	struct row_list items; /* of a page */
	size_t n_taken;
	size_t n_open; /* payloads that are under way */
	int64_t hook_id;
	char *hook_base;
	char *page;
	int64_t since_ms;
	int64_t newest_ms;
	bool has_failed;
};

static void read_log(void *ctx);

static char *
mark_key(const struct queue_log *l)
{
	return mem_fmt("log:%s:%s", l->forge, l->repo ? l->repo : "");
}

static void
items_finish(struct queue_log *l)
{
	struct forge_item *v = l->items.v;

	for (size_t i = 0; i < l->items.n; i++)
		row_finish(FORGE_ITEM_ROWS, &v[i]);
	free(v);
	l->items = (struct row_list){ 0 };
	l->n_taken = 0;
}

static void
rest(struct queue_log *l, int64_t ms)
{
	free(steal_ptr(&l->page));
	l->timer = loop_timer_add(l->q->role->loop, queue_wait_ms(l->q, ms), read_log, l);
}

/* ---- one delivery ---- */

static void
store(struct queue_log *l, struct forge_answer *a)
{
	static char type[] = "application/json";
	const struct forge_delivery d = {
		.forge = l->forge,
		.guid = a->title,
		.event = a->user,
		.content_type = type,
		.received_ms = clock_wall_ms(),
	};
	struct err e = { 0 };
	int64_t id = 0;

	if (queue_begin(l->q) < 0)
		return;
	int rc = queue_intake_add(l->q, &d, a->body, strlen(a->body), &id, &e);
	struct log_ctx log = { .delivery = id };
	if (rc == 0) {
		log_info(&log, "poll.undelivered", "forge=%s guid=%s event=%s", l->forge, a->title,
			a->user);
		queue_wake(l->q, WAKE_DECODE);
	} else if (rc != ERR_CONFLICT) {
		l->has_failed = true;
		log_err(LOG_LEVEL_ERROR, &log, "poll.store", &e);
	}
}

static void go_on(struct queue_log *l);

static void
on_payload(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_log *l = ctx;

	if (!f)
		return;
	l->n_open--;
	if (BUGGIFY("log.failed"))
		f->code = ERR_BUSY;
	if (f->code == 0 && f->answer.title && f->answer.body) {
		store(l, &f->answer);
	} else {
		/* One that is gone or too large is left to those who look at labels and comments.
		 */
		l->has_failed = l->has_failed || queue_is_transient(f->code);
		log_warn(NULL, "poll.unfetched", "forge=%s code=%s", l->forge,
			err_name((int)f->code));
	}
	if (!q->is_stopping)
		go_on(l);
}

static bool
is_here(struct queue_log *l, const char *guid)
{
	bool found = false;
	struct err e = { 0 };

	if (l->q->db->delivery_has(l->q->store, l->forge, guid, &found, &e) < 0)
		queue_fatal(l->q, "poll.log", &e);
	return found;
}

static struct forge_op
op_of(const struct queue_log *l, enum forge_op_kind kind)
{
	return (struct forge_op){
		.kind = kind,
		.forge = l->forge,
		.installation_id = l->installation_id,
		.repo_id = l->repo_id,
		.repo = l->repo,
		.base = l->hook_base,
	};
}

static void
fetch(struct queue_log *l, const struct forge_item *i)
{
	struct forge_op op = op_of(l, OP_DELIVERY);

	op.id = i->id;
	op.number = l->hook_id;
	l->n_open++;
	queue_fact_ask(l->q, &op, POLL_FACT_TRIES, on_payload, l);
}

/* ---- one page ---- */

static void
on_page(struct queue *q, void *ctx, struct fact *f)
{
	struct queue_log *l = ctx;

	(void)q;
	if (!f)
		return;
	if (f->code != 0) {
		bool is_absent = f->code == ERR_MISSING || f->code == ERR_DENIED;

		if (!is_absent)
			log_warn(NULL, "poll.log", "forge=%s code=%s", l->forge,
				err_name((int)f->code));
		rest(l, is_absent ? POLL_RARELY_MS : queue_poll_every_ms(l->q));
		return;
	}
	items_finish(l);
	l->items = f->answer.items;
	f->answer.items = (struct row_list){ 0 };
	l->hook_id = f->answer.number;
	mem_set(&l->hook_base, f->answer.base);
	mem_set(&l->page, f->answer.ref);
	go_on(l);
}

static void
ask_page(struct queue_log *l)
{
	struct forge_op op = op_of(l, OP_DELIVERIES);

	op.id = l->hook_id;
	op.since_ms = l->since_ms;
	op.ref = l->page;
	queue_fact_ask(l->q, &op, POLL_FACT_TRIES, on_page, l);
}

static void
end_reading(struct queue_log *l)
{
	auto_free char *key = mark_key(l);

	items_finish(l);
	if (!l->has_failed && l->newest_ms > queue_mark_get(l->q, key))
		queue_mark_set(l->q, key, l->newest_ms);
	rest(l, queue_poll_every_ms(l->q));
}

static void
go_on(struct queue_log *l)
{
	const struct forge_item *v = l->items.v;

	while (l->n_taken < l->items.n && l->n_open < FETCHES_MAX) {
		const struct forge_item *i = &v[l->n_taken++];

		if (i->updated_ms > l->newest_ms)
			l->newest_ms = i->updated_ms;
		if (i->title && !is_here(l, i->title))
			fetch(l, i);
	}
	if (l->n_open > 0 || l->n_taken < l->items.n)
		return;
	if (l->page)
		ask_page(l);
	else
		end_reading(l);
}

static void
read_log(void *ctx)
{
	struct queue_log *l = ctx;
	const struct queue_forge *forge = queue_forge_find(l->q, l->forge);
	auto_free char *key = mark_key(l);
	int64_t mark = queue_mark_get(l->q, key), first = clock_wall_ms() - POLL_LOG_MS;

	l->timer = NULL;
	if (forge && !forge->is_known) {
		rest(l, POLL_SOON_MS);
		return;
	}
	if (!forge) {
		rest(l, queue_poll_every_ms(l->q));
		return;
	}
	l->since_ms = mark - POLL_OVERLAP_MS > first ? mark - POLL_OVERLAP_MS : first;
	l->newest_ms = 0;
	l->hook_id = 0;
	l->has_failed = false;
	free(steal_ptr(&l->hook_base));
	ask_page(l);
}

/* ---- start and end ---- */

void
queue_log_add(struct queue *q, const char *forge, const struct queue_poll *place)
{
	struct queue_log *l = mem_zero(sizeof(*l));

	l->q = q;
	l->forge = mem_str(forge);
	if (place) {
		l->repo = mem_str(place->repo);
		l->repo_id = place->repo_id;
		l->installation_id = place->installation_id;
	}
	l->next = q->logs;
	q->logs = l;
	rest(l, POLL_FIRST_MS);
}

void
queue_log_finish(struct queue *q)
{
	while (q->logs) {
		struct queue_log *l = q->logs;

		q->logs = l->next;
		loop_timer_remove(l->timer);
		items_finish(l);
		free(l->forge);
		free(l->repo);
		free(l->hook_base);
		free(l->page);
		free(l);
	}
}
