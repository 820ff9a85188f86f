/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_spec - what is in each of the boxes of an attempt.
 *
 *	         /workspace                                 home       reaches
 *	setup    setup | checkout                           setup      registries
 *	resume                                              agent | setup   nothing
 *	agent    agent | setup, checkout                    agent | setup   models, `network`
 *	session                                             agent | setup   nothing
 *	pack     | agent, checkout          /git | .git     empty      nothing
 *	setup    head | delta, checkout                     head       registries (if need be)
 *	gate     gate | delta, setup or head, checkout      | same     `network`
 *
 * Left of the bar is the layer that is written to. What the setup wrote is not in the pack: a
 * commit has what the agent did. What the agent wrote besides is not in the gate: tests run on what
 * was committed. Wherever the checkout is, its extras (submodules, LFS objects) lie over it.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "sandbox/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_MS_MAX    (INT64_C(5) * 60 * 1000)
#define SESSION_MS_MAX 60000
#define GIT_DIR        "/git"

char *
attempt_path(const struct attempt *a, const char *name)
{
	return mem_fmt("%s/%s", a->dir, name);
}

char *
attempt_disk_path(const struct attempt *a, const char *name)
{
	return mem_fmt("%s/" SHIM_DISK "/%s", a->dir, name);
}

static int
attempt_mkdir(const struct attempt *a, const char *name, struct err *e)
{
	auto_free char *path = attempt_path(a, name);

	return mkdir(path, 0700) < 0 && errno != EEXIST ? err_sys(e, "mkdir %s", path) : 0;
}

/* ---- layers ---- */

/* On the attempt's disk. */
static void
add_writable(const struct attempt *a, struct box_spec *s, const char *at, const char *name)
{
	auto_free char *path = attempt_disk_path(a, name);

	box_spec_layer(s, at, path, 0, true);
}

/* A writable layer of an earlier box, from below now. Its owner is whoever's box it was. On the
 * attempt's disk it cannot be seen from here. */
static int
add_written(
	const struct attempt *a, struct box_spec *s, const char *at, const char *dir, struct err *e)
{
	auto_free char *data = mem_fmt("%s/data", dir);
	struct stat st = { .st_uid = box_owner(a->slot) };

	if (!str_starts(dir, a->dir) && lstat(data, &st) < 0)
		return err_sys(e, "layer %s", data);
	box_spec_layer(s, at, data, st.st_uid, false);
	return 0;
}

static int
add_setup(const struct attempt *a, struct box_spec *s, const char *at, const char *part,
	struct err *e)
{
	if (!a->layer)
		return 0;
	auto_free char *dir = mem_fmt("%s/%s", a->layer, part);
	return add_written(a, s, at, dir, e);
}

static void
add_checkout(const struct attempt *a, struct box_spec *s)
{
	if (a->base.extra_dir)
		box_spec_layer(s, BOX_WORKSPACE, a->base.extra_dir, a->base.owner_uid, false);
	box_spec_layer(s, BOX_WORKSPACE, a->base.checkout_dir, a->base.owner_uid, false);
}

/* A home that outlives its box; what a setup installed there is in it. */
static int
add_home_layers(const struct attempt *a, struct box_spec *s, const char *name, struct err *e)
{
	auto_free char *empty = attempt_path(a, "empty");
	struct stat st;
	int rc = attempt_mkdir(a, "empty", e);

	add_writable(a, s, BOX_HOME, name);
	if (rc == 0)
		rc = add_setup(a, s, BOX_HOME, "home", e);
	if (rc == 0 && lstat(empty, &st) < 0)
		rc = err_sys(e, "stat %s", empty);
	if (rc == 0)
		box_spec_layer(s, BOX_HOME, empty, st.st_uid, false);
	return rc;
}

/* Without a setup the home is a tmpfs. */
static int
add_home(const struct attempt *a, struct box_spec *s, const char *name, struct err *e)
{
	return a->layer ? add_home_layers(a, s, name, e) : 0;
}

/* That of an agent whose session is wanted afterwards. One that starts afresh does not see what the
 * session that it refused has left. */
static int
add_agent_home(const struct attempt *a, struct box_spec *s, struct err *e)
{
	const struct agent_row *row = attempt_agent_row(a);
	const char *name = a->session.is_refused ? "fresh-home" : "agent-home";

	if (row && row->session_dir)
		return add_home_layers(a, s, name, e);
	return add_home(a, s, name, e);
}

/* ---- what all have ---- */

/* Of the registries and hosts: an agent is told what it may not reach, and that is in the pull
 * request; tests that ask for nothing have nobody to ask. */
static bool
is_online(const struct attempt *a, const char *step)
{
	return str_eq(step, "agent") || a->registries ||
	       (str_eq(step, "gate") && a->settings.network.n > 0);
}

static bool
wants_all(const struct attempt *a)
{
	return strs_has(&a->settings.network, "registry");
}

static bool
reaches(const struct attempt *a, const char *name)
{
	return config_registry_find(a->r->role->config, name) &&
	       (a->registries || strs_has(&a->settings.network, name));
}

/* A box that knows of a proxy asks it for hosts outside, and is told at once when one is not open;
 * so it is known which. Agents that take it for all there is must not know of it. */
static bool
may_know_proxy(const struct attempt *a, const char *step)
{
	const struct agent_row *row = str_eq(step, "agent") ? attempt_agent_row(a) : NULL;

	return !row || !row->proxies_all;
}

/* A repository may ask for less than the server gives, not for more. 0: it does not say. */
static int64_t
less(int64_t server, int64_t repository)
{
	return repository > 0 && repository < server ? repository : server;
}

/* A box that takes all memory of the machine takes the bot's. A round number, as it is told. */
static int64_t
machine_memory(void)
{
	int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4 * 3;
	int64_t unit = bytes > MIB(4096) ? MIB(1024) : MIB(1);

	return bytes / unit * unit;
}

static void
fill_limits(const struct attempt *a, struct box_spec *s)
{
	const struct config *c = a->r->role->config;

	s->log_bytes_max = c->limit_log_bytes;
	s->idle_ms = less(c->limit_idle_ms, a->settings.limit_idle_ms);
	s->memory_bytes_max =
		less(less(c->limit_memory_bytes, machine_memory()), a->settings.limit_memory_bytes);
	s->cpu_milli_max = c->limit_cpus_hundredths * 10;
	s->procs_max = c->limit_processes;
	s->disk_bytes_max = c->limit_disk_bytes;
	s->output_bytes_max = c->limit_output_bytes;
}

static void
fill(struct attempt *a, struct box_spec *s, const char *name, int64_t wall_ms)
{
	const struct config *c = a->r->role->config;
	struct box_env env = {
		.task = a->task.id,
		.proxy = is_online(a, name) && may_know_proxy(a, name),
		.npm = reaches(a, "npm"),
		.pypi = reaches(a, "pypi"),
		.cargo = reaches(a, "cargo"),
		.go = reaches(a, "go"),
		.tools = &c->sandbox_tools,
	};

	s->name = mem_str(name);
	s->slot = a->slot;
	s->wall_ms = wall_ms;
	s->net = is_online(a, name);
	s->rootfs = mem_str(c->sandbox_rootfs);
	s->runtime = mem_str(c->sandbox_runtime);
	fill_limits(a, s);
	strs_copy(&s->tools, &c->sandbox_tools);
	box_env_fill(&env, s);
}

static void
set_command(struct box_spec *s, const char *command)
{
	strs_add(&s->argv, "/bin/sh");
	strs_add(&s->argv, "-c");
	strs_add(&s->argv, command);
}

/* ---- the boxes ---- */

static void
add_delta(const struct attempt *a, struct box_spec *s)
{
	box_spec_layer(s, BOX_WORKSPACE, a->harvest.delta_dir, a->harvest.owner_uid, false);
}

int
spec_setup(struct attempt *a, struct box_spec *s, struct err *e)
{
	const char *command = a->settings.setup.v[a->setup_next];
	auto_free char *dir = layer_setup_dir(a);
	auto_free char *ws = mem_fmt("%s/ws", dir);
	auto_free char *home = mem_fmt("%s/home", dir);
	auto_free char *empty = attempt_path(a, "empty");
	struct stat st;
	int rc;

	a->models = false;
	a->registries = true;
	fill(a, s, "setup", a->r->role->config->limit_setup_ms);
	s->title = mem_fmt("setup: %s", command);
	set_command(s, command);
	s->is_measured = a->layer_new && !a->on_head;
	rc = attempt_mkdir(a, "empty", e);
	if (rc < 0)
		return rc;
	box_spec_layer(s, BOX_WORKSPACE, ws, 0, true);
	box_spec_layer(s, BOX_HOME, home, 0, true);
	if (a->on_head)
		add_delta(a, s);
	add_checkout(a, s);
	if (lstat(empty, &st) < 0)
		return err_sys(e, "stat %s", empty);
	box_spec_layer(s, BOX_HOME, empty, st.st_uid, false);
	return 0;
}

/* What an agent remembers goes in and out in boxes that see its home and nothing else: links and
 * names in it, whoever made them, lead nowhere. */
static int
fill_session(
	struct attempt *a, struct box_spec *s, const char *name, const char *command, struct err *e)
{
	a->models = a->registries = false;
	fill(a, s, name, SESSION_MS_MAX);
	s->is_quiet = true;
	s->file_bytes_max = LIMIT_SESSION_BYTES;
	s->tmp_bytes_max = LIMIT_SESSION_BYTES;
	strs_finish(&s->tools);
	set_command(s, command);
	strs_addf(&s->env, "DIR=%s/%s", BOX_HOME, attempt_agent_row(a)->session_dir);
	return add_agent_home(a, s, e);
}

int
spec_resume(struct attempt *a, struct box_spec *s, struct err *e)
{
	return fill_session(a, s, "resume",
		"mkdir -p \"$DIR\" && exec tar -C \"$DIR\" --no-same-owner -xf -", e);
}

int
spec_session(struct attempt *a, struct box_spec *s, struct err *e)
{
	return fill_session(a, s, "session", "exec tar -C \"$DIR\" -cf - .", e);
}

static int
fill_agent(const struct attempt *a, const struct config_agent *agent, struct box_spec *s,
	struct err *e)
{
	auto_free char *key = mem_fmt("task-%" PRId64, a->task.id);
	struct agent_ask ask = {
		.kind = agent->kind,
		.program = agent->path,
		.command = &agent->command,
		.args = &agent->args,
		.model = agent->model,
		.provider = agent->provider,
		.key = key,
		.session = a->session.id,
		.is_resumed = a->session.is_resumed,
	};

	return agent_fill(&ask, s, e);
}

const char *
spec_agent_name(const struct attempt *a)
{
	const char *asked = a->task.agent ? a->task.agent : a->settings.agent;

	return asked ? asked : a->r->role->config->agent;
}

int
spec_agent(struct attempt *a, struct box_spec *s, struct err *e)
{
	const struct config *c = a->r->role->config;
	const char *name = spec_agent_name(a);
	const struct config_agent *agent = config_agent_find(c, name);
	int rc;

	if (!agent)
		return err_set(e, ERR_INVALID, "no agent \"%s\" is configured", name);
	a->models = agent->provider != NULL;
	a->registries = wants_all(a);
	fill(a, s, "agent", less(c->limit_wall_ms, a->settings.limit_wall_ms));
	s->title = mem_fmt("agent: %s%s", agent->name,
		a->session.is_resumed   ? ", going on with its session"
		: a->session.is_refused ? ", afresh: its session could not be resumed"
					: "");
	rc = fill_agent(a, agent, s, e);
	add_writable(a, s, BOX_WORKSPACE, "agent");
	if (rc == 0)
		rc = add_setup(a, s, BOX_WORKSPACE, "ws", e);
	if (rc == 0)
		rc = add_agent_home(a, s, e);
	if (rc == 0)
		add_checkout(a, s);
	return rc;
}

/* What the agent changes by itself, unless the task speaks of it. */
static void
add_leave(const struct attempt *a, struct box_spec *s)
{
	const struct agent_row *row = attempt_agent_row(a);
	auto_buf struct buf paths = BUF_INIT(KIB(4));

	for (size_t i = 0; row && row->rewrites && row->rewrites[i]; i++) {
		if (!a->task.prompt || !strstr(a->task.prompt, row->rewrites[i]))
			(void)buf_addf(&paths, "%s%s", paths.len ? " " : "", row->rewrites[i]);
	}
	strs_addf(&s->env, "LEAVE=%s", buf_str(&paths));
}

/* The pristine .git of the checkout, never the one that the agent had its hands on. */
static void
add_git(const struct attempt *a, struct box_spec *s)
{
	auto_free char *git = mem_fmt("%s/.git", a->base.checkout_dir);
	auto_free char *extra = mem_fmt("%s/.git", a->base.extra_dir ? a->base.extra_dir : "");

	add_writable(a, s, GIT_DIR, "git");
	if (a->base.extra_dir && access(extra, F_OK) == 0)
		box_spec_layer(s, GIT_DIR, extra, a->base.owner_uid, false);
	box_spec_layer(s, GIT_DIR, git, a->base.owner_uid, false);
}

int
spec_pack(struct attempt *a, struct box_spec *s, struct err *e)
{
	static const char *const env[] = {
		("GIT_DIR=" GIT_DIR),
		("GIT_WORK_TREE=" BOX_WORKSPACE),
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=nightshift",
		"GIT_AUTHOR_EMAIL=nightshift@localhost",
		"GIT_AUTHOR_DATE=@0 +0000",
		"GIT_COMMITTER_NAME=nightshift",
		"GIT_COMMITTER_EMAIL=nightshift@localhost",
		"GIT_COMMITTER_DATE=@0 +0000",
	};
	auto_free char *agent = attempt_disk_path(a, "agent");
	int rc;

	a->models = a->registries = false;
	fill(a, s, "harvest", PACK_MS_MAX);
	s->is_quiet = true;
	s->file_bytes_max = LIMIT_BUNDLE_BYTES;
	strs_finish(&s->tools);
	set_command(s, RUNNER_PACK);
	for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++)
		strs_add(&s->env, env[i]);
	strs_addf(&s->env, "BASE=%s", a->base.base_sha);
	add_leave(a, s);
	add_writable(a, s, BOX_WORKSPACE, "pack");
	rc = add_written(a, s, BOX_WORKSPACE, agent, e);
	if (rc < 0)
		return rc;
	add_checkout(a, s);
	add_git(a, s);
	return 0;
}

int
spec_gate(struct attempt *a, struct box_spec *s, struct err *e)
{
	int rc;

	a->models = false;
	a->registries = wants_all(a);
	fill(a, s, "gate", a->r->role->config->limit_gate_ms);
	s->title = mem_fmt("tests: %s", a->settings.gate_test);
	set_command(s, a->settings.gate_test);
	add_writable(a, s, BOX_WORKSPACE, "gate");
	add_delta(a, s);
	rc = add_setup(a, s, BOX_WORKSPACE, "ws", e);
	if (rc == 0)
		rc = add_home(a, s, "gate-home", e);
	if (rc == 0)
		add_checkout(a, s);
	return rc;
}
