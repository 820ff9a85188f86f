/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles - what bot/role and bot/master do: roles are started, connected, killed, started again.
 *
 * A killed role is let go on for a moment in a void, where no disk and no socket takes anything, so
 * that it frees its memory: a history of a thousand deaths fits into one process.
 */
#include "tests/sim/sim.h"

#include "base/log.h"
#include "base/mem.h"
#include "bot/courier_call.h"
#include "bot/courier_etag.h"
#include "bot/restart.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static struct actor actors[ROLE_COUNT];
static struct loop *world;
static bool is_cut_off; /* the power is */

static const struct role_spec *const SPECS[ROLE_COUNT] = {
	[ROLE_WEB] = &SIM_WEB,
	[ROLE_QUEUE] = &ROLE_SPEC_QUEUE,
	[ROLE_DECODER] = &ROLE_SPEC_DECODER,
	[ROLE_COURIER] = &ROLE_SPEC_COURIER,
	[ROLE_KEEPER] = &SIM_KEEPER,
	[ROLE_RUNNER] = &SIM_RUNNER,
};

/* ---- what bot/role.h promises ---- */

struct msg_link *
role_link(struct role_ctx *r, enum role peer)
{
	assert(r->links[peer]);
	return r->links[peer];
}

char *
role_path(const struct config *c, const char *name)
{
	return mem_fmt("%s/%s", c->state_dir, name);
}

void
role_done(struct role_ctx *r)
{
	loop_stop(r->loop);
}

void
role_ready(struct role_ctx *r, const char *address)
{
	(void)r, (void)address;
}

void
role_cut_peer(struct role_ctx *r, enum role peer)
{
	(void)r;
	actor_kill(peer);
}

/* ---- links ---- */

struct peer {
	struct actor *a;
	enum role role;
};
static struct peer peers[ROLE_COUNT][ROLE_COUNT];

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct peer *p = ctx;

	(void)link;
	if (p->a->is_up)
		p->a->ctx.spec->on_msg(&p->a->ctx, p->role, m);
}

static void
on_gone(void *ctx)
{
	struct peer *p = ctx;

	if (msg_link_was_cut(p->a->ctx.links[p->role]))
		sim_violation(
			"%s broke the rules towards %s", role_name(p->role), role_name(p->a->role));
	if (p->a->is_up && p->a->ctx.spec->on_peer)
		p->a->ctx.spec->on_peer(&p->a->ctx, p->role, false);
}

static void
create_links(struct actor *a)
{
	for (size_t i = 0; i < WIRE_PAIRS_COUNT; i++) {
		bool is_first = WIRE_PAIRS[i].a == a->role;
		enum role other = is_first ? WIRE_PAIRS[i].b : WIRE_PAIRS[i].a;

		if ((!is_first && WIRE_PAIRS[i].b != a->role) || !SPECS[other])
			continue;
		struct peer *p = &peers[a->role][other];
		const struct msg_link_spec spec = {
			.rules = WIRE_RULES,
			.n_rules = WIRE_RULES_COUNT,
			.self = a->role,
			.peer = other,
			.on_msg = on_msg,
			.on_gone = on_gone,
			.ctx = p,
		};

		*p = (struct peer){ a, other };
		a->ctx.links[other] = msg_link_create(a->ctx.loop, &spec);
	}
}

static void
connect_pair(struct actor *a, struct actor *b)
{
	int fds[2];

	if (msg_pair(fds, NULL) < 0 || msg_link_attach(a->ctx.links[b->role], fds[0], NULL) < 0 ||
		msg_link_attach(b->ctx.links[a->role], fds[1], NULL) < 0)
		assert(!"a pair of sockets");
	if (a->ctx.spec->on_peer)
		a->ctx.spec->on_peer(&a->ctx, b->role, true);
	if (b->ctx.spec->on_peer)
		b->ctx.spec->on_peer(&b->ctx, a->role, true);
}

/* ---- birth ---- */

static void bring_down(struct actor *a);

static void come_again(struct actor *a);

static void
bring_up(void *ctx)
{
	struct actor *a = ctx;
	struct err e = { 0 };

	a->restart = NULL;
	a->began_ms = SIM.now_ms;
	a->ctx = (struct role_ctx){ .spec = SPECS[a->role], .config = &SIM.config };
	a->must_die = false;
	if (loop_create(&a->ctx.loop, &e) < 0)
		assert(!"a loop");
	create_links(a);
	int rc = a->ctx.spec->prepare ? a->ctx.spec->prepare(&a->ctx, &e) : 0;
	if (rc == 0)
		rc = a->ctx.spec->start(&a->ctx, &e);
	sim_note("%s %s%s", role_name(a->role),
		rc == 0 ? "is up" : "does not start: ", rc == 0 ? "" : e.text);
	if (rc < 0 || a->must_die) {
		if (SIM.is_calm && rc < 0)
			sim_violation("%s does not start: %s", role_name(a->role), e.text);
		bring_down(a);
		come_again(a);
		return;
	}
	a->is_up = true;
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (actors[r].is_up && a->ctx.links[r])
			connect_pair(a, &actors[r]);
	}
}

/* The master waits as the real one does; then a program has to be loaded, and a machine to boot. */
static void
come_again(struct actor *a)
{
	if (a->restart)
		return;
	a->delay_ms = restart_delay(a->delay_ms, SIM.now_ms - a->began_ms);
	int64_t load_ms = chance_delay(200, 45000);
	a->restart = loop_timer_add(world, a->delay_ms + load_ms, bring_up, a);
}

/* ---- death ---- */

/* Of the courier, which leaves its memory to the kernel. */
static void
sweep_courier(struct actor *a)
{
	struct courier *c = a->ctx.own;

	courier_auth_destroy(c);
	courier_budgets_destroy(c);
	etags_destroy(c->etags);
	free(c);
}

static void
bring_down(struct actor *a)
{
	bool is_queue = a->role == ROLE_QUEUE;

	a->is_up = false;
	a->must_die = false;
	if (is_queue)
		disk_unplug();
	loop_silence(a->ctx.loop);
	http_wipe(a->ctx.loop);
	if (a->ctx.own && a->ctx.spec->stop)
		a->ctx.spec->stop(&a->ctx);
	if (a->role == ROLE_COURIER && a->ctx.own)
		sweep_courier(a);
	for (int r = 0; r < ROLE_COUNT; r++) {
		msg_link_destroy(a->ctx.links[r]);
		a->ctx.links[r] = NULL;
	}
	loop_destroy(a->ctx.loop);
	a->ctx.loop = NULL;
	if (is_queue) {
		if (is_cut_off)
			disk_lose_unsynced();
		disk_revive();
	}
}

void
actor_kill(enum role role)
{
	struct actor *a = &actors[role];

	if (!a->ctx.loop)
		return;
	a->must_die = true;
	if (role == ROLE_QUEUE)
		disk_unplug();
}

void
actor_term(enum role role)
{
	struct actor *a = &actors[role];

	if (!a->is_up || a->must_die || role != ROLE_QUEUE)
		return;
	sim_note("%s is asked to end", role_name(role));
	a->ctx.spec->stop(&a->ctx);
	a->ctx.own = NULL;
	bring_down(a);
	come_again(a);
}

void
power_cut(void)
{
	sim_note("the power is cut");
	is_cut_off = true;
	SIM.booted_ms = SIM.now_ms;
	machine_lose_boxes();
	for (int r = 0; r < ROLE_COUNT; r++)
		actor_kill((enum role)r);
}

void
sim_after_round(struct loop *l)
{
	(void)l;
	for (int r = 0; r < ROLE_COUNT; r++) {
		struct actor *a = &actors[r];

		if (!a->ctx.loop || (!a->must_die && !loop_is_stopped(a->ctx.loop)))
			continue;
		SIM.n_deaths++;
		sim_note("%s dies%s", role_name(a->role), a->must_die ? "" : " of itself");
		bring_down(a);
		come_again(a);
	}
	is_cut_off = false;
}

/* ---- all of them ---- */

struct loop *
sim_loop(void)
{
	return world;
}

struct actor *
actor_of(enum role role)
{
	return &actors[role];
}

struct actor *
actor_of_loop(const struct loop *l)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (actors[r].ctx.loop == l)
			return &actors[r];
	}
	return NULL;
}

bool
roles_are_all_up(void)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (SPECS[r] && !actors[r].is_up)
			return false;
	}
	return true;
}

void
roles_start(void)
{
	if (loop_create(&world, NULL) < 0)
		assert(!"a loop");
	memset(actors, 0, sizeof(actors));
	for (int r = 0; r < ROLE_COUNT; r++) {
		actors[r].role = (enum role)r;
		if (SPECS[r])
			bring_up(&actors[r]);
	}
}

void
roles_finish(void)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (actors[r].ctx.loop)
			bring_down(&actors[r]);
	}
	loop_destroy(world);
	world = NULL;
}
