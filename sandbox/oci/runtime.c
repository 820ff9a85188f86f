/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime - the runtimes we know, what is particular about each, and where they are.
 */
#include "sandbox/oci/oci.h"

#include "base/buf.h"
#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define OTHER_KERNEL                                                                               \
	"terminal and listener would be of its own kernel and cannot be handed out: use crun or "  \
	"runc"

/* The cgroup is ours, entered before the runtime starts: neither is to make one. runc has no word
 * for that but for not minding that it may not (stage.c sees to it that it may not). */
static const char *const NO_CGROUPS[] = { "--cgroup-manager=disabled", NULL };
static const char *const MAY_NOT[] = { "--rootless=true", NULL };
static const char *const NOTHING[] = { NULL };

static const struct oci_runtime RUNTIMES[] = {
	{ "crun", "crun", NO_CGROUPS, false, NULL },
	{ "kata", "kata-runtime", NOTHING, true, OTHER_KERNEL },
	{ "runc", "runc", MAY_NOT, true, NULL },
	{ "runsc", "runsc", NOTHING, true, OTHER_KERNEL },
};

/* For a path that ends in no name of the table. */
static const struct oci_runtime UNKNOWN = { "other", NULL, NOTHING, true, NULL };

static const char *const DIRS[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
	"/sbin", "/bin" };

static const struct oci_runtime *
find_row(const char *word)
{
	const char *slash = strrchr(word, '/');
	const char *name = slash ? slash + 1 : word;

	for (size_t i = 0; i < sizeof(RUNTIMES) / sizeof(RUNTIMES[0]); i++) {
		if (str_eq(RUNTIMES[i].name, name) || str_eq(RUNTIMES[i].program, name))
			return &RUNTIMES[i];
	}
	return slash ? &UNKNOWN : NULL;
}

static int
open_program(const char *path)
{
	auto_fd int fd = open(path, O_PATH | O_CLOEXEC);

	return fd >= 0 && access(path, X_OK) == 0 ? steal_fd(&fd) : -1;
}

static int
find_program(const struct oci_runtime *row, const char *word)
{
	int fd = -1;

	if (word[0] == '/')
		return open_program(word);
	for (size_t i = 0; fd < 0 && i < sizeof(DIRS) / sizeof(DIRS[0]); i++) {
		auto_free char *path = mem_fmt("%s/%s", DIRS[i], row->program);

		fd = open_program(path);
	}
	return fd;
}

static int
not_installed(const struct oci_runtime *row, const char *word, struct err *e)
{
	auto_buf struct buf dirs = BUF_INIT(512);

	if (word[0] == '/')
		return err_set(e, ERR_MISSING,
			"the runtime %s is not installed: no program is there", word);
	for (size_t i = 0; i < sizeof(DIRS) / sizeof(DIRS[0]); i++)
		(void)buf_addf(&dirs, "%s%s", i ? ", " : "", DIRS[i]);
	return err_set(e, ERR_MISSING, "the runtime %s is not installed: no program %s in %s", word,
		row->program, buf_str(&dirs));
}

int
oci_runtime_find(const char *word, bool has_slots, const struct oci_runtime **out, int *out_fd,
	struct err *e)
{
	const struct oci_runtime *row = find_row(word);

	if (!row)
		return err_set(e, ERR_INVALID, "%s is no runtime that is known here", word);
	if (row->refusal)
		return err_set(e, ERR_DENIED, "%s: %s", word, row->refusal);
	if (row->needs_root && !has_slots)
		return err_set(e, ERR_DENIED,
			"%s needs a root in the box, which only a bot that was started as root can "
			"give: use crun",
			word);
	*out_fd = find_program(row, word);
	if (*out_fd < 0)
		return not_installed(row, word, e);
	*out = row;
	return 0;
}
