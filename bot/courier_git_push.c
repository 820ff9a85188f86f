/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_push - PUSH: one accepted commit to one branch. PUSH_LOGS: the transcript to a ref of
 * its own.
 *
 * token -> (lane of the task's quarantine) [child that writes the transcript's commit] -> git push
 * -> answer. Pushing what is there already is success, so a question asked twice does no harm.
 */
#include "bot/courier_git.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define CLOSED_MS 60000 /* "wait for at least one minute", docs.github.com */

static void
refuse(struct work *w, const struct err *e)
{
	char text[ERR_TEXT_BYTES_MAX];
	struct wire_pushed out = { .code = e->code, .text = text };

	(void)snprintf(text, sizeof(text), "%s", e->text);
	work_answer(w, WIRE_PUSHED, &out, NULL, 0);
}

/* ---- A door that was closed ---- */

static struct work_repo
repo_of(const struct work *w)
{
	const struct wire_push *p = &w->ask.push;

	return (struct work_repo){ p->forge, p->installation_id, p->repo_id, p->repo };
}

static void
come_back(struct work *w, int64_t after_ms, const char *why)
{
	auto_free char *text = mem_str(why);
	struct wire_pushed out = { .code = ERR_BUSY, .text = text, .retry_after_ms = after_ms };
	const struct log_ctx ctx = { .task = w->task, .repo = w->repo };

	log_warn(&ctx, "git.closed", "ask=%s why=\"%s\"", w->type->name, why);
	work_answer(w, WIRE_PUSHED, &out, NULL, 0);
	work_end(w);
}

/* What git was told as 403 the API tells apart: a limit, or a right that is gone. */
static void
on_told(struct work *w, int rc, const struct forge_answer *a, const struct err *why)
{
	struct err e = { 0 };

	if (rc == 0 && a->permission >= PERMISSION_WRITE) {
		come_back(
			w, CLOSED_MS, "the forge closes its door to git, though the bot may push");
	} else if (rc == 0 || rc == ERR_DENIED || rc == ERR_MISSING) {
		(void)err_set(&e, ERR_DENIED, "the forge refused: the bot may not push here%s%s",
			rc < 0 ? ": " : "", rc < 0 ? why->text : "");
		work_fail(w, &e);
	} else {
		come_back(w, a->retry_after_ms, why->text);
	}
}

static void begin(struct work *w);

/* Once more with a fresh token, for the old one may have ended; then the API is asked. */
static void
knock(struct work *w)
{
	struct work_repo r = repo_of(w);

	if (!w->has_retried) {
		w->has_retried = true;
		begin(w);
	} else {
		work_ask(w, &r, on_told);
	}
}

static void
on_pushed(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct err e = end->e;
	int rc = end->e.code;

	if (rc == 0 || rc == ERR_SYSTEM)
		rc = repo_push_read(
			end->exit_code, buf_str(&end->out), buf_str(&end->text), w->ref, &e);
	if (rc == ERR_DENIED && repo_command_is_door(buf_str(&end->text))) {
		knock(w);
		return;
	}
	if (rc < 0) {
		work_fail(w, &e);
		return;
	}
	struct wire_pushed out = { .sha = w->sha };
	work_answer(w, WIRE_PUSHED, &out, NULL, 0);
	work_end(w);
}

static void
push_now(struct work *w)
{
	const struct wire_push *p = &w->ask.push;
	auto_free char *quarantine = repo_quarantine_path(work_config(w)->state_dir, w->task);
	struct child_order order = { .fd = -1 };
	struct err e = { 0 };
	struct repo_push what = {
		.quarantine = quarantine,
		.url = w->url,
		.ref = w->ref,
		.sha = w->sha,
		.old_sha = p->old_sha,
		.is_forced = w->type->asks == WIRE_PUSH_LOGS,
	};
	int rc = 0;

	if (courier_lease_is_over(work_courier(w)))
		rc = err_set(&e, ERR_BUSY, "the lease of this node is over");
	if (rc == 0)
		rc = repo_push(&order.command, &what, &e);

	if (rc == 0)
		rc = work_auth(w, &order.command, &e);
	if (rc < 0) {
		repo_command_finish(&order.command);
		work_fail(w, &e);
		return;
	}
	work_child(w, &order, on_pushed);
}

/* What would have been pushed, for whoever tries the bot out. */
static bool
is_dry(struct work *w)
{
	const struct log_ctx ctx = { .task = w->task, .repo = w->repo };
	struct wire_pushed out = { .sha = w->sha };

	if (!work_config(w)->dry_run)
		return false;
	log_info(&ctx, "git.dry_run", "ref=%s sha=%s", w->ref, w->sha);
	work_answer(w, WIRE_PUSHED, &out, NULL, 0);
	work_end(w);
	return true;
}

static void
push(struct work *w)
{
	if (!is_dry(w))
		push_now(w);
}

/* ---- The transcript ---- */

static void
on_logged(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct err e = { 0 };

	if (work_job_result(w, end, NULL, NULL, &e) < 0) {
		work_fail(w, &e);
		return;
	}
	mem_set(&w->sha, w->done.sha);
	push(w);
}

static void
write_logs(struct work *w)
{
	const struct config *c = work_config(w);
	struct child_order order = { .fd = -1 };

	order.job = (struct git_job){
		.kind = GIT_JOB_LOGS,
		.mirror = repo_mirror_path(c->state_dir, w->ask.push.forge, w->ask.push.repo_id),
		.dir = repo_quarantine_dir(c->state_dir, w->task),
		.quarantine = repo_quarantine_path(c->state_dir, w->task),
		.author = mem_str(c->commit_name),
		.email = mem_str(c->commit_email),
	};
	order.job.cast = steal_ptr(&w->logs.cast);
	order.job.text = steal_ptr(&w->logs.text);
	work_child(w, &order, on_logged);
}

/* ---- The start ---- */

static void
enter_push(struct work *w)
{
	work_enter(w, mem_fmt("q/%" PRId64, w->task), push);
}

static void
enter_logs(struct work *w)
{
	work_enter(w, mem_fmt("q/%" PRId64, w->task), write_logs);
}

static void
begin(struct work *w)
{
	struct work_repo r = repo_of(w);
	bool has_commit = w->type->asks == WIRE_PUSH || w->sha;

	work_credentials(w, &r, has_commit ? enter_push : enter_logs);
}

/* Our branches, and the branch of the pull request that the work is for; never the default one. */
static int
check_branch(const struct work *w, struct err *e)
{
	const struct wire_push *p = &w->ask.push;
	auto_free char *mirror = repo_mirror_path(work_config(w)->state_dir, p->forge, p->repo_id);
	auto_free char *default_branch = NULL;

	if (!repo_branch_ok(p->branch))
		return err_set(e, ERR_INVALID, "'%s' is not a branch name", p->branch);
	int rc = repo_mirror_default(mirror, &default_branch, e);
	if (rc == 0 && str_eq(default_branch, p->branch))
		return err_set(e, ERR_DENIED, "%s is the default branch", p->branch);
	return rc;
}

static void
start_push(struct work *w, const struct msg *m)
{
	const struct wire_push *p = &w->ask.push;
	struct err e = { 0 };
	int rc;

	(void)m;
	w->task = p->task;
	w->repo = p->repo;
	if (!courier_forge_find(work_courier(w), p->forge))
		rc = err_set(&e, ERR_MISSING, "no forge \"%s\" is configured", p->forge);
	else
		rc = check_branch(w, &e);
	if (rc < 0) {
		work_fail(w, &e);
		return;
	}
	w->ref = mem_fmt("refs/heads/%s", p->branch);
	w->sha = mem_str(p->sha);
	begin(w);
}

static void
start_logs(struct work *w, const struct msg *m)
{
	struct err e = { 0 };

	w->task = w->ask.push.task;
	w->repo = w->ask.push.repo;
	if (row_unpack(WIRE_LOGS_ROWS, &w->logs, m->blob, m->blob_len, &e) < 0) {
		work_fail(w, &e);
		return;
	}
	w->ref = mem_fmt("refs/agent-logs/%" PRId64, w->ask.push.task);
	begin(w);
}

const struct work_type WORK_PUSH = {
	.asks = WIRE_PUSH,
	.name = "push",
	.rows = WIRE_PUSH_ROWS,
	.start = start_push,
	.refuse = refuse,
};

const struct work_type WORK_PUSH_LOGS = {
	.asks = WIRE_PUSH_LOGS,
	.name = "push_logs",
	.rows = WIRE_PUSH_ROWS,
	.start = start_logs,
	.refuse = refuse,
};
