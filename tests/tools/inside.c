/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside - what a hostile program in a box would try, one word a try, and what came of it.
 *
 * Each line is "name result": 0, or the name of an errno. It runs outside too: there the same tries
 * must succeed, or their failure in the box proves nothing.
 */
#include "base/clean.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void
say(const char *name, long rc)
{
	(void)printf("%s %s\n", name, rc < 0 ? strerrorname_np(errno) : "0");
}

/* ---- calls ---- */

/* What would change us is tried by a child, which tells its errno. */
static long
in_child(long (*try)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try() < 0 ? errno : 0);
	(void)waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

static long
try_unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
try_clone_user(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
try_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

static long
try_chroot(void)
{
	return chroot("/");
}

static long
try_keyctl(void)
{
	return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 0);
}

static long
try_io_uring(void)
{
	struct io_uring_params p = { 0 };

	return syscall(SYS_io_uring_setup, 1, &p);
}

static long
try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long
try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long
try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static long
try_vm_read(void)
{
	char a = 0, b = 0;
	struct iovec to = { &a, 1 }, from = { &b, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static long
try_handle(void)
{
	struct {
		struct file_handle h;
		char room[128];
	} f = { .h.handle_bytes = 128 };
	int mount_id;

	return name_to_handle_at(AT_FDCWD, "/tmp", &f.h, &mount_id, 0);
}

static long
try_tiocsti(void)
{
	return ioctl(1, TIOCSTI, "x");
}

/* The kernel looks at 32 bits of the request only. */
static long
try_tiocsti_high(void)
{
	return syscall(SYS_ioctl, 1, (1UL << 32) | TIOCSTI, "x");
}

static long
try_fsopen(void)
{
	return fsopen("tmpfs", 0);
}

static long
try_new_call(void)
{
	return syscall(457, NULL, NULL, 0, 0); /* statmount */
}

static long
try_mount(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long
try_umount(void)
{
	return umount2("/proc", MNT_DETACH);
}

static long
try_setns(void)
{
	int fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

	return setns(fd, 0);
}

static long
try_setuid(void)
{
	return setuid(0);
}

static long
try_mknod(void)
{
	return mknod("/tmp/node", S_IFBLK | 0600, 0xfe00);
}

static long
try_ptrace_init(void)
{
	return ptrace(PTRACE_SEIZE, 1, 0, 0);
}

static long
try_kill_init(void)
{
	return kill(1, SIGKILL);
}

static long
try_nice(void)
{
	errno = 0;
	return nice(-10) == -1 && errno ? -1 : 0;
}

static const struct {
	const char *name;
	long (*try)(void);
} CALLS[] = {
	{ "bpf", try_bpf },
	{ "chroot", try_chroot },
	{ "clone3", try_clone3 },
	{ "clone_user", try_clone_user },
	{ "fsopen", try_fsopen },
	{ "handle", try_handle },
	{ "io_uring", try_io_uring },
	{ "keyctl", try_keyctl },
	{ "kill_init", try_kill_init },
	{ "mknod", try_mknod },
	{ "mount", try_mount },
	{ "new_call", try_new_call },
	{ "nice", try_nice },
	{ "perf", try_perf },
	{ "ptrace_init", try_ptrace_init },
	{ "setns", try_setns },
	{ "setuid", try_setuid },
	{ "tiocsti", try_tiocsti },
	{ "tiocsti_high", try_tiocsti_high },
	{ "umount", try_umount },
	{ "unshare_user", try_unshare_user },
	{ "userfaultfd", try_userfaultfd },
	{ "vm_read", try_vm_read },
};

static const struct {
	const char *name;
	int family;
	int type;
	int protocol;
} SOCKETS[] = {
	{ "socket_alg", 38, SOCK_SEQPACKET, 0 },
	{ "socket_netfilter", AF_NETLINK, SOCK_RAW, 12 },
	{ "socket_packet", AF_PACKET, SOCK_RAW, 3 },
	{ "socket_raw", AF_INET, SOCK_RAW, IPPROTO_ICMP },
	{ "socket_route", AF_NETLINK, SOCK_RAW, 0 },
	{ "socket_unix", AF_UNIX, SOCK_STREAM, 0 },
	{ "socket_vsock", 40, SOCK_STREAM, 0 },
};

static bool
is_wanted(const char *name, char **argv)
{
	bool wanted = !*argv;

	for (; *argv; argv++)
		wanted |= strcmp(*argv, name) == 0;
	return wanted;
}

/* Without names: all; with names: those, so that outside nothing is tried that would do harm there.
 */
static int
do_calls(char **argv)
{
	for (size_t i = 0; i < sizeof(CALLS) / sizeof(CALLS[0]); i++) {
		if (is_wanted(CALLS[i].name, argv))
			say(CALLS[i].name, in_child(CALLS[i].try));
		(void)fflush(stdout);
	}
	for (size_t i = 0; i < sizeof(SOCKETS) / sizeof(SOCKETS[0]); i++) {
		if (is_wanted(SOCKETS[i].name, argv))
			say(SOCKETS[i].name,
				socket(SOCKETS[i].family, SOCKETS[i].type | SOCK_CLOEXEC,
					SOCKETS[i].protocol));
	}
	return 0;
}

/* ---- the rest ---- */

static int
do_env(char **argv)
{
	(void)argv;
	for (char **p = environ; *p; p++)
		(void)puts(*p);
	return 0;
}

static int
do_fds(char **argv)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	const struct dirent *de;

	(void)argv;
	while (d && (de = readdir(d))) {
		if (de->d_name[0] != '.' && strtol(de->d_name, NULL, 10) != dirfd(d))
			(void)printf("%s\n", de->d_name);
	}
	return 0;
}

static void
try_connect(const char *name, const char *address, int port, int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	(void)inet_pton(AF_INET, address, &a.sin_addr);
	say(name, connect(fd, (const struct sockaddr *)&a, sizeof(a)));
	(void)close(fd);
}

static void
try_connect6(const char *name, const char *address)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)inet_pton(AF_INET6, address, &a.sin6_addr);
	say(name, connect(fd, (const struct sockaddr *)&a, sizeof(a)));
	(void)close(fd);
}

/* argv[0]: a port on which the host's loopback listens; argv[1]: the name of an abstract socket
 * that listens outside. */
static int
do_net(char **argv)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!argv[0] || !argv[1])
		return 2;
	try_connect("internet", "1.1.1.1", 443, SOCK_STREAM);
	try_connect("metadata", "169.254.169.254", 80, SOCK_STREAM);
	try_connect("resolver", "8.8.8.8", 53, SOCK_DGRAM);
	try_connect("host", "127.0.0.1", (int)strtol(argv[0], NULL, 10), SOCK_STREAM);
	try_connect("gateway", "127.0.0.1", 3128, SOCK_STREAM);
	try_connect6("internet6", "2606:4700:4700::1111");
	memcpy(u.sun_path + 1, argv[1], strnlen(argv[1], sizeof(u.sun_path) - 2));
	say("abstract",
		connect(fd, (const struct sockaddr *)&u,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argv[1]))));
	return 0;
}

static int
do_get(char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(3128),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[64] = "";

	if (!argv[0] || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		write(fd, argv[0], strlen(argv[0])) < 0 || read(fd, answer, sizeof(answer) - 1) < 0)
		return 1;
	(void)puts(answer);
	return 0;
}

/* Processes that leave the session, ignore signals and multiply once; all carry argv[0] in their
 * command line. */
static int
do_storm(char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)argv;
	(void)sigaction(SIGTERM, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	for (int i = 0; i < 20; i++) {
		if (fork() != 0)
			continue;
		(void)setsid();
		for (int k = 0; k < 3; k++) {
			if (fork() == 0)
				break;
		}
		for (;;)
			(void)pause();
	}
	(void)puts("storm");
	(void)fflush(stdout);
	while (pause() < 0)
		continue;
	return 0;
}

static bool
file_holds(const char *path, const char *word)
{
	static char data[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));

	if (fd >= 0)
		(void)close(fd);
	return n > 0 && memmem(data, (size_t)n, word, strlen(word));
}

/* How many files of how many processes hold the word; argv[0] is the word reversed, so that we do
 * not find ourselves. */
static int
do_canary(char **argv)
{
	static const char *const files[] = { "environ", "cmdline", "stack", "auxv",
		"root/etc/shadow" };
	char word[128] = "";
	size_t len = argv[0] ? strlen(argv[0]) : 0;
	auto_dir DIR *d = opendir("/proc");
	const struct dirent *de;
	int processes = 0, found = 0;

	for (size_t i = 0; i < len && i < sizeof(word) - 1; i++)
		word[i] = argv[0][len - 1 - i];
	while (d && (de = readdir(d))) {
		if (de->d_name[0] < '0' || de->d_name[0] > '9')
			continue;
		processes++;
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			char path[300];

			(void)snprintf(path, sizeof(path), "/proc/%s/%s", de->d_name, files[i]);
			found += file_holds(path, word);
		}
	}
	(void)printf("processes %d\nfound %d\n", processes, found);
	return 0;
}

/* Whether files of the host, or of PID 1, can be opened. */
static int
do_open(char **argv)
{
	for (; *argv; argv++) {
		int fd = open(*argv, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		say(*argv, fd);
		if (fd >= 0)
			(void)close(fd);
	}
	return 0;
}

/* Bytes that can be read from each. */
static int
do_size(char **argv)
{
	for (; *argv; argv++) {
		char data[4096];
		int fd = open(*argv, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		ssize_t n = fd < 0 ? 0 : read(fd, data, sizeof(data));

		(void)printf("%s %zd\n", *argv, n < 0 ? 0 : n);
		(void)close(fd);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} COMMANDS[] = {
	{ "calls", do_calls },
	{ "canary", do_canary },
	{ "env", do_env },
	{ "fds", do_fds },
	{ "get", do_get },
	{ "net", do_net },
	{ "open", do_open },
	{ "size", do_size },
	{ "storm", do_storm },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(argv[1], COMMANDS[i].name) == 0)
			return COMMANDS[i].run(argv + 2);
	}
	return 2;
}
