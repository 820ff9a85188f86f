/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner - the role that lets attempts happen, each in the hands of its shim.
 *
 * It keeps root if it was started so, because boxes need it, and gives its network away instead: it
 * parses nothing that an agent wrote. It says once a second how many slots are free and which
 * attempts live here; the queue answers with START and STOP.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/roles.h"
#include "sandbox/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CLAIM_EVERY_MS 1000

struct log_ctx
runner_log(const struct attempt *a)
{
	return (struct log_ctx){
		.task = a->task.id, .attempt = a->task.attempt, .repo = a->task.repo
	};
}

/* ---- CLAIM ---- */

static int64_t
free_slots(const struct runner *r)
{
	int64_t n = r->role->config->boxes;

	for (size_t i = 0; i < BOX_SLOTS_MAX; i++)
		n -= r->slots[i];
	return n > 0 && r->table_fd > 0 ? n : 0;
}

/* An attempt that begins without room ends as a failure that is nobody's; so it does not begin. */
static void
look_at_disk(struct runner *r)
{
	const int64_t needed = r->role->config->limit_free_disk_bytes;
	struct statvfs s;

	if (statvfs(r->dir, &s) < 0) {
		log_warn(NULL, "disk.unknown", "dir=%s error=\"%s\"", r->dir, strerror(errno));
		return; /* as it was */
	}
	int64_t left = (int64_t)s.f_bavail * (int64_t)s.f_frsize;
	bool is_low = left < needed;

	if (is_low && !r->is_disk_low)
		log_warn(NULL, "disk.low", "dir=%s bytes=%" PRId64 " needed=%" PRId64, r->dir, left,
			needed);
	else if (!is_low && r->is_disk_low)
		log_info(NULL, "disk.has_room", "dir=%s bytes=%" PRId64, r->dir, left);
	r->is_disk_low = is_low;
}

static void
claim(struct runner *r)
{
	struct wire_claim c = { 0 };
	struct wire_alive alive[LIMIT_BOXES];
	struct err e = { 0 };

	look_at_disk(r);
	c.is_disk_low = r->is_disk_low;
	c.free_slots = r->is_disk_low ? 0 : free_slots(r);
	c.alive.v = alive;
	for (const struct attempt *a = r->attempts; a && c.alive.n < LIMIT_BOXES; a = a->next) {
		c.held_slots += a->is_held;
		if (!a->is_held)
			alive[c.alive.n++] =
				(struct wire_alive){ .task = a->task.id, .fence = a->task.fence };
	}
	if (msg_send(role_link(r->role, ROLE_QUEUE),
		    &(struct msg_out){ .type = WIRE_CLAIM, .obj = &c }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "runner.claim_unsent", &e);
}

static void
on_claim_time(void *ctx)
{
	struct runner *r = ctx;

	r->claim = loop_timer_add(r->role->loop, CLAIM_EVERY_MS, on_claim_time, r);
	if (msg_link_is_up(role_link(r->role, ROLE_QUEUE)))
		claim(r);
}

void
runner_claim_soon(struct runner *r)
{
	loop_timer_remove(r->claim);
	r->claim = loop_timer_add(r->role->loop, 0, on_claim_time, r);
}

/* ---- attempts ---- */

static void
attempt_free(struct attempt *a)
{
	shim_forget(a);
	clean_fd(&a->checkout_lock);
	layer_forget(a);
	free(a->spent);
	row_finish(WIRE_PREPARED_ROWS, &a->base);
	row_finish(WIRE_HARVESTED_ROWS, &a->harvest);
	row_finish(WIRE_DONE_ROWS, &a->done);
	row_finish(TASK_STEP_ROWS, &a->step);
	agent_settings_finish(&a->settings);
	task_finish(&a->task);
	free(a->agent_text);
	free(a->agent_how);
	free(a->quiet_tail);
	free(a->session.id);
	free(a->dir);
	free(a);
}

void
runner_forget(struct attempt *a)
{
	struct runner *r = a->r;
	struct attempt **at = &r->attempts;
	struct log_ctx log = runner_log(a);

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	if (a->is_held)
		log_info(&log, "slot.returned", "slot=%" PRId64, a->slot);
	if (!a->shim_cleaned)
		sweep_dir(r, steal_ptr(&a->dir), a->slot);
	else
		sweep_rest(r, steal_ptr(&a->dir), a->slot);
	attempt_free(a);
	runner_claim_soon(r);
}

static struct attempt *
find(const struct runner *r, int64_t task, int64_t fence)
{
	struct attempt *a = r->attempts;

	while (a && (a->task.id != task || (fence >= 0 && a->task.fence != fence)))
		a = a->next;
	return a;
}

/* The same START may come twice. An older attempt of the task that still lives is of no use to
 * anybody any more. */
static void
on_start(struct runner *r, const struct wire_start *w)
{
	const struct task *t = w->task.n == 1 ? w->task.v : NULL;
	struct task copy = { 0 };
	struct log_ctx log = { .task = t ? t->id : 0 };
	struct attempt *old;

	if (!t || find(r, t->id, t->fence))
		return;
	if (free_slots(r) == 0) {
		log_warn(&log, "attempt.no_slot", "fence=%" PRId64, t->fence);
		return;
	}
	old = find(r, t->id, -1);
	if (old) {
		bool has_box = old->is_in_step;

		attempt_stop(old);
		if (has_box)
			return; /* two agents for one task: START is said again when it is gone */
	}
	row_copy(TASK_ROWS, &copy, t);
	log_info(&log, "attempt.started", "attempt=%" PRId64 " fence=%" PRId64, t->attempt,
		t->fence);
	attempt_start(r, &copy);
	runner_claim_soon(r);
}

static void
on_msg(struct role_ctx *ctx, enum role from, struct msg *m)
{
	struct runner *r = ctx->own;

	(void)from;
	if (m->type == WIRE_START) {
		on_start(r, m->obj);
	} else if (m->type == WIRE_STOP) {
		const struct wire_stop *stop = m->obj;
		struct attempt *a = find(r, stop->task, stop->fence);

		if (a)
			attempt_stop(a);
	} else if (m->type == WIRE_BOX_SPENT) {
		const struct wire_usage *u = m->obj;
		struct attempt *a = find(r, u->task, u->fence);

		if (a)
			attempt_usage(a, u);
	}
}

static void
on_redactions(void *ctx, struct msg *m, const struct err *e)
{
	struct runner *r = ctx;
	struct err why = { 0 };
	int fd = -1;

	r->is_asking = false;
	if (!m || fs_memfd("redactions", m->blob ? m->blob : "", m->blob_len, &fd, &why) < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "runner.no_redactions", e ? e : &why);
		return;
	}
	if (r->table_fd > 0)
		(void)close(r->table_fd);
	r->table_fd = fd;
	runner_claim_soon(r);
}

static void
on_peer(struct role_ctx *ctx, enum role peer, bool is_up)
{
	struct runner *r = ctx->own;

	for (struct attempt *a = r->attempts; a && peer == ROLE_GATEWAY; a = a->next)
		shim_gateway_changed(a);
	if (!is_up)
		return;
	/* Each keeper, for after a reload it knows other secrets. One that dies before it answers
	 * is the link's to replace. */
	if (peer == ROLE_KEEPER && !r->is_asking) {
		r->is_asking = true;
		(void)msg_call(role_link(ctx, ROLE_KEEPER),
			&(struct msg_out){ .type = WIRE_REDACT }, 0, on_redactions, r);
	}
	if (peer == ROLE_QUEUE)
		runner_claim_soon(r);
}

/* ---- the role ---- */

static int
check_tier(struct runner *r, struct err *e)
{
	const char *name = r->role->config->sandbox_tier_min;
	int least = sandbox_tier_parse(name ? name : "userns");
	auto_buf struct buf line = BUF_INIT(512);

	sandbox_probe(r->dir, r->role->config->sandbox_rootfs, r->role->config->sandbox_runtime,
		&r->probe);
	for (size_t i = 0; i < r->probe.n; i++) {
		const struct sandbox_feature *f = &r->probe.v[i];

		if (!f->ok)
			log_write(f->is_needed ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, NULL,
				"sandbox.lacks", "feature=%s why=\"%s\" mend=\"%s\"", f->name,
				f->text, f->mend ? f->mend : "");
	}
	sandbox_describe(&r->probe, &line);
	r->tier = mem_str(buf_str(&line));
	if (r->probe.tier < TIER_LEAST)
		return err_set(e, ERR_DENIED,
			"this machine cannot build a box; `nightshift check` says why");
	if (least < 0 || (int)r->probe.tier < least)
		return err_set(e, ERR_DENIED, "sandbox.tier_min is %s, this machine has %s", name,
			sandbox_tier_name(r->probe.tier));
	log_info(NULL, "sandbox.tier", "tier=\"%s\"", r->tier);
	return 0;
}

/* Made once, copied by each attempt's shim. Without one, they are watched. */
static void
make_disk(struct runner *r)
{
	struct err e = { 0 };

	r->disk_fd = -1;
	for (size_t i = 0; i < r->probe.n; i++) {
		if (str_eq(r->probe.v[i].name, "disk") && r->probe.v[i].ok &&
			disk_blank(r->role->config->limit_disk_bytes, &r->disk_fd, &e) < 0)
			log_err(LOG_LEVEL_WARN, NULL, "disk.unmade", &e);
	}
}

/* Root has a network to lose: boxes make their own, and we need none. A root without the right to,
 * as in a container, keeps it; whether boxes can be built is the probe's to say. */
static int
prepare(struct role_ctx *ctx, struct err *e)
{
	(void)ctx;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) == 0)
		return 0;
	if (errno != EPERM)
		return err_sys(e, "a network namespace without a network");
	log_warn(NULL, "runner.network_kept", "why=\"not allowed to make a network namespace\"");
	return 0;
}

/* Attempts have nothing to do with each other. Told so, ext4 gives each a place of its own on the
 * disk, where nobody deletes thousands of files at the moment (without a journal it looks at each
 * of those before it makes a new one). Where it means nothing, it is refused. */
static void
spread(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int flags = 0;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= FS_TOPDIR_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int
start(struct role_ctx *ctx, struct err *e)
{
	struct runner *r = mem_zero(sizeof(*r));
	auto_free char *dir = role_path(ctx->config, "boxes");
	auto_free char *run = mem_fmt("%s/run", dir);
	auto_free char *sessions = mem_fmt("%s/sessions", dir);
	int rc;

	ctx->own = r;
	r->role = ctx;
	r->layers_dir = mem_fmt("%s/layers", dir);
	r->dir = steal_ptr(&dir);
	(void)umask(077);
	rc = fs_mkdirs(run, 0700, e);
	if (rc == 0)
		rc = fs_mkdirs(r->layers_dir, 0700, e);
	if (rc == 0)
		rc = fs_mkdirs(sessions, 0700, e);
	if (rc == 0)
		rc = check_tier(r, e);
	if (rc < 0)
		return rc;
	make_disk(r);
	spread(run);
	sweep_all(r);
	adopt_all(r); /* before the first CLAIM: who is not on its list is lost */
	layer_sweep(r);
	pools_start(r);
	runner_claim_soon(r);
	return 0;
}

/* The boxes go on, and the next runner with them: all that it needs is written down. */
static void
stop(struct role_ctx *ctx)
{
	const struct runner *r = ctx->own;
	int n = 0;

	for (const struct attempt *a = r->attempts; a; a = a->next)
		n++;
	if (n > 0)
		log_info(NULL, "runner.leaves", "attempts=%d", n);
	role_done(ctx);
}

static const char *const WRITES[] = { "boxes", NULL };

const struct role_spec ROLE_SPEC_RUNNER = {
	.role = ROLE_RUNNER,
	.net = CONFINE_NET_ALL, /* of the boxes, which inherit the filter */
	.may_exec = true,
	.may_mount = true,
	.files_all = true, /* Landlock would forbid every mount */
	.writes = WRITES,
	.files_max = 8192,
	.prepare = prepare,
	.start = start,
	.on_msg = on_msg,
	.on_peer = on_peer,
	.stop = stop,
};
