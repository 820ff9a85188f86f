/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_net - networks for boxes to come, made ahead by a process of their own (shim_nets.c).
 *
 * A network namespace is half of what the start of a box costs, and while others are unmade the
 * making stands still for seconds; so a box finds its own ready. There are as many as there are
 * slots and a few more: all attempts may start at once. Each is for one box and then gone. The next
 * one could read in it what the last one did (the counters of /proc/net), or meet a connection that
 * the gateway still holds; and there is time to make another. Whoever finds none makes his own.
 *
 * They are descriptors: they are gone when the runner is, and those of boxes with their boxes.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"

#include <unistd.h>

#define SPARE     4
#define REFILL_MS 200 /* after a start: attempts that begin now go first */

struct net_pool {
	struct runner *r;
	struct msg_link *link; /* of the maker; NULL: there is none */
	struct loop_child *child;
	struct loop_timer *refill;
	int *fds;
	size_t n, max, asked;
};

static void
forget_maker(struct net_pool *p)
{
	msg_link_destroy(p->link);
	p->link = NULL;
	p->asked = 0;
}

static void
on_net(void *ctx, struct msg_link *link, struct msg *m)
{
	struct net_pool *p = ctx;

	(void)link;
	if (p->asked > 0)
		p->asked--;
	if (m->type == WIRE_NET && m->n_fds == 1 && p->n < p->max)
		p->fds[p->n++] = steal_fd(&m->fds[0]);
}

static void
on_maker_exit(void *ctx, pid_t pid, struct loop_exit how)
{
	struct net_pool *p = ctx;

	(void)pid;
	p->child = NULL;
	forget_maker(p);
	if (p->r->is_stopping)
		runner_end_if_empty(p->r);
	else
		log_warn(NULL, "nets.ended", "code=%d", how.code);
}

static int
start_maker(struct net_pool *p, struct err *e)
{
	struct msg_link_spec link = { .rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_RUNNER,
		.peer = ROLE_SHIM,
		.on_msg = on_net,
		.ctx = p };
	static const char *const argv[] = { "nightshift", "--role", SHIM_NETS, NULL };
	struct spawn sp = SPAWN_INIT;
	int ends[2];
	int pidfd = -1;
	pid_t pid = -1;
	int rc = msg_pair(ends, e);

	if (rc < 0)
		return rc;
	auto_fd int near = ends[0];
	auto_fd int far = ends[1];
	sp.argv = argv;
	sp.fds[0] = far;
	sp.n_fds = 1;
	sp.die_with_parent = true;
	rc = shim_spawn_as(p->r, &sp, &pid, &pidfd, e);
	if (rc < 0)
		return rc;
	p->child = loop_child_add(p->r->role->loop, pid, pidfd, on_maker_exit, p);
	p->link = msg_link_create(p->r->role->loop, &link);
	return msg_link_attach(p->link, steal_fd(&near), e);
}

static void
on_refill(void *ctx)
{
	struct net_pool *p = ctx;
	struct err e = { 0 };
	int rc = p->link ? 0 : start_maker(p, &e);

	p->refill = NULL;
	while (rc == 0 && p->n + p->asked < p->max) {
		rc = msg_send(p->link, &(struct msg_out){ .type = WIRE_NET_MAKE }, &e);
		p->asked += rc == 0;
	}
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, NULL, "nets.unasked", &e);
}

static void
refill_in(struct net_pool *p, int64_t ms)
{
	if (!p->refill && !p->r->is_stopping)
		p->refill = loop_timer_add(p->r->role->loop, ms, on_refill, p);
}

void
net_pool_start(struct runner *r)
{
	struct net_pool *p;

	/* Whoever is not root has no right to enter one. */
	if (r->probe.tier != TIER_SLOTS)
		return;
	p = r->nets = mem_zero(sizeof(*p));
	p->r = r;
	p->max = (size_t)r->role->config->boxes + SPARE;
	p->fds = mem_zero(p->max * sizeof(*p->fds));
	refill_in(p, 0);
}

int
net_pool_take(struct runner *r)
{
	struct net_pool *p = r->nets;

	if (!p)
		return -1;
	refill_in(p, p->n > SPARE ? REFILL_MS : 0);
	return p->n > 0 ? p->fds[--p->n] : -1;
}

bool
net_pool_stop(struct runner *r)
{
	struct net_pool *p = r->nets;

	if (!p)
		return true;
	loop_timer_remove(p->refill);
	p->refill = NULL;
	while (p->n > 0)
		(void)close(p->fds[--p->n]);
	forget_maker(p); /* it sees that, and ends */
	if (p->child)
		return false;
	free(p->fds);
	free(p);
	r->nets = NULL;
	return true;
}
