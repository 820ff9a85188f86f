/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_pool - networks for boxes to come, and disks for attempts, made ahead by a process of
 * their own each (shim_maker.c).
 *
 * A network namespace is half of what the start of a box costs, and while others are unmade the
 * making stands still for seconds; so a box finds its own ready. There are as many as there are
 * slots and a few more: all attempts may start at once. Each is for one box and then gone. The next
 * one could read in it what the last one did (the counters of /proc/net), or meet a connection that
 * the gateway still holds; and there is time to make another. Whoever finds none makes his own.
 *
 * The making of a disk waits for all processors, several times. There is one for each slot, within
 * reason: as many as are likely to be wanted at once.
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
#define DISKS_MAX 24
#define REFILL_MS 200 /* after a start: attempts that begin now go first */

static const struct kind {
	const char *role;
	uint16_t make, made; /* enum wire_type */
} KINDS[POOL_COUNT] = {
	[POOL_NETS] = { SHIM_NETS, WIRE_NET_MAKE, WIRE_NET },
	[POOL_DISKS] = { SHIM_DISKS, WIRE_DISK_MAKE, WIRE_DISK },
};

struct pool {
	struct runner *r;
	const struct kind *kind;
	struct msg_link *link; /* of the maker; NULL: there is none */
	struct loop_child *child;
	struct loop_timer *refill;
	int *fds;
	size_t n, max, asked;
};

static void
forget_maker(struct pool *p)
{
	msg_link_destroy(p->link);
	p->link = NULL;
	p->asked = 0;
}

static void
on_made(void *ctx, struct msg_link *link, struct msg *m)
{
	struct pool *p = ctx;

	(void)link;
	if (p->asked > 0)
		p->asked--;
	if (m->type == p->kind->made && m->n_fds == 1 && p->n < p->max)
		p->fds[p->n++] = steal_fd(&m->fds[0]);
}

static void
on_maker_exit(void *ctx, pid_t pid, struct loop_exit how)
{
	struct pool *p = ctx;

	(void)pid;
	p->child = NULL;
	forget_maker(p);
	log_warn(NULL, "maker.ended", "of=%s code=%d", p->kind->role, how.code);
}

static int
start_maker(struct pool *p, struct err *e)
{
	struct msg_link_spec link = { .rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_RUNNER,
		.peer = ROLE_SHIM,
		.on_msg = on_made,
		.ctx = p };
	const char *const argv[] = { "nightshift", "--role", p->kind->role, NULL };
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
	sp.cwd = p->r->dir;
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
	struct pool *p = ctx;
	const struct msg_out make = { .type = p->kind->make,
		.fds = &p->r->disk_fd,
		.n_fds = p->kind->make == WIRE_DISK_MAKE };
	struct err e = { 0 };
	int rc = p->link ? 0 : start_maker(p, &e);

	p->refill = NULL;
	while (rc == 0 && p->n + p->asked < p->max) {
		rc = msg_send(p->link, &make, &e);
		p->asked += rc == 0;
	}
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, NULL, "maker.unasked", &e);
}

static void
refill_in(struct pool *p, int64_t ms)
{
	if (!p->refill)
		p->refill = loop_timer_add(p->r->role->loop, ms, on_refill, p);
}

static void
pool_start(struct runner *r, enum pool_kind kind, size_t max)
{
	struct pool *p = mem_zero(sizeof(*p));

	r->pools[kind] = p;
	p->r = r;
	p->kind = &KINDS[kind];
	p->max = max;
	p->fds = mem_zero(max * sizeof(*p->fds));
	refill_in(p, 0);
}

void
pools_start(struct runner *r)
{
	size_t boxes = (size_t)r->role->config->boxes;

	/* Whoever is not root has no right to enter one. */
	if (r->probe.tier == TIER_SLOTS)
		pool_start(r, POOL_NETS, boxes + SPARE);
	if (r->disk_fd >= 0)
		pool_start(r, POOL_DISKS, boxes < DISKS_MAX ? boxes : DISKS_MAX);
}

int
pool_take(struct runner *r, enum pool_kind kind)
{
	struct pool *p = r->pools[kind];

	if (!p)
		return -1;
	refill_in(p, kind == POOL_DISKS || p->n > SPARE ? REFILL_MS : 0);
	return p->n > 0 ? p->fds[--p->n] : -1;
}
