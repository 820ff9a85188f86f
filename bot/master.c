/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master - starts the roles, introduces them to each other, and starts again what ends.
 *
 * It parses nothing from outside, opens no connection and holds no secret but the environment it
 * was started with. It is the only one that knows all roles, so it does as little as possible.
 */
#include "bot/master.h"

#include "base/clean.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/master_state.h"
#include "bot/notify.h"
#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define STOP_MS_MAX 10000
#define WEB_MS_MAX  6000 /* somewhat more than web gives its requests */

/* ---- ready ---- */

static bool
all_ready(const struct master *m)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (m->crew[i].spec && !m->crew[i].is_ready)
			return false;
	}
	return true;
}

void
master_on_ready(struct master *m, enum role role, const char *address)
{
	(void)role;
	(void)address;
	if (m->was_ready || !all_ready(m))
		return;
	m->was_ready = true;
	log_info(NULL, "serve.ready", "listen=%s", m->listen.n ? m->listen.address : "none");
	notify_send(m->notify_fd, "READY=1");
}

/* ---- stop ---- */

static bool
anyone_runs(const struct master *m)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (m->crew[i].pid)
			return true;
	}
	return false;
}

static void
signal_all(const struct master *m, int signo)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		crew_signal(&m->crew[i], signo);
}

static void
on_stop_timeout(void *ctx)
{
	struct master *m = ctx;

	log_warn(NULL, "serve.stop_timeout", "after_ms=%d", STOP_MS_MAX);
	signal_all(m, SIGKILL);
}

static void
stop_if_empty(struct master *m)
{
	if (!m->is_stopping || anyone_runs(m))
		return;
	/* Shims and their boxes go on without us; but where they would keep us from being started
	 * again, they cannot. */
	if (m->has_moved)
		cgroup_end_others();
	loop_stop(m->loop);
}

/* When web has ended: whoever is answered by it needs the others until then. */
static void
stop_rest(void *ctx)
{
	struct master *m = ctx;

	loop_timer_remove(m->rest);
	m->rest = NULL;
	signal_all(m, SIGTERM);
}

static void
begin_stop(struct master *m)
{
	if (m->is_stopping)
		return;
	notify_send(m->notify_fd, "STOPPING=1");
	m->is_stopping = true;
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (m->crew[i].pid)
			continue;
		loop_timer_remove(m->crew[i].timer); /* would start it again */
		m->crew[i].timer = NULL;
	}
	m->rest = loop_timer_add(m->loop, WEB_MS_MAX, stop_rest, m);
	(void)loop_timer_add(m->loop, STOP_MS_MAX, on_stop_timeout, m);
	if (m->crew[ROLE_WEB].pid)
		crew_signal(&m->crew[ROLE_WEB], SIGTERM);
	else
		stop_rest(m);
	stop_if_empty(m);
}

static void
on_stop(void *ctx, int signo)
{
	struct master *m = ctx;

	/* Said twice it means now. Nothing is lost by that either. */
	log_info(
		NULL, m->is_stopping ? "serve.stopping_now" : "serve.stopping", "signal=%d", signo);
	if (m->is_stopping)
		signal_all(m, SIGKILL);
	else
		begin_stop(m);
}

/* What trying again does not mend: a file that is missing, unreadable or wrong. */
static bool
is_permanent(int code)
{
	static const int codes[] = { EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOPERM, EX_CONFIG };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

/* A role that has worked once is started again whatever happens; a bot that has never worked should
 * rather say so and end, than try for ever what a person must mend. */
void
master_on_end(struct master *m, struct loop_exit how)
{
	if (!m->was_ready && !m->is_stopping && !how.signo && is_permanent(how.code)) {
		log_error(NULL, "serve.gives_up", "code=%d", how.code);
		m->exit_code = how.code;
		begin_stop(m);
	}
	if (m->rest && !m->crew[ROLE_WEB].pid)
		stop_rest(m);
	stop_if_empty(m);
}

/* ---- reload ---- */

/* What is bound to the start of the process stays as it was; people are told. */
static void
keep_fixed(const struct master *m, struct config *fresh)
{
	struct {
		const char *key;
		const char *was;
		char **is;
	} fixed[] = {
		{ "listen", m->config.listen, &fresh->listen },
		{ "state_dir", m->config.state_dir, &fresh->state_dir },
		{ "user", m->config.user, &fresh->user },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (str_eq(fixed[i].was, *fixed[i].is))
			continue;
		log_warn(NULL, "config.needs_restart", "key=%s", fixed[i].key);
		mem_set(fixed[i].is, fixed[i].was);
	}
}

static void
on_reload(void *ctx, int signo)
{
	struct master *m = ctx;
	struct config fresh = { 0 };
	struct err e = { 0 };

	(void)signo;
	if (config_load(m->config_path, &fresh, &e) < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "config.kept_old", &e);
		return;
	}
	keep_fixed(m, &fresh);
	config_finish(&m->config);
	m->config = fresh;
	for (int i = 0; i < ROLE_COUNT; i++) {
		struct crew *c = &m->crew[i];

		if (!c->pid)
			continue;
		if (c->spec->keeps_secret_env) {
			/* Only a new keeper can read the secret files: this one gave up the right.
			 */
			c->ends_by_request = true;
			crew_signal(c, SIGTERM);
		} else if (crew_send_config(c, &m->config, &e) < 0) {
			log_err(LOG_LEVEL_ERROR, NULL, "config.not_sent", &e);
		}
	}
	log_info(NULL, "config.reloaded", "file=%s", m->config_path);
}

/* ---- start ---- */

static int
prepare(struct master *m, struct err *e)
{
	struct rlimit no_core = { 0, 0 };
	int rc = config_load(m->config_path, &m->config, e);

	if (rc < 0)
		return rc;
	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "process limits");
	m->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (m->exe_fd < 0)
		return err_sys(e, "/proc/self/exe");
	if (m->only & ROLE_BIT(ROLE_WEB)) /* else nobody would answer there */
		rc = listen_open(m->config.listen, &m->listen, e);
	if (rc == 0)
		rc = master_dirs(&m->config, &m->lock_fd, e);
	if (rc == 0)
		rc = loop_create(&m->loop, e);
	m->notify_fd = notify_open();
	return rc;
}

/* Before the first role is started: it stays where it was born. Boxes have other limits without. */
static void
claim_cgroup(struct master *m)
{
	struct err e = { 0 };
	int rc = cgroup_claim(&e);

	if (rc < 0)
		log_err(LOG_LEVEL_WARN, NULL, "cgroup.not_ours", &e);
	m->has_moved = rc > 0;
}

static int
start_all(struct master *m, struct err *e)
{
	int rc = loop_signal_add(m->loop, SIGTERM, on_stop, m, e);

	claim_cgroup(m);
	if (rc == 0)
		rc = loop_signal_add(m->loop, SIGINT, on_stop, m, e);
	if (rc == 0)
		rc = loop_signal_add(m->loop, SIGHUP, on_reload, m, e);
	for (int i = 0; rc == 0 && i < ROLE_COUNT; i++) {
		if (!ROLES[i] || !(m->only & ROLE_BIT(i)))
			continue;
		m->crew[i].spec = ROLES[i];
		rc = crew_start(&m->crew[i], e);
	}
	return rc;
}

static void
finish(struct master *m)
{
	signal_all(m, SIGKILL);
	for (int i = 0; i < ROLE_COUNT; i++)
		crew_finish(&m->crew[i]);
	loop_destroy(m->loop);
	listen_close(&m->listen);
	config_finish(&m->config);
	clean_fd(&m->exe_fd);
	clean_fd(&m->lock_fd);
	clean_fd(&m->notify_fd);
}

int
master_run(const char *config_path, unsigned only, int *exit_code, struct err *e)
{
	struct master m = {
		.config_path = config_path,
		.only = only,
		.exe_fd = -1,
		.lock_fd = -1,
		.notify_fd = -1,
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (int i = 0; i < ROLE_COUNT; i++) {
		m.crew[i].m = &m;
		m.crew[i].pidfd = -1;
	}
	(void)sigaction(SIGPIPE, &ignore, NULL);
	log_init("master", LOG_LEVEL_INFO);
	int rc = prepare(&m, e);
	if (rc == 0)
		rc = start_all(&m, e);
	if (rc == 0)
		rc = loop_run(m.loop, e);
	if (rc == 0)
		log_info(NULL, "serve.stopped", "pid=%d", (int)getpid());
	*exit_code = m.exit_code;
	finish(&m);
	return rc;
}
