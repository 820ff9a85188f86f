/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master_roles - the life of one role: start, introduction to its peers, end, and start again.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "bot/master_state.h"
#include "bot/restart.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* Counted in our own turns: a machine that stood still stood still for us, too. A store of many GiB
 * is read from end to end before the queue is ready after an unclean stop; a role that is ready has
 * nothing to do that keeps it from its loop for long. */
#define TURNS_TO_READY (30 * 60 * 1000 / WIRE_BEAT_MS)
#define TURNS_SILENT   (60 * 1000 / WIRE_BEAT_MS)

void
crew_signal(const struct crew *c, int signo)
{
	/* ESRCH: it has just ended, and its end is under way to us. */
	if (c->pid && pidfd_send_signal(c->pidfd, signo, NULL, 0) < 0 && errno != ESRCH)
		log_error(NULL, "role.signal_refused", "role=%s signal=%d",
			role_name(c->spec->role), signo);
}

/* ---- introductions ---- */

static int
send_peer(struct crew *to, enum role peer, int64_t turn, int fd, struct err *e)
{
	struct wire_peer msg = { .role = (int64_t)peer, .turn = turn };

	return msg_send(to->link,
		&(struct msg_out){ .type = WIRE_PEER, .obj = &msg, .fds = &fd, .n_fds = 1 }, e);
}

/* Both get a new end: the old socket, if there was one, died with the predecessor. */
static int
introduce(struct master *m, enum role a, enum role b, struct err *e)
{
	int fds[2];
	int64_t turn = ++m->turn;
	int rc = msg_pair(fds, e);

	if (rc < 0)
		return rc;
	auto_fd int first = fds[0];
	auto_fd int second = fds[1];
	m->turns[a][b] = m->turns[b][a] = turn;
	rc = send_peer(&m->crew[a], b, turn, first, e);
	return rc < 0 ? rc : send_peer(&m->crew[b], a, turn, second, e);
}

static int
introduce_all(struct crew *c, struct err *e)
{
	enum role self = c->spec->role;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < WIRE_PAIRS_COUNT; i++) {
		const struct wire_pair *p = &WIRE_PAIRS[i];
		enum role other = p->a == self ? p->b : p->a;

		if ((p->a == self || p->b == self) && c->m->crew[other].pid)
			rc = introduce(c->m, self, other, e);
	}
	return rc;
}

int
crew_send_config(const struct crew *c, const struct config *config, struct err *e)
{
	auto_buf struct buf packed = BUF_INIT(LIMIT_SETTINGS_BYTES);
	int rc = row_pack(CONFIG_ROWS, config, &packed, e);

	if (rc < 0)
		return err_wrap(e, rc, "configuration");
	return msg_send(c->link,
		&(struct msg_out){
			.type = WIRE_CONFIG, .blob = packed.data, .blob_len = packed.len },
		e);
}

static int
brief(struct crew *c, struct err *e)
{
	const struct listen *l = &c->m->listen;
	int rc = crew_send_config(c, &c->m->config, e);

	if (rc == 0 && c->spec->role == ROLE_WEB)
		rc = msg_send(c->link,
			&(struct msg_out){ .type = WIRE_LISTEN, .fds = l->fds, .n_fds = l->n }, e);
	return rc < 0 ? rc : introduce_all(c, e);
}

/* ---- what it says ---- */

static void
on_cut(struct master *m, enum role from, const struct wire_peer *who)
{
	if (who->role <= ROLE_MASTER || who->role >= ROLE_COUNT)
		return;
	/* A complaint about a peer that has been replaced since is out of date. */
	if (m->turns[from][who->role] != who->turn || !m->crew[who->role].pid)
		return;
	log_error(
		NULL, "role.cut", "role=%s by=%s", role_name((unsigned)who->role), role_name(from));
	crew_signal(&m->crew[who->role], SIGKILL);
}

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct crew *c = ctx;

	(void)link;
	if (m->type == WIRE_CUT)
		on_cut(c->m, c->spec->role, m->obj);
	if (m->type == WIRE_BEAT)
		c->turns = 0;
	if (m->type != WIRE_READY || c->is_ready)
		return;
	c->is_ready = true;
	c->turns = 0;
	master_on_ready(c->m, c->spec->role, ((const struct wire_ready *)m->obj)->address);
}

/* It ends by itself when this link is gone; one that was cut off is not asked. */
static void
on_gone(void *ctx)
{
	const struct crew *c = ctx;

	if (msg_link_was_cut(c->link))
		crew_signal(c, SIGKILL);
}

/* ---- life and death ---- */

static void
on_restart(void *ctx)
{
	struct crew *c = ctx;
	struct err e = { 0 };

	c->timer = NULL;
	if (crew_start(c, &e) == 0)
		return;
	log_err(LOG_LEVEL_ERROR, NULL, "role.start_failed", &e);
	c->delay_ms = restart_delay(c->delay_ms, 0);
	c->timer = loop_timer_add(c->m->loop, c->delay_ms, on_restart, c);
}

static void
forget(struct crew *c)
{
	c->pid = 0;
	c->watch = NULL;
	c->is_ready = false;
	loop_timer_remove(c->timer);
	c->timer = NULL;
	msg_link_destroy(c->link);
	c->link = NULL;
	c->pidfd = -1;
}

static void
on_end(void *ctx, pid_t pid, struct loop_exit how)
{
	struct crew *c = ctx;
	int64_t lived_ms = loop_now_ms(c->m->loop) - c->started_ms;
	bool was_told = c->ends_by_request || c->m->is_stopping;

	log_write(was_told ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, NULL, "role.ended",
		"role=%s pid=%d code=%d signal=%d lived_ms=%lld", role_name(c->spec->role),
		(int)pid, how.code, how.signo, (long long)lived_ms);
	forget(c);
	master_on_end(c->m, how);
	if (c->m->is_stopping)
		return;
	c->delay_ms = c->ends_by_request ? 0 : restart_delay(c->delay_ms, lived_ms);
	c->timer = loop_timer_add(c->m->loop, c->delay_ms, on_restart, c);
}

/* A role that is stopped by a debugger is one that hangs. */
static void
on_turn(void *ctx)
{
	struct crew *c = ctx;
	int max = c->is_ready ? TURNS_SILENT : TURNS_TO_READY;

	c->timer = loop_timer_add(c->m->loop, WIRE_BEAT_MS, on_turn, c);
	if (++c->turns % TURNS_SILENT != 0)
		return;
	log_write(c->turns < max ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, NULL,
		c->is_ready ? "role.hangs" : "role.not_ready", "role=%s pid=%d for_ms=%d",
		role_name(c->spec->role), (int)c->pid, c->turns * WIRE_BEAT_MS);
	if (c->turns >= max)
		crew_signal(c, SIGKILL);
}

/* The variables that the configuration names hold secrets; they go to the keeper and nowhere else.
 */
static int
add_secret_env(void *arg, const struct config_secret *s)
{
	const char *value = s->env ? getenv(s->env) : NULL;

	if (value)
		strs_addf(arg, "%s=%s", s->env, value);
	return 0;
}

static int
spawn_role(struct crew *c, int link_fd, struct err *e)
{
	const char *const argv[] = { "nightshift", "--role", role_name(c->spec->role), NULL };
	auto_strs struct strs env = { 0 };
	struct spawn s = SPAWN_INIT;
	int pidfd;
	int rc;

	if (c->spec->keeps_secret_env)
		(void)config_secrets_each(&c->m->config, add_secret_env, &env);
	env.v = mem_grow(env.v, env.n + 1, sizeof(*env.v));
	env.v[env.n] = NULL;
	s.argv = argv;
	s.envp = (const char *const *)env.v;
	s.exec_fd = c->m->exe_fd;
	s.fds[0] = link_fd;
	s.n_fds = 1;
	s.die_with_parent = true;
	rc = spawn_start(&s, &c->pid, &pidfd, e);
	for (size_t i = 0; i < env.n; i++)
		mem_wipe(env.v[i], strlen(env.v[i]));
	if (rc < 0)
		return rc;
	c->pidfd = pidfd;
	c->watch = loop_child_add(c->m->loop, c->pid, pidfd, on_end, c);
	return 0;
}

int
crew_start(struct crew *c, struct err *e)
{
	struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_MASTER,
		.peer = c->spec->role,
		.on_msg = on_msg,
		.on_gone = on_gone,
		.ctx = c,
	};
	int fds[2];
	int rc = msg_pair(fds, e);

	if (rc < 0)
		return rc;
	auto_fd int ours = fds[0];
	auto_fd int theirs = fds[1];
	c->started_ms = loop_now_ms(c->m->loop);
	c->ends_by_request = false;
	rc = spawn_role(c, theirs, e);
	if (rc < 0)
		return err_wrap(e, rc, "role %s", role_name(c->spec->role));
	log_info(NULL, "role.started", "role=%s pid=%d", role_name(c->spec->role), (int)c->pid);
	c->link = msg_link_create(c->m->loop, &spec);
	c->turns = 0;
	c->timer = loop_timer_add(c->m->loop, WIRE_BEAT_MS, on_turn, c);
	rc = msg_link_attach(c->link, steal_fd(&ours), e);
	if (rc == 0)
		rc = brief(c, e);
	/* It runs, so its end is reported and it is started again; here only the reason is told. */
	if (rc < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "role.not_briefed", e);
		crew_signal(c, SIGKILL);
	}
	return 0;
}

void
crew_finish(struct crew *c)
{
	if (!c->spec)
		return;
	loop_child_remove(c->watch);
	forget(c);
}
