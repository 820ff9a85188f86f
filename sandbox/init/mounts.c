/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts - all that is mounted in the box, as the kernel lists it.
 *
 * Read-only means each mount for itself: one that came along with another, or that a runtime added,
 * is found here and not by a program that looks for it.
 */
#include "sandbox/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#define LIST_BYTES 131072

/* Those that every box has; its own layers are in the plan. */
static const char *const WRITABLE[] = { "/home/agent", "/tmp", "/var/tmp", "/workspace" };

static char list[LIST_BYTES];

static void
read_list(void)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		init_fail(INIT_STAGE_POSTURE, errno, "/proc/self/mountinfo", "");
	while ((n = read(fd, list + len, sizeof(list) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(fd);
	if (n < 0 || len == 0 || len == sizeof(list) - 1)
		init_fail(INIT_STAGE_POSTURE, n < 0 ? errno : 0, "the list of mounts", "");
}

static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool
may_write(const struct init_plan *p, const char *path)
{
	const char *own = (const char *)p + p->writable;

	for (size_t i = 0; i < sizeof(WRITABLE) / sizeof(WRITABLE[0]); i++) {
		if (strcmp(path, WRITABLE[i]) == 0)
			return true;
	}
	for (uint32_t i = 0; i < p->n_writable; i++, own += strlen(own) + 1) {
		if (strcmp(path, own) == 0)
			return true;
	}
	return false;
}

static bool
has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = options; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* The fifth and sixth words of a line: where, and how. The rest of it may be of any length. */
static bool
split(char *line, char **where, char **options)
{
	char *word = NULL;

	for (int i = 0; i < 6; i++) {
		word = strsep(&line, " ");
		if (!word)
			return false;
		if (i == 4)
			*where = word;
	}
	*options = word;
	return true;
}

void
init_check_mounts(const struct init_plan *p)
{
	char *rest = list;
	char *where = NULL;
	char *options = NULL;
	char *line;

	read_list();
	while ((line = strsep(&rest, "\n")) && *line) {
		if (!split(line, &where, &options))
			init_fail(INIT_STAGE_POSTURE, 0, "a line of the list of mounts", "");
		/* Nodes, terminals and covers, which are nodes; what may be opened there is asked
		 * for by name. */
		if (is_below(where, "/dev") || (is_below(where, "/proc") && where[5] == '/'))
			continue;
		if (!has_option(options, "nosuid") || !has_option(options, "nodev"))
			init_fail(INIT_STAGE_POSTURE, 0, "a mount with devices or set-id: ", where);
		if (!has_option(options, "ro") && !may_write(p, where) &&
			strcmp(where, "/proc") != 0)
			init_fail(INIT_STAGE_POSTURE, 0, "a mount may be written to: ", where);
	}
}
