/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_adopt - goes on with the attempts that an earlier runner left.
 *
 * Each has a directory with its state. If its shim lives, it says which box it was given last, and
 * that decides: the one we wanted is under way or over, or it was never ordered. If it is dead, the
 * attempt ends here, and what was recorded is told. What was told already, and what another version
 * left, is ended and swept; the queue hears that the latter lives no more, and repeats it.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>

/* ---- where it stands ---- */

static bool
is_box(int64_t phase)
{
	return phase != PHASE_PREPARE && phase != PHASE_HARVEST && phase != PHASE_END;
}

/* What the queue may have missed. */
static void
say_again(struct attempt *a)
{
	struct wire_progress p = { .state = -1 };

	if (a->phase == PHASE_PACK || a->phase == PHASE_HARVEST || a->phase == PHASE_GATE)
		p.state = TASK_GATING;
	else if (a->has_begun)
		p.state = TASK_RUNNING;
	if (a->is_step_said && a->step.name)
		p.step = (struct row_list){ &a->step, 1 };
	attempt_progress(a, &p);
}

static void
go_on_in_box(struct attempt *a, const struct wire_shim_state *s)
{
	struct err e = { 0 };
	int rc = 0;

	if (s->serial == a->serial) {
		a->is_in_step = true; /* its listener or its end is said next */
		if (s->has_gone)
			attempt_has_gone(a);
		if (a->spent)
			shim_step_spent(a);
	} else if (s->serial == a->serial - 1 && !s->is_in_step) {
		rc = attempt_repeat_box(a, &e);
	} else {
		rc = err_set(&e, ERR_PROTOCOL, "the shim is at box %" PRId64 ", not %" PRId64,
			s->serial, a->serial);
	}
	if (rc < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
	else if (a->is_stopping)
		shim_stop_step(a);
}

void
adopt_go_on(struct attempt *a, const struct wire_shim_state *s)
{
	struct log_ctx log = runner_log(a);

	log_info(&log, "attempt.adopted",
		"fence=%" PRId64 " phase=%" PRId64 " box=%" PRId64 " runs=%d", a->task.fence,
		a->phase, s->serial, s->is_in_step);
	if (a->phase == PHASE_END) {
		attempt_wind_up(a);
		return;
	}
	say_again(a);
	if (a->is_stopping && (!is_box(a->phase) || a->waits))
		attempt_end(a, OUTCOME_STOPPED, "stopped");
	else if (a->phase == PHASE_PREPARE)
		attempt_begin_prepare(a);
	else if (a->phase == PHASE_HARVEST)
		attempt_begin_harvest(a);
	else if (a->waits)
		turn_wait(a);
	else
		go_on_in_box(a, s);
}

/* ---- which there are ---- */

static void
end_without_shim(struct attempt *a, const struct err *e)
{
	struct log_ctx log = runner_log(a);

	log_warn(&log, "attempt.not_adopted", "fence=%" PRId64 " why=\"%s\"", a->task.fence,
		e->text);
	if (a->phase == PHASE_END)
		attempt_wind_up(a);
	else if (a->is_stopping)
		attempt_end(a, OUTCOME_STOPPED, "stopped");
	else
		attempt_end(a, OUTCOME_INFRA, "the process that watched the box ended");
}

static int
hold_again(struct attempt *a, struct err *e)
{
	int rc = a->base.checkout_dir ? attempt_hold_checkout(a, e) : 0;

	return rc < 0 ? rc : layer_hold(a, e);
}

static void
adopt(struct runner *r, int64_t slot, struct task *key)
{
	struct attempt *a = attempt_new(r, slot, key);
	struct log_ctx log = { .task = key->id };
	struct err e = { 0 };

	int rc = state_load(a, &e);
	if (rc == 0 && a->is_told)
		rc = err_set(&e, ERR_CONFLICT, "it was told, and was about to be removed");
	if (rc < 0) {
		log_warn(&log, "attempt.not_adopted", "fence=%" PRId64 " why=\"state: %s\"",
			key->fence, e.text);
		(void)shim_dismiss(
			r->role->loop, a->dir); /* and what it leaves is swept when it is gone */
		attempt_close_gateway(r, key->id, key->fence);
		runner_forget(a);
		return;
	}
	if (shim_join(a, &e) < 0)
		end_without_shim(a, &e);
	else if (a->phase != PHASE_END && hold_again(a, &e) < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
}

/* "<slot>.<task>.<fence>" */
static bool
read_name(const char *name, int64_t *slot, struct task *key)
{
	char *end;

	*slot = strtoll(name, &end, 10);
	if (end == name || *end != '.')
		return false;
	key->id = strtoll(end + 1, &end, 10);
	if (*end != '.')
		return false;
	key->fence = strtoll(end + 1, &end, 10);
	return *end == '\0' && *slot >= 0 && *slot < BOX_SLOTS_MAX;
}

void
adopt_all(struct runner *r)
{
	auto_free char *run = mem_fmt("%s/run", r->dir);
	auto_dir DIR *d = opendir(run);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		struct task key = { 0 };
		int64_t slot;

		if (read_name(de->d_name, &slot, &key) && !r->slots[slot])
			adopt(r, slot, &key);
	}
}
