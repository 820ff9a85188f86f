/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box_kill - how long until nothing of a fork storm is left.
 *
 *	bench_box_kill STORM PROCESSES REPEATS
 *
 * STORM is agent/storm.c. One line each time: "<milliseconds from the kill to the last process>
 * <processes that had met the limit>". All of them hold one end of a pipe: its end of file is the
 *proof that none is left, whoever may look at whose processes. Exit code 1 if that does not come.
 */
#include "base/clean.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FULL_MS_MAX 20000
#define GONE_MS_MAX 10000
#define RAGE_MS     20 /* it goes on when there may be no more */

static _Noreturn void
fail(const char *why)
{
	(void)fprintf(stderr, "bench_box_kill: %s\n", why);
	exit(1);
}

static bool
is_ready(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static void
build(const char *storm, int64_t processes, struct box_spec *s)
{
	auto_free char *tools = mem_strn(storm, (size_t)(strrchr(storm, '/') - storm));

	s->name = mem_str("storm");
	s->procs_max = processes;
	strs_add(&s->argv, storm);
	strs_add(&s->env, "PATH=/usr/bin:/bin");
	strs_add(&s->tools, tools);
}

/* One byte from each process that met the limit; all of them are there when nothing more comes. */
static long
drain(int fd)
{
	char data[4096];
	long sum = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		sum += n;
	return n == 0 ? sum : -1;
}

static void
once(const struct box_spec *s)
{
	struct box_io io = BOX_IO_INIT;
	struct box b = BOX_INIT;
	struct err e = { 0 };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("pipe");
	io.stdout_fd = ends[1];
	if (box_start(s, &io, &b, &e) < 0 || box_go(&b, &e) < 0)
		fail(e.text);
	(void)close(ends[1]);
	if (!is_ready(ends[0], FULL_MS_MAX))
		fail("the storm met no limit");
	(void)poll(NULL, 0, RAGE_MS);
	double began = bench_ms(CLOCK_MONOTONIC);
	box_kill(&b);
	if (!is_ready(b.pidfd, GONE_MS_MAX) || waitpid(b.pid, NULL, 0) != b.pid)
		fail("PID 1 does not end");
	double took = bench_ms(CLOCK_MONOTONIC) - began;
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	long met = drain(ends[0]);
	if (met < 0)
		fail("a process of the storm has survived");
	(void)close(ends[0]);
	box_finish(&b);
	(void)printf("%.3f %ld\n", took, met);
}

int
main(int argc, char **argv)
{
	auto_box_spec struct box_spec s = { 0 };
	struct err e = { 0 };

	if (argc != 4)
		return 64;
	build(argv[1], strtol(argv[2], NULL, 10), &s);
	if (box_spec_check(&s, &e) < 0)
		fail(e.text);
	for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
		once(&s);
	return 0;
}
