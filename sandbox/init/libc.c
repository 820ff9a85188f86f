/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc - the functions of a C library that PID 1 calls, each as the one system call that it is.
 *
 * Without a library nothing happens in PID 1 that is not written in this folder: no loader, no
 * locale, no allocator, no search of the environment. And it starts at once: before main glibc asks
 * the processor a hundred questions about its caches, and in a virtual machine each of them is
 * answered by the hypervisor. What is missing here does not link.
 */
#include "sandbox/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGSET_BYTES 8 /* the kernel's; the library's is longer */

/* ---- what failed ---- */

static int last_error;

int *
__errno_location(void)
{
	return &last_error;
}

long
init_failed(long answer)
{
	last_error = (int)-answer;
	return -1;
}

/* ---- processes ---- */

_Noreturn void
_exit(int code)
{
	for (;;)
		(void)syscall(SYS_exit_group, code);
}

int
execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)syscall(SYS_execve, path, argv, envp);
}

pid_t
getpid(void)
{
	return (pid_t)syscall(SYS_getpid);
}

gid_t
getgid(void)
{
	return (gid_t)syscall(SYS_getgid);
}

gid_t
getegid(void)
{
	return (gid_t)syscall(SYS_getegid);
}

int
getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
	return (int)syscall(SYS_getresuid, real, effective, saved);
}

int
init_prctl(int option, unsigned long value)
{
	return (int)syscall(SYS_prctl, option, value, 0UL, 0UL, 0UL);
}

int
unshare(int flags)
{
	return (int)syscall(SYS_unshare, flags);
}

pid_t
setsid(void)
{
	return (pid_t)syscall(SYS_setsid);
}

pid_t
waitpid(pid_t pid, int *status, int options)
{
	return (pid_t)syscall(SYS_wait4, pid, status, options, NULL);
}

int
kill(pid_t pid, int signo)
{
	return (int)syscall(SYS_kill, pid, signo);
}

int
sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof(*set));
	return 0;
}

int
sigaddset(sigset_t *set, int signo)
{
	set->__val[0] |= 1UL << (signo - 1);
	return 0;
}

int
sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return (int)syscall(SYS_rt_sigprocmask, how, set, old, SIGSET_BYTES);
}

int
signalfd(int fd, const sigset_t *set, int flags)
{
	return (int)syscall(SYS_signalfd4, fd, set, SIGSET_BYTES, flags);
}

int
getrlimit(__rlimit_resource_t resource, struct rlimit *out)
{
	return (int)syscall(SYS_prlimit64, 0, resource, NULL, out);
}

int
setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}

/* The kernel counts from 40 down, so that no answer is an error. */
int
getpriority(__priority_which_t which, id_t who)
{
	return 20 - (int)syscall(SYS_getpriority, which, who);
}

int
setpriority(__priority_which_t which, id_t who, int priority)
{
	return (int)syscall(SYS_setpriority, which, who, priority);
}

/* ---- files ---- */

/* Of what is there: none is made. */
int
open(const char *path, int flags, ...)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}

int
close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

ssize_t
read(int fd, void *data, size_t len)
{
	return syscall(SYS_read, fd, data, len);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	return syscall(SYS_write, fd, data, len);
}

ssize_t
getdents64(int fd, void *data, size_t len)
{
	return syscall(SYS_getdents64, fd, data, len);
}

int
dup3(int from, int to, int flags)
{
	return (int)syscall(SYS_dup3, from, to, flags);
}

int
ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

int
stat(const char *path, struct stat *out)
{
	return (int)syscall(SYS_newfstatat, AT_FDCWD, path, out, 0);
}

int
fstat(int fd, struct stat *out)
{
	return (int)syscall(SYS_fstat, fd, out);
}

int
statfs(const char *path, struct statfs *out)
{
	return (int)syscall(SYS_statfs, path, out);
}

int
access(const char *path, int mode)
{
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int
chdir(const char *path)
{
	return (int)syscall(SYS_chdir, path);
}

int
mkdir(const char *path, mode_t mode)
{
	return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int
mknod(const char *path, mode_t mode, dev_t device)
{
	return (int)syscall(SYS_mknodat, AT_FDCWD, path, mode, device);
}

mode_t
umask(mode_t mask)
{
	return (mode_t)syscall(SYS_umask, mask);
}

void *
init_map(int fd, size_t len)
{
	return (void *)syscall(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0L);
}

int
poll(struct pollfd *v, nfds_t n, int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	return (int)syscall(SYS_ppoll, v, n, &t, NULL, SIGSET_BYTES);
}

/* ---- sockets ---- */

int
listen(int fd, int backlog)
{
	return (int)syscall(SYS_listen, fd, backlog);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t
recv(int fd, void *data, size_t len, int flags)
{
	return syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}
