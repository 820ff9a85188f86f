/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dev - /dev of the box: six nodes bound from the host (never mknod), shared memory, terminals of
 * its own.
 *
 * The workload's terminal is made in the box's devpts, so that job control and tty(1) work; its
 * master goes out.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
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

/* After the pivot: /dev is the box's. */
int
native_pty(struct native *n, struct err *e)
{
	struct winsize size = { .ws_row = BOX_ROWS, .ws_col = BOX_COLUMNS };
	int unlock = 0;

	n->pty_fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (n->pty_fd < 0)
		return err_sys(e, "open /dev/pts/ptmx");
	if (ioctl(n->pty_fd, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, "unlock the terminal");
	n->tty_fd = ioctl(n->pty_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (n->tty_fd < 0)
		return err_sys(e, "open the terminal");
	if (ioctl(n->tty_fd, TIOCSWINSZ, &size) < 0)
		return err_sys(e, "size of the terminal");
	return 0;
}
