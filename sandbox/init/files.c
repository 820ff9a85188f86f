/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - what the spec places where the box may write, in its home for the most part.
 *
 * An earlier box may have written there, links too. So none is followed, and it is done in here,
 * by the box's own user: whatever it comes to, it is what the workload could have done itself.
 */
#include "sandbox/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
create(const char *path, mode_t mode)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* All directories above it. */
static void
make_parents(const char *path)
{
	char part[PATH_MAX];

	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		(void)init_join(part, sizeof(part), 0, path, (size_t)(end - path));
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			init_fail(INIT_STAGE_FILES, errno, "mkdir ", part);
	}
}

static void
write_file(const char *path, mode_t mode, const char *text, size_t len)
{
	int fd = create(path, mode);

	if (fd < 0 && errno == ENOENT) {
		make_parents(path);
		fd = create(path, mode);
	}
	if (fd < 0)
		init_fail(INIT_STAGE_FILES, errno, "create ", path);
	while (len > 0) {
		ssize_t done = write(fd, text, len);

		if (done < 0)
			init_fail(INIT_STAGE_FILES, errno, "write ", path);
		text += done;
		len -= (size_t)done;
	}
	(void)close(fd);
}

/* The next string; they are written by the starter, and bounds checked all the same. */
static const char *
next(const struct init_plan *p, size_t *at)
{
	const char *s = (const char *)p + *at;
	size_t len = *at < p->size ? strnlen(s, p->size - *at) : 0;

	if (*at + len >= p->size)
		init_fail(INIT_STAGE_PLAN, 0, "files of the plan", "");
	*at += len + 1;
	return s;
}

void
init_files(const struct init_plan *p)
{
	mode_t was = umask(0); /* modes are meant as they are written */
	size_t at = p->files;

	for (uint32_t i = 0; i < p->n_files; i++) {
		const char *path = next(p, &at);
		const char *mode = next(p, &at);
		const char *text = next(p, &at);

		write_file(path, (mode_t)init_number(mode, 8), text, strlen(text));
	}
	(void)umask(was);
}
