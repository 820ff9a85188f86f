/* SPDX-License-Identifier: Apache-2.0 */
/* queue_rig - see queue_rig.h: the role, its context, the loop. */
#include "queue_rig.h"

#include "base/fs.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UNTIL_MS 60000
#define SPEED    100

static const enum role PEERS[] = { ROLE_MASTER, ROLE_WEB, ROLE_DECODER, ROLE_COURIER, ROLE_KEEPER,
	ROLE_RUNNER };

/* ---- links of the queue ---- */

struct end {
	struct rig *r;
	enum role peer;
};

static struct end ends[ROLE_COUNT];

static void
on_queue_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	const struct end *end = ctx;

	(void)link;
	if (end->r->ctx.r.own)
		ROLE_SPEC_QUEUE.on_msg(&end->r->ctx.r, end->peer, m);
}

static void
on_queue_gone(void *ctx)
{
	const struct end *end = ctx;

	if (end->r->ctx.r.own)
		ROLE_SPEC_QUEUE.on_peer(&end->r->ctx.r, end->peer, false);
}

static void
links_create(struct rig *r)
{
	for (size_t i = 0; i < sizeof(PEERS) / sizeof(PEERS[0]); i++) {
		ends[PEERS[i]] = (struct end){ r, PEERS[i] };
		const struct msg_link_spec spec = {
			.rules = WIRE_RULES,
			.n_rules = WIRE_RULES_COUNT,
			.self = ROLE_QUEUE,
			.peer = PEERS[i],
			.on_msg = on_queue_msg,
			.on_gone = on_queue_gone,
			.ctx = &ends[PEERS[i]],
		};
		r->ctx.r.links[PEERS[i]] = msg_link_create(r->loop, &spec);
	}
}

void
rig_reconnect(struct rig *r, enum role peer)
{
	int fds[2];

	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(r->peers[peer], fds[0], NULL), 0);
	assert_int_equal(msg_link_attach(r->ctx.r.links[peer], fds[1], NULL), 0);
	if (r->ctx.r.own)
		ROLE_SPEC_QUEUE.on_peer(&r->ctx.r, peer, true);
}

void
rig_disconnect(struct rig *r, enum role peer)
{
	int fds[2];

	/* The other end of the fake's new socket is closed at once; the old one goes with it. */
	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(r->peers[peer], fds[0], NULL), 0);
	(void)close(fds[1]);
}

/* ---- start and end ---- */

static void
start(struct rig *r)
{
	struct err e = { 0 };

	if (ROLE_SPEC_QUEUE.start(&r->ctx.r, &e) < 0)
		fail_msg("start: %s", e.text);
	r->q = r->ctx.r.own;
	queue_hasten(r->q, SPEED);
}

static void
connect_all(struct rig *r)
{
	for (size_t i = 0; i < sizeof(PEERS) / sizeof(PEERS[0]); i++)
		rig_reconnect(r, PEERS[i]);
}

static void
stop(struct rig *r)
{
	ROLE_SPEC_QUEUE.stop(&r->ctx.r);
	for (size_t i = 0; i < sizeof(PEERS) / sizeof(PEERS[0]); i++)
		msg_link_destroy(r->ctx.r.links[PEERS[i]]);
}

static void
start_anew(struct rig *r)
{
	links_create(r);
	start(r);
	connect_all(r);
}

void
rig_restart(struct rig *r)
{
	stop(r);
	start_anew(r);
}

void
rig_lose_store(struct rig *r)
{
	auto_free char *store = mem_fmt("%s/store", r->dir);
	auto_free char *backups = mem_fmt("%s/backups", r->dir);

	stop(r);
	assert_int_equal(fs_remove_tree(store, NULL), 0);
	(void)fs_remove_tree(backups, NULL);
	start_anew(r);
}

static void
fill_config(struct rig *r)
{
	r->forge_conf = (struct config_forge){
		.name = mem_str("gh"),
		.kind = mem_str("github"),
		.url = mem_str("https://forge.example"),
		.api_url = mem_str("https://api.forge.example"),
	};
	r->agent_conf = (struct config_agent){ .name = mem_str("codex"), .kind = mem_str("codex") };
	r->config = (struct config){
		.public_url = mem_str("https://bot.example"),
		.intake = mem_str("webhook"),
		.poll_every_ms = 5000,
		.reconcile_every_ms = 300000,
		.state_dir = mem_str(r->dir),
		.boxes = 4,
		.tasks_per_repo = 2,
		.forges = { &r->forge_conf, 1 },
		.agents = { &r->agent_conf, 1 },
		.agent = mem_str("codex"),
		.limit_attempts = 3,
		.logs = mem_str("git"),
		.backup_keep = 1,
		.keep_deliveries_ms = INT64_C(1)
				      << 60, /* the rig's deliveries are as old as time */
		.keep_transcripts_ms = INT64_C(1) << 60,
		.store_synchronous = mem_str("off"),
	};
}

static void
free_config(struct rig *r)
{
	free(r->forge_conf.name);
	free(r->forge_conf.kind);
	free(r->forge_conf.url);
	free(r->forge_conf.api_url);
	strs_finish(&r->forge_conf.repos);
	free(r->agent_conf.name);
	free(r->agent_conf.kind);
	free(r->config.public_url);
	free(r->config.intake);
	free(r->config.state_dir);
	free(r->config.agent);
	free(r->config.logs);
	free(r->config.store_synchronous);
}

int
rig_setup(void **state)
{
	char dir[] = "/tmp/ns-queue-XXXXXX";

	assert_non_null(mkdtemp(dir));
	return rig_setup_in(state, dir);
}

int
rig_setup_in(void **state, const char *dir)
{
	struct rig *r = mem_zero(sizeof(*r));

	rig_clock_start();
	(void)snprintf(r->dir, sizeof(r->dir), "%s", dir);
	assert_int_equal(loop_create(&r->loop, NULL), 0);
	fill_config(r);
	r->ctx.r.loop = r->loop;
	r->ctx.r.config = &r->config;
	r->ctx.r.spec = &ROLE_SPEC_QUEUE;
	r->permission = PERMISSION_WRITE;
	r->author_permission = PERMISSION_READ;
	r->title = mem_str("It crashes");
	r->body = mem_str("On empty input.");
	r->label_is_there = true;
	r->label_event = 1000;
	r->new_permission = -1;
	r->fail_kind = -1;
	r->die_after_kind = -1;
	r->slots = 4;
	r->outcome = OUTCOME_GREEN;
	links_create(r);
	rig_peers_create(r);
	start(r);
	connect_all(r);
	*state = r;
	return 0;
}

static void
things_finish(struct rig_thing *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].body);
	}
}

int
rig_teardown(void **state)
{
	struct rig *r = *state;

	loop_timer_remove(r->runner_timer);
	if (r->ctx.r.own)
		ROLE_SPEC_QUEUE.stop(&r->ctx.r);
	for (size_t i = 0; i < sizeof(PEERS) / sizeof(PEERS[0]); i++) {
		msg_link_destroy(r->ctx.r.links[PEERS[i]]);
		msg_link_destroy(r->peers[PEERS[i]]);
	}
	loop_destroy(r->loop);
	(void)fs_remove_tree(r->dir, NULL);
	things_finish(r->comments, r->n_comments);
	things_finish(r->pulls, r->n_pulls);
	row_finish(WIRE_PAGE_ROWS, &r->page);
	free(r->page_blob);
	free(r->title);
	free(r->body);
	free(r->comment);
	free(r->new_body);
	free_config(r);
	free(r);
	return 0;
}

/* ---- running ---- */

struct waiting {
	struct rig *r;
	rig_condition *holds;
	int64_t turns; /* of rig_run, yet to come */
	bool is_running;
	bool is_late;
	bool held;
};

static void
look(void *ctx)
{
	struct waiting *w = ctx;

	if (w->holds && w->holds(w->r)) {
		w->held = true;
		if (w->is_running)
			loop_stop(w->r->loop);
		return;
	}
	(void)loop_timer_add(w->r->loop, 2, look, w);
}

static void
time_is_up(void *ctx)
{
	struct waiting *w = ctx;

	w->is_late = true;
	loop_stop(w->r->loop);
}

/* Timers of a wait may outlive it: the loop is theirs, so it is kept until the end of the program.
 */
static struct waiting *
new_wait(struct rig *r)
{
	static struct waiting pool[4096];
	static size_t n;
	struct waiting *w = &pool[n++ % 4096];

	*w = (struct waiting){ .r = r };
	return w;
}

static void
wait_for(struct waiting *w)
{
	w->is_running = true;
	/* A role that ends stops the loop, too. */
	while (!w->held && !w->is_late)
		assert_int_equal(loop_run(w->r->loop, NULL), 0);
}

void
rig_until(struct rig *r, rig_condition *holds)
{
	struct waiting *w = new_wait(r);
	struct loop_timer *end = loop_timer_add(r->loop, UNTIL_MS, time_is_up, w);

	w->holds = holds;
	look(w);
	wait_for(w);
	if (!w->held)
		fail_msg("it never came to that; state %lld, log: %s", (long long)rig_state(r),
			r->log);
	loop_timer_remove(end);
}

static void
turn(void *ctx)
{
	struct waiting *w = ctx;

	if (--w->turns <= 0)
		time_is_up(w);
	else
		(void)loop_timer_add(w->r->loop, 1, turn, w);
}

/* Everything is in this loop. Where the machine is slow or gave us no time it takes longer, but as
 * much happens. */
void
rig_run(struct rig *r, int64_t ms)
{
	struct waiting *w = new_wait(r);

	w->turns = ms;
	(void)loop_timer_add(r->loop, 1, turn, w);
	wait_for(w);
}

/* ---- asking the store ---- */

static bool
newest_task(struct rig *r, struct task *out)
{
	const struct task_filter f = {
		.states = TASKS_LIVE | TASKS_OVER, .newest_first = true, .limit = 1
	};
	struct row_list list = { 0 };

	assert_int_equal(r->q->db->task_list(r->q->store, &f, &list, NULL), 0);
	if (list.n == 0)
		return false;
	*out = *(struct task *)list.v;
	free(list.v);
	return true;
}

struct task
rig_task(struct rig *r)
{
	struct task t = { 0 };

	assert_true(newest_task(r, &t));
	return t;
}

int64_t
rig_state(struct rig *r)
{
	struct task t = { 0 };

	if (!newest_task(r, &t))
		return -1;
	int64_t state = t.state;
	task_finish(&t);
	return state;
}

int64_t
rig_delivery_state(struct rig *r, int64_t id)
{
	struct delivery d = { 0 };

	if (r->q->db->delivery_get(r->q->store, id, &d, NULL) < 0)
		return -1;
	int64_t state = d.state;
	delivery_finish(&d);
	return state;
}

bool
rig_is_over(struct rig *r)
{
	int64_t s = rig_state(r);

	return s == TASK_WAITING || (s >= 0 && task_state_is_final(s));
}

bool
rig_is_quiet(struct rig *r)
{
	int64_t at = 0;

	return rig_is_over(r) && r->q->n_flights == 0 &&
	       r->q->db->effect_next_ms(r->q->store, &at, NULL) == ERR_MISSING;
}

int
rig_count(const struct rig *r, const char *word)
{
	auto_free char *spaced = mem_fmt(" %s ", word);
	int n = 0;

	for (const char *p = strstr(r->log, spaced); p; p = strstr(p + 1, spaced))
		n++;
	return n;
}
