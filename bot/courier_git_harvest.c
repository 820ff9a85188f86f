/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_harvest - HARVEST: a bundle in, our commit and a layer for the gate out.
 *
 * (lane of the task's quarantine) child that checks and writes -> with a signing key: the keeper
 * signs the commit's bytes -> child that writes it signed -> answer.
 */
#include "bot/courier_git.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SIGN_MS_MAX 10000

static void
refuse(struct work *w, const struct err *e)
{
	char text[ERR_TEXT_BYTES_MAX];
	struct wire_harvested out = { .code = e->code, .text = text, .notes = w->done.notes };

	(void)snprintf(text, sizeof(text), "%s", e->text);
	work_answer(w, WIRE_HARVESTED, &out, NULL, 0);
}

/* The numbers are those of the harvest, which the result of a seal does not have. */
static void
answer(struct work *w, char *sha)
{
	const struct wire_harvest *h = &w->ask.harvest;
	auto_free char *delta = repo_delta_path(work_config(w)->state_dir, h->task, h->attempt);
	struct wire_harvested out = {
		.head_sha = sha,
		.files = w->numbers.files,
		.insertions = w->numbers.insertions,
		.deletions = w->numbers.deletions,
		.delta_dir = sha ? delta : NULL,
		.owner_uid = (int64_t)geteuid(),
		.notes = w->numbers.notes,
	};

	work_answer(w, WIRE_HARVESTED, &out, NULL, 0);
	work_end(w);
}

/* ---- The signature ---- */

static void
on_sealed(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct err e = { 0 };

	if (work_job_result(w, end, NULL, NULL, &e) < 0)
		work_fail(w, &e);
	else
		answer(w, w->done.sha);
}

static void
on_signed(void *ctx, struct msg *m, const struct err *why)
{
	struct work *w = ctx;
	struct child_order order = { .fd = -1 };
	struct err e = { 0 };

	w->sign_id = 0;
	if (!m) {
		(void)err_set(&e, ERR_BUSY, "signature: %s", why->text);
		work_fail(w, &e);
		return;
	}
	const struct wire_verdict *v = m->obj;
	if (!v->ok) {
		(void)err_set(&e, ERR_DENIED, "signature: %s", v->text ? v->text : "refused");
		work_fail(w, &e);
		return;
	}
	order.job = (struct git_job){
		.kind = GIT_JOB_SEAL,
		.dir = repo_quarantine_dir(work_config(w)->state_dir, w->task),
		.quarantine = repo_quarantine_path(work_config(w)->state_dir, w->task),
		.mirror = repo_mirror_path(
			work_config(w)->state_dir, w->ask.harvest.forge, w->ask.harvest.repo_id),
		.signature = mem_strn(m->blob, m->blob_len),
	};
	order.job.payload = steal_ptr(&w->numbers.payload);
	work_child(w, &order, on_sealed);
}

static void
sign(struct work *w)
{
	const char *payload = w->numbers.payload;
	struct msg_out out = {
		.type = WIRE_SSH_SIGN, .blob = payload, .blob_len = strlen(payload)
	};

	w->keeper = role_link(work_courier(w)->role, ROLE_KEEPER);
	w->sign_id = msg_call(w->keeper, &out, SIGN_MS_MAX, on_signed, w);
}

/* ---- The harvest ---- */

/* Whatever the bundle did to the child is the bundle's fault: it is refused, not tried again. */
static int
judge(int rc, const struct child_end *end, struct err *e)
{
	bool is_fault = rc == ERR_LIMIT || rc == ERR_PROTOCOL || rc == ERR_INVALID;

	if (end->was_killed)
		return err_set(e, ERR_DENIED, "the bundle needs more memory or time than it may");
	if (is_fault)
		e->code = ERR_DENIED;
	return is_fault ? ERR_DENIED : rc;
}

static void
on_harvested(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	const struct config *c = work_config(w);
	struct err e = { 0 };
	int rc = work_job_result(w, end, NULL, NULL, &e);

	if (rc < 0) {
		(void)judge(rc, end, &e);
		work_fail(w, &e);
		return;
	}
	w->numbers = w->done;
	w->done = (struct git_done){ 0 };
	if (w->numbers.sha && (c->commit_sign_key_file || c->commit_sign_key_env))
		sign(w);
	else
		answer(w, w->numbers.sha);
}

static void
harvest(struct work *w)
{
	const struct wire_harvest *h = &w->ask.harvest;
	const struct config *c = work_config(w);
	struct child_order order = { .fd = steal_fd(&w->bundle_fd) };
	auto_free char *trees = repo_trees_path(c->state_dir, h->forge, h->repo_id);

	order.job = (struct git_job){
		.kind = GIT_JOB_HARVEST,
		.mirror = repo_mirror_path(c->state_dir, h->forge, h->repo_id),
		.objects = repo_checkout_objects_path(trees, h->base_sha),
		.sha = mem_str(h->base_sha),
		.dir = repo_quarantine_dir(c->state_dir, h->task),
		.quarantine = repo_quarantine_path(c->state_dir, h->task),
		.delta_dir = repo_delta_path(c->state_dir, h->task, h->attempt),
		.message = mem_str(h->message),
		.trailers = mem_str(h->trailers),
		.author = mem_str(c->commit_name),
		.email = mem_str(c->commit_email),
		.date_s = h->date_ms / 1000,
	};
	if (h->lfs)
		order.job.lfs_dir = repo_lfs_dir(c->state_dir, h->forge, h->repo_id);
	strs_copy(&order.job.protect, &h->protect);
	work_child(w, &order, on_harvested);
}

static void
start(struct work *w, const struct msg *m)
{
	const struct wire_harvest *h = &w->ask.harvest;
	struct err e = { 0 };

	(void)m;
	w->task = h->task;
	w->repo = h->repo;
	if (w->bundle_fd < 0)
		(void)err_set(&e, ERR_INVALID, "harvest without a bundle");
	else if (!repo_sha_ok(h->base_sha))
		(void)err_set(&e, ERR_INVALID, "harvest without a base");
	else if (!courier_forge_find(work_courier(w), h->forge))
		(void)err_set(&e, ERR_MISSING, "no forge \"%s\" is configured", h->forge);
	if (e.code < 0)
		work_fail(w, &e);
	else
		work_enter(w, mem_fmt("q/%" PRId64, h->task), harvest);
}

const struct work_type WORK_HARVEST = {
	.asks = WIRE_HARVEST,
	.name = "harvest",
	.rows = WIRE_HARVEST_ROWS,
	.start = start,
	.refuse = refuse,
};
