/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dev - /dev of the box: six nodes bound from the host (never mknod), shared memory, terminals of
 * its own.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"

#include <fcntl.h>
#include <unistd.h>

static const char *const NODES[] = { "/dev/full", "/dev/null", "/dev/random", "/dev/tty",
	"/dev/urandom", "/dev/zero" };

static const struct {
	const char *name;
	const char *target;
} LINKS[] = {
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/ptmx", "pts/ptmx" },
	{ "dev/stderr", "/proc/self/fd/2" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
};

int
native_dev(struct native *n, struct err *e)
{
	int rc = native_mkdirs(n, "/dev", e);

	for (size_t i = 0; rc == 0 && i < sizeof(NODES) / sizeof(NODES[0]); i++) {
		auto_fd int fd = -1;

		rc = native_mount_copy(AT_FDCWD, NODES[i], NATIVE_DEV, &fd, e);
		if (rc == 0)
			rc = native_mount_put(n, fd, NODES[i], false, e);
	}
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(LINKS) / sizeof(LINKS[0]); i++) {
		if (symlinkat(LINKS[i].target, n->root_fd, LINKS[i].name) < 0)
			return err_sys(e, "symlink %s", LINKS[i].name);
	}
	rc = native_mount_new(n, "tmpfs", "/dev/shm", 0, "size=256m,nr_inodes=4096,mode=1777", e);
	if (rc < 0)
		return rc;
	/* The machine has a few thousand terminals for all: a box must not take the others'. */
	return native_mount_new(n, "devpts", "/dev/pts", NATIVE_DEV,
		"newinstance,ptmxmode=0666,mode=620,max=64", e);
}
