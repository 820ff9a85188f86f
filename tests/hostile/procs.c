/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procs - too many of them, ones that do not go, and ones that go for the others.
 */
#include "hostile.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define MANY   5000
#define SECOND 1.0

static void
sleep_for_ever(void)
{
	for (;;)
		(void)pause();
}

/* Every child forks as well. */
static void
forks(void)
{
	pid_t top = getpid();
	int n = 0, sys = 0;

	for (double end = seconds() + 2 * SECOND; seconds() < end;) {
		pid_t pid = fork();

		if (pid < 0)
			sys = errno;
		if (pid > 0)
			n++;
	}
	if (getpid() != top)
		sleep_for_ever();
	say("%d children, then %s", n, strerrorname_np(sys));
}

static void *
wait_here(void *arg)
{
	(void)arg;
	sleep_for_ever();
	return NULL;
}

static void
threads(void)
{
	pthread_attr_t small;
	pthread_t t;
	int n = 0, rc = 0;

	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, 65536);
	while (n < MANY && (rc = pthread_create(&t, &small, wait_here, NULL)) == 0)
		n++;
	say("%d threads, then %s", n, rc ? strerrorname_np(rc) : "no refusal");
}

static void
ignore_all(void)
{
	for (int i = 1; i < NSIG; i++)
		ignore(i);
}

/* Out of the group, out of the session, without a parent, deaf. */
static void
survivors(void)
{
	ignore_all();
	for (int i = 0; i < 20; i++) {
		if (fork() != 0)
			continue;
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)prctl(PR_SET_NAME, "survivor");
		for (;;)
			wait_ms(1000);
	}
	wait_all();
	say("20 survivors");
}

static void
kill_all(void)
{
	int rc = kill(-1, SIGKILL);

	say("kill all: %s", rc < 0 ? strerrorname_np(errno) : "done");
	(void)kill(1, SIGKILL);
	(void)kill(1, SIGSTOP);
	say("PID 1 is still there");
}

static void
stop_all(void)
{
	say("everything stops");
	(void)kill(-1, SIGSTOP);
	(void)kill(0, SIGSTOP);
	for (;;)
		(void)kill(getpid(), SIGSTOP);
}

static void
zombies(void)
{
	int n = 0;

	for (; n < MANY; n++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			_exit(0);
	}
	say("%d zombies", n);
}

/* The same of children that are nobody's. */
static void
orphans(void)
{
	for (int i = 0; i < MANY; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (fork() == 0)
				_exit(0);
			_exit(0);
		}
		if (pid > 0)
			(void)waitpid(pid, NULL, 0);
	}
	say("%d orphans", MANY);
}

static void
spin(void)
{
	pid_t pids[64];

	for (int i = 0; i < 64; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			for (double end = seconds() + 10 * SECOND; seconds() < end;)
				(void)sched_yield();
			_exit(0);
		}
	}
	say("64 spin");
	wait_all();
	(void)pids;
}

static void
priority(void)
{
	struct sched_param p = { .sched_priority = 99 };
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int n = 0;

	n += setpriority(PRIO_PROCESS, 0, -20) == 0;
	n += syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p) == 0;
	n += write(fd, "-1000", 5) == 5;
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit was;

		if (getrlimit((__rlimit_resource_t)i, &was) == 0 && was.rlim_max != r.rlim_max)
			n += setrlimit((__rlimit_resource_t)i, &r) == 0;
	}
	say("%d rights more than before", n);
}

/* Deaf, silent and idle: only a clock ends it. */
static void
silence(void)
{
	say("says nothing more");
	ignore_all();
	sleep_for_ever();
}

/* A word a second is no work. */
static void
chatter(void)
{
	ignore_all();
	for (int i = 0;; i++) {
		say("still here %d", i);
		wait_ms(500);
	}
}

/* Whoever is killed comes back, until nobody is left at one stroke. */
static void
phoenix(void)
{
	ignore_all();
	for (int i = 0; i < 30; i++) {
		if (fork() == 0) {
			for (;;) {
				if (fork() == 0) {
					(void)setsid();
					continue;
				}
				wait_ms(20);
				_exit(0);
			}
		}
	}
	say("30 that come back");
	silence();
}

const struct attack ATTACKS_PROCS[] = {
	{ "forks", forks, "done" },
	{ "threads", threads, "done" },
	{ "survivors", survivors, "done" },
	{ "kill-all", kill_all, "done" },
	{ "stop-all", stop_all, "wall|idle" },
	{ "zombies", zombies, "done" },
	{ "orphans", orphans, "done" },
	{ "spin", spin, "done" },
	{ "priority", priority, "done" },
	{ "silence", silence, "wall|idle" },
	{ "chatter", chatter, "wall" },
	{ "phoenix", phoenix, "wall|idle" },
	{ 0 },
};
