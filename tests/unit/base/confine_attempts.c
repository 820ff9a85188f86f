/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a confined process tries, for the tests of base/confine.
 */
#include "tests/unit/base/confine_attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct confine_world confine_world = { .listener = -1, .early_fd = -1 };

static int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

int
try_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno
		      : result(connect(fd, (struct sockaddr *)&confine_world.server,
				sizeof(confine_world.server)));
}

int
try_connect_early(void)
{
	return result(connect(confine_world.early_fd, (struct sockaddr *)&confine_world.server,
		sizeof(confine_world.server)));
}

int
try_send_to(void)
{
	return result(sendto(confine_world.early_fd, "x", 1, MSG_NOSIGNAL,
		(struct sockaddr *)&confine_world.server, sizeof(confine_world.server)));
}

int
try_listen(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno : result(listen(fd, 1));
}

int
try_netlink(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

int
try_accept(void)
{
	int fd = accept4(confine_world.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 && errno != EAGAIN ? errno : 0;
}

int
try_unix_pair(void)
{
	int fds[2];
	char c = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return errno;
	return send(fds[0], "x", 1, 0) == 1 && recv(fds[1], &c, 1, 0) == 1 && c == 'x' ? 0 : EIO;
}

int
try_exec(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	(void)execve("/bin/true", argv, argv + 1);
	return errno;
}

int
try_open_outside(void)
{
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

int
try_read_readable(void)
{
	char c;
	int fd = open(confine_world.readable, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : result(read(fd, &c, 1));
}

int
try_write_readable(void)
{
	return result(open(confine_world.readable, O_RDWR | O_CLOEXEC));
}

int
try_write_writable(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%d", confine_world.writable, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? errno : result(write(fd, "x", 1));
}

int
try_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

int
try_read_memory(void)
{
	char c = 'x';
	char d;
	struct iovec from = { &c, 1 };
	struct iovec to = { &d, 1 };

	return result(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
}

int
try_new_user_namespace(void)
{
	return result(unshare(CLONE_NEWUSER));
}

int
try_clone_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return result(pid);
}

int
try_clone3(void)
{
	struct clone_args a = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		_exit(0);
	return result(pid);
}

int
try_setns(void)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	/* The argument is looked at only behind the filter: EBADF says that the call was let
	 * through. */
	long rc = syscall(SYS_setns, fd < 0 ? 9999 : fd, 0);
	return rc < 0 && errno != EPERM ? 0 : result(rc);
}

int
try_mount(void)
{
	long rc = mount("none", "/no/such/place", "tmpfs", 0, NULL);

	return rc < 0 && errno == ENOENT ? 0 : result(rc);
}

int
try_keyring(void)
{
	return result(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -1 /* thread's */, 1));
}

int
try_io_uring(void)
{
	struct io_uring_params p = { 0 };

	return result(syscall(SYS_io_uring_setup, 1, &p));
}

int
try_bpf(void)
{
	/* An unknown command: EINVAL says that the call was let through. */
	long rc = syscall(SYS_bpf, 9999, NULL, 0);

	return rc < 0 && errno == EINVAL ? 0 : result(rc);
}

static void *
in_thread(void *arg)
{
	struct addrinfo *found = NULL;

	/* What curl's resolver thread does. */
	*(int *)arg = getaddrinfo("127.0.0.1", "80", NULL, &found);
	if (found)
		freeaddrinfo(found);
	return NULL;
}

int
try_thread(void)
{
	pthread_t t;
	int rc = -1;
	int err = pthread_create(&t, NULL, in_thread, &rc);

	if (err)
		return err;
	(void)pthread_join(t, NULL);
	return rc == 0 ? 0 : EIO;
}
