/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web - the role that faces the internet. It has no secret, no file and no way out.
 *
 * A delivery's signature is checked by the keeper, its bytes are stored by the queue; the sender is
 * told "accepted" when the queue says that they are on the disk.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/roles.h"
#include "web/site.h"

#define CONNECTIONS_MAX 12288
#define REQUESTS_MAX    2048
#define BODIES_MAX      (2 * LIMIT_DELIVERY_BYTES) /* bytes */
#define FILES_MAX       (CONNECTIONS_MAX + REQUESTS_MAX + 1024)
#define VERIFY_MS_MAX   5000
#define STORE_MS_MAX    8000
#define QUERY_MS_MAX    5000
#define DRAIN_MS_MAX    5000
#define DRAIN_LOOK_MS   20
#define RETRY_S         5

struct web {
	struct role_ctx *role;
	struct site *site;
	struct web_server *server;
	struct strs trusted;
	struct strs names; /* of the forges: what the site borrows */
	int64_t drain_until_ms;
};

/* A question to another role on behalf of a request. */
struct question {
	struct web *web;
	struct web_exchange *exchange;
	enum site_file what;
};

static struct question *
question_new(struct web *w, struct web_exchange *x)
{
	struct question *q = mem_zero(sizeof(*q));

	q->web = w;
	q->exchange = x;
	return q;
}

static void
on_verified(void *ctx, struct msg *m, const struct err *e)
{
	auto_free struct question *q = ctx;
	const struct wire_verdict *v = m ? m->obj : NULL;
	int code = ERR_TIMEOUT;

	if (v)
		code = v->ok ? 0 : (int)v->code;
	else
		log_err(LOG_LEVEL_ERROR, NULL, "hook.unverified", e);
	site_verified(q->web->site, q->exchange, code);
}

static void
ask_verify(void *ctx, struct web_exchange *x, const char *forge, const struct strs *proofs,
	const struct buf *body)
{
	struct web *w = ctx;
	auto_free char *name = mem_str(forge);
	const struct wire_verify v = { .forge = name, .proofs = *proofs };
	const struct msg_out out = {
		.type = WIRE_VERIFY,
		.obj = &v,
		.blob = body->data,
		.blob_len = body->len,
		.blob_stays = body == web_body(x),
	};

	(void)msg_call(role_link(w->role, ROLE_KEEPER), &out, VERIFY_MS_MAX, on_verified,
		question_new(w, x));
}

static void
on_stored(void *ctx, struct msg *m, const struct err *e)
{
	auto_free struct question *q = ctx;
	const struct wire_stored *s = m ? m->obj : NULL;

	if (!s)
		log_err(LOG_LEVEL_ERROR, NULL, "hook.unstored", e);
	else if (!s->ok)
		log_error(NULL, "hook.unstored", "why=\"%s\"", s->text ? s->text : "");
	else
		log_info(&(struct log_ctx){ .delivery = s->delivery }, "hook.accepted",
			"client=%s duplicate=%d", web_client(q->exchange), s->is_duplicate);
	site_stored(q->web->site, q->exchange, s && s->ok ? 0 : ERR_BUSY, s ? s->delivery : 0);
}

static void
ask_store(void *ctx, struct web_exchange *x, const struct site_delivery *d)
{
	struct web *w = ctx;
	struct forge_delivery fd = {
		.forge = mem_str(d->forge),
		.guid = mem_str(d->guid),
		.event = mem_str(d->event),
		.event_type = mem_str(d->event_type),
		.content_type = mem_str("application/json"),
		.received_ms = clock_wall_ms(),
	};
	const struct msg_out out = {
		.type = WIRE_DELIVERY,
		.obj = &fd,
		.blob = d->body->data,
		.blob_len = d->body->len,
		.blob_stays = d->body == web_body(x),
	};

	(void)msg_call(
		role_link(w->role, ROLE_QUEUE), &out, STORE_MS_MAX, on_stored, question_new(w, x));
	row_finish(FORGE_DELIVERY_ROWS, &fd);
}

static char *
issue_url(const struct web *w, const struct task *t)
{
	const struct config_forge *f = config_forge_find(w->role->config, t->forge);
	int kind = f ? forge_kind_parse(f->kind) : -1;
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);

	if (kind < 0)
		return NULL;
	const struct forge_conf conf = { (enum forge_kind)kind, f->name, f->url, f->api_url };

	return forge_issue_url(&conf, t->repo, t->number, t->is_pull, &url, NULL) < 0
		       ? NULL
		       : buf_steal(&url);
}

static void
on_page(void *ctx, struct msg *m, const struct err *e)
{
	auto_free struct question *q = ctx;
	const struct wire_page *p = m ? m->obj : NULL;
	struct site_task t = { .now_ms = clock_wall_ms() };
	auto_free char *url = NULL;

	if (!p) {
		log_err(LOG_LEVEL_WARN, NULL, "page.unanswered", e);
		web_reply_wait(q->exchange, 503,
			"the task cannot be looked up now; please try again", RETRY_S);
		return;
	}
	if (q->what == SITE_METRICS) {
		site_metrics(q->web->site, q->exchange, m->blob, m->blob_len);
		return;
	}
	if (p->found && p->tasks.n == 1) {
		t.task = p->tasks.v;
		t.steps = p->steps.v;
		t.n_steps = p->steps.n;
		url = issue_url(q->web, t.task);
		t.issue_url = url;
		t.bytes = m->blob;
		t.len = m->blob_len;
	}
	site_task(q->web->site, q->exchange, q->what, &t);
}

static void
ask_task(void *ctx, struct web_exchange *x, const char *page, enum site_file what)
{
	static const int64_t kinds[] = {
		[SITE_PAGE] = QUERY_TASK,
		[SITE_CAST] = QUERY_CAST,
		[SITE_TEXT] = QUERY_TEXT,
		[SITE_METRICS] = QUERY_METRICS,
	};
	struct web *w = ctx;
	auto_free char *id = mem_str(page);
	const struct wire_query ask = { .kind = kinds[what], .page = id };
	const struct msg_out out = { .type = WIRE_QUERY, .obj = &ask };
	struct question *q = question_new(w, x);

	q->what = what;
	(void)msg_call(role_link(w->role, ROLE_QUEUE), &out, QUERY_MS_MAX, on_page, q);
}

static bool
is_ready(void *ctx)
{
	struct web *w = ctx;

	return msg_link_is_up(role_link(w->role, ROLE_KEEPER)) &&
	       msg_link_is_up(role_link(w->role, ROLE_QUEUE));
}

/* The configured forges, with how their dialect names and signs things. */
static struct site *
make_site(struct web *w)
{
	const struct row_list *forges = &w->role->config->forges;
	const struct site_backend backend = { ask_verify, ask_store, ask_task, is_ready, w };
	auto_free struct site_hook *hooks = mem_array(forges->n + 1, sizeof(*hooks));
	size_t n = 0;

	for (size_t i = 0; i < forges->n; i++)
		strs_add(&w->names, ((const struct config_forge *)forges->v)[i].name);
	for (size_t i = 0; i < forges->n; i++) {
		const struct config_forge *f = &((const struct config_forge *)forges->v)[i];
		int kind = forge_kind_parse(f->kind);
		const struct forge_driver *d =
			kind >= 0 ? forge_driver_get((enum forge_kind)kind) : NULL;

		if (!d)
			continue;
		hooks[n++] = (struct site_hook){
			.name = w->names.v[i],
			.event_header = d->event_header,
			.event_type_header = d->event_type_header,
			.guid_headers = d->guid_headers,
			.proof_headers = d->proof_headers,
			.form_signs_json = d->form_signs_json,
		};
	}
	return site_create(hooks, n, &backend);
}

static void
handle(void *ctx, struct web_exchange *x)
{
	struct web *w = ctx;

	site_handle(w->site, x);
}

static int64_t
body_max(void *ctx, const char *method, const char *path)
{
	struct web *w = ctx;

	return site_body_max(w->site, method, path);
}

static int
wait_s(void *ctx, struct web_exchange *x)
{
	struct web *w = ctx;

	return site_wait_s(w->site, x);
}

/* Also after a reload. Requests under way meet the new site with their answers: it knows them by
 * their path. */
static void
web_on_config(struct role_ctx *r)
{
	struct web *w = r->own;

	strs_copy(&w->trusted, &r->config->trusted_proxies);
	site_destroy(w->site);
	strs_finish(&w->names);
	w->site = make_site(w);
}

static int
web_start(struct role_ctx *r, struct err *e)
{
	struct web *w = mem_zero(sizeof(*w));
	const struct web_server_spec spec = {
		.handler = handle,
		.ctx = w,
		.body_max = body_max,
		.wait_s = wait_s,
		.trusted_proxies = &w->trusted,
		.connections_max = CONNECTIONS_MAX,
		.requests_max = REQUESTS_MAX,
		.bodies_bytes_max = BODIES_MAX,
	};

	r->own = w;
	w->role = r;
	web_on_config(r);
	return web_server_create(r->loop, &spec, &w->server, e);
}

/* The master opened the sockets, since only it may need the right to. */
static void
on_listen(struct web *w, struct msg *m)
{
	struct err e = { 0 };

	for (size_t i = 0; i < m->n_fds; i++) {
		if (web_server_listen(w->server, steal_fd(&m->fds[i]), &e) < 0)
			log_err(LOG_LEVEL_ERROR, NULL, "web.listen", &e);
	}
	role_ready(w->role, NULL);
}

static void
web_on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	(void)from;
	if (m->type == WIRE_LISTEN)
		on_listen(r->own, m);
}

static void
drain(void *ctx)
{
	struct web *w = ctx;

	if (web_server_open(w->server) == 0 || loop_now_ms(w->role->loop) >= w->drain_until_ms)
		role_done(w->role);
	else
		(void)loop_timer_add(w->role->loop, DRAIN_LOOK_MS, drain, w);
}

static void
web_stop(struct role_ctx *r)
{
	struct web *w = r->own;

	web_server_drain(w->server);
	w->drain_until_ms = loop_now_ms(r->loop) + DRAIN_MS_MAX;
	drain(w);
}

const struct role_spec ROLE_SPEC_WEB = {
	.role = ROLE_WEB,
	.net = CONFINE_NET_SERVE,
	.files_max = FILES_MAX,
	.says_ready = true,
	.start = web_start,
	.on_msg = web_on_msg,
	.on_config = web_on_config,
	.stop = web_stop,
};
