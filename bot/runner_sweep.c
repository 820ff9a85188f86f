/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_sweep - removes directories of attempts and layers in a process of their own.
 *
 * That process is the shim's program, at its end from the beginning: it waits until no shim works
 * in the directory, removes everything, ends. So there is one way to clean up, whoever died.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct sweep {
	struct runner *r;
	struct sweep *next;
	char *path;
	int64_t slot;
	struct loop_child *child;
	bool is_told; /* that it does not succeed */
};

#define GROUPS_MS 500
#define AGAIN_MS  1000

static void on_groups(void *ctx);

/* Cgroups of shims that died: until none is left, for what was killed ends when it can. */
static void
sweep_groups(struct runner *r)
{
	bool is_done = sandbox_sweep(0);

	if (!is_done && !r->groups)
		r->groups = loop_timer_add(r->role->loop, GROUPS_MS, on_groups, r);
}

static void
on_groups(void *ctx)
{
	struct runner *r = ctx;

	r->groups = NULL;
	sweep_groups(r);
}

/* Later it may succeed: until then the slot is nobody's. */
static void
sweep_later(struct sweep *w, loop_cb *cb, const char *why)
{
	if (!w->is_told)
		log_warn(NULL, "sweep.failed", "dir=%s why=\"%s\"", w->path, why);
	w->is_told = true;
	loop_timer_add(w->r->role->loop, AGAIN_MS, cb, w);
}

/* What is left is little: the transcript of an attempt that nobody will ask for. A machine without
 * room for another descriptor has it again later. */
static void
remove_rest(void *ctx)
{
	struct sweep *w = ctx;
	struct runner *r = w->r;
	struct sweep **at = &r->sweeps;
	struct err e = { 0 };

	if (fs_remove_tree(w->path, &e) < 0) {
		sweep_later(w, remove_rest, e.text);
		return;
	}
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (w->slot >= 0) {
		r->slots[w->slot] = false;
		runner_claim_soon(r);
	}
	free(w->path);
	free(w);
}

static bool
is_gone(const struct sweep *w)
{
	return access(w->path, F_OK) < 0 && errno == ENOENT;
}

static void on_swept(void *ctx, pid_t pid, struct loop_exit how);

static void
sweep_begin(void *ctx)
{
	static const char *const argv[] = { "nightshift", "--role", SHIM_SWEEP, NULL };
	struct sweep *w = ctx;
	struct spawn sp = SPAWN_INIT;
	struct err e = { 0 };
	int pidfd = -1;
	pid_t pid = -1;

	sp.argv = argv;
	sp.cwd = w->path;
	sp.new_session = true;
	if (shim_spawn_as(w->r, &sp, &pid, &pidfd, &e) == 0)
		w->child = loop_child_add(w->r->role->loop, pid, pidfd, on_swept, w);
	else if (is_gone(w))
		remove_rest(w);
	else
		sweep_later(w, sweep_begin, e.text);
}

/* Who cleans up may be killed, too. Nobody but it knows whether the box has ended. */
static void
on_swept(void *ctx, pid_t pid, struct loop_exit how)
{
	struct sweep *w = ctx;
	struct runner *r = w->r;

	(void)pid;
	w->child = NULL;
	if (how.code != 0 && !is_gone(w)) {
		sweep_later(w, sweep_begin, "who cleans up was ended");
		return;
	}
	remove_rest(w);
	sweep_groups(r);
}

static struct sweep *
sweep_add(struct runner *r, char *take_path, int64_t slot)
{
	struct sweep *w = mem_zero(sizeof(*w));

	w->r = r;
	w->path = take_path;
	w->slot = slot;
	if (slot >= 0)
		r->slots[slot] = true;
	w->next = r->sweeps;
	r->sweeps = w;
	return w;
}

void
sweep_dir(struct runner *r, char *take_path, int64_t slot)
{
	sweep_begin(sweep_add(r, take_path, slot));
}

void
sweep_rest(struct runner *r, char *take_path, int64_t slot)
{
	remove_rest(sweep_add(r, take_path, slot));
}

void
sweep_all(struct runner *r)
{
	auto_dir DIR *d = opendir(r->dir);
	const struct dirent *de;

	sweep_groups(r);
	while (d && (de = readdir(d))) {
		if (str_starts(de->d_name, "gone."))
			sweep_dir(r, mem_fmt("%s/%s", r->dir, de->d_name), -1);
	}
}
