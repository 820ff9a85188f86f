/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git - see courier_git.h: the list of works, their lanes, credentials, answers.
 */
#include "bot/courier_git.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/courier_call.h"

#include <string.h>
#include <unistd.h>

struct courier_git {
	struct courier *courier;
	struct children *children;
	struct settings_cache *settings;
	struct work *works; /* in the order they came */
	struct loop_timer *round;
	struct room *room;
};

static const struct work_type *const TYPES[] = {
	&WORK_HARVEST,
	&WORK_PREPARE,
	&WORK_PUSH,
	&WORK_PUSH_LOGS,
};

const struct config *
work_config(const struct work *w)
{
	return w->git->courier->role->config;
}

struct courier *
work_courier(const struct work *w)
{
	return w->git->courier;
}

struct settings_cache *
work_settings(const struct work *w)
{
	return w->git->settings;
}

struct room *
work_room(const struct work *w)
{
	return w->git->room;
}

struct work *
work_first(const struct work *w)
{
	return w->git->works;
}

/* ---- Lanes ---- */

/* The first work that waits for a lane that nobody has and nobody waits for longer. */
static struct work *
next_to_enter(const struct courier_git *g)
{
	for (struct work *w = g->works; w; w = w->next) {
		bool is_first = w->lane && !w->has_lane;

		for (const struct work *o = g->works; is_first && o; o = o->next) {
			if (o != w && o->lane && strcmp(o->lane, w->lane) == 0)
				is_first = !o->has_lane && o->turn > w->turn;
		}
		if (is_first)
			return w;
	}
	return NULL;
}

static void
run_lanes(void *ctx)
{
	struct courier_git *g = ctx;
	struct work *w;

	g->round = NULL;
	while ((w = next_to_enter(g))) {
		w->has_lane = true;
		w->then(w);
	}
}

static void
lanes_soon(struct courier_git *g)
{
	if (!g->round)
		g->round = loop_timer_add(g->courier->role->loop, 0, run_lanes, g);
}

void
work_enter(struct work *w, char *take_lane, work_step *then)
{
	static int64_t turns;

	free(w->lane);
	w->lane = take_lane;
	w->has_lane = false;
	w->turn = ++turns;
	w->then = then;
	lanes_soon(w->git);
}

/* ---- Credentials ---- */

void
work_drop_token(struct work *w)
{
	if (w->token)
		mem_wipe(w->token, strlen(w->token));
	free(w->token);
	w->token = NULL;
}

static void
work_free(struct work *w)
{
	row_finish(w->type->rows, &w->ask);
	row_finish(GIT_DONE_ROWS, &w->done);
	row_finish(GIT_DONE_ROWS, &w->numbers);
	row_finish(WIRE_LOGS_ROWS, &w->logs);
	repo_remote_finish(&w->remote);
	work_drop_token(w);
	extra_destroy(w->extra);
	free(w->extra_name);
	free(w->notes);
	free(w->url);
	free(w->lane);
	free(w->ref);
	free(w->sha);
	clean_fd(&w->bundle_fd);
	clean_fd(&w->lock_fd);
	if (w->call)
		http_cancel(w->call);
	if (w->sign_id)
		msg_call_cancel(w->keeper, w->sign_id);
	free(w);
}

static void
on_token(void *ctx, const char *token, int64_t age_ms, const struct err *e)
{
	struct work *w = ctx;

	(void)age_ms;
	w->waits_for_token = false;
	if (!w->git) { /* stopped meanwhile */
		work_free(w);
		return;
	}
	if (!token && w->on_no_token)
		w->on_no_token(w, e);
	else if (!token)
		work_fail(w, e);
	if (!token)
		return;
	w->token = mem_str(token);
	w->then(w);
}

/* "user:token" */
static void
add_userinfo(const struct work *w, struct buf *out)
{
	w->forge->driver->git_userinfo(w->token, out);
}

int
work_auth(const struct work *w, struct repo_command *c, struct err *e)
{
	auto_buf struct buf userinfo = BUF_INIT(KIB(8));
	int rc;

	add_userinfo(w, &userinfo);
	rc = repo_command_auth(c, w->url, buf_str(&userinfo), e);
	if (userinfo.data)
		mem_wipe(userinfo.data, userinfo.len);
	return rc;
}

char *
work_basic_auth(const struct work *w)
{
	auto_buf struct buf userinfo = BUF_INIT(KIB(8));
	auto_buf struct buf value = BUF_INIT(KIB(12));

	add_userinfo(w, &userinfo);
	(void)buf_adds(&value, "Basic ");
	(void)str_base64(&value, buf_str(&userinfo), userinfo.len);
	if (userinfo.data)
		mem_wipe(userinfo.data, userinfo.len);
	return buf_steal(&value);
}

void
work_credentials(struct work *w, const struct work_repo *r, work_step *then)
{
	struct courier *c = w->git->courier;
	struct err e = { 0 };
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);

	w->forge = courier_forge_find(c, r->forge);
	if (!w->forge) {
		(void)err_set(&e, ERR_MISSING, "no forge \"%s\" is configured", r->forge);
		work_fail(w, &e);
		return;
	}
	if (forge_clone_url(&w->forge->conf, r->repo, &url, &e) < 0) {
		work_fail(w, &e);
		return;
	}
	struct courier_need need = {
		.forge = w->forge,
		.kind = FORGE_AUTH_TOKEN,
		.installation_id = r->installation_id,
		.repo_id = r->repo_id,
		.repo = r->repo,
	};
	if (w->token)
		courier_token_refused(c, &need, w->token);
	work_drop_token(w);
	mem_set(&w->url, buf_str(&url));
	w->then = then;
	w->waits_for_token = true;
	courier_token(c, &need, on_token, w);
}

static void
on_told(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct work *w = ctx;

	w->waits_for_token = false;
	if (!w->git)
		work_free(w);
	else
		w->told(w, rc, a, e);
}

void
work_ask(struct work *w, const struct work_repo *r, work_told *then)
{
	auto_free char *repo = mem_str(r->repo);
	const struct forge_op op = {
		.kind = OP_REPO,
		.installation_id = r->installation_id,
		.repo_id = r->repo_id,
		.repo = repo,
	};
	const struct courier_work what = { .forge = w->forge, .op = &op };

	w->told = then;
	w->waits_for_token = true;
	courier_call(w->git->courier, &what, on_told, w);
}

/* ---- Children ---- */

static void
on_child(void *ctx, struct child_end *end)
{
	struct work *w = ctx;

	w->on_child(w, end);
}

void
work_child(struct work *w, struct child_order *take_order, child_cb *cb)
{
	w->on_child = cb;
	children_add(w->git->children, take_order, on_child, w);
}

int
work_job_result(struct work *w, struct child_end *end, const char **settings, size_t *settings_len,
	struct err *e)
{
	const char *rest;
	size_t rest_len;
	int rc;

	if (end->text.len > 0)
		log_warn(NULL, "git.child_said", "text=\"%s\"", buf_str(&end->text));
	if (end->e.code < 0) {
		*e = end->e;
		return e->code;
	}
	row_finish(GIT_DONE_ROWS, &w->done);
	rc = git_done_read(buf_str(&end->out), end->out.len, &w->done, settings ? settings : &rest,
		settings_len ? settings_len : &rest_len, e);
	if (rc == 0 && w->done.code < 0)
		rc = err_set(e, (int)w->done.code, "%s", w->done.text ? w->done.text : "");
	return rc;
}

int
work_command_result(struct child_end *end, struct err *e)
{
	if (end->e.code == 0)
		return 0;
	*e = end->e;
	if (end->e.code == ERR_SYSTEM && end->exit_code > 0)
		return repo_command_why(buf_str(&end->text), e);
	return e->code;
}

/* ---- The life of a work ---- */

void
work_answer(struct work *w, enum wire_type type, const void *obj, const void *blob, size_t blob_len)
{
	struct msg_out out = {
		.type = (uint16_t)type, .obj = obj, .blob = blob, .blob_len = blob_len
	};
	struct err e = { 0 };

	if (w->id != 0 && msg_reply(w->link, w->id, &out, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "git.answer", &e);
}

void
work_end(struct work *w)
{
	struct courier_git *g = w->git;
	struct work **at = &g->works;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	work_free(w);
	lanes_soon(g);
}

void
work_fail(struct work *w, const struct err *e)
{
	struct log_ctx ctx = { .task = w->task, .repo = w->repo };

	log_warn(&ctx, "git.failed", "ask=%s code=%s error=\"%s\"", w->type->name,
		err_name(e->code), e->text);
	w->type->refuse(w, e);
	work_end(w);
}

bool
courier_git_msg(struct courier *c, enum role from, struct msg *m)
{
	const struct work_type *type = NULL;

	for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
		if (m->type == TYPES[i]->asks)
			type = TYPES[i];
	}
	if (!type || !c->git)
		return false;
	struct work *w = mem_zero(sizeof(*w));
	struct work **at = &c->git->works;

	w->git = c->git;
	w->type = type;
	w->link = role_link(c->role, from);
	w->id = m->id;
	w->bundle_fd = m->n_fds > 0 ? steal_fd(&m->fds[0]) : -1;
	w->lock_fd = -1;
	row_copy(type->rows, &w->ask, m->obj);
	while (*at)
		at = &(*at)->next;
	*at = w;
	type->start(w, m);
	return true;
}

int
courier_git_start(struct courier *c, struct err *e)
{
	struct courier_git *g = mem_zero(sizeof(*g));

	(void)e;
	g->courier = c;
	g->children = children_create(c->role->loop, c->role->exe, LIMIT_GIT_CHILDREN);
	g->settings = settings_cache_create();
	g->room = room_create(c, g->children);
	c->git = g;
	return 0;
}

/* A work whose token is being asked for frees itself when that comes. */
void
courier_git_stop(struct courier *c)
{
	struct courier_git *g = c->git;

	if (!g)
		return;
	children_destroy(g->children);
	loop_timer_remove(g->round);
	room_destroy(g->room);
	for (struct work *w = g->works, *next; w; w = next) {
		next = w->next;
		w->git = NULL;
		if (!w->waits_for_token)
			work_free(w);
	}
	settings_cache_destroy(g->settings);
	free(g);
	c->git = NULL;
}
