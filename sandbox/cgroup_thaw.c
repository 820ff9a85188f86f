/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_thaw - undoes what holds the processes of a group still, so that they can end.
 *
 * In v2 a frozen process dies when it is killed. In v1's freezer it does not, and neither does the
 * first process of its box: somebody has put it there (a person, a tool that saves power, an
 * attacker with root), and it is ours to end.
 */
#include "sandbox/cgroup.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FREEZER "freezer"

static void
put(const char *dir, const char *name, const char *word)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, word, strlen(word));
}

/* Where v1's freezer is mounted: fields 5 and, behind " - ", the type and the options. */
static char *
freezer_mount(void)
{
	auto_buf struct buf text = BUF_INIT(MIB(4));
	char *line, *rest;

	if (fs_read("/proc/self/mountinfo", &text, NULL) < 0)
		return NULL;
	rest = text.data;
	while ((line = strsep(&rest, "\n"))) {
		const char *type = strstr(line, " - cgroup ");
		char *at = line;

		for (int field = 1; field < 5 && at; field++)
			at = strchr(at + 1, ' ');
		if (!type || !at || !strstr(type, FREEZER))
			continue;
		at++;
		return mem_strn(at, strcspn(at, " "));
	}
	return NULL;
}

/* The freezer's path in the text of /proc/<pid>/cgroup: lines of "number:names:path". */
static char *
freezer_path(const char *text)
{
	const char *at = strstr(text, ":" FREEZER ":");

	if (!at)
		return NULL;
	at += strlen(":" FREEZER ":");
	return mem_strn(at, strcspn(at, "\n"));
}

static bool
is_in(const char *text, const char *name)
{
	auto_free char *part = mem_fmt("/%s\n", name);

	return strstr(text, part) != NULL;
}

/* All that are in the group say in which freezer they are. Ours is left alone: if that were frozen,
 * so were we. */
static void
thaw_v1(const char *mount, const char *name)
{
	auto_dir DIR *d = opendir("/proc");
	auto_buf struct buf own = BUF_INIT(KIB(16));
	const struct dirent *de;

	(void)fs_read("/proc/self/cgroup", &own, NULL);
	auto_free char *ours = freezer_path(buf_str(&own));
	while (d && (de = readdir(d))) {
		auto_free char *path = mem_fmt("/proc/%s/cgroup", de->d_name);
		auto_buf struct buf text = BUF_INIT(KIB(16));

		if (de->d_name[0] < '0' || de->d_name[0] > '9' || fs_read(path, &text, NULL) < 0 ||
			!is_in(buf_str(&text), name))
			continue;
		auto_free char *theirs = freezer_path(buf_str(&text));
		if (!theirs || str_eq(theirs, "/") || str_eq(theirs, ours))
			continue;
		auto_free char *dir = mem_fmt("%s%s", mount, theirs);
		put(dir, "freezer.state", "THAWED");
	}
}

void
cgroup_thaw(const struct cgroup_world *w, const char *name)
{
	auto_free char *freezer = NULL;

	if (!name || !*name)
		return;
	if (w->n > 0 && w->v[0].is_v2) {
		auto_free char *dir = mem_fmt("%s/%s", w->v[0].base, name);

		put(dir, "cgroup.freeze", "0");
		put(dir, "cgroup.kill", "1");
	}
	freezer = freezer_mount();
	if (freezer)
		thaw_v1(freezer, name);
}
