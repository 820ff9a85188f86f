/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role - see role.h.
 */
#include "bot/role.h"

#include "base/clean.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/role_user.h"

#include <assert.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#define MASTER_FD   3
#define STOP_MS_MAX 8000 /* the master waits for 10 s */

/* What a link's callbacks need to know. */
struct peer {
	struct runtime *rt;
	enum role role;
	int64_t turn;
};

/* The context that the role sees, and what is ours behind it. */
struct runtime {
	struct role_ctx r;
	struct config config;
	bool has_started;
	bool is_stopping;
	int exit_code;
	struct peer peers[ROLE_COUNT];
};

struct msg_link *
role_link(struct role_ctx *r, enum role peer)
{
	assert(r->links[peer]);
	return r->links[peer];
}

/* ---- the end ---- */

void
role_done(struct role_ctx *r)
{
	loop_stop(r->loop);
}

static void
on_stop_timeout(void *ctx)
{
	struct runtime *rt = ctx;

	log_warn(NULL, "role.stop_timeout", "after_ms=%d", STOP_MS_MAX);
	role_done(&rt->r);
}

static void
begin_stop(struct runtime *rt)
{
	if (rt->is_stopping)
		return;
	rt->is_stopping = true;
	if (!rt->has_started || !rt->r.spec->stop) {
		role_done(&rt->r);
		return;
	}
	(void)loop_timer_add(rt->r.loop, STOP_MS_MAX, on_stop_timeout, rt);
	rt->r.spec->stop(&rt->r);
}

static void
on_term(void *ctx, int signo)
{
	(void)signo;
	begin_stop(ctx);
}

/* ---- the start ---- */

static void
confine_fill(const struct runtime *rt, struct confine *c, struct role_paths *paths)
{
	const struct role_spec *spec = rt->r.spec;

	*c = (struct confine){
		.net = spec->has_store && config_store_is_remote(rt->r.config) ? CONFINE_NET_OUT
									       : spec->net,
		.may_exec = spec->may_exec,
		.may_mount = spec->may_mount,
		.files_all = spec->files_all,
		.files_max = spec->files_max ? spec->files_max : 1024,
	};
	role_paths_fill(paths, spec, rt->r.config, rt->r.exe);
	c->read_paths = (const char *const *)paths->reads.v;
	c->write_paths = (const char *const *)paths->writes.v;
}

static int
confine_role(struct runtime *rt, struct err *e)
{
	struct confine c;
	struct role_user user;
	struct confine_done done = { 0 };
	auto_role_paths struct role_paths paths = { 0 };

	confine_fill(rt, &c, &paths);
	int rc = role_user(rt->r.spec, rt->r.config, &user, e);
	if (rc < 0)
		return rc;
	c.uid = user.uid;
	c.gid = user.gid;
	rc = confine_apply(&c, &done, e);
	if (rc < 0)
		return err_wrap(e, rc, "confinement");
	log_info(NULL, "role.confined", "uid=%u user=%s files=%s syscalls=%s", (unsigned)getuid(),
		done.uid ? "own" : "kept", done.files ? "landlock" : "all",
		done.syscalls ? "filtered" : "all");
	return 0;
}

static int
start_role(struct runtime *rt, struct err *e)
{
	struct role_ctx *r = &rt->r;
	int rc = r->spec->prepare ? r->spec->prepare(r, e) : 0;

	if (rc == 0)
		rc = confine_role(rt, e);
	if (rc == 0)
		rc = r->spec->start(r, e);
	if (rc < 0)
		return rc;
	rt->has_started = true;
	if (!r->spec->says_ready)
		role_ready(r, NULL);
	return 0;
}

/* ---- the links ---- */

/* Without the master there is nobody to hear it, and we end. */
static void
beat(void *ctx)
{
	struct role_ctx *r = ctx;

	(void)msg_send(r->links[ROLE_MASTER], &(struct msg_out){ .type = WIRE_BEAT }, NULL);
	(void)loop_timer_add(r->loop, WIRE_BEAT_MS, beat, r);
}

void
role_ready(struct role_ctx *r, const char *address)
{
	auto_free char *copy = mem_str(address);
	struct wire_ready ready = { .address = copy };
	struct err e = { 0 };

	log_info(NULL, "role.ready", "pid=%d", (int)getpid());
	if (msg_send(r->links[ROLE_MASTER], &(struct msg_out){ .type = WIRE_READY, .obj = &ready },
		    &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "role.ready_unsaid", &e);
	beat(r);
}

void
role_cut_peer(struct role_ctx *r, enum role peer)
{
	const struct runtime *rt = (const struct runtime *)r;
	struct wire_peer who = { .role = (int64_t)peer, .turn = rt->peers[peer].turn };
	struct err e = { 0 };

	if (msg_send(r->links[ROLE_MASTER], &(struct msg_out){ .type = WIRE_CUT, .obj = &who },
		    &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "role.cut_unsaid", &e);
}

static void
on_peer_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct peer *p = ctx;
	struct role_ctx *r = &p->rt->r;

	(void)link;
	/* Peers are handed over after CONFIG, but the start may have failed. */
	if (p->rt->has_started)
		r->spec->on_msg(r, p->role, m);
}

static void
on_peer_gone(void *ctx)
{
	struct peer *p = ctx;
	struct role_ctx *r = &p->rt->r;

	if (msg_link_was_cut(r->links[p->role]))
		role_cut_peer(r, p->role);
	if (p->rt->has_started && r->spec->on_peer)
		r->spec->on_peer(r, p->role, false);
}

static struct msg_link *
link_create(struct runtime *rt, enum role peer, msg_cb *on_msg, loop_cb *on_gone)
{
	struct peer *p = &rt->peers[peer];
	struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = rt->r.spec->role,
		.peer = peer,
		.on_msg = on_msg,
		.on_gone = on_gone,
		.ctx = p,
	};

	p->rt = rt;
	p->role = peer;
	return msg_link_create(rt->r.loop, &spec);
}

static void
create_links(struct runtime *rt)
{
	for (size_t i = 0; i < WIRE_PAIRS_COUNT; i++) {
		enum role other = WIRE_PAIRS[i].b;

		if (other == rt->r.spec->role)
			other = WIRE_PAIRS[i].a;
		else if (WIRE_PAIRS[i].a != rt->r.spec->role)
			continue;
		rt->r.links[other] = link_create(rt, other, on_peer_msg, on_peer_gone);
	}
}

/* ---- what the master says ---- */

static int
take_config(struct runtime *rt, const struct msg *m, struct err *e)
{
	struct config fresh = { 0 };
	int rc = row_unpack(CONFIG_ROWS, &fresh, m->blob, m->blob_len, e);

	if (rc < 0)
		return err_wrap(e, rc, "configuration");
	struct config old = rt->config;
	rt->config = fresh;
	if (!rt->r.config) {
		rt->r.config = &rt->config;
		rc = start_role(rt, e);
	} else if (rt->has_started && rt->r.spec->on_config) {
		rt->r.spec->on_config(&rt->r);
	}
	row_finish(CONFIG_ROWS, &old);
	return rc;
}

static int
take_peer(struct runtime *rt, struct msg *m, struct err *e)
{
	const struct wire_peer *peer = m->obj;

	if (peer->role < 0 || peer->role >= ROLE_COUNT || peer->role == ROLE_MASTER ||
		!rt->r.links[peer->role] || m->n_fds != 1)
		return err_set(e, ERR_PROTOCOL, "peer %lld", (long long)peer->role);
	rt->peers[peer->role].turn = peer->turn;
	int rc = msg_link_attach(rt->r.links[peer->role], steal_fd(&m->fds[0]), e);
	if (rc == 0 && rt->has_started && rt->r.spec->on_peer)
		rt->r.spec->on_peer(&rt->r, (enum role)peer->role, true);
	return rc;
}

static void
on_master_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct runtime *rt = ((struct peer *)ctx)->rt;
	struct err e = { 0 };
	int rc = 0;

	(void)link;
	if (m->type == WIRE_CONFIG)
		rc = take_config(rt, m, &e);
	else if (m->type == WIRE_PEER)
		rc = take_peer(rt, m, &e);
	else if (rt->has_started)
		rt->r.spec->on_msg(&rt->r, ROLE_MASTER, m);
	if (rc < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "role.failed", &e);
		rt->exit_code = err_exit(rc);
		role_done(&rt->r);
	}
}

static void
on_master_gone(void *ctx)
{
	begin_stop(((struct peer *)ctx)->rt);
}

/* ---- main ---- */

static void
ignore_signal(int signo)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(signo, &ignore, NULL);
}

static int
runtime_init(struct runtime *rt, struct err *e)
{
	int rc = loop_create(&rt->r.loop, e);

	if (rc < 0)
		return rc;
	/* A terminal sends these to the whole group; the master alone decides what they mean. */
	ignore_signal(SIGINT);
	ignore_signal(SIGHUP);
	ignore_signal(SIGPIPE);
	rc = loop_signal_add(rt->r.loop, SIGTERM, on_term, rt, e);
	if (rc < 0)
		return rc;
	rt->r.exe = role_exe();
	create_links(rt);
	rt->r.links[ROLE_MASTER] = link_create(rt, ROLE_MASTER, on_master_msg, on_master_gone);
	return msg_link_attach(rt->r.links[ROLE_MASTER], MASTER_FD, e);
}

static void
runtime_finish(struct runtime *rt)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		msg_link_destroy(rt->r.links[i]);
	row_finish(CONFIG_ROWS, &rt->config);
	free(rt->r.exe);
	loop_destroy(rt->r.loop);
}

int
role_main(const char *name)
{
	int role = role_parse(name);
	struct runtime rt = { 0 };
	struct err e = { 0 };

	if (role < 0 || !ROLES[role]) {
		(void)fprintf(stderr, "nightshift: no role %s to start\n", name);
		return EX_USAGE;
	}
	log_init(role_name((unsigned)role), LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, role_name((unsigned)role)); /* for ps and top */
	rt.r.spec = ROLES[role];
	int rc = runtime_init(&rt, &e);
	if (rc == 0)
		rc = loop_run(rt.r.loop, &e);
	if (rc < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "role.failed", &e);
		rt.exit_code = err_exit(rc);
	}
	runtime_finish(&rt);
	return rt.exit_code;
}
