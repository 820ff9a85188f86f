/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue - the role that remembers. See queue.h for its parts.
 */
#include "bot/queue.h"
#include "bot/store_command.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define TICK_MS      1000
#define WHOAMI_TRIES 1000000 /* without it our own deeds look like other people's */
#define SWEEP_TICKS  60
#define SWEEP_MAX    TASK_PLACE_MAX

int64_t
queue_wait_ms(const struct queue *q, int64_t ms)
{
	return ms / q->speed;
}

void
queue_fatal(struct queue *q, const char *event, const struct err *e)
{
	if (q->is_stopping)
		return;
	q->is_stopping = true;
	log_write(LOG_LEVEL_ERROR, NULL, "queue.fatal", "at=%s code=%s error=\"%s\"", event,
		err_name(e->code), e->text);
	role_done(q->role);
}

/* ---- forges ---- */

struct queue_forge *
queue_forge_find(struct queue *q, const char *name)
{
	for (size_t i = 0; i < q->n_forges; i++) {
		if (str_eq(q->forges[i].name, name))
			return &q->forges[i];
	}
	return NULL;
}

static void
forges_finish(struct queue_forge *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].bot_user);
		free(v[i].agents);
	}
	free(v);
}

static const char **
agent_names(const struct config *c)
{
	const struct config_agent *v = c->agents.v;
	const char **names = mem_array(c->agents.n + 1, sizeof(*names));

	for (size_t i = 0; i < c->agents.n; i++)
		names[i] = v[i].name;
	return names;
}

static void
fill_forge(struct queue *q, struct queue_forge *f, const struct config_forge *row)
{
	const struct config *c = q->role->config;
	int kind = forge_kind_parse(row->kind);

	f->name = mem_str(row->name);
	f->agents = agent_names(c);
	f->conf = (struct forge_conf){
		.kind = kind < 0 ? FORGE_GITHUB : (enum forge_kind)kind,
		.name = row->name,
		.url = row->url,
		.api_url = row->api_url,
	};
	f->handlers = (struct handler_conf){
		.label = QUEUE_LABEL,
		.public_url = c->public_url,
		.repos = &row->repos,
		.caps = &forge_driver_get(f->conf.kind)->caps,
		.agents = f->agents,
		.logs_to_git = str_eq(c->logs, "git"),
	};
}

static void
set_identity(struct queue_forge *f, const char *user, int64_t id)
{
	mem_set(&f->bot_user, user);
	f->bot_user_id = id;
	f->handlers.bot_user = f->bot_user;
	f->handlers.bot_user_id = id;
	f->is_known = true;
}

static void
on_whoami(struct queue *q, void *ctx, struct fact *fact)
{
	auto_free char *name = ctx;
	struct queue_forge *f = queue_forge_find(q, name);

	if (!f || !fact)
		return;
	f->is_asking = false;
	if (fact->code == 0)
		log_info(NULL, "forge.identity", "forge=%s user=%s id=%" PRId64, name,
			fact->answer.user ? fact->answer.user : "?", fact->answer.user_id);
	else
		log_error(NULL, "forge.identity_unknown", "forge=%s code=%s", name,
			err_name((int)fact->code));
	set_identity(f, fact->answer.user, fact->answer.user_id);
	queue_wake(q, WAKE_CASES);
}

static void
ask_identity(struct queue *q, struct queue_forge *f)
{
	const struct forge_op op = { .kind = OP_WHOAMI, .forge = f->name };

	/* Not before the courier was told which forges asked for peace. */
	if (f->is_known || f->is_asking || !msg_link_is_up(role_link(q->role, ROLE_COURIER)))
		return;
	f->is_asking = true;
	queue_fact_ask(q, &op, WHOAMI_TRIES, on_whoami, mem_str(f->name));
}

/* Everything the handlers see of the configuration is borrowed from it, so it is made anew when it
 * changes. Cases and calls know a forge by its name only. */
static void
load_forges(struct queue *q)
{
	const struct config_forge *rows = q->role->config->forges.v;
	size_t n = q->role->config->forges.n, n_old = q->n_forges;
	struct queue_forge *old = q->forges;

	q->forges = mem_array(n ? n : 1, sizeof(*q->forges));
	q->n_forges = n;
	for (size_t i = 0; i < n; i++)
		fill_forge(q, &q->forges[i], &rows[i]);
	for (size_t i = 0; i < n; i++) {
		struct queue_forge *f = &q->forges[i];

		f->handlers.forge = &f->conf;
		for (size_t k = 0; k < n_old; k++) {
			if (str_eq(old[k].name, f->name) && old[k].is_known)
				set_identity(f, old[k].bot_user, old[k].bot_user_id);
			else if (str_eq(old[k].name, f->name))
				f->is_asking = old[k].is_asking;
		}
		ask_identity(q, f);
	}
	forges_finish(old, n_old);
}

/* ---- once a second, once a minute ---- */

/* A deadline is its owner's: a runner is told to stop, what we wait for ourselves is given up. */
static int
sweep_one(struct queue *q, struct task *t, void *ctx, struct err *e)
{
	const struct task_state_row *row = &TASK_STATES[t->state];
	bool is_late = row->deadline_ms > 0 && clock_wall_ms() - t->changed_ms > row->deadline_ms;

	(void)ctx;
	if (is_late && row->owner == OWNER_RUNNER && !t->stop_wanted)
		return queue_task_stop(q, t->id, "nightshift", "it took too long", e);
	if (is_late && t->state == TASK_PUBLISHING)
		return queue_publish_late(q, t->id, e);
	return queue_settle_id(q, t->id, e);
}

/* A page of those in states, from after on; *after is 0 when there are no more. */
static int
sweep_page(struct queue *q, uint32_t states, int64_t *after, struct err *e)
{
	const struct task_filter f = {
		.states = states, .whose = WHOSE_MINE, .after_id = *after, .limit = SWEEP_MAX
	};
	struct row_list list = { 0 };
	int rc = q->db->task_list(q->store, &f, &list, e);
	const struct task *v = list.v;

	if (rc < 0)
		return rc;
	*after = list.n == SWEEP_MAX ? v[list.n - 1].id : 0;
	return queue_each_of(q, &list, sweep_one, NULL, e);
}

/* Deadlines pass, places in the queue move. However many there are, all of them get their turn: a
 * page of those at work, the head of the queue, where places change, and a page of the rest. */
static int
sweep(struct queue *q, struct err *e)
{
	int64_t head = 0;
	int rc = sweep_page(q, TASKS_LIVE & ~TASK_BIT(TASK_QUEUED), &q->swept_work, e);

	if (rc == 0)
		rc = sweep_page(q, TASK_BIT(TASK_QUEUED), &head, e);
	if (rc < 0 || head == 0)
		return rc;
	if (q->swept_queued < head)
		q->swept_queued = head;
	return sweep_page(q, TASK_BIT(TASK_QUEUED), &q->swept_queued, e);
}

static void
tick(void *ctx)
{
	struct queue *q = ctx;
	struct err e = { 0 };

	q->tick_timer = NULL;
	if (q->is_stopping)
		return;
	queue_clock_look(q);
	if ((!q->is_busy || BUGGIFY("tick.rest")) && !q->is_open)
		q->db->rest(q->store);
	q->is_busy = false;
	queue_dispatch_tick(q);
	if ((++q->ticks % SWEEP_TICKS == 0 || BUGGIFY("tick.sweep")) && queue_begin(q) == 0 &&
		(sweep(q, &e) < 0 || queue_care_sweep(q, &e) < 0 || queue_clock_note(q, &e) < 0))
		queue_fatal(q, "task.sweep", &e);
	/* Held tasks become claimable by the clock alone; a keeper that was away may be back. */
	queue_wake(q, WAKE_DISPATCH | WAKE_CASES);
	q->tick_timer = loop_timer_add(q->role->loop, queue_wait_ms(q, TICK_MS), tick, q);
}

void
queue_hasten(struct queue *q, int64_t speed)
{
	q->speed = speed;
	loop_timer_remove(q->tick_timer);
	q->tick_timer = loop_timer_add(q->role->loop, queue_wait_ms(q, TICK_MS), tick, q);
}

/* ---- the role ---- */

static int
resume(struct queue *q, struct err *e)
{
	int64_t n = 0;
	int rc = q->db->effect_resume(q->store, clock_wall_ms(), &n, e);

	if (rc < 0)
		return rc;
	if (n > 0)
		log_info(NULL, "queue.resumed", "effects=%" PRId64, n);
	return queue_dispatch_load(q, e);
}

static void
on_heal(const char *text)
{
	log_error(NULL, "store.healed", "what=\"%s\"", text);
}

/* While files that only root may read can be read. */
static int
queue_prepare(struct role_ctx *r, struct err *e)
{
	struct queue *q = mem_zero(sizeof(*q));

	r->own = q;
	clock_boot_id(q->boot);
	return store_password(r->config, &q->store_password, e);
}

/* Who we are among the nodes of one store stays the same when we are started again. */
static int
node_name(const char *dir, char out[33], struct err *e)
{
	auto_free char *path = mem_fmt("%s/node", dir);
	auto_buf struct buf text = BUF_INIT(64), hex = BUF_INIT(64);
	uint8_t random[16];
	int rc = fs_read(path, &text, e);

	if (rc == ERR_MISSING) {
		crypto_random(random, sizeof(random));
		(void)str_hex(&hex, random, sizeof(random));
		(void)snprintf(out, 33, "%s", buf_str(&hex));
		return fs_write_atomic(path, hex.data, hex.len, 0600, e);
	}
	if (rc == 0)
		rc = str_unhex(buf_str(&text), random, sizeof(random), e);
	if (rc < 0)
		return err_wrap(e, rc, "%s", path);
	(void)snprintf(out, 33, "%.32s", buf_str(&text));
	return 0;
}

static int
open_store(struct queue *q, struct err *e)
{
	char node[33] = "";
	const struct config *c = q->role->config;
	auto_free char *dir = role_path(c, "store");
	auto_free char *backups = role_path(c, "backups");
	struct store_conf conf = {
		.dir = dir,
		.url = c->store,
		.password = q->store_password,
		.is_durable = !str_eq(c->store_synchronous, "off"),
		.backups = backups,
		.on_heal = on_heal,
	};

	q->db = config_store_is_remote(c) ? &STORE_POSTGRES : &STORE_SQLITE;
	int rc = q->db->shared ? node_name(dir, node, e) : 0;
	conf.node = node;
	conf.lease_ms = c->node_lease_ms;
	if (rc == 0)
		rc = q->db->open(&conf, &q->store, e);
	if (rc == 0 && !conf.is_durable)
		log_warn(NULL, "store.volatile", "store_synchronous=off: for tests only");
	return rc;
}

static int
queue_start(struct role_ctx *r, struct err *e)
{
	struct queue *q = r->own;

	if (!q) /* in tests, where nothing had to be prepared */
		q = r->own = mem_zero(sizeof(*q));
	if (!*q->boot)
		clock_boot_id(q->boot);
	q->role = r;
	q->started_ms = clock_wall_ms();
	q->speed = 1;
	int rc = open_store(q, e);
	if (rc == 0)
		rc = queue_clock_start(q, e);
	if (rc == 0)
		rc = queue_nodes_start(q, e);
	if (rc == 0)
		rc = queue_trial_start(q, e);
	if (rc == 0)
		rc = resume(q, e);
	if (rc < 0)
		return rc;
	if (msg_link_is_up(role_link(r, ROLE_COURIER)))
		queue_bucket_peace(q);
	load_forges(q);
	if (q->node.leads)
		rc = queue_poll_start(q, e);
	if (rc < 0)
		return rc;
	queue_chore_load(q);
	q->tick_timer = loop_timer_add(r->loop, TICK_MS, tick, q);
	queue_wake(q, WAKE_DECODE | WAKE_OUTBOX | WAKE_DISPATCH);
	return 0;
}

static void
on_delivery(struct queue *q, struct msg *m)
{
	queue_delivery(q, m);
}

static void
on_claim(struct queue *q, struct msg *m)
{
	queue_claim(q, m->obj);
}

static void
on_progress(struct queue *q, struct msg *m)
{
	queue_progress(q, m->obj);
}

static void
queue_on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	static const struct {
		uint16_t type;
		void (*cb)(struct queue *q, struct msg *m);
	} rows[] = {
		{ WIRE_CLAIM, on_claim },
		{ WIRE_DELIVERY, on_delivery },
		{ WIRE_DONE, queue_done },
		{ WIRE_PROGRESS, on_progress },
		{ WIRE_QUERY, queue_query },
	};
	struct queue *q = r->own;

	(void)from;
	for (size_t i = 0; !q->is_stopping && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].type == m->type) {
			rows[i].cb(q, m);
			return;
		}
	}
}

static void
queue_on_peer(struct role_ctx *r, enum role peer, bool is_up)
{
	struct queue *q = r->own;

	if (q->is_stopping)
		return;
	if (peer == ROLE_DECODER && !is_up)
		queue_decode_gone(q);
	if (peer == ROLE_COURIER && !is_up)
		queue_outbox_gone(q);
	if (peer == ROLE_COURIER && is_up) {
		queue_nodes_greet(q);
		queue_bucket_peace(q);
		for (size_t i = 0; i < q->n_forges; i++)
			ask_identity(q, &q->forges[i]);
	}
	if (peer == ROLE_RUNNER && !is_up)
		q->free_slots = 0;
	if (is_up)
		queue_wake(q, WAKE_DECODE | WAKE_OUTBOX | WAKE_DISPATCH);
}

static void
queue_on_config(struct role_ctx *r)
{
	struct queue *q = r->own;

	load_forges(q);
	if (q->node.leads)
		queue_poll_follow(q);
	queue_chore_load(q);
}

static void
queue_stop(struct role_ctx *r)
{
	struct queue *q = r->own;

	queue_round_finish(q);
	queue_care_finish(q);
	loop_timer_remove(q->tick_timer);
	queue_outbox_finish(q);
	queue_fact_finish(q);
	queue_case_finish(q);
	queue_chore_finish(q);
	queue_poll_finish(q);
	queue_nodes_finish(q);
	queue_dispatch_finish(q);
	queue_marker_finish(q);
	queue_bucket_finish(q);
	forges_finish(q->forges, q->n_forges);
	q->db->close(q->store);
	queue_trial_finish(q);
	store_password_finish(q->store_password);
	free(q);
	r->own = NULL;
	role_done(r);
}

static const char *const WRITES[] = { "backups", "store", NULL };

const struct role_spec ROLE_SPEC_QUEUE = {
	.role = ROLE_QUEUE,
	.net = CONFINE_NET_NONE,
	.writes = WRITES,
	.has_store = true,
	.has_zones = true,
	.prepare = queue_prepare,
	.start = queue_start,
	.on_msg = queue_on_msg,
	.on_peer = queue_on_peer,
	.on_config = queue_on_config,
	.stop = queue_stop,
};
