/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_world - where on this machine groups may be made, and what they can limit there.
 *
 * Always below the group that we are in ourselves: the limits that somebody set for the whole
 * service hold for its boxes too, and what another manager keeps is none of our business.
 */
#include "sandbox/cgroup.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAF       "nightshift-bot"
#define LINE_BYTES 4096

static const struct {
	const char *name;
	unsigned keeps;
} CONTROLLERS[CGROUP_KINDS] = {
	{ "memory", CGROUP_MEMORY },
	{ "pids", CGROUP_PROCS },
	{ "cpu", CGROUP_CPU },
};

/* Which of them are words of a list. */
static unsigned
controllers(const char *list, size_t len, const char *separators)
{
	unsigned found = 0;

	for (const char *p = list; p < list + len;) {
		size_t n = strcspn(p, separators);

		if (n > (size_t)(list + len - p))
			n = (size_t)(list + len - p);
		for (int i = 0; i < CGROUP_KINDS; i++) {
			if (strlen(CONTROLLERS[i].name) == n &&
				memcmp(p, CONTROLLERS[i].name, n) == 0)
				found |= CONTROLLERS[i].keeps;
		}
		p += n + 1;
	}
	return found;
}

static unsigned
controllers_in(const char *dir, const char *file)
{
	auto_free char *path = mem_fmt("%s/%s", dir, file);
	auto_buf struct buf text = BUF_INIT(KIB(4));

	if (fs_read(path, &text, NULL) < 0)
		return 0;
	return controllers(buf_str(&text), text.len, " \n");
}

/* ---- which group we are in ---- */

/* Of the lines "number:controllers:/path" the path of the one that has these, or of v2 (0). */
static char *
own_path(const char *own, unsigned keeps)
{
	for (const char *line = own; *line;) {
		size_t len = strcspn(line, "\n");
		const char *list = memchr(line, ':', len);
		const char *path =
			list ? memchr(list + 1, ':', len - (size_t)(list + 1 - line)) : NULL;

		if (path) {
			size_t n = (size_t)(path - list - 1);
			bool is_it = keeps ? (controllers(list + 1, n, ",:") & keeps) != 0 : n == 0;

			if (is_it)
				return mem_strn(path + 1, len - (size_t)(path + 1 - line));
		}
		line += len + (line[len] == '\n');
	}
	return NULL;
}

/* A mount may show a part of the hierarchy only, and ours may lie outside. */
static char *
place(const char *mount, const char *root, const char *path)
{
	size_t len = str_eq(root, "/") ? 0 : strlen(root);

	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	path += len;
	if (str_eq(path, "/"))
		path = "";
	return strstr(path, "/..") ? NULL : mem_fmt("%s%s", mount, path);
}

/* Our processes may sit in a leaf; groups are made beside it. */
static void
leave_leaf(char *dir)
{
	char *slash = strrchr(dir, '/');

	if (slash && str_eq(slash + 1, LEAF))
		*slash = '\0';
}

/* ---- the mounts ---- */

struct mount {
	const char *root;
	const char *point;
	const char *type;
	const char *options;
};

/* "36 35 98:0 /root /point options optional ... - type source options". */
static bool
parse_mount(char *line, struct mount *m)
{
	char *tail = strstr(line, " - ");
	char *words[5] = { 0 };

	if (!tail)
		return false;
	*tail = '\0';
	for (size_t i = 0; i < 5; i++)
		words[i] = strsep(&line, " ");
	m->root = words[3];
	m->point = words[4];
	tail += strlen(" - ");
	m->type = strsep(&tail, " ");
	(void)strsep(&tail, " ");
	m->options = tail;
	return m->point && m->options;
}

static void
add_tree(struct cgroup_world *w, char *take_base, unsigned keeps, bool is_v2)
{
	auto_free char *base = take_base;

	if (w->n == CGROUP_TREES_MAX || !base || access(base, W_OK | X_OK) < 0)
		return;
	w->v[w->n++] =
		(struct cgroup_tree){ .base = steal_ptr(&base), .keeps = keeps, .is_v2 = is_v2 };
}

static void
add_v2(struct cgroup_world *w, const struct mount *m, const char *own)
{
	auto_free char *path = own_path(own, 0);
	char *base = path ? place(m->point, m->root, path) : NULL;

	if (w->n > 0 || !base) {
		free(base);
		return;
	}
	leave_leaf(base);
	unsigned keeps = controllers_in(base, "cgroup.subtree_control");
	add_tree(w, base, keeps, true);
}

/* Only for what no other tree keeps. */
static void
add_v1(struct cgroup_world *w, const struct mount *m, const char *own)
{
	unsigned keeps = controllers(m->options, strlen(m->options), ",");

	for (size_t i = 0; i < w->n; i++)
		keeps &= ~w->v[i].keeps;
	if (!keeps)
		return;
	auto_free char *path = own_path(own, keeps);
	if (path)
		add_tree(w, place(m->point, m->root, path), keeps, false);
}

void
cgroup_world_read(const char *mountinfo, const char *own, struct cgroup_world *out)
{
	*out = (struct cgroup_world){ 0 };
	for (int v2 = 1; v2 >= 0; v2--) {
		for (const char *p = mountinfo; *p;) {
			size_t len = strcspn(p, "\n");
			char line[LINE_BYTES];
			struct mount m;

			(void)snprintf(line, sizeof(line), "%.*s", (int)len, p);
			p += len + (p[len] == '\n');
			if (len >= sizeof(line) || !parse_mount(line, &m))
				continue;
			if (v2 && str_eq(m.type, "cgroup2"))
				add_v2(out, &m, own);
			else if (!v2 && str_eq(m.type, "cgroup"))
				add_v1(out, &m, own);
		}
	}
}

void
cgroup_world_finish(struct cgroup_world *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i].base);
	*w = (struct cgroup_world){ 0 };
}

static void
read_world(struct cgroup_world *out)
{
	auto_buf struct buf mounts = BUF_INIT(MIB(4));
	auto_buf struct buf own = BUF_INIT(KIB(64));

	if (fs_read("/proc/self/mountinfo", &mounts, NULL) == 0 &&
		fs_read("/proc/self/cgroup", &own, NULL) == 0)
		cgroup_world_read(buf_str(&mounts), buf_str(&own), out);
}

const struct cgroup_world *
cgroup_world(void)
{
	static struct cgroup_world world;
	static bool is_read;

	if (!is_read) {
		is_read = true;
		read_world(&world);
	}
	return &world;
}

/* ---- claiming ---- */

static int
put(const char *dir, const char *file, const char *text, struct err *e)
{
	auto_free char *path = mem_fmt("%s/%s", dir, file);
	auto_fd int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, "write \"%s\" to %s", text, path);
	return 0;
}

/* Each by itself: a kernel that will not pass on one may pass on the others. The first that it will
 * not is told. */
static int
switch_on(const char *dir, unsigned keeps, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < CGROUP_KINDS; i++) {
		char word[16];

		if (!(keeps & CONTROLLERS[i].keeps))
			continue;
		(void)snprintf(word, sizeof(word), "+%s", CONTROLLERS[i].name);
		int one = put(dir, "cgroup.subtree_control", word, rc == 0 ? e : NULL);
		rc = rc == 0 ? one : rc;
	}
	return rc;
}

int
cgroup_claim_in(const char *dir, struct err *e)
{
	auto_free char *leaf = mem_fmt("%s/" LEAF, dir);
	unsigned keeps = controllers_in(dir, "cgroup.controllers");
	int rc;

	/* The root of all, and a group without processes, need no leaf. */
	if (!keeps || switch_on(dir, keeps, NULL) == 0)
		return 0;
	if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", leaf);
	rc = put(leaf, "cgroup.procs", "0", e);
	if (rc == 0)
		rc = switch_on(dir, keeps, e);
	if (rc < 0) {
		(void)put(dir, "cgroup.procs", "0", NULL);
		(void)rmdir(leaf);
	}
	return rc < 0 ? rc : 1;
}

static void
end_others_in(const char *dir)
{
	auto_free char *path = mem_fmt("%s/" LEAF "/cgroup.procs", dir);
	auto_file FILE *f = fopen(path, "re");
	char line[32];

	while (f && fgets(line, sizeof(line), f)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		if (pid > 0 && pid != getpid())
			(void)kill(pid, SIGKILL); /* gone already: fine */
	}
}

void
cgroup_end_others(void)
{
	struct cgroup_world w = { 0 };

	read_world(&w);
	if (w.n > 0 && w.v[0].is_v2)
		end_others_in(w.v[0].base);
	cgroup_world_finish(&w);
}

int
cgroup_claim(struct err *e)
{
	struct cgroup_world w = { 0 };
	int rc = 0;

	read_world(&w);
	if (w.n > 0 && w.v[0].is_v2)
		rc = cgroup_claim_in(w.v[0].base, e);
	cgroup_world_finish(&w);
	return rc;
}
