/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - one group: made with its limits, entered, looked at, removed.
 */
#include "sandbox/cgroup.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX        "nightshift-"
#define PERIOD_US     100000
#define QUOTA_US_MIN  1000 /* the kernel's */
#define RMDIR_WAIT_MS 10

/* A quarter of the default. */
#define V2_WEIGHT "25"
#define V1_SHARES "256"

struct part {
	char *dir;
	unsigned keeps;
	bool is_v2;
	int join_fd; /* v1: the list that "0" is written to; opened by us, so the right to is ours
		      */
};

struct cgroup {
	struct part v[CGROUP_TREES_MAX];
	size_t n;
	int fd; /* of the v2 directory */
};

/* ---- files ---- */

static bool
put(const struct part *p, const char *file, const char *text)
{
	auto_free char *path = mem_fmt("%s/%s", p->dir, file);
	/* In this filesystem nothing can be created; in that of a test it must be. */
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool
put_number(const struct part *p, const char *file, int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	return put(p, file, text);
}

/* The number behind a word at the beginning of a line ("oom_kill 3"); "" is the first of all. */
static int64_t
get(const struct part *p, const char *file, const char *word)
{
	auto_free char *path = mem_fmt("%s/%s", p->dir, file);
	auto_buf struct buf text = BUF_INIT(KIB(16));
	size_t len = strlen(word);

	if (fs_read(path, &text, NULL) < 0)
		return -1;
	for (const char *line = buf_str(&text); *line;) {
		if (strncmp(line, word, len) == 0 && (len == 0 || line[len] == ' '))
			return strtoll(line + len, NULL, 10);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return -1;
}

/* ---- limits ---- */

/* No swap besides: a box that swaps is slow and takes the disk's time from all. In v2 the kernel
 * ends the whole group, in v1 one process of it and the watcher the rest. */
static bool
limit_memory(const struct part *p, int64_t bytes)
{
	auto_free char *swap = mem_fmt("%s/../memory.memsw.limit_in_bytes", p->dir);

	if (p->is_v2) {
		(void)put(p, "memory.oom.group", "1");
		(void)put(p, "memory.swap.max", "0");
		return put_number(p, "memory.max", bytes);
	}
	if (!put_number(p, "memory.limit_in_bytes", bytes))
		return false;
	if (access(swap, F_OK) == 0)
		(void)put_number(p, "memory.memsw.limit_in_bytes", bytes);
	else
		(void)put(p, "memory.swappiness", "0");
	return true;
}

static bool
limit_cpu(const struct part *p, int64_t milli)
{
	int64_t quota = milli * (PERIOD_US / 1000);
	char text[64];

	if (milli <= 0)
		return true;
	if (quota < QUOTA_US_MIN)
		quota = QUOTA_US_MIN;
	if (!p->is_v2)
		return put_number(p, "cpu.cfs_quota_us", quota);
	(void)snprintf(text, sizeof(text), "%" PRId64 " %d", quota, PERIOD_US);
	return put(p, "cpu.max", text);
}

static void
limit(struct part *p, const struct cgroup_limits *l)
{
	if ((p->keeps & CGROUP_MEMORY) && l->memory_bytes_max > 0 &&
		!limit_memory(p, l->memory_bytes_max))
		p->keeps &= ~CGROUP_MEMORY;
	if ((p->keeps & CGROUP_PROCS) && l->procs_max > 0 &&
		!put_number(p, "pids.max", l->procs_max))
		p->keeps &= ~CGROUP_PROCS;
	if ((p->keeps & CGROUP_CPU) && !limit_cpu(p, l->cpu_milli_max))
		p->keeps &= ~CGROUP_CPU;
}

/* ---- a group ---- */

static bool
make_part(const struct cgroup_tree *t, const char *name, struct part *p)
{
	*p = (struct part){ .keeps = t->keeps, .is_v2 = t->is_v2, .join_fd = -1 };
	p->dir = mem_fmt("%s/%s", t->base, name);
	if (mkdir(p->dir, 0755) < 0) {
		free(p->dir);
		return false;
	}
	return true;
}

static bool
open_part(struct cgroup *g, struct part *p)
{
	auto_free char *list = mem_fmt("%s/%s", p->dir, p->is_v2 ? "cgroup.procs" : "tasks");

	p->join_fd = open(list, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (p->is_v2)
		g->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->join_fd >= 0 && (!p->is_v2 || g->fd >= 0);
}

struct cgroup *
cgroup_create(const struct cgroup_world *w, const struct cgroup_limits *l)
{
	static unsigned serial;
	auto_free char *name =
		mem_fmt(PREFIX "%d-%" PRIu64 "-%u", getpid(), procs_started(getpid()), ++serial);
	struct cgroup *g = mem_zero(sizeof(*g));

	g->fd = -1;
	for (size_t i = 0; i < w->n; i++) {
		struct part *p = &g->v[g->n];

		if (!make_part(&w->v[i], name, p))
			continue;
		g->n++;
		if (!open_part(g, p)) {
			(void)rmdir(p->dir);
			free(p->dir);
			clean_fd(&p->join_fd);
			clean_fd(&g->fd);
			g->n--;
			continue;
		}
		limit(p, l);
	}
	if (g->n > 0)
		return g;
	free(g);
	return NULL;
}

unsigned
cgroup_keeps(const struct cgroup *g)
{
	unsigned keeps = 0;

	for (size_t i = 0; g && i < g->n; i++)
		keeps |= g->v[i].keeps;
	return keeps;
}

int
cgroup_fd(const struct cgroup *g)
{
	return g ? g->fd : -1;
}

const char *
cgroup_dir(const struct cgroup *g)
{
	return g && g->n > 0 && g->v[0].is_v2 ? g->v[0].dir : NULL;
}

const char *
cgroup_name(const struct cgroup *g)
{
	return g && g->n > 0 ? strrchr(g->v[0].dir, '/') + 1 : NULL;
}

/* "0" is the caller itself; a single thread that moves itself costs v1 no lock over all forks of
 * the machine, as the move of somebody else does. */
int
cgroup_enter(const struct cgroup *g, bool is_in_v2, struct err *e)
{
	for (size_t i = 0; g && i < g->n; i++) {
		const struct part *p = &g->v[i];

		if ((!p->is_v2 || !is_in_v2) && write(p->join_fd, "0", 1) != 1)
			return err_sys(e, "join %s", p->dir);
	}
	return 0;
}

void
cgroup_yield(const struct cgroup *g)
{
	for (size_t i = 0; g && i < g->n; i++) {
		const struct part *p = &g->v[i];

		if (p->keeps & CGROUP_CPU)
			(void)put(p, p->is_v2 ? "cpu.weight" : "cpu.shares",
				p->is_v2 ? V2_WEIGHT : V1_SHARES);
	}
}

void
cgroup_kill(const struct cgroup *g)
{
	if (cgroup_dir(g))
		(void)put(&g->v[0], "cgroup.kill", "1");
}

static void
look_at(const struct part *p, struct cgroup_facts *out)
{
	int64_t n;

	if (p->keeps & CGROUP_MEMORY) {
		n = get(p, p->is_v2 ? "memory.events" : "memory.oom_control", "oom_kill");
		out->oom_kills += n > 0 ? n : 0;
	}
	if (p->keeps & CGROUP_PROCS) {
		n = get(p, "pids.events", "max");
		out->procs_refused += n > 0 ? n : 0;
	}
	if (out->cpu_us >= 0)
		return;
	if (p->is_v2) { /* without any controller, too */
		out->cpu_us = get(p, "cpu.stat", "usage_usec");
	} else if (p->keeps & CGROUP_CPU) {
		n = get(p, "cpuacct.usage", ""); /* in the same tree as a rule */
		out->cpu_us = n < 0 ? -1 : n / 1000;
	}
}

void
cgroup_look(const struct cgroup *g, struct cgroup_facts *out)
{
	*out = (struct cgroup_facts){ .cpu_us = -1 };
	for (size_t i = 0; g && i < g->n; i++)
		look_at(&g->v[i], out);
}

/* ---- the end ---- */

/* False: something in it has not ended yet. Of a process that was reaped the kernel lets go a
 * moment later; in v2 it says so. */
static bool
remove_dir(const char *dir, int wait_ms)
{
	auto_free char *path = mem_fmt("%s/cgroup.events", dir);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	char seen[256];

	for (;; wait_ms -= RMDIR_WAIT_MS) {
		if (fd >= 0) /* from here on it tells of what comes */
			(void)!pread(fd, seen, sizeof(seen), 0);
		if (rmdir(dir) == 0 || errno != EBUSY)
			return true;
		if (wait_ms <= 0)
			return false;
		(void)poll(&p, 1, RMDIR_WAIT_MS);
	}
}

void
cgroup_destroy(struct cgroup *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++) {
		clean_fd(&g->v[i].join_fd);
		(void)remove_dir(g->v[i].dir, CGROUP_REMOVE_MS);
		free(g->v[i].dir);
	}
	clean_fd(&g->fd);
	free(g);
}

/* Named after the process that made them: its number and the time of its start, for the number
 * alone is soon another's. */
static bool
is_orphan(const char *name)
{
	uint64_t started;
	char *end;
	long pid;

	if (!str_starts(name, PREFIX))
		return false;
	pid = strtol(name + strlen(PREFIX), &end, 10);
	if (*end != '-' || pid <= 0)
		return false;
	started = strtoull(end + 1, &end, 10);
	return *end == '-' && procs_started((pid_t)pid) != started;
}

bool
cgroup_sweep(const struct cgroup_world *w, int wait_ms)
{
	bool is_done = true;

	for (size_t i = 0; i < w->n; i++) {
		auto_dir DIR *d = opendir(w->v[i].base);
		const struct dirent *de;

		while (d && (de = readdir(d))) {
			if (!is_orphan(de->d_name))
				continue;
			auto_free char *dir = mem_fmt("%s/%s", w->v[i].base, de->d_name);
			if (w->v[i].is_v2)
				(void)put(&(struct part){ .dir = dir }, "cgroup.kill", "1");
			is_done &= remove_dir(dir, wait_ms);
		}
	}
	return is_done;
}

/* ---- what there is ---- */

static const struct {
	unsigned kind;
	const char *name;
	const char *otherwise;
} KINDS[CGROUP_KINDS] = {
	{ CGROUP_MEMORY, "memory", "a watchdog" },
	{ CGROUP_PROCS, "processes", "RLIMIT_NPROC" },
	{ CGROUP_CPU, "CPU", "a low priority" },
};

static const char *
keeper_of(const struct cgroup *g, int kind)
{
	for (size_t i = 0; g && i < g->n; i++) {
		if (g->v[i].keeps & KINDS[kind].kind)
			return g->v[i].is_v2 ? "cgroup v2" : "cgroup v1";
	}
	return KINDS[kind].otherwise;
}

unsigned
cgroup_try(struct buf *text)
{
	const struct cgroup_limits trial = { MIB(64), 64, 1000 };
	struct cgroup *g = cgroup_create(cgroup_world(), &trial);
	unsigned keeps = cgroup_keeps(g);

	for (int k = 0; k < CGROUP_KINDS; k++) {
		const char *keeper = keeper_of(g, k);
		bool is_last = k == CGROUP_KINDS - 1;

		(void)buf_addf(text, "%s%s", k ? ", " : "", KINDS[k].name);
		if (is_last || !str_eq(keeper, keeper_of(g, k + 1)))
			(void)buf_addf(text, " limited by %s", keeper);
	}
	if (cgroup_dir(g))
		(void)buf_adds(text, "; killed whole by cgroup v2");
	cgroup_destroy(g);
	return keeps;
}
