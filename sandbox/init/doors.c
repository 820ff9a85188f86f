/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors - the two ways between the box and outside: a terminal and a listening socket.
 *
 * Both are made inside, in the box's own devpts and network, so that job control works and there is
 * no route, no bridge and no process between; their outer ends are handed out. The gateway accepts
 * on the socket, and the descriptor is the box's identity.
 */
#include "sandbox/init/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define BACKLOG 128

static int
make_terminal(const struct init_plan *p, int *tty)
{
	struct winsize size = { .ws_row = p->rows, .ws_col = p->columns };
	int unlock = 0;
	int pty = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (pty < 0)
		init_fail(INIT_STAGE_PTY, errno, "open /dev/pts/ptmx", "");
	if (ioctl(pty, TIOCSPTLCK, &unlock) < 0)
		init_fail(INIT_STAGE_PTY, errno, "unlock the terminal", "");
	*tty = ioctl(pty, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*tty < 0)
		init_fail(INIT_STAGE_PTY, errno, "open the terminal", "");
	if (ioctl(*tty, TIOCSWINSZ, &size) < 0)
		init_fail(INIT_STAGE_PTY, errno, "size of the terminal", "");
	return pty;
}

/* -1: none is wanted. */
static int
make_listener(const struct init_plan *p)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)p->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd;

	if (p->port == 0)
		return -1;
	fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		init_fail(INIT_STAGE_NET, errno, "socket", "");
	if (syscall(SYS_bind, fd, &a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		init_fail(INIT_STAGE_NET, errno, "listen on 127.0.0.1", "");
	return fd;
}

static void
send_hello(int pty, int listener)
{
	struct init_report hello = { 0 };
	int fds[2] = { pty, listener };
	size_t n_fds = listener >= 0 ? 2 : 1;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(fds))];
	} control = { 0 };
	struct iovec iov = { &hello, sizeof(hello) };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n_fds * sizeof(int)),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, n_fds * sizeof(int));
	if (sendmsg(INIT_FD_REPORT, &m, MSG_NOSIGNAL) < 0)
		init_fail(INIT_STAGE_HELLO, errno, "send the terminal out", "");
}

void
init_doors(const struct init_plan *p)
{
	int tty;
	int pty = make_terminal(p, &tty);
	int listener = make_listener(p);

	send_hello(pty, listener);
	if (listener >= 0)
		(void)close(listener);
	(void)close(pty);
	if (tty != INIT_FD_TTY) {
		if (dup3(tty, INIT_FD_TTY, O_CLOEXEC) < 0)
			init_fail(INIT_STAGE_PTY, errno, "place the terminal", "");
		(void)close(tty);
	}
	if ((!p->has_stdout && dup3(INIT_FD_TTY, 1, 0) < 0) || dup3(INIT_FD_TTY, 2, 0) < 0)
		init_fail(INIT_STAGE_PTY, errno, "place the terminal", "");
}
