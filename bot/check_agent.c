/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_agent - which agents a box could start, and what the others lack.
 *
 * A program that this machine has is of no use if a box does not see it: the file that a link leads
 * to, and the interpreter of a script, have to be among what the box is shown.
 */
#include "bot/check.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FIRST_LINE_BYTES 256

/* ---- what a box sees ---- */

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

static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return str_starts(path, dir) && (path[n] == '/' || path[n] == '\0');
}

static bool
is_tool(const struct config *c, const char *path)
{
	bool found = false;

	for (size_t i = 0; i < c->sandbox_tools.n; i++)
		found |= is_below(path, c->sandbox_tools.v[i]);
	return found;
}

/* Tools are this machine's; the rest may come from elsewhere. */
static bool
can_run(const struct config *c, const char *path)
{
	if (c->sandbox_rootfs && !is_tool(c, path))
		return check_rootfs_has(c, path);
	return access(path, X_OK) == 0;
}

/* Where the program is that the box would start, or NULL. */
static char *
find_program(const struct config *c, const char *program)
{
	auto_free char *path = box_path(c);

	if (strchr(program, '/'))
		return can_run(c, program) ? mem_str(program) : NULL;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, ":");
		auto_free char *file = mem_fmt("%.*s/%s", (int)n, p, program);

		if (can_run(c, file))
			return steal_ptr(&file);
		p += n + (p[n] == ':');
	}
	return NULL;
}

/* A box sees the system's directories and the configured tools, nothing else of this machine. */
static bool
is_seen(const struct config *c, const char *path)
{
	static const char *const system[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64" };
	bool found = is_tool(c, path);

	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
		found |= !c->sandbox_rootfs && is_below(path, system[i]);
	return found || (c->sandbox_rootfs && check_rootfs_has(c, path));
}

/* The first path on the way to the program that a box does not see: itself, or the file that it
 * links to. NULL: it sees all. The caller's to free. */
static char *
unseen(const struct config *c, const char *path)
{
	char *real;

	if (!is_seen(c, path))
		return mem_str(path);
	if (c->sandbox_rootfs && !is_tool(c, path))
		return NULL; /* its links are the tree's own matter */
	real = realpath(path, NULL);
	if (real && !is_seen(c, real))
		return real;
	free(real);
	return NULL;
}

/* What a script wants to be run by: "node" of "#!/usr/bin/env node", "/bin/sh" of "#!/bin/sh".
 * NULL: it is no script. The caller's to free. */
static char *
interpreter(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[FIRST_LINE_BYTES + 1];
	ssize_t n = fd < 0 ? -1 : read(fd, line, FIRST_LINE_BYTES);
	char *rest = line + 2;
	char *word;

	if (n < 3 || memcmp(line, "#!", 2) != 0)
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	rest += strspn(rest, " \t");
	word = strsep(&rest, " \t");
	while (rest && (str_ends(word, "/env") || word[0] == '-'))
		word = strsep(&rest, " \t");
	return mem_str(word);
}

/* ---- one agent ---- */

struct finding {
	char *text; /* what it lacks, or NULL */
	char *mend;
};

static void
clean_finding(struct finding *f)
{
	free(f->text);
	free(f->mend);
}

static void
lacks_program(const struct agent_row *row, const char *program, struct finding *f)
{
	f->text = mem_fmt("%s is not found by a box", program);
	if (row->package)
		f->mend = mem_fmt("install it (npm install --prefix /opt/agents %s), and name its "
				  "directory in sandbox.tools",
			row->package);
	else
		f->mend = mem_str("install it, and name its directory in sandbox.tools");
}

static void
look_at_program(const struct config *c, const char *path, struct finding *f)
{
	auto_free char *hidden = unseen(c, path);
	auto_free char *by = NULL;
	auto_free char *runs = NULL;

	if (hidden) {
		f->text = mem_fmt("%s is not seen by a box", hidden);
		f->mend = mem_str("name its directory in sandbox.tools");
		return;
	}
	by = c->sandbox_rootfs && !is_tool(c, path) ? NULL : interpreter(path);
	runs = by ? find_program(c, by) : NULL;
	if (!by || (runs && (hidden = unseen(c, runs)) == NULL))
		return;
	f->text = mem_fmt("%s is run by %s, which is not %s by a box", path, hidden ? hidden : by,
		runs ? "seen" : "found");
	f->mend = mem_fmt("name the directory of %s in sandbox.tools", by);
}

/* What it needs to talk to a model. */
static void
look_at_model(const struct config *c, const struct config_agent *a, const struct agent_row *row,
	struct finding *f)
{
	const struct config_model *m = a->provider ? config_model_find(c, a->provider) : NULL;

	if (!row->program)
		return;
	if (!m) {
		f->text = mem_str("it has no model to talk to");
		f->mend = mem_fmt("add %s to models", row->api);
	} else if (!str_eq(m->kind, row->api)) {
		f->text = mem_fmt("it talks to %s APIs, and %s is one of kind %s", row->api,
			m->name, m->kind);
		f->mend = mem_fmt("name another provider in agents.%s.provider", a->name);
	} else if (row->needs_model && str_is_empty(a->model)) {
		f->text = mem_str("it has to be told which model to use");
		f->mend = mem_fmt("set agents.%s.model", a->name);
	}
}

static void
check_agent(struct check_report *r, const struct config *c, const struct config_agent *a,
	struct strs *absent)
{
	const struct agent_row *row = agent_row_find(a->kind);
	auto_cleanup(clean_finding) struct finding f = { 0 };
	auto_free char *name = mem_fmt("agents.%s", a->name);
	auto_free char *found = NULL;
	const char *program = a->command.n ? a->command.v[0] : a->path;
	bool is_default = str_eq(a->name, c->agent);
	bool is_meant = is_default || program; /* else it is only built in */

	if (!program)
		program = row->program;
	found = find_program(c, program);
	if (!found && !is_meant) {
		strs_add(absent, a->name);
		return;
	}
	if (!found)
		lacks_program(row, program, &f);
	else
		look_at_program(c, found, &f);
	if (f.text) {
		check_fail(r, name, is_default ? EX_UNAVAILABLE : EX_OK, f.mend, "%s", f.text);
		return;
	}
	look_at_model(c, a, row, &f);
	if (f.text)
		check_warn(r, name, f.mend, "%s: %s", found, f.text);
	else
		check_ok(r, name, "%s%s", found, is_default ? ", the default" : "");
}

void
check_agents(struct check_report *r, const struct config *c)
{
	const struct config_agent *a = c->agents.v;
	auto_strs struct strs absent = { 0 };
	auto_buf struct buf names = BUF_INIT(4096);

	for (size_t i = 0; i < c->agents.n; i++)
		check_agent(r, c, &a[i], &absent);
	for (size_t i = 0; i < absent.n; i++)
		(void)buf_addf(&names, "%s%s", i ? ", " : "", absent.v[i]);
	if (absent.n > 0)
		check_ok(r, "agents", "not installed: %s", buf_str(&names));
	for (size_t i = 0; i < c->sandbox_tools.n; i++) {
		if (access(c->sandbox_tools.v[i], R_OK | X_OK) < 0)
			check_warn(r, "sandbox.tools", "correct or remove it", "%s: %s",
				c->sandbox_tools.v[i], strerror(errno));
	}
}
