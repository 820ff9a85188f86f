/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_watch - see shim_watch.h.
 *
 * A box is alive as long as it writes, talks to the gateway or works. All three are read off its
 * kernel side, so neither gateway nor runner need tell: what goes to the gateway goes over the
 * box's loopback first. An event loop with a timer is not work, hence the hundredth.
 */
#include "bot/shim_watch.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "bot/shim_state.h"
#include "sandbox/cgroup.h"
#include "sandbox/procs.h"

#define LOOK_MS         1000
#define LOOK_OFTEN_MS   250 /* where memory is ours to watch */
#define LOOK_MS_MIN     20
#define LOOKS_AN_IDLE   8   /* in the time that a box may be silent */
#define WORK_SHARE      100 /* less of a processor than this part is no work */
#define OUTPUT_A_SECOND MIB(1)
#define OUTPUT_BURST    MIB(8)
#define OUTPUT_BREATH   KIB(64) /* worth reading on for */
#define SPENT_MS        1000    /* to hear of it, and to end */
#define SPENT_GRACE_MS  500     /* then from TERM to the end */

/* ---- time ---- */

static void
on_wall(void *ctx)
{
	struct shim *s = ctx;

	s->step->watch.wall = NULL;
	shim_step_stop(s, BOX_END_WALL, SHIM_TERM_GRACE_MS);
}

/* ---- budget ---- */

static void
on_spent(void *ctx)
{
	struct shim *s = ctx;

	s->step->watch.spent = NULL;
	shim_step_stop(s, BOX_END_BUDGET, SPENT_GRACE_MS);
}

void
shim_watch_spent(struct shim *s)
{
	struct shim_watch *w = &s->step->watch;

	if (s->step->is_live && !w->spent)
		w->spent = loop_timer_add(s->loop, SPENT_MS, on_spent, s);
}

/* ---- output ---- */

static void
on_resume(void *ctx)
{
	struct shim *s = ctx;

	s->step->watch.resume = NULL;
	shim_step_read(s);
}

static void
earn(struct shim_watch *w, int64_t now_ms)
{
	w->credit += (now_ms - w->credit_ms) * OUTPUT_A_SECOND / 1000;
	if (w->credit > OUTPUT_BURST)
		w->credit = OUTPUT_BURST;
	w->credit_ms = now_ms;
}

void
shim_watch_output(struct shim *s, size_t len)
{
	struct shim_step *step = s->step;
	struct shim_watch *w = &step->watch;

	w->alive_ms = loop_now_ms(s->loop);
	w->output_bytes += (int64_t)len;
	earn(w, w->alive_ms);
	w->credit -= (int64_t)len;
	if (!step->is_live)
		return; /* the rest of what the kernel held */
	if (step->spec.output_bytes_max > 0 && w->output_bytes > step->spec.output_bytes_max)
		shim_step_stop(s, BOX_END_OUTPUT, SHIM_TERM_GRACE_MS);
	if (w->credit < 0 && !w->resume)
		w->resume = loop_timer_add(s->loop,
			(OUTPUT_BREATH - w->credit) * 1000 / OUTPUT_A_SECOND, on_resume, s);
}

/* ---- memory ---- */

static bool
watches_memory(const struct shim_step *step)
{
	return step->spec.memory_bytes_max > 0 && !(cgroup_keeps(step->box.cgroup) & CGROUP_MEMORY);
}

/* What is cheap first: most boxes are far from their limit. */
static bool
is_over_memory(const struct shim_step *step, const struct procs *p)
{
	const struct shim_watch *w = &step->watch;
	int64_t max = step->spec.memory_bytes_max;

	if (p->rss_max <= max && w->n_looks % (LOOK_MS / LOOK_OFTEN_MS) != 0)
		return false;
	return procs_memory_max(w->proc_fd, step->box.pid) > max &&
	       procs_memory(w->proc_fd, step->box.pid) > max;
}

/* ---- life ---- */

static void
look_for_life(struct shim_step *step, int64_t cpu_us, int64_t now_ms)
{
	struct shim_watch *w = &step->watch;
	int64_t net_bytes = step->spec.net ? procs_net_bytes(step->box.pid) : 0;

	if (net_bytes > w->net_bytes ||
		(cpu_us - w->cpu_us) * WORK_SHARE > (now_ms - w->looked_ms) * 1000)
		w->alive_ms = now_ms;
	w->net_bytes = net_bytes;
	w->cpu_us = cpu_us;
	w->looked_ms = now_ms;
}

/* ---- looking ---- */

static void
look(struct shim *s)
{
	struct shim_step *step = s->step;
	struct shim_watch *w = &step->watch;
	int64_t now_ms = loop_now_ms(s->loop);
	bool counts = w->proc_fd >= 0 && cgroup_keeps(step->box.cgroup) != CGROUP_ALL;
	struct cgroup_facts facts;
	struct procs p = { 0 };

	if (w->n_looks++ == 0)
		cgroup_yield(step->box.cgroup);
	cgroup_look(step->box.cgroup, &facts);
	if (counts)
		procs_count(w->proc_fd, &p);
	if (facts.procs_refused > 0 || (counts && p.threads >= step->spec.procs_max))
		w->has_met_procs = true;
	if (facts.oom_kills > 0 || (counts && watches_memory(step) && is_over_memory(step, &p))) {
		shim_step_stop(s, BOX_END_MEMORY, 0);
		return;
	}
	look_for_life(step, facts.cpu_us >= 0 ? facts.cpu_us : p.cpu_us, now_ms);
	if (step->spec.idle_ms > 0 && now_ms - w->alive_ms >= step->spec.idle_ms)
		shim_step_stop(s, BOX_END_IDLE, SHIM_TERM_GRACE_MS);
}

static void on_look(void *ctx);

static void
look_later(struct shim *s)
{
	const struct shim_step *step = s->step;
	int64_t wait_ms = watches_memory(step) ? LOOK_OFTEN_MS : LOOK_MS;

	if (step->spec.idle_ms > 0 && wait_ms > step->spec.idle_ms / LOOKS_AN_IDLE)
		wait_ms = step->spec.idle_ms / LOOKS_AN_IDLE;
	if (wait_ms < LOOK_MS_MIN)
		wait_ms = LOOK_MS_MIN;
	s->step->watch.look = loop_timer_add(s->loop, wait_ms, on_look, s);
}

static void
on_look(void *ctx)
{
	struct shim *s = ctx;

	s->step->watch.look = NULL;
	look(s);
	look_later(s);
}

/* ---- begin and end ---- */

void
shim_watch_begin(struct shim *s)
{
	struct shim_step *step = s->step;
	struct shim_watch *w = &step->watch;
	struct err e = { 0 };

	w->looked_ms = w->alive_ms = w->credit_ms = loop_now_ms(s->loop);
	w->credit = OUTPUT_BURST;
	if (procs_open(step->box.pid, &w->proc_fd, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "box.unwatched", &e);
	w->wall = loop_timer_add(s->loop, step->spec.wall_ms, on_wall, s);
	look_later(s);
}

/* The kernel's own end for want of memory looks like any other from outside. */
void
shim_watch_end(struct shim *s)
{
	struct shim_step *step = s->step;
	struct shim_watch *w = &step->watch;
	struct cgroup_facts facts;

	cgroup_look(step->box.cgroup, &facts);
	if (facts.oom_kills > 0 && step->end == BOX_END_ITSELF)
		step->end = BOX_END_MEMORY;
	if (facts.procs_refused > 0)
		w->has_met_procs = true;
	loop_timer_remove(w->wall);
	loop_timer_remove(w->look);
	loop_timer_remove(w->resume);
	loop_timer_remove(w->spent);
	w->wall = w->look = w->resume = w->spent = NULL;
	clean_fd(&w->proc_fd);
}
