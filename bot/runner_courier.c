/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_courier - the two errands of an attempt: the repository before it, the changes behind it.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/runner_text.h"
#include "handlers/handlers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>

/* ---- the courier prepares ---- */

int
attempt_hold_checkout(struct attempt *a, struct err *e)
{
	auto_fd int fd = open(a->base.checkout_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
		return err_sys(e, "hold %s", a->base.checkout_dir);
	a->checkout_lock = steal_fd(&fd);
	return 0;
}

/* A line more, as far as there is room. */
static void
add_note(struct attempt *a, const char *text)
{
	auto_buf struct buf both = BUF_INIT(LIMIT_SUMMARY_BYTES - 1);

	if (!text)
		return;
	if (a->done.notes)
		(void)buf_addf(&both, "%s\n", a->done.notes);
	if (buf_adds(&both, text) == 0)
		mem_set(&a->done.notes, buf_str(&both));
}

static int
take_prepared(struct attempt *a, struct msg *m, struct err *e)
{
	int rc;

	row_copy(WIRE_PREPARED_ROWS, &a->base, m->obj);
	if (a->base.code < 0)
		return err_set(e, (int)a->base.code, "%s",
			a->base.text ? a->base.text : "no reason given");
	rc = row_unpack(AGENT_SETTINGS_ROWS, &a->settings, m->blob, m->blob_len, e);
	if (rc == 0)
		rc = attempt_hold_checkout(a, e);
	if (rc < 0)
		return rc;
	mem_set(&a->done.base_sha, a->base.base_sha);
	mem_set(&a->done.base_ref, a->base.base_ref);
	mem_set(&a->done.gate_command, a->settings.gate_test);
	if (a->base.settings_text) {
		auto_free char *text = mem_fmt(
			"%s; the repository's settings were not used", a->base.settings_text);
		add_note(a, text);
	}
	add_note(a, a->base.notes);
	return 0;
}

/* The forge, not the task and not this machine: it says "later", or nothing (repo_command_why). */
static bool
is_away(int code)
{
	return code == ERR_BUSY || code == ERR_TIMEOUT;
}

static void
on_prepared(void *ctx, struct msg *m, const struct err *why)
{
	struct attempt *a = ctx;
	struct err e = { 0 };
	int rc;

	a->call = 0;
	rc = m ? take_prepared(a, m, &e) : err_set(&e, ERR_TIMEOUT, "%s", why->text);
	attempt_step_end(a, rc < 0 ? 1 : 0, rc < 0 ? e.text : NULL);
	if (rc < 0) {
		attempt_end(a, m && is_away(rc) ? OUTCOME_AWAY : OUTCOME_INFRA,
			"the repository could not be prepared: %s", e.text);
		return;
	}
	if (a->settings.setup.n == 0)
		attempt_begin_agent(a);
	else
		layer_begin(a);
}

static void
ask_courier(struct attempt *a, const struct msg_out *out, msg_reply_cb *cb)
{
	a->call_to = ROLE_COURIER;
	a->call = msg_call(role_link(a->r->role, ROLE_COURIER), out, 0, cb, a);
}

void
attempt_begin_prepare(struct attempt *a)
{
	struct wire_prepare ask = {
		.task = a->task.id,
		.attempt = a->task.attempt,
		.forge = a->task.forge,
		.installation_id = a->task.installation_id,
		.repo_id = a->task.repo_id,
		.repo = a->task.repo,
		.base_ref = a->task.base_ref,
	};

	a->phase = PHASE_PREPARE;
	attempt_step_begin(a, "prepare");
	state_save(a);
	ask_courier(a, &(struct msg_out){ .type = WIRE_PREPARE, .obj = &ask }, on_prepared);
}

/* ---- the courier harvests ---- */

/* Nothing to push: then, and only then, how the agent ended decides. */
static void
end_without_change(struct attempt *a)
{
	if (a->agent_end != BOX_END_ITSELF) {
		attempt_end(
			a, OUTCOME_TIMEOUT, "the agent %s and had changed nothing", a->agent_how);
	} else if (a->agent_text) {
		attempt_end(
			a, OUTCOME_AGENT, "the agent changed nothing and said: %s", a->agent_text);
	} else if (a->agent_exit != 0) {
		attempt_end(a, OUTCOME_AGENT, "the agent %s and changed nothing", a->agent_how);
	} else if (!a->agent_is_done) {
		attempt_end(a, OUTCOME_AGENT,
			"the agent ended before it was through and changed nothing");
	} else {
		attempt_end(a, OUTCOME_EMPTY, "the agent changed nothing");
	}
}

static void
take_harvest(struct attempt *a)
{
	const struct wire_harvested *h = &a->harvest;

	mem_set(&a->done.head_sha, h->head_sha);
	a->done.files = h->files;
	a->done.insertions = h->insertions;
	a->done.deletions = h->deletions;
	add_note(a, h->notes);
	if (!h->head_sha) {
		end_without_change(a);
	} else if (a->agent_end != BOX_END_ITSELF) {
		attempt_end(a, OUTCOME_TIMEOUT, "the agent %s; what it had done by then is kept",
			a->agent_how);
	} else if (str_is_empty(a->settings.gate_test)) {
		attempt_end(a, OUTCOME_UNTESTED, "the repository names no test command");
	} else {
		attempt_begin_gate(a);
	}
}

/* One that a limit stopped has left half of its work; both are the reason. */
void
attempt_refuse(struct attempt *a, const char *why)
{
	bool was_stopped = a->agent_end != BOX_END_ITSELF;

	attempt_end(a, OUTCOME_REFUSED, "%s%s%s%s", was_stopped ? "the agent " : "",
		was_stopped ? a->agent_how : "", was_stopped ? "; " : "", why);
}

static void
on_harvested(void *ctx, struct msg *m, const struct err *why)
{
	struct attempt *a = ctx;
	const char *text;

	a->call = 0;
	if (!m) {
		attempt_end(a, OUTCOME_INFRA, "the changes could not be taken over: %s", why->text);
		return;
	}
	row_copy(WIRE_HARVESTED_ROWS, &a->harvest, m->obj);
	text = a->harvest.text ? a->harvest.text : "no reason given";
	attempt_step_end(a, a->harvest.code < 0 ? 1 : 0, a->harvest.code < 0 ? text : NULL);
	if (a->harvest.code == ERR_DENIED || a->harvest.code == ERR_LIMIT ||
		a->harvest.code == ERR_PROTOCOL) {
		auto_free char *refused = mem_fmt("the changes were refused: %s", text);

		attempt_refuse(a, refused);
	} else if (a->harvest.code < 0) {
		attempt_end(a, OUTCOME_INFRA, "the changes could not be taken over: %s", text);
	} else {
		take_harvest(a);
	}
}

void
attempt_begin_harvest(struct attempt *a)
{
	auto_free char *path = attempt_path(a, "bundle");
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_buf struct buf message = BUF_INIT(LIMIT_BODY_BYTES);
	auto_buf struct buf trailers = BUF_INIT(LIMIT_SUMMARY_BYTES);

	if (fd < 0) {
		attempt_end(a, OUTCOME_INFRA, "%s: %s", path, strerror(errno));
		return;
	}
	a->phase = PHASE_HARVEST;
	state_save(a);
	commit_message(&a->task, &message);
	text_trailers(a->r->role->config, &a->task, &trailers);
	struct wire_harvest ask = {
		.task = a->task.id,
		.attempt = a->task.attempt,
		.forge = a->task.forge,
		.repo_id = a->task.repo_id,
		.repo = a->task.repo,
		.base_sha = a->base.base_sha,
		.message = message.data,
		.trailers = trailers.data,
		.date_ms = a->task.created_ms,
		.protect = a->settings.protect,
		.lfs = a->settings.lfs,
	};
	ask_courier(a,
		&(struct msg_out){ .type = WIRE_HARVEST, .obj = &ask, .fds = &fd, .n_fds = 1 },
		on_harvested);
}
