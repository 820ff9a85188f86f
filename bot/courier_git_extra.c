/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_extra - PREPARE's second half: submodules and objects of Git LFS, where .agent.yml
 * asks for them.
 *
 * For each submodule: its address becomes a repository on the same forge, or a note -> a token for
 * that one repository -> fetch of the one commit -> child that makes its checkout and reads which
 * submodules it has in turn. Then the objects (courier_git_lfs.c). Last, a child makes a layer of
 * all. What the forge refuses is said and left out; what did not work this time ends the work, and
 * it is tried again.
 *
 * All of it happens in the lane of the outermost repository, in mirrors that are only its own.
 */
#include "bot/courier_git.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "repo/extra.h"
#include "repo/lfs.h"
#include "repo/modules.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct module {
	struct repo_extra_module m;
	char *repo; /* "owner/name" */
	int depth;  /* 1: of the repository itself */
	bool is_lost;
};

struct extra {
	char what[3];
	work_step *then;
	char *modules_dir;
	char *lfs_dir;
	char *name;
	struct module v[LIMIT_MODULES]; /* parents first */
	size_t n;
	size_t next;
	struct row_list objects; /* struct repo_lfs: to fetch */
	size_t objects_n;
	struct lfs *lfs;
	struct buf notes;
	bool is_partial;
	bool wants_lfs;
};

struct lfs *
extra_lfs(const struct work *w)
{
	return w->extra->lfs;
}

void
extra_destroy(struct extra *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n; i++) {
		row_finish(REPO_EXTRA_MODULE_ROWS, &x->v[i].m);
		free(x->v[i].repo);
	}
	lfs_destroy(x->lfs);
	repo_lfs_finish(&x->objects);
	free(x->modules_dir);
	free(x->lfs_dir);
	free(x->name);
	buf_finish(&x->notes);
	free(x);
}

static char *
trees_of(const struct work *w)
{
	return repo_trees_path(
		work_config(w)->state_dir, w->ask.prepare.forge, w->ask.prepare.repo_id);
}

/* ---- What is wanted ---- */

static void
wanted(const struct work *w, const struct settings_entry *settings, char what[3])
{
	auto_free char *trees = trees_of(w);
	size_t n = 0;

	if (settings->submodules && repo_extra_wanted(trees, w->sha, REPO_EXTRA_MODULES))
		what[n++] = REPO_EXTRA_MODULES;
	if (settings->lfs && repo_extra_wanted(trees, w->sha, REPO_EXTRA_LFS))
		what[n++] = REPO_EXTRA_LFS;
	what[n] = '\0';
}

bool
extra_ready(struct work *w, const struct settings_entry *settings)
{
	auto_free char *trees = trees_of(w);
	char what[3];

	wanted(w, settings, what);
	if (what[0] == '\0')
		return true;
	w->extra_name = repo_extra_find(trees, w->sha, what, &w->notes);
	return w->extra_name != NULL;
}

char *
extra_unwanted(const struct work *w, const struct settings_entry *settings)
{
	auto_free char *trees = trees_of(w);
	bool modules =
		!settings->submodules && repo_extra_wanted(trees, w->sha, REPO_EXTRA_MODULES);
	bool lfs = !settings->lfs && repo_extra_wanted(trees, w->sha, REPO_EXTRA_LFS);

	if (!modules && !lfs)
		return NULL;
	return mem_fmt("%s%s%s", modules ? "Submodules were not checked out." : "",
		modules && lfs ? " " : "", lfs ? "Git LFS files were left as pointers." : "");
}

/* ---- What could not be had ---- */

/* What does not fit is not said; the pull request's own limit is lower. */
static void
note(struct extra *x, const char *path, const char *why)
{
	(void)buf_addf(&x->notes, "%sThe submodule %s was not checked out: %s.",
		x->notes.len > 0 ? "\n" : "", path, why);
}

static void
note_lfs(struct extra *x, size_t lost, const char *why)
{
	if (lost == 0)
		return;
	(void)buf_addf(&x->notes, "%s%zu of %zu objects of Git LFS were left as pointers: %s.",
		x->notes.len > 0 ? "\n" : "", lost, x->objects_n, why);
}

/* ---- The list ---- */

/* The operator's list of repositories is a limit to what a tree may name, too. */
static bool
may_read(const struct work *w, const char *repo)
{
	const struct config_forge *f = config_forge_find(work_config(w), w->ask.prepare.forge);

	if (!f || !forge_repo_ok(w->forge->conf.kind, repo))
		return false;
	return f->repos.n == 0 || str_glob_list(&f->repos, repo);
}

static int
resolve(const struct work *w, const char *parent, const char *url, char **repo, struct err *e)
{
	auto_free char *name = NULL;
	int rc = repo_module_repo(w->forge->conf.url, parent, url, &name, e);

	if (rc < 0)
		return rc;
	if (!may_read(w, name))
		return err_set(e, ERR_DENIED,
			"its repository is not one of those that this server works on");
	*repo = steal_ptr(&name);
	return 0;
}

static char *
clone_url(const struct work *w, const char *repo)
{
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);

	(void)forge_clone_url(&w->forge->conf, repo, &url, NULL);
	return mem_str(buf_str(&url));
}

static void
add(struct work *w, const struct module *parent, const struct repo_module *found)
{
	struct extra *x = w->extra;
	auto_free char *path =
		parent ? mem_fmt("%s/%s", parent->m.path, found->path) : mem_str(found->path);
	auto_free char *repo = NULL;
	struct err e = { 0 };

	if (found->why)
		(void)err_set(&e, ERR_DENIED, "%s", found->why);
	else if (parent && parent->depth == LIMIT_MODULE_DEPTH)
		(void)err_set(&e, ERR_LIMIT, "it is over %d submodules deep", LIMIT_MODULE_DEPTH);
	else if (x->n == LIMIT_MODULES)
		(void)err_set(&e, ERR_LIMIT, "there are over %d", LIMIT_MODULES);
	else
		(void)resolve(w, parent ? parent->repo : w->repo, found->url, &repo, &e);
	if (e.code < 0) {
		note(x, path, e.text);
		return;
	}
	struct module *m = &x->v[x->n++];
	m->m.trees = repo_module_path(x->modules_dir, repo, "trees");
	m->m.url = clone_url(w, repo);
	m->m.name = mem_str(found->name);
	m->m.sha = mem_str(found->sha);
	m->m.path = steal_ptr(&path);
	m->m.parent = parent ? mem_str(parent->m.git_dir) : NULL;
	m->m.git_dir = mem_fmt(
		"%s%smodules/%s", parent ? parent->m.git_dir : "", parent ? "/" : "", found->name);
	m->repo = steal_ptr(&repo);
	m->depth = parent ? parent->depth + 1 : 1;
}

/* ---- One after the other ---- */

static void next(struct work *w);
static void check_out(struct work *w);

static void
go_on(struct work *w)
{
	w->extra->next++;
	next(w);
}

/* What will be the same tomorrow, or is somebody's decision, is said in our words; the rest is
 * tried again. */
static const struct {
	int code;
	const char *text;
} REFUSALS[] = {
	{ ERR_DENIED, "the forge does not let the bot read it" },
	{ ERR_MISSING, "the forge does not have its repository or commit, or hides it" },
	{ ERR_LIMIT, "it is larger than the bot takes" },
	{ ERR_TIMEOUT, "to fetch it took too long" },
	{ ERR_PROTOCOL, "its objects are broken" },
	{ ERR_INVALID, "its objects are broken" },
};

static void
give_up(struct work *w, const struct err *e)
{
	struct log_ctx ctx = { .task = w->task, .repo = w->repo };
	struct extra *x = w->extra;
	struct module *m = &x->v[x->next];
	const char *text = NULL;

	for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]) && !text; i++)
		text = REFUSALS[i].code == e->code ? REFUSALS[i].text : NULL;
	if (!text) {
		work_fail(w, e);
		return;
	}
	log_warn(&ctx, "git.submodule", "path=\"%s\" error=\"%s\"", m->m.path, e->text);
	note(x, m->m.path, text);
	m->is_lost = true;
	x->is_partial = true;
	go_on(w);
}

static void
on_checked_out(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct extra *x = w->extra;
	struct err e = { 0 };

	if (work_job_result(w, end, NULL, NULL, &e) < 0) {
		give_up(w, &e);
		return;
	}
	const struct repo_module *found = w->done.modules.v;
	const struct module *m = &x->v[x->next];
	for (size_t i = 0; i < w->done.modules.n; i++)
		add(w, m, &found[i]);
	if (x->wants_lfs && repo_extra_wanted(m->m.trees, m->m.sha, REPO_EXTRA_LFS))
		(void)buf_addf(&x->notes, "%sGit LFS files in the submodule %s are pointers.",
			x->notes.len > 0 ? "\n" : "", m->m.path);
	go_on(w);
}

static void
check_out(struct work *w)
{
	struct extra *x = w->extra;
	const struct module *m = &x->v[x->next];
	struct child_order order = { .is_slow = true, .fd = -1 };

	order.job = (struct git_job){
		.kind = GIT_JOB_CHECKOUT,
		.mirror = repo_module_path(x->modules_dir, m->repo, "git"),
		.trees = mem_str(m->m.trees),
		.sha = mem_str(m->m.sha),
	};
	work_child(w, &order, on_checked_out);
}

static void
on_fetched(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct err e = { 0 };
	int rc = work_command_result(end, &e);

	clean_fd(&w->lock_fd);
	w->lock_fd = -1;
	if (rc < 0)
		give_up(w, &e);
	else
		check_out(w);
}

static int
order_fetch(struct work *w, const char *mirror, struct child_order *order, struct err *e)
{
	const struct module *m = &w->extra->v[w->extra->next];
	int rc = repo_mirror_fetch_commit(&order->command, mirror, w->url, m->m.sha, e);

	return rc < 0 ? rc : work_auth(w, &order->command, e);
}

static void
fetch(struct work *w)
{
	const struct module *m = &w->extra->v[w->extra->next];
	auto_free char *mirror = repo_module_path(w->extra->modules_dir, m->repo, "git");
	struct child_order order = { .is_slow = true, .fd = -1 };
	struct err e = { 0 };
	int rc = repo_mirror_create(mirror, &e);

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

/* ---- The layer ---- */

static void
on_made(void *ctx, struct child_end *end)
{
	struct work *w = ctx;
	struct extra *x = w->extra;
	struct err e = { 0 };

	if (work_job_result(w, end, NULL, NULL, &e) < 0) {
		work_fail(w, &e);
		return;
	}
	w->extra_name = steal_ptr(&x->name);
	w->notes = x->notes.len > 0 ? mem_str(buf_str(&x->notes)) : NULL;
	x->then(w);
}

static void
make(struct work *w)
{
	struct extra *x = w->extra;
	struct child_order order = { .fd = -1 };

	order.job = (struct git_job){
		.kind = GIT_JOB_EXTRA,
		.trees = trees_of(w),
		.sha = mem_str(w->sha),
		.modules_dir = mem_str(x->modules_dir),
		.lfs_dir = strchr(x->what, REPO_EXTRA_LFS) ? mem_str(x->lfs_dir) : NULL,
		.is_partial = x->is_partial,
		.notes = mem_str(buf_str(&x->notes)),
	};
	x->name = repo_extra_name(order.job.trees, w->sha, x->what);
	order.job.extra = mem_str(x->name);
	for (size_t i = 0; i < x->n; i++) {
		if (x->v[i].is_lost)
			continue;
		struct repo_extra_module *m = row_list_add(&order.job.modules, sizeof(*m));
		row_copy(REPO_EXTRA_MODULE_ROWS, m, &x->v[i].m);
	}
	work_child(w, &order, on_made);
}

static void
on_lfs(struct work *w, const struct lfs_end *end)
{
	struct extra *x = w->extra;

	if (end->e) {
		work_fail(w, end->e);
		return;
	}
	note_lfs(x, end->lost, end->why);
	x->is_partial |= end->lost > 0;
	make(w);
}

static void
next(struct work *w)
{
	struct extra *x = w->extra;
	const struct module *m = &x->v[x->next];

	if (x->next == x->n && x->objects.n > 0) {
		x->lfs = lfs_begin(w, &x->objects, x->lfs_dir, on_lfs);
		return;
	}
	if (x->next == x->n) {
		make(w);
		return;
	}
	if (repo_checkout_ready(m->m.trees, m->m.sha)) {
		check_out(w);
		return;
	}
	struct work_repo r = { .forge = w->ask.prepare.forge, .repo = m->repo };
	work_drop_token(w);
	w->on_no_token = give_up;
	work_credentials(w, &r, fetch);
}

void
extra_begin(struct work *w, const struct settings_entry *settings, work_step *then)
{
	struct extra *x = mem_zero(sizeof(*x));
	struct row_list found = w->done.modules;

	x->then = then;
	x->modules_dir = repo_modules_path(
		work_config(w)->state_dir, w->ask.prepare.forge, w->ask.prepare.repo_id);
	buf_init(&x->notes, LIMIT_SUMMARY_BYTES - KIB(1));
	x->lfs_dir = repo_lfs_dir(
		work_config(w)->state_dir, w->ask.prepare.forge, w->ask.prepare.repo_id);
	x->objects = w->done.lfs;
	x->objects_n = x->objects.n + (size_t)w->done.lfs_left;
	w->done.lfs = (struct row_list){ 0 };
	note_lfs(x, (size_t)w->done.lfs_left, "they are larger than the bot takes");
	wanted(w, settings, x->what);
	x->wants_lfs = settings->lfs;
	w->extra = x;
	w->done.modules = (struct row_list){ 0 };
	const struct repo_module *v = found.v;
	for (size_t i = 0; i < found.n; i++)
		add(w, NULL, &v[i]);
	repo_modules_finish(&found);
	next(w);
}
