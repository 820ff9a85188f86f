/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - the box's network: loopback and nothing else. PID 1 makes the one door in it
 * (init/doors.c).
 */
#include "sandbox/native/native.h"

#include "base/clean.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int
native_net(struct native *n, struct err *e)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };

	(void)n;
	if (fd < 0)
		return err_sys(e, "socket");
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return err_sys(e, "flags of lo");
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP | IFF_RUNNING);
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		return err_sys(e, "lo up");
	return 0;
}
