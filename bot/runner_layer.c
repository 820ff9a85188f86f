/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_layer - what a repository's setup wrote, kept for the next task with the same lock files.
 *
 * Its name is a key (runner_layer_key.c); without setup_key nothing is kept. Only tasks on the
 * default branch add layers: whoever may write there may run what he likes in later tasks anyway.
 *
 * Of several attempts that want the same layer at once one makes it, in the store's own directory,
 * and the others wait: for its end, however it ends, and no longer than one setup may take. Then
 * the next one makes it. Whoever is on another branch uses what is there and waits for what is
 * being made, but what his own setup writes stays his.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the store ---- */

static struct layer_store
store(const struct runner *r)
{
	return (struct layer_store){ .dir = r->layers_dir,
		.quota = r->role->config->cache_layer_bytes };
}

static void
sweep(struct runner *r, const struct strs *gone)
{
	for (size_t i = 0; i < gone->n; i++)
		sweep_dir(r, mem_str(gone->v[i]), -1);
}

void
layer_sweep(struct runner *r)
{
	const struct layer_store s = store(r);
	auto_strs struct strs gone = { 0 };

	layer_store_sweep(&s, &gone);
	for (size_t i = 0; i < gone.n; i++) {
		const struct attempt *a = r->attempts;

		while (a && !str_eq(a->layer_new, gone.v[i]))
			a = a->next;
		if (!a)
			sweep_dir(r, mem_str(gone.v[i]), -1);
	}
}

static bool
may_keep(const struct attempt *a)
{
	return a->layer_key && a->r->role->config->cache_layer_bytes > 0 &&
	       str_eq(a->base.base_ref, a->base.default_branch);
}

static bool
find(struct attempt *a)
{
	const struct layer_store s = store(a->r);

	if (!a->layer_key || !layer_store_take(&s, a->layer_key, &a->layer_lock))
		return false;
	a->layer = mem_fmt("%s/%s", s.dir, a->layer_key);
	return true;
}

/* ---- one makes it, the others wait ---- */

static bool
makes(const struct attempt *o)
{
	return o->layer_new && o->phase == PHASE_SETUP && !o->on_head;
}

/* Somebody else makes it, or may be about to and would be the better one to. */
static bool
is_coming(const struct attempt *a)
{
	bool found = false;

	for (const struct attempt *o = a->r->attempts; o; o = o->next) {
		if (o != a && str_eq(o->layer_key, a->layer_key))
			found |= makes(o) || (o->layer_wait && may_keep(o) && !may_keep(a));
	}
	return found;
}

static void
on_wait_over(void *ctx)
{
	struct attempt *a = ctx;

	a->layer_wait = NULL;
	layer_begin(a);
}

/* False: it has waited long enough. */
static bool
wait_for_it(struct attempt *a)
{
	int64_t now = loop_now_ms(a->r->role->loop);
	struct log_ctx log = runner_log(a);

	if (a->layer_until_ms == 0) {
		a->layer_until_ms = now + a->r->role->config->limit_setup_ms;
		log_info(&log, "layer.wait", "key=%.12s", a->layer_key);
	}
	if (now >= a->layer_until_ms)
		return false;
	a->layer_wait = loop_timer_add(a->r->role->loop, a->layer_until_ms - now, on_wait_over, a);
	return true;
}

/* A directory in the store, so that it can take its place there in one step. */
static int
make_new(struct attempt *a, struct err *e)
{
	a->layer_new = mem_fmt("%s/new.%s", a->r->layers_dir, strrchr(a->dir, '/') + 1);
	return mkdir(a->layer_new, 0700) < 0 ? err_sys(e, "mkdir %s", a->layer_new) : 0;
}

void
layer_begin(struct attempt *a)
{
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	if (a->settings.setup_key.n > 0 && !a->layer_key) {
		a->layer_key = layer_key(a, &e);
		if (!a->layer_key)
			log_err(LOG_LEVEL_WARN, &log, "layer.no_key", &e);
	}
	if (find(a)) {
		attempt_begin_agent(a);
		return;
	}
	if (a->layer_key && is_coming(a) && wait_for_it(a))
		return;
	if (may_keep(a) && make_new(a, &e) < 0) {
		log_err(LOG_LEVEL_WARN, &log, "layer.unmade", &e);
		mem_set(&a->layer_new, NULL);
	}
	attempt_begin_setup(a);
}

/* Those who wait look again, in the loop's next round. */
static void
wake(const struct runner *r, const char *key)
{
	for (struct attempt *o = r->attempts; o; o = o->next) {
		if (!o->layer_wait || !str_eq(o->layer_key, key))
			continue;
		loop_timer_remove(o->layer_wait);
		o->layer_wait = loop_timer_add(r->role->loop, 0, on_wait_over, o);
	}
}

char *
layer_setup_dir(const struct attempt *a)
{
	if (a->on_head)
		return attempt_disk_path(a, "head");
	return a->layer_new ? mem_str(a->layer_new) : attempt_disk_path(a, "setup");
}

void
layer_keep(struct attempt *a, int64_t bytes)
{
	const struct layer_store s = store(a->r);
	struct log_ctx log = runner_log(a);
	auto_strs struct strs gone = { 0 };
	struct err e = { 0 };
	int rc;

	/* The runner before us did this and nothing more. */
	if (a->layer_new && access(a->layer_new, F_OK) < 0 && find(a)) {
		mem_set(&a->layer_new, NULL);
		wake(a->r, a->layer_key);
		return;
	}
	a->layer = layer_setup_dir(a);
	if (!a->layer_new)
		return;
	const struct layer_fresh fresh = { .dir = a->layer, .bytes = bytes };
	rc = layer_store_put(&s, a->layer_key, &fresh, &a->layer_lock, &gone, &e);
	sweep(a->r, &gone);
	if (rc == 0) {
		mem_set(&a->layer_new, NULL);
		free(a->layer);
		a->layer = mem_fmt("%s/%s", s.dir, a->layer_key);
		log_info(&log, "layer.kept", "key=%.12s bytes=%" PRId64, a->layer_key, bytes);
	} else if (rc != ERR_CONFLICT) {
		log_err(LOG_LEVEL_WARN, &log, "layer.unkept", &e);
	}
	wake(a->r, a->layer_key);
}

void
layer_leave(struct attempt *a)
{
	bool is_awaited = a->layer_new || a->layer_wait;

	loop_timer_remove(a->layer_wait);
	a->layer_wait = NULL;
	if (is_awaited)
		wake(a->r, a->layer_key); /* it may be theirs to make now */
}

void
layer_forget(struct attempt *a)
{
	layer_leave(a);
	if (a->layer_new)
		sweep_dir(a->r, steal_ptr(&a->layer_new), -1);
	clean_fd(&a->layer_lock);
	free(a->layer);
	free(a->layer_key);
}

int
layer_hold(struct attempt *a, struct err *e)
{
	const struct layer_store s = store(a->r);
	auto_free char *kept = mem_fmt("%s/%s", s.dir, a->layer_key ? a->layer_key : "");

	if (!a->layer || !str_eq(a->layer, kept) ||
		layer_store_take(&s, a->layer_key, &a->layer_lock))
		return 0;
	return err_set(e, ERR_MISSING, "the layer %.12s is gone", a->layer_key);
}

bool
layer_is_stale(const struct attempt *a)
{
	bool stale = a->layer && a->settings.setup_key.n == 0;

	/* The delta layer holds what differs, a deleted file too. */
	for (size_t i = 0; a->layer && i < a->settings.setup_key.n; i++) {
		auto_free char *path =
			mem_fmt("%s/%s", a->harvest.delta_dir, a->settings.setup_key.v[i]);
		struct stat st;

		stale |= lstat(path, &st) == 0;
	}
	return stale;
}
