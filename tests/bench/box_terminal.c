/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box_terminal - what it costs to record a terminal.
 *
 *	bench_box_terminal record DIR BYTES PROGRAM...   our recorder, as script(1) would be used
 *	bench_box_terminal cost PROGRAM...               "<milliseconds> <of processors>" of a
 *program
 *
 * The recorder is what the shim has: secrets sought in all their forms, cast and plain text, BYTES
 * the most of each.
 */
#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/recorder.h"
#include "sandbox/redact.h"
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECRETS       20
#define READ_BYTES    65536
#define READS_A_ROUND 16

static _Noreturn void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static int
reap(pid_t pid, struct rusage *used)
{
	int status = 0;

	while (wait4(pid, &status, 0, used) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* ---- record ---- */

/* As many as a server with a few forges and models has. */
static void
make_table(struct buf *table)
{
	struct redact_maker *m = redact_maker_create();

	for (unsigned i = 0; i < SECRETS; i++) {
		auto_free char *secret =
			mem_fmt("sk-%08x-a-secret-of-forty-bytes-%08x", i * 7919, i);

		redact_maker_add(m, secret, strlen(secret));
	}
	if (redact_maker_end(m, table, NULL) < 0)
		fail("redactions");
	redact_maker_destroy(m);
}

static int
create(const char *dir, const char *name)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		fail(path);
	return fd;
}

static struct recorder *
start_recorder(const char *dir, int64_t bytes_max)
{
	auto_buf struct buf table = BUF_INIT(REDACT_TABLE_BYTES);
	struct recorder *r = NULL;

	make_table(&table);
	struct recorder_spec s = {
		.cast_fd = create(dir, "ours.cast"),
		.text_fd = create(dir, "ours.txt"),
		.bytes_max = bytes_max,
		.redactions = table.data,
		.redactions_len = table.len,
	};
	if (recorder_create(&s, (int64_t)bench_ms(CLOCK_MONOTONIC), &r, NULL) < 0)
		fail("recorder");
	return r;
}

/* False: the terminal has ended. */
static bool
read_some(struct recorder *r, int pty)
{
	char data[READ_BYTES];

	for (int i = 0; i < READS_A_ROUND; i++) {
		ssize_t n = read(pty, data, sizeof(data));

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		recorder_write(r, data, (size_t)n, (int64_t)bench_ms(CLOCK_MONOTONIC));
	}
	return true;
}

static int
record(const char *dir, int64_t bytes_max, char **argv)
{
	struct recorder *r = start_recorder(dir, bytes_max);
	struct rusage used;
	struct pollfd p = { .events = POLLIN };
	pid_t pid = forkpty(&p.fd, NULL, NULL, NULL);

	if (pid < 0)
		fail("forkpty");
	if (pid == 0) {
		(void)execv(argv[0], argv);
		_exit(127);
	}
	(void)fcntl(p.fd, F_SETFL, O_NONBLOCK);
	do {
		if (recorder_is_waiting(r))
			(void)recorder_tick(r, (int64_t)bench_ms(CLOCK_MONOTONIC));
		(void)poll(&p, 1, RECORDER_COALESCE_MS);
	} while (!p.revents || read_some(r, p.fd));
	return recorder_finish(r, NULL) < 0 ? 1 : reap(pid, &used);
}

/* ---- cost ---- */

static int
cost(char **argv)
{
	struct rusage u;
	double began = bench_ms(CLOCK_MONOTONIC);
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int fd = 0; fd < 2; fd++)
			(void)dup2(null, fd);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	int code = reap(pid, &u);
	(void)printf("%.3f %.3f\n", bench_ms(CLOCK_MONOTONIC) - began,
		(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
			(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3);
	return code;
}

int
main(int argc, char **argv)
{
	if (argc >= 5 && str_eq(argv[1], "record"))
		return record(argv[2], strtoll(argv[3], NULL, 10), argv + 4);
	if (argc >= 3 && str_eq(argv[1], "cost"))
		return cost(argv + 2);
	return 64;
}
