/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - the box's network: loopback and nothing else, made with the box or ahead of it. PID 1 makes
 * the one door in it (init/doors.c).
 */
#include "sandbox/native/native.h"

#include "base/clean.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
loopback_up(struct err *e)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };

	if (fd < 0)
		return err_sys(e, "socket");
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return err_sys(e, "flags of lo");
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP | IFF_RUNNING);
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		return err_sys(e, "lo up");
	return 0;
}

int
sandbox_net_make(int *out_fd, struct err *e)
{
	auto_fd int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (ours < 0)
		return err_sys(e, "our network namespace");
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(e, "make a network namespace");
	int rc = loopback_up(e);
	auto_fd int fd = rc < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (rc == 0 && fd < 0)
		rc = err_sys(e, "open the network namespace");
	/* What was made is for a box: nobody of ours stays in it. */
	if (setns(ours, CLONE_NEWNET) < 0)
		abort();
	if (rc == 0)
		*out_fd = steal_fd(&fd);
	return rc;
}

int
native_net(struct native *n, struct err *e)
{
	return n->net_fd < 0 ? loopback_up(e) : 0;
}
