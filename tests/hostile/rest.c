/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest - everything that a kernel or a gateway has only so much of.
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY 100000

static int
to_gateway(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(3128),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 &&
		errno != EINPROGRESS) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Many at once that say nothing, and one word each after a while. */
static void
gateway_flood(void)
{
	int fds[1000];
	int n = 0;

	for (int i = 0; i < 1000; i++) {
		fds[i] = to_gateway();
		n += fds[i] >= 0;
	}
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 1000; i++)
			(void)send(fds[i], "G", 1, MSG_NOSIGNAL);
		wait_ms(100);
	}
	say("%d connections", n);
}

/* Requests as fast as they go, with answers that nobody reads. */
static void
gateway_requests(void)
{
	static const char *const heads[] = {
		"GET /llm/openai/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /llm/openai/v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: "
		"99999999999\r\n\r\n",
		"CONNECT 169.254.169.254:443 HTTP/1.1\r\nHost: 169.254.169.254:443\r\n\r\n",
		"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: "
		"xchunked\r\n\r\n",
		"\0\0\0\0\r\n\r\n",
		"GET /registry/npm/../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"
	};
	int n = 0;

	for (double end = seconds() + 3; seconds() < end; n++) {
		const char *head = heads[n % 6];
		int fd = to_gateway();

		(void)fcntl(fd, F_SETFL, 0);
		(void)send(fd, head, head[0] ? strlen(head) : 8, MSG_NOSIGNAL);
		if (n % 3 == 0)
			(void)close(fd);
	}
	say("%d requests", n);
}

static void
descriptors(void)
{
	int n = 0, inotify = 0, epoll = 0, timers = 0;

	while (n < MANY && open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		n++;
	for (int fd = 3; fd < n; fd++)
		(void)close(fd);
	while (inotify < MANY && inotify_init1(IN_CLOEXEC) >= 0)
		inotify++;
	for (int fd = 3; fd < inotify + 3; fd++)
		(void)close(fd);
	while (epoll < MANY && epoll_create1(EPOLL_CLOEXEC) >= 0)
		epoll++;
	for (int fd = 3; fd < epoll + 3; fd++)
		(void)close(fd);
	while (timers < MANY && timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) >= 0)
		timers++;
	for (int fd = 3; fd < timers + 3; fd++)
		(void)close(fd);
	say("%d files, %d inotify, %d epoll, %d timers", n, inotify, epoll, timers);
}

/* Those that are counted by user rather than by process: a neighbour of the same user would feel
 * it. */
static void
watches(void)
{
	char path[64];
	int fd = inotify_init1(IN_CLOEXEC);
	int n = 0;

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(path, sizeof(path), "/tmp/%d", i);
		put(path, "x");
		n += inotify_add_watch(fd, path, IN_ALL_EVENTS) >= 0;
	}
	timer_t timer;
	int timers = 0, signals = 0;
	while (timers < MANY && timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0)
		timers++;
	sigset_t set;
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	union sigval value = { 0 };
	while (signals < MANY && sigqueue(getpid(), SIGRTMIN, value) == 0)
		signals++;
	say("%d watches, %d timers, %d signals", n, timers, signals);
}

static void
terminals(void)
{
	int n = 0;

	while (n < 5000 && open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
		n++;
	say("%d terminals, then %s", n, strerrorname_np(errno));
}

static void
environment(void)
{
	size_t size = 120000;
	char *big = malloc(size + 8);
	char *argv[24], *envp[24];

	memset(big, 'x', size);
	memcpy(big, "HUGE=", 5);
	big[size] = '\0';
	for (int i = 0; i < 23; i++)
		argv[i] = envp[i] = big;
	argv[23] = envp[23] = NULL;
	for (int n = 23; n > 0; n--) {
		argv[n] = envp[n] = NULL;
		int status = 0;
		pid_t pid = fork();
		if (pid == 0) {
			(void)execve("/bin/true", argv, envp);
			_exit(1);
		}
		(void)waitpid(pid, &status, 0);
		if (status == 0) {
			say("%d times 120 kB", 2 * n);
			break;
		}
	}
}

/* A lock on everything that others could have open. */
static void
locks(void)
{
	static const char *const paths[] = { "/", "/usr", "/usr/bin/env", "/workspace",
		"/etc/passwd", "/dev/null", "/bin/sh", "/usr/bin/git" };
	int n = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		n += flock(fd, LOCK_EX | LOCK_NB) == 0;
		n += fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
	}
	say("%d locks", n);
	wait_ms(3000);
}

const struct attack ATTACKS_REST[] = {
	{ "gateway-flood", gateway_flood, "done" },
	{ "gateway-requests", gateway_requests, "done" },
	{ "descriptors", descriptors, "done" },
	{ "watches", watches, "done" },
	{ "terminals", terminals, "done" },
	{ "environment", environment, "done" },
	{ "locks", locks, "done" },
	{ 0 },
};
