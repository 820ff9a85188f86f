/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg_socket - how two ends of a link come to be: a pair, or a door in a directory.
 *
 * A socket's path has room for some hundred bytes and a state directory may be longer, so the way
 * to a door goes through a descriptor of its directory.
 */
#include "base/msg.h"

#include "base/clean.h"
#include "base/str.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAITING_MAX 16 /* connections that nobody has taken; one who looks again makes another */

/* Without the right to it the kernel gives net.core.wmem_max; two inline frames fit into the
 * smallest default. */
static void
set_room(int fd)
{
	int bytes = 1 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int
msg_pair(int fds[2], struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, "socketpair");
	for (int i = 0; i < 2; i++) {
		set_room(pair[i]);
		fds[i] = pair[i];
	}
	return 0;
}

static int
make_socket(struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? err_sys(e, "socket") : fd;
}

static void
set_address(struct sockaddr_un *sa, int dir, const char *name)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir, name);
}

int
msg_listen(int dir, const char *name, int *out, struct err *e)
{
	struct sockaddr_un sa;
	auto_fd int fd = make_socket(e);

	if (fd < 0)
		return fd;
	set_address(&sa, dir, name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", name);
	/* Before it has a name: bind makes the file with this mode. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		listen(fd, WAITING_MAX) < 0)
		return err_sys(e, "listen on %s", name);
	*out = steal_fd(&fd);
	return 0;
}

int
msg_listen_here(int fd, struct err *e)
{
	return listen(fd, WAITING_MAX) < 0 ? err_sys(e, "listen") : 0;
}

static int
peer_of(int fd, struct ucred *out, struct err *e)
{
	socklen_t len = sizeof(*out);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &len) < 0)
		return err_sys(e, "who is at the other end");
	if (out->uid != geteuid() && out->uid != 0)
		return err_set(e, ERR_DENIED, "user %u is at the other end", (unsigned)out->uid);
	return 0;
}

int
msg_accept(int listener, int *out, struct err *e)
{
	auto_fd int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;

	if (fd < 0)
		return errno == EAGAIN ? err_set(e, ERR_BUSY, "nobody is there")
				       : err_sys(e, "accept");
	int rc = peer_of(fd, &peer, e);
	if (rc < 0)
		return rc;
	set_room(fd);
	*out = steal_fd(&fd);
	return 0;
}

int
msg_connect(int dir, const char *name, int *out, pid_t *pid, struct err *e)
{
	struct sockaddr_un sa;
	struct ucred peer;
	auto_fd int fd = make_socket(e);

	if (fd < 0)
		return fd;
	set_address(&sa, dir, name);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return errno == ECONNREFUSED || errno == ENOENT
			       ? err_set(e, ERR_MISSING, "nobody listens on %s", name)
			       : err_sys(e, "connect to %s", name);
	int rc = peer_of(fd, &peer, e);
	if (rc < 0)
		return rc;
	set_room(fd);
	*pid = peer.pid;
	*out = steal_fd(&fd);
	return 0;
}
