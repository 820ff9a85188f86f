/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_machine - what the machine must have: room, an address, a kernel with boxes, the agents'
 * programs. git is in check_git.c.
 */
#include "bot/check.h"

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/agent.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- Room ---- */

static void
check_state_dir(struct check_report *r, const struct config *c)
{
	auto_free char *parent = mem_str(c->state_dir);
	char *slash = strrchr(parent, '/');
	struct stat st;

	if (stat(c->state_dir, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			check_fail(r, "state_dir", EX_CONFIG, NULL, "%s is no directory",
				c->state_dir);
		else if (access(c->state_dir, W_OK | X_OK) < 0)
			check_fail(r, "state_dir", EX_NOPERM,
				"give it to the user who starts nightshift, or start it as root",
				"%s: not writable", c->state_dir);
		else
			check_ok(r, "state_dir", "%s", c->state_dir);
		return;
	}
	if (slash && slash != parent)
		*slash = '\0';
	if (access(parent, W_OK | X_OK) < 0)
		check_fail(r, "state_dir", EX_CANTCREAT,
			"create it, and give it to the user who starts nightshift",
			"%s does not exist and cannot be made", c->state_dir);
	else
		check_ok(r, "state_dir", "%s, made at the first start", c->state_dir);
}

/* ---- The address ---- */

/* What stops us from listening there: an errno, or 0. */
static int
try_bind(const struct config_listen *l)
{
	auto_fd int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return errno;
	return bind(fd, (const struct sockaddr *)&l->addr, l->addr_len) < 0 ? errno : 0;
}

static void
check_listen(struct check_report *r, const struct config *c)
{
	struct config_listen l;
	int why;

	if (config_listen_parse(c->listen, &l, NULL) < 0 || l.kind != CONFIG_LISTEN_TCP) {
		check_ok(r, "listen", "%s", c->listen);
		return;
	}
	why = try_bind(&l);
	if (why == 0)
		check_ok(r, "listen", "%s is free", c->listen);
	else if (why == EADDRINUSE)
		check_warn(r, "listen", NULL, "%s is in use: all right if that is nightshift",
			c->listen);
	else
		check_fail(r, "listen", EX_CONFIG,
			"listen at an address of this machine, with a port over 1023", "%s: %s",
			c->listen, strerror(why));
}

/* ---- Boxes ---- */

static void
check_sandbox(struct check_report *r, const struct config *c)
{
	auto_buf struct buf tier = BUF_INIT(512);
	struct sandbox_probe p;
	int wanted = sandbox_tier_parse(c->sandbox_tier_min);
	bool has_dir = access(c->state_dir, W_OK | X_OK) == 0;

	sandbox_probe(has_dir ? c->state_dir : NULL, &p);
	for (size_t i = 0; i < p.n; i++) {
		const struct sandbox_feature *f = &p.v[i];
		auto_free char *name = mem_fmt("sandbox.%s", f->name);

		if (f->ok)
			check_ok(r, name, "%s", f->text);
		else if (f->is_needed && wanted > TIER_NONE)
			check_fail(r, name, EX_UNAVAILABLE, f->mend, "%s", f->text);
		else
			check_warn(r, name, f->mend, "%s", f->text);
	}
	sandbox_describe(&p, &tier);
	if ((int)p.tier < wanted)
		check_fail(r, "sandbox.tier_min", EX_UNAVAILABLE, NULL,
			"%s is wanted; this machine has %s", c->sandbox_tier_min, buf_str(&tier));
	else
		check_ok(r, "sandbox.tier_min", "%s", buf_str(&tier));
	sandbox_probe_finish(&p);
}

/* ---- Agents ---- */

/* Value of PATH in a box that sees these tools. */
static char *
box_path(const struct config *c)
{
	const struct box_env env = { .tools = &c->sandbox_tools };
	auto_box_spec struct box_spec s = { 0 };

	box_env_fill(&env, &s);
	for (size_t i = 0; i < s.env.n; i++) {
		if (str_starts(s.env.v[i], "PATH="))
			return mem_str(s.env.v[i] + strlen("PATH="));
	}
	return mem_str("");
}

/* Where the program is that the box would start, or NULL. */
static char *
find_program(const struct config *c, const char *program)
{
	auto_free char *path = box_path(c);

	if (strchr(program, '/'))
		return access(program, X_OK) == 0 ? mem_str(program) : NULL;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, ":");
		auto_free char *file = mem_fmt("%.*s/%s", (int)n, p, program);

		if (access(file, X_OK) == 0)
			return steal_ptr(&file);
		p += n + (p[n] == ':');
	}
	return NULL;
}

static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return str_starts(path, dir) && (path[n] == '/' || path[n] == '\0');
}

/* A box sees the system's directories and the configured tools, nothing else of this machine. */
static bool
is_seen(const struct config *c, const char *path)
{
	static const char *const system[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64" };

	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++) {
		if (is_below(path, system[i]))
			return true;
	}
	for (size_t i = 0; i < c->sandbox_tools.n; i++) {
		if (is_below(path, c->sandbox_tools.v[i]))
			return true;
	}
	return false;
}

static void
check_agent(struct check_report *r, const struct config *c, const struct config_agent *a)
{
	const struct agent_row *row = agent_row_find(a->kind);
	const char *program = a->command.n ? a->command.v[0] : a->path;
	auto_free char *name = mem_fmt("agents.%s", a->name);
	auto_free char *found = NULL;
	bool is_default = str_eq(a->name, c->agent);
	int exit_code = is_default ? EX_UNAVAILABLE : EX_OK;
	bool is_meant = is_default || program; /* else it is only built in */

	if (!program && row)
		program = row->program;
	found = program ? find_program(c, program) : NULL;
	if (!is_meant && !found)
		return;
	if (!row)
		check_fail(r, name, exit_code, "choose another agent",
			"kind %s is not supported by this version", a->kind);
	else if (!found)
		check_fail(r, name, exit_code,
			"install it, and name its directory in sandbox.tools",
			"%s is not found by a box", program);
	else if (!is_seen(c, found))
		check_fail(r, name, exit_code, "name its directory in sandbox.tools",
			"%s is not seen by a box", found);
	else if (row->program && !a->provider)
		check_warn(r, name, "add the API that it speaks to models",
			"%s, but it has no model to talk to", found);
	else
		check_ok(r, name, "%s%s", found, is_default ? ", the default" : "");
}

static void
check_agents(struct check_report *r, const struct config *c)
{
	const struct config_agent *a = c->agents.v;

	for (size_t i = 0; i < c->agents.n; i++)
		check_agent(r, c, &a[i]);
	for (size_t i = 0; i < c->sandbox_tools.n; i++) {
		if (access(c->sandbox_tools.v[i], R_OK | X_OK) < 0)
			check_warn(r, "sandbox.tools", "correct or remove it", "%s: %s",
				c->sandbox_tools.v[i], strerror(errno));
	}
}

void
check_machine(struct check_report *r, const struct config *c)
{
	check_state_dir(r, c);
	check_listen(r, c);
	check_git(r);
	check_sandbox(r, c);
	check_agents(r, c);
}
