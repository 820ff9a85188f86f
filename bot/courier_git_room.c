/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_room - room on the disk: what came out of boxes long ago goes, and what caches hold
 * beyond their quotas. Neither is anybody's way to an answer.
 */
#include "bot/courier_git.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define FIRST_MS    60000
#define SWEEP_MS    (6 * 3600 * 1000)
#define FIT_SOON_MS 2000 /* many that are fetched at once are looked at once */

struct room {
	struct courier *courier;
	struct children *children;
	struct loop_timer *sweep;
	struct loop_timer *fit;
	bool is_fitting;
	bool is_due; /* again, when it is through */
};

/* ---- Quarantines ---- */

static void sweep(void *ctx);

static void
on_swept(void *ctx, struct child_end *end)
{
	struct room *r = ctx;

	if (end->e.code < 0)
		log_err(LOG_LEVEL_WARN, NULL, "git.sweep", &end->e);
	r->sweep = loop_timer_add(r->courier->role->loop, SWEEP_MS, sweep, r);
}

static void
sweep(void *ctx)
{
	struct room *r = ctx;
	struct child_order order = { .is_slow = true, .fd = -1 };

	r->sweep = NULL;
	order.job = (struct git_job){
		.kind = GIT_JOB_SWEEP,
		.dir = mem_fmt("%s/quarantine", r->courier->role->config->state_dir),
	};
	children_add(r->children, &order, on_swept, r);
}

/* ---- Checkouts and mirrors ---- */

static void fit(void *ctx);

static void
log_fit(struct child_end *end)
{
	struct git_done done = { 0 };
	const char *settings;
	size_t len;
	struct err e = end->e;
	int rc = e.code;

	if (rc == 0)
		rc = git_done_read(buf_str(&end->out), end->out.len, &done, &settings, &len, &e);
	if (rc == 0 && done.code < 0)
		rc = err_set(&e, (int)done.code, "%s", done.text ? done.text : "");
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, NULL, "git.fit", &e);
	else if (done.files + done.deletions > 0)
		log_info(NULL, "git.made_room", "checkouts=%" PRId64 " mirrors=%" PRId64,
			done.files, done.deletions);
	row_finish(GIT_DONE_ROWS, &done);
}

static void
on_fit(void *ctx, struct child_end *end)
{
	struct room *r = ctx;

	log_fit(end);
	r->is_fitting = false;
	if (r->is_due)
		room_changed(r);
	r->is_due = false;
}

static void
fit(void *ctx)
{
	struct room *r = ctx;
	const struct config *c = r->courier->role->config;
	struct child_order order = { .is_slow = true, .fd = -1 };

	r->fit = NULL;
	r->is_fitting = true;
	order.job = (struct git_job){
		.kind = GIT_JOB_FIT,
		.dir = mem_fmt("%s/mirrors", c->state_dir),
		.checkout_bytes_max = c->cache_checkout_bytes,
		.mirror_bytes_max = c->cache_mirror_bytes,
	};
	children_add(r->children, &order, on_fit, r);
}

void
room_changed(struct room *r)
{
	if (r->is_fitting) {
		r->is_due = true;
		return;
	}
	loop_timer_remove(r->fit);
	r->fit = loop_timer_add(r->courier->role->loop, FIT_SOON_MS, fit, r);
}

struct room *
room_create(struct courier *c, struct children *children)
{
	struct room *r = mem_zero(sizeof(*r));

	r->courier = c;
	r->children = children;
	r->sweep = loop_timer_add(c->role->loop, FIRST_MS, sweep, r);
	r->fit = loop_timer_add(c->role->loop, FIRST_MS, fit, r);
	return r;
}

void
room_destroy(struct room *r)
{
	loop_timer_remove(r->sweep);
	loop_timer_remove(r->fit);
	free(r);
}
