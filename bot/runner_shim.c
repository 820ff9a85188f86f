/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_shim - one attempt's shim: its start, its steps, its end; and the gateway beside it.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "store/usage.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define MICROS_PER_CENT 10000
#define JOIN_MS_MAX     10000 /* a shim that lives says so at once */
#define END_MS_MAX                                                                                 \
	15000 /* of a shim that was told to end; it may clean up longer than it may be silent */

static void
let_go(struct attempt *a, const struct msg *opened)
{
	struct msg_out out = { .type = WIRE_STEP_GO, .fds = opened->fds, .n_fds = opened->n_fds };
	struct err e = { 0 };

	if (a->is_in_step && msg_send(a->link, &out, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "shim.go_unsent", &e);
}

/* ---- the gateway ---- */

static void
on_opened(void *ctx, struct msg *m, const struct err *e)
{
	struct attempt *a = ctx;
	const struct wire_verdict *v = m ? m->obj : NULL;
	struct log_ctx log = runner_log(a);

	a->open_call = 0;
	if (v && v->ok) {
		let_go(a, m);
		attempt_has_gone(a);
		return;
	}
	log_warn(&log, "box.no_gateway", "error=\"%s\"", v ? v->text : e->text);
	attempt_end(
		a, OUTCOME_INFRA, "the gateway did not take the box: %s", v ? v->text : e->text);
}

/* The smaller of two limits, where 0 is none; less what is used, but never none again. */
static int64_t
rest_of(int64_t a, int64_t b, int64_t used)
{
	int64_t limit = a == 0 || (b > 0 && b < a) ? b : a;

	if (limit == 0)
		return 0;
	return limit > used ? limit - used : 1;
}

/* A budget is the task's; what its earlier attempts took is gone. */
static void
set_budget(const struct attempt *a, struct wire_box *box)
{
	const struct config *c = a->r->role->config;
	struct row_list earlier = { 0 };
	struct usage used;

	usage_parse(a->task.usage, &earlier);
	usage_total(&earlier, &used);
	usage_finish(&earlier);
	box->tokens_max = rest_of(c->limit_tokens, a->settings.limit_tokens, usage_tokens(&used));
	box->cost_max = rest_of(c->limit_cost_cents * MICROS_PER_CENT,
		a->settings.limit_cost_cents * MICROS_PER_CENT, used.cost_micro);
}

static void
open_gateway(struct attempt *a)
{
	struct wire_box box = { .task = a->task.id,
		.fence = a->task.fence,
		.models = a->models,
		.registries = a->registries,
		.is_guest = !str_eq(a->base.base_ref, a->base.default_branch),
		.hosts = a->settings.network,
		.usage = a->done.usage,
		.blocked = a->done.blocked };
	struct msg_out out = {
		.type = WIRE_BOX_OPEN, .obj = &box, .fds = &a->listen_fd, .n_fds = 1
	};

	set_budget(a, &box);
	a->has_gateway = true;
	if (a->open_call)
		msg_call_cancel(role_link(a->r->role, ROLE_GATEWAY), a->open_call);
	/* The shim knows how long a box may be without one. */
	a->open_call = msg_call(role_link(a->r->role, ROLE_GATEWAY), &out, 0, on_opened, a);
}

/* Asked as soon as the old one is gone: the call waits for the next. An unanswered call is asked
 * again by the link itself. */
void
shim_gateway_changed(struct attempt *a)
{
	if (a->listen_fd >= 0 && a->open_call == 0)
		open_gateway(a);
}

static void
close_listener(struct attempt *a)
{
	if (a->open_call)
		msg_call_cancel(role_link(a->r->role, ROLE_GATEWAY), a->open_call);
	a->open_call = 0;
	if (a->listen_fd >= 0)
		(void)close(steal_fd(&a->listen_fd));
}

/* ---- what it says ---- */

static void
on_step_done(struct attempt *a, const struct msg *m)
{
	const struct wire_step_done *d = m->obj;

	/* Of a step before: it says the last one's end to every new runner. */
	if (!a->is_in_step || d->serial != a->serial)
		return;
	a->is_in_step = false;
	close_listener(a);
	attempt_tail(a, m->blob, m->blob_len);
	attempt_step_done(a, d);
}

static void
on_shim_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct attempt *a = ctx;

	(void)link;
	if (m->type == WIRE_SHIM_TAIL) {
		attempt_tail(a, m->blob, m->blob_len);
	} else if (m->type == WIRE_STEP_LISTEN && a->is_in_step && m->n_fds == 1) {
		close_listener(a);
		a->listen_fd = steal_fd(&m->fds[0]);
		open_gateway(a);
	} else if (m->type == WIRE_STEP_DONE) {
		on_step_done(a, m);
	} else if (m->type == WIRE_SHIM_STATE && a->is_joining) {
		loop_timer_remove(a->patience);
		a->patience = NULL;
		a->is_joining = false;
		adopt_go_on(a, m->obj);
	}
}

/* It closes the link when the transcript is complete, or when it dies. */
static void
on_shim_gone(void *ctx)
{
	struct attempt *a = ctx;

	a->is_in_step = a->is_joining = false;
	if (a->phase != PHASE_END) {
		close_listener(a);
		if (a->is_stopping)
			attempt_end(a, OUTCOME_STOPPED, "stopped");
		else
			attempt_end(a, OUTCOME_INFRA, "the process that watched the box ended");
	}
	attempt_transcript_ready(a);
}

static void
on_shim_exit(void *ctx, pid_t pid, struct loop_exit how)
{
	struct attempt *a = ctx;
	struct log_ctx log = runner_log(a);

	(void)pid;
	a->child = NULL;
	a->shim_cleaned = how.code == 0;
	if (how.code != 0 && !a->is_adopted) /* of another's child nothing is known */
		log_warn(&log, "shim.ended", "code=%d", how.code);
	on_shim_gone(a);
	attempt_shim_gone(a);
}

/* ---- start, steps, end ---- */

static void
on_patience_over(void *ctx)
{
	struct attempt *a = ctx;
	struct log_ctx log = runner_log(a);

	a->patience = NULL;
	log_error(&log, "shim.killed", "why=\"it does not answer\"");
	if (a->child_pidfd >= 0)
		(void)pidfd_send_signal(a->child_pidfd, SIGKILL, NULL, 0);
}

extern const unsigned char shim_image_start[], shim_image_end[];

int
shim_spawn_as(struct runner *r, struct spawn *sp, pid_t *pid, int *pidfd, struct err *e)
{
	int rc = 0;

	if (r->shim_fd <= 0)
		rc = fs_memfd_program("shim", shim_image_start,
			(size_t)(shim_image_end - shim_image_start), &r->shim_fd, e);
	sp->exec_fd = r->shim_fd;
	if (rc == 0)
		rc = spawn_start(sp, pid, pidfd, e);
	return rc < 0 ? err_wrap(e, rc, "%s", sp->argv[2]) : 0;
}

static int
spawn_shim(struct runner *r, const char *dir, struct shim_ends *out, struct err *e)
{
	/* Only for who looks at the list of processes. */
	static const char *const argv[] = { "nightshift", "--role", "shim", NULL };
	struct spawn sp = SPAWN_INIT;
	auto_fd int door = -1;
	auto_fd int link = -1;
	int rc = door_open(dir, &door, &link, e);

	if (rc < 0)
		return err_wrap(e, rc, "shim");
	sp.argv = argv;
	sp.cwd = dir;
	sp.fds[0] = door;
	sp.fds[1] = r->table_fd;
	sp.n_fds = 2;
	sp.new_session = true;
	rc = shim_spawn_as(r, &sp, &out->pid, &out->pidfd, e);
	if (rc == 0)
		out->link = steal_fd(&link);
	return rc;
}

/* One that was made ahead, or what it makes its own of; or it has none. */
static int
give_disk(const struct attempt *a, struct err *e)
{
	auto_fd int made = pool_take(a->r, POOL_DISKS);
	const int *fd = made < 0 ? &a->r->disk_fd : &made;

	if (*fd < 0)
		return 0;
	return msg_send(a->link, &(struct msg_out){ .type = WIRE_DISK, .fds = fd, .n_fds = 1 }, e);
}

static int
take_ends(struct attempt *a, const struct shim_ends *take, struct err *e)
{
	struct msg_link_spec link = { .rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_RUNNER,
		.peer = ROLE_SHIM,
		.on_msg = on_shim_msg,
		.on_gone = on_shim_gone,
		.ctx = a };

	a->child_pidfd = fcntl(take->pidfd, F_DUPFD_CLOEXEC, 3);
	a->child = loop_child_add(a->r->role->loop, take->pid, take->pidfd, on_shim_exit, a);
	a->link = msg_link_create(a->r->role->loop, &link);
	return msg_link_attach(a->link, take->link, e);
}

int
shim_start(struct attempt *a, struct err *e)
{
	struct shim_ends ends = { .pidfd = -1, .link = -1 };
	int rc = spawn_shim(a->r, a->dir, &ends, e);

	if (rc == 0)
		rc = take_ends(a, &ends, e);
	return rc < 0 ? rc : give_disk(a, e);
}

int
shim_join(struct attempt *a, struct err *e)
{
	struct shim_ends ends = { .pidfd = -1, .link = -1 };
	int rc = door_find(a->r->role->loop, a->dir, &ends, e);

	if (rc < 0)
		return rc;
	a->is_adopted = a->is_joining = true;
	a->patience = loop_timer_add(a->r->role->loop, JOIN_MS_MAX, on_patience_over, a);
	return take_ends(a, &ends, e);
}

int
shim_run(
	struct attempt *a, const struct box_spec *s, int take_stdin, int take_stdout, struct err *e)
{
	auto_fd int in = take_stdin;
	auto_fd int out = take_stdout;
	auto_fd int net = pool_take(a->r, POOL_NETS);
	auto_buf struct buf packed = BUF_INIT(LIMIT_BLOB_BYTES);
	const int all[] = { in, out, a->checkout_lock, a->layer_lock };
	int fds[sizeof(all) / sizeof(all[0])];
	struct wire_step step = {
		.serial = a->serial,
		.has_stdin = in >= 0,
		.has_stdout = out >= 0,
		.alone_ms = a->r->role->config->limit_unattended_ms,
	};
	struct msg_out msg = { .type = WIRE_STEP, .obj = &step, .fds = fds };
	int rc = row_pack(BOX_SPEC_ROWS, s, &packed, e);

	if (rc < 0)
		return err_wrap(e, rc, "step %s", s->name);
	if (net >= 0)
		rc = msg_send(
			a->link, &(struct msg_out){ .type = WIRE_NET, .fds = &net, .n_fds = 1 }, e);
	if (rc < 0)
		return rc;
	msg.blob = packed.data;
	msg.blob_len = packed.len;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] >= 0)
			fds[msg.n_fds++] = all[i];
	}
	rc = msg_send(a->link, &msg, e);
	if (rc == 0)
		a->is_in_step = true;
	return rc;
}

void
shim_stop_step(struct attempt *a)
{
	struct err e = { 0 };

	if (msg_send(a->link, &(struct msg_out){ .type = WIRE_SHIM_STOP }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "shim.stop_unsent", &e);
}

void
shim_step_spent(struct attempt *a)
{
	struct wire_step_spent spent = { .serial = a->serial };
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	if (!a->is_in_step || a->is_joining || a->phase != PHASE_AGENT)
		return;
	if (msg_send(a->link, &(struct msg_out){ .type = WIRE_STEP_SPENT, .obj = &spent }, &e) < 0)
		log_err(LOG_LEVEL_ERROR, &log, "shim.spent_unsent", &e);
}

void
shim_end(struct attempt *a)
{
	close_listener(a);
	if (!a->child) {
		attempt_transcript_ready(a);
		attempt_shim_gone(a);
		return;
	}
	a->is_joining = false;
	loop_timer_remove(a->patience);
	a->patience = loop_timer_add(a->r->role->loop, END_MS_MAX, on_patience_over, a);
	if (a->is_in_step)
		shim_stop_step(a);
	shim_stop_step(a);
}

void
shim_forget(struct attempt *a)
{
	close_listener(a);
	loop_timer_remove(a->patience);
	msg_link_destroy(a->link);
	loop_child_remove(a->child);
	a->child = NULL;
	if (a->child_pidfd >= 0)
		(void)close(steal_fd(&a->child_pidfd));
}
