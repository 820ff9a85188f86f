/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_attempt - one attempt from START to its outcome: which phase follows on which, and what
 * each end means.
 *
 * The outcome is computed from facts: exit codes of boxes that the bot chose to run, and what the
 * courier found in the bundle. What the agent says of itself is kept as a quotation.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/runner_text.h"
#include "sandbox/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* ---- what the queue hears ---- */

void
attempt_progress(struct attempt *a, struct wire_progress *p)
{
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	p->task = a->task.id;
	p->fence = a->task.fence;
	if (msg_send(role_link(a->r->role, ROLE_QUEUE),
		    &(struct msg_out){ .type = WIRE_PROGRESS, .obj = p }, &e) < 0)
		log_err(LOG_LEVEL_WARN, &log, "attempt.progress_unsent", &e);
}

static void
progress_step(struct attempt *a)
{
	struct wire_progress p = {
		.state = -1,
		.step = { &a->step, 1 },
		.base_sha = a->base.base_sha,
		.base_ref = a->base.base_ref,
	};

	attempt_progress(a, &p);
}

void
attempt_step_due(struct attempt *a, const char *name)
{
	a->is_step_said = false;
	row_finish(TASK_STEP_ROWS, &a->step);
	a->step.name = mem_str(name);
	a->step.attempt = a->task.attempt;
	a->step.started_ms = clock_wall_ms();
	a->step.ended_ms = 0;
	a->step.exit_code = -1;
}

void
attempt_step_begin(struct attempt *a, const char *name)
{
	attempt_step_due(a, name);
	a->is_step_said = true;
	progress_step(a);
}

/* Behind the box's start, not before it: what the queue makes of it takes its time, too. */
void
attempt_has_gone(struct attempt *a)
{
	struct wire_progress p = { .state = a->has_begun ? -1 : TASK_RUNNING };

	if (a->is_step_said)
		return;
	a->is_step_said = true;
	p.step = (struct row_list){ &a->step, 1 };
	attempt_progress(a, &p);
	turn_begun(a);
}

void
attempt_step_end(struct attempt *a, int64_t exit_code, const char *note)
{
	if (!a->step.name || a->step.ended_ms)
		return;
	a->step.ended_ms = clock_wall_ms();
	a->step.exit_code = exit_code;
	mem_set(&a->step.note, note);
	progress_step(a);
}

/* A box that the task can do without. */
static bool
is_extra(const struct attempt *a)
{
	return a->phase == PHASE_RESUME || a->phase == PHASE_SESSION;
}

void
attempt_tail(struct attempt *a, const char *tail, size_t len)
{
	auto_free char *text = mem_strn(tail ? tail : "", len);
	struct wire_progress p = { .state = -1, .tail = text };

	if (a->phase == PHASE_PACK || is_extra(a)) {
		mem_set(&a->quiet_tail, text);
		return;
	}
	mem_set(&a->done.tail, text);
	if (a->phase != PHASE_END)
		attempt_progress(a, &p);
}

void
attempt_end(struct attempt *a, enum task_outcome outcome, const char *fmt, ...)
{
	auto_buf struct buf reason = BUF_INIT(LIMIT_SUMMARY_BYTES);
	va_list ap;

	if (a->phase == PHASE_END)
		return;
	va_start(ap, fmt);
	(void)buf_addv(&reason, fmt, ap);
	va_end(ap);
	a->phase = PHASE_END;
	if (outcome == OUTCOME_GREEN || outcome == OUTCOME_UNTESTED)
		session_keep(a);
	a->done.outcome = outcome;
	a->done.reason = mem_str(buf_str(&reason));
	state_save(a);
	turn_begun(a);
	layer_leave(a);
	attempt_wind_up(a);
}

/* ---- boxes ---- */

static int
open_out(const struct attempt *a, const char *name, int *out, struct err *e)
{
	auto_free char *path = attempt_path(a, name);

	*out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *out < 0 ? err_sys(e, "create %s", path) : 0;
}

/* Prompt, bundle and session travel as files: agents that inherit an open pipe as standard input
 * wait for ever. */
static int
open_stdio(struct attempt *a, int *in, int *out, struct err *e)
{
	const char *prompt = a->task.prompt ? a->task.prompt : "";
	int rc = 0;

	if (a->phase == PHASE_AGENT)
		return fs_memfd("prompt", prompt, strlen(prompt), in, e);
	if (a->phase == PHASE_RESUME)
		return session_find(a, in) ? 0 : err_set(e, ERR_MISSING, "the session is gone");
	if (a->phase == PHASE_PACK)
		rc = open_out(a, "bundle", out, e);
	else if (a->phase == PHASE_SESSION)
		rc = open_out(a, "session.tar", out, e);
	return rc < 0 ? rc : fs_memfd("empty", "", 0, in, e);
}

typedef int make_fn(struct attempt *a, struct box_spec *s, struct err *e);
static make_fn *const MAKE[PHASE_COUNT] = {
	[PHASE_SETUP] = spec_setup,
	[PHASE_RESUME] = spec_resume,
	[PHASE_AGENT] = spec_agent,
	[PHASE_SESSION] = spec_session,
	[PHASE_PACK] = spec_pack,
	[PHASE_GATE] = spec_gate,
};

/* Written down before it is ordered: a runner that finds the shim without it orders it again. */
int
attempt_repeat_box(struct attempt *a, struct err *e)
{
	auto_box_spec struct box_spec spec = { 0 };
	auto_fd int in = -1;
	auto_fd int out = -1;
	int rc = MAKE[a->phase](a, &spec, e);

	if (rc == 0)
		rc = open_stdio(a, &in, &out, e);
	if (rc < 0)
		return rc;
	state_save(a);
	return shim_run(a, &spec, steal_fd(&in), steal_fd(&out), e);
}

int
attempt_run_box(struct attempt *a, enum phase phase, struct err *e)
{
	a->phase = phase;
	a->serial++;
	return attempt_repeat_box(a, e);
}

void
attempt_begin_setup(struct attempt *a)
{
	struct err e = { 0 };

	if (a->setup_next == 0 && !a->on_head)
		attempt_step_due(a, "setup");
	if (attempt_run_box(a, PHASE_SETUP, &e) < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
}

void
attempt_begin_pack(struct attempt *a)
{
	struct wire_progress p = { .state = TASK_GATING };
	struct err e = { 0 };

	attempt_progress(a, &p);
	attempt_step_begin(a, "harvest");
	if (attempt_run_box(a, PHASE_PACK, &e) < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
}

static void
run_tests(struct attempt *a)
{
	struct err e = { 0 };

	if (attempt_run_box(a, PHASE_GATE, &e) < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
}

/* Who changes dependencies is to be tested with those. */
void
attempt_begin_gate(struct attempt *a)
{
	attempt_step_begin(a, "gate");
	if (!layer_is_stale(a)) {
		run_tests(a);
		return;
	}
	a->on_head = true;
	a->setup_next = 0;
	attempt_begin_setup(a);
}

/* ---- how each box ended ---- */

/* Before the agent it is the repository's fault, after it the agent's: then it counts as a failed
 * test. */
static void
setup_failed(struct attempt *a, const struct wire_step_done *d)
{
	enum task_outcome outcome = a->on_head ? OUTCOME_RED : OUTCOME_SETUP;
	const char *when = a->on_head ? "setup after the change" : "setup";
	auto_buf struct buf how = BUF_INIT(LIMIT_SUMMARY_BYTES);
	char command[TEXT_COMMAND_BYTES];

	if (a->on_head)
		a->done.gate_exit = d->exit_code;
	text_command(a->settings.setup.v[a->setup_next], command);
	reason_of_end(d, &how);
	attempt_end(a, outcome, "%s: `%s` %s", when, command, buf_str(&how));
}

static void
setup_ended(struct attempt *a, const struct wire_step_done *d)
{
	if (d->ended_by != BOX_END_ITSELF || d->exit_code != 0) {
		setup_failed(a, d);
	} else if (++a->setup_next < (int64_t)a->settings.setup.n) {
		attempt_begin_setup(a);
	} else if (a->on_head) {
		free(a->layer);
		a->layer = layer_setup_dir(a);
		run_tests(a);
	} else {
		attempt_step_end(a, 0, NULL);
		layer_keep(a, d->disk_bytes);
		attempt_begin_agent(a);
	}
}

/* Files that the agent changes unasked are no part of its work; the box said which it met, on its
 * terminal. */
static void
note_rewrites(struct attempt *a)
{
	const struct agent_row *row = attempt_agent_row(a);
	auto_free char *said = mem_fmt("\r\n%s\r\n", a->quiet_tail ? a->quiet_tail : "");

	for (size_t i = 0; row && row->rewrites && row->rewrites[i]; i++) {
		auto_free char *line = mem_fmt("\r\n" PACK_LEFT "%s\r\n", row->rewrites[i]);
		auto_free char *notes = NULL;

		if (!strstr(said, line))
			continue;
		notes = mem_fmt("%s%s%s, which %s changes by itself",
			a->done.notes ? a->done.notes : "", a->done.notes ? "\n" : "",
			row->rewrites[i], row->name);
		mem_set(&a->done.notes, notes);
	}
}

static void
pack_ended(struct attempt *a, const struct wire_step_done *d)
{
	auto_buf struct buf how = BUF_INIT(LIMIT_SUMMARY_BYTES);

	if (d->ended_by == BOX_END_ITSELF && d->exit_code == 0) {
		note_rewrites(a);
		attempt_begin_harvest(a);
		return;
	}
	attempt_step_end(a, d->exit_code, a->quiet_tail);
	/* Nobody else is in there who could have done it. */
	if (d->ended_by == BOX_END_ITSELF && d->exit_code == 128 + SIGKILL) {
		attempt_end(a, OUTCOME_INFRA, "git was killed while it packed the changes");
		return;
	}
	reason_of_end(d, &how);
	auto_free char *why = mem_fmt("the changes could not be taken out of the box: git %s%s%s",
		buf_str(&how), a->quiet_tail ? ": " : "", a->quiet_tail ? a->quiet_tail : "");
	attempt_refuse(a, why);
}

static void
gate_ended(struct attempt *a, const struct wire_step_done *d)
{
	auto_buf struct buf how = BUF_INIT(LIMIT_SUMMARY_BYTES);
	bool is_whole = d->ended_by == BOX_END_ITSELF;
	char command[TEXT_COMMAND_BYTES];

	text_command(a->settings.gate_test, command);
	reason_of_end(d, &how);
	a->done.gate_exit = d->exit_code;
	attempt_step_end(a, d->exit_code, is_whole ? NULL : buf_str(&how));
	if (is_whole && d->exit_code == 0)
		attempt_end(a, OUTCOME_GREEN, "the tests passed");
	else
		attempt_end(a, OUTCOME_RED, "the tests %s: `%s` %s",
			is_whole ? "failed" : "did not end", command, buf_str(&how));
}

typedef void ended_fn(struct attempt *a, const struct wire_step_done *d);
static ended_fn *const ENDED[PHASE_COUNT] = {
	[PHASE_SETUP] = setup_ended,
	[PHASE_RESUME] = attempt_resume_ended,
	[PHASE_AGENT] = attempt_agent_ended,
	[PHASE_SESSION] = attempt_session_ended,
	[PHASE_PACK] = pack_ended,
	[PHASE_GATE] = gate_ended,
};

/* The agent's program is a setting, so its absence is for the person who set it; all else that
 * keeps a box from starting is ours. */
static bool
is_ours(const struct attempt *a, const struct wire_step_done *d)
{
	if (is_extra(a))
		return false;
	if (d->ended_by == BOX_END_START)
		return a->phase != PHASE_AGENT ||
		       (d->stage != BOX_STAGE_EXEC && !a->session.is_resumed);
	return d->ended_by == BOX_END_INFRA || d->ended_by == BOX_END_STOP;
}

static void
end_by_infra(struct attempt *a, const struct wire_step_done *d)
{
	auto_buf struct buf why = BUF_INIT(LIMIT_SUMMARY_BYTES);

	reason_of_loss(d, &why);
	attempt_end(a, OUTCOME_INFRA, "%s", buf_str(&why));
}

void
attempt_step_done(struct attempt *a, const struct wire_step_done *d)
{
	if (a->phase == PHASE_END || !ENDED[a->phase])
		return;
	if (a->is_stopping)
		attempt_end(a, OUTCOME_STOPPED, "stopped");
	else if (is_ours(a, d))
		end_by_infra(a, d);
	else
		ENDED[a->phase](a, d);
}

/* ---- start and stop ---- */

void
attempt_stop(struct attempt *a)
{
	struct log_ctx log = runner_log(a);

	if (a->phase == PHASE_END || a->is_stopping)
		return;
	log_info(&log, "attempt.stop", "phase=%d", (int)a->phase);
	a->is_stopping = true;
	state_save(a);
	if (a->is_joining)
		return; /* it goes on from there */
	if (a->is_in_step)
		shim_stop_step(a);
	else
		attempt_end(a, OUTCOME_STOPPED, "stopped");
}

struct attempt *
attempt_new(struct runner *r, int64_t slot, struct task *take_task)
{
	struct attempt *a = mem_zero(sizeof(*a));

	a->r = r;
	a->task = *take_task;
	a->checkout_lock = a->listen_fd = a->layer_lock = a->child_pidfd = -1;
	a->done.gate_exit = -1;
	a->slot = slot;
	r->slots[slot] = true;
	a->dir = mem_fmt("%s/run/%" PRId64 ".%" PRId64 ".%" PRId64, r->dir, a->slot, a->task.id,
		a->task.fence);
	a->next = r->attempts;
	r->attempts = a;
	return a;
}

void
attempt_start(struct runner *r, struct task *take_task)
{
	struct attempt *a;
	struct err e = { 0 };
	int64_t slot = 0;

	while (r->slots[slot])
		slot++;
	a = attempt_new(r, slot, take_task);
	int rc = fs_mkdirs(a->dir, 0700, &e);
	/* The courier works while the shim is started. */
	attempt_begin_prepare(a);
	if (rc == 0)
		rc = shim_start(a, &e);
	if (rc < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
}
