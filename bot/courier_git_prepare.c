/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_prepare - PREPARE: a frozen checkout of a branch's newest commit, and what the
 * repository says of itself.
 *
 * token -> one request for the commit ids -> (lane of the mirror) all known? answer : fetch ->
 * child that makes the checkout and reads .agent.yml -> extras, if both want any -> answer. The
 * usual case ends at "all known", which is one request on a warm connection and no child.
 *
 * Whoever comes while a request for the same ids is under way waits for its end, then one goes and
 * asks for all that wait: twenty tasks that start together cause two requests, and none is told of
 * a commit older than its own beginning.
 */
#include "bot/courier_git.h"
#include "repo/extra.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define REPLY_MAX  KIB(64)
#define ASK_MS_MAX 20000

static void
refuse(struct work *w, const struct err *e)
{
	char text[ERR_TEXT_BYTES_MAX];
	struct wire_prepared out = { .code = e->code, .text = text };

	(void)snprintf(text, sizeof(text), "%s", e->text);
	work_answer(w, WIRE_PREPARED, &out, NULL, 0);
}

/* "<forge>/<repo id>/<commit>" of .agent.yml */
static char *
settings_key(const struct work *w)
{
	return mem_fmt("%s/%" PRId64 "/%s", w->ask.prepare.forge, w->ask.prepare.repo_id,
		w->remote.default_sha);
}

static char *
mirror_of(const struct work *w)
{
	return repo_mirror_path(
		work_config(w)->state_dir, w->ask.prepare.forge, w->ask.prepare.repo_id);
}

static char *
trees_of(const struct work *w)
{
	return repo_trees_path(
		work_config(w)->state_dir, w->ask.prepare.forge, w->ask.prepare.repo_id);
}

/* ---- The end ---- */

static void
on_repacked(void *ctx, struct child_end *end)
{
	struct work *w = ctx;

	if (end->e.code < 0)
		log_err(LOG_LEVEL_WARN, NULL, "git.repack", &end->e);
	work_end(w);
}

/* The runner has its answer; the lane stays ours for this. */
static void
repack(struct work *w)
{
	auto_free char *mirror = mirror_of(w);
	struct child_order order = { .is_slow = true, .fd = -1 };
	struct err e = { 0 };

	w->id = 0;
	if (w->has_fetched)
		room_changed(work_room(w));
	if (!w->has_fetched || !repo_mirror_wants_repack(mirror)) {
		work_end(w);
		return;
	}
	int rc = repo_mirror_lock(mirror, &w->lock_fd, &e);
	if (rc == 0)
		rc = repo_mirror_repack(&order.command, mirror, &e);
	if (rc < 0) {
		log_err(LOG_LEVEL_WARN, NULL, "git.repack", &e);
		repo_command_finish(&order.command);
		work_end(w);
		return;
	}
	work_child(w, &order, on_repacked);
}

static char *
extra_dir(const struct work *w)
{
	auto_free char *trees = trees_of(w);

	return w->extra_name ? repo_extra_path(trees, w->sha, w->extra_name) : NULL;
}

static char *
notes_of(const struct work *w, const struct settings_entry *settings)
{
	auto_free char *unwanted = extra_unwanted(w, settings);

	if (unwanted && w->notes)
		return mem_fmt("%s\n%s", unwanted, w->notes);
	return mem_str(unwanted ? unwanted : w->notes);
}

static void
answer(struct work *w, const struct settings_entry *settings)
{
	auto_free char *trees = trees_of(w);
	auto_free char *dir = repo_checkout_path(trees, w->sha);
	auto_free char *extra = extra_dir(w);
	auto_free char *notes = notes_of(w, settings);
	struct wire_prepared out = {
		.base_sha = w->sha,
		.default_branch = w->remote.default_branch,
		.base_ref = w->ask.prepare.base_ref ? w->ask.prepare.base_ref
						    : w->remote.default_branch,
		.checkout_dir = dir,
		.extra_dir = extra,
		.notes = notes,
		.owner_uid = (int64_t)geteuid(),
		.settings_text = settings->text,
	};

	work_answer(w, WIRE_PREPARED, &out, settings->packed.data, settings->packed.len);
	repack(w);
}

/* ---- The checkout ---- */

/* The settings may have left the cache meanwhile, for 64 others. */
static void
on_extra(struct work *w)
{
	auto_free char *key = settings_key(w);
	const struct settings_entry *settings = settings_cache_get(work_settings(w), key);
	struct err e = { 0 };

	if (settings) {
		answer(w, settings);
		return;
	}
	(void)err_set(&e, ERR_BUSY, "too much was prepared at once");
	work_fail(w, &e);
}

static void
on_checked_out(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	auto_free char *key = settings_key(w);
	const char *packed;
	size_t len;
	struct err e = { 0 };
	int rc = work_job_result(w, end, &packed, &len, &e);

	if (rc == ERR_MISSING)
		rc = err_set(&e, ERR_BUSY, "the branch moved while it was fetched");
	if (rc < 0) {
		work_fail(w, &e);
		return;
	}
	settings_cache_put(work_settings(w), key, w->done.settings_text, packed, len);
	const struct settings_entry *settings = settings_cache_get(work_settings(w), key);
	if (extra_ready(w, settings))
		answer(w, settings);
	else
		extra_begin(w, settings, on_extra);
}

static void
check_out(struct work *w)
{
	struct child_order order = { .is_slow = true, .fd = -1 };

	order.job = (struct git_job){
		.kind = GIT_JOB_CHECKOUT,
		.mirror = mirror_of(w),
		.trees = trees_of(w),
		.sha = mem_str(w->sha),
		.settings_sha = mem_str(w->remote.default_sha),
		.lfs_dir = repo_lfs_dir(
			work_config(w)->state_dir, w->ask.prepare.forge, w->ask.prepare.repo_id),
	};
	work_child(w, &order, on_checked_out);
}

/* ---- The fetch ---- */

static void
on_fetched(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct err e = { 0 };
	int rc = work_command_result(end, &e);

	clean_fd(&w->lock_fd);
	w->lock_fd = -1;
	w->has_fetched = true;
	if (rc < 0)
		work_fail(w, &e);
	else
		check_out(w);
}

static int
order_fetch(struct work *w, const char *mirror, struct child_order *order, struct err *e)
{
	const char *const branches[2] = { w->remote.default_branch, w->ask.prepare.base_ref };
	int rc = repo_mirror_fetch(&order->command, mirror, w->url, branches, e);

	return rc < 0 ? rc : work_auth(w, &order->command, e);
}

static void
fetch(struct work *w)
{
	auto_free char *mirror = mirror_of(w);
	struct child_order order = { .is_slow = true, .fd = -1 };
	struct err e = { 0 };
	int rc = repo_mirror_create(mirror, &e);

	if (rc == 0)
		rc = repo_mirror_set_default(mirror, w->remote.default_branch, &e);
	if (rc == 0)
		rc = repo_mirror_lock(mirror, &w->lock_fd, &e);
	if (rc == 0)
		rc = repo_mirror_sweep(mirror, &e);
	if (rc == 0)
		rc = order_fetch(w, mirror, &order, &e);
	if (rc < 0) {
		repo_command_finish(&order.command);
		work_fail(w, &e);
		return;
	}
	work_child(w, &order, on_fetched);
}

/* In the lane: another work may have done it all by now. */
static void
look(struct work *w)
{
	auto_free char *trees = trees_of(w);
	auto_free char *key = settings_key(w);
	const struct settings_entry *settings = settings_cache_get(work_settings(w), key);

	if (settings && repo_checkout_ready(trees, w->sha) && extra_ready(w, settings))
		answer(w, settings);
	else
		fetch(w);
}

/* ---- The question to the forge ---- */

static void ask(struct work *w);

static void
credentials(struct work *w)
{
	const struct wire_prepare *p = &w->ask.prepare;
	struct work_repo r = { p->forge, p->installation_id, p->repo_id, p->repo };

	work_credentials(w, &r, ask);
}

static int
read_status(const struct http_reply *r, const struct err *why, struct err *e)
{
	if (r->status == 0)
		return err_set(e, ERR_BUSY, "%s", why->text);
	if (r->status == 401 || r->status == 403)
		return err_set(e, ERR_DENIED, "the forge answers %d to git", r->status);
	if (r->status == 404 || r->status == 410)
		return err_set(e, ERR_MISSING, "the forge has no such repository, or hides it");
	if (r->status == 429 || r->status >= 500)
		return err_set(e, ERR_BUSY, "the forge answers %d to git", r->status);
	if (r->status != 200)
		return err_set(e, ERR_PROTOCOL, "the forge answers %d to git", r->status);
	return 0;
}

static void
take_refs(struct work *w, const struct buf *body)
{
	const char *branch = w->ask.prepare.base_ref;
	struct err e = { 0 };
	int rc = repo_lsrefs_read(buf_str(body), body->len, branch, &w->remote, &e);

	if (rc == 0 && branch && !w->remote.branch_sha)
		rc = err_set(&e, ERR_MISSING, "there is no branch %s", branch);
	if (rc < 0) {
		work_fail(w, &e);
		return;
	}
	w->sha = mem_str(branch ? w->remote.branch_sha : w->remote.default_sha);
	work_enter(w, mem_fmt("m/%s/%" PRId64, w->ask.prepare.forge, w->ask.prepare.repo_id), look);
}

static bool
is_same(const struct work *w, const struct work *o)
{
	const struct wire_prepare *a = &w->ask.prepare, *b = &o->ask.prepare;

	return o != w && o->type == &WORK_PREPARE && a->repo_id == b->repo_id &&
	       a->installation_id == b->installation_id && str_eq(a->forge, b->forge) &&
	       str_eq(w->url, o->url) && str_eq(a->base_ref, b->base_ref);
}

/* Those that wait ask, all with one request: the first sends it, the others find it under way. */
static void
ask_for_waiting(struct work *w)
{
	struct work *first = NULL;

	for (struct work *o = work_first(w); o; o = o->next) {
		if (!o->refs_wait || !is_same(w, o))
			continue;
		if (!first)
			first = o;
		else
			o->refs_of = first;
		o->refs_wait = false;
	}
	if (first)
		ask(first);
}

static void
settle_refs(struct work *w, const struct http_reply *r, const struct err *e)
{
	/* Once more with a fresh token: it may have ended, or be too young
	 * (octokit/auth-app.js#65). */
	if (r->status == 401 && !w->has_retried) {
		w->has_retried = true;
		credentials(w);
	} else if (e->code < 0) {
		work_fail(w, e);
	} else {
		take_refs(w, &r->body);
	}
}

static void
on_refs(void *ctx, struct http_reply *r, const struct err *why)
{
	struct work *w = ctx;
	struct work *next;
	struct err e = { 0 };

	(void)read_status(r, why, &e);
	w->call = NULL;
	for (struct work *o = work_first(w); o; o = next) {
		next = o->next; /* of this list only o may leave */
		if (o->refs_of != w)
			continue;
		o->refs_of = NULL;
		settle_refs(o, r, &e);
	}
	ask_for_waiting(w);
	settle_refs(w, r, &e);
}

static void
ask(struct work *w)
{
	struct http_request r = {
		.method = "POST",
		.url = mem_fmt("%s/git-upload-pack", w->url),
		.timeout_ms = ASK_MS_MAX,
		.reply_max = REPLY_MAX,
	};
	struct err e = { 0 };

	buf_init(&r.body, KIB(4));
	if (repo_lsrefs_body(w->ask.prepare.base_ref, &r.body, &e) < 0) {
		http_request_finish(&r);
		work_fail(w, &e);
		return;
	}
	for (const struct work *o = work_first(w); o; o = o->next)
		w->refs_wait |= o->call && is_same(w, o);
	if (w->refs_wait) {
		http_request_finish(&r);
		return;
	}
	for (size_t i = 0; REPO_LSREFS_HEADERS[i]; i++)
		strs_add(&r.headers, REPO_LSREFS_HEADERS[i]);
	r.auth = work_basic_auth(w);
	w->call = http_send(work_courier(w)->http, &r, on_refs, w);
}

static void
start(struct work *w, const struct msg *m)
{
	(void)m;
	w->task = w->ask.prepare.task;
	w->repo = w->ask.prepare.repo;
	credentials(w);
}

const struct work_type WORK_PREPARE = {
	.asks = WIRE_PREPARE,
	.name = "prepare",
	.rows = WIRE_PREPARE_ROWS,
	.start = start,
	.refuse = refuse,
};
