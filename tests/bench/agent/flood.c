/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood - prints MIB mebibytes of a build's log to its terminal, and to FILE what that cost it.
 *
 *	bench_agent_flood MIB FILE
 *
 * FILE gets "<lines> <milliseconds of processor>".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FLUSH_BYTES 60000

static char out[FLUSH_BYTES + 512];

static int
put(size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(STDOUT_FILENO, out + done, len - done);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static int
tell(const char *path, long lines)
{
	char text[96];
	struct rusage r;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || getrusage(RUSAGE_SELF, &r) < 0)
		return -1;
	double ms = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
		    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
	int n = snprintf(text, sizeof(text), "%ld %.3f\n", lines, ms);
	ssize_t done = write(fd, text, (size_t)n);
	return close(fd) == 0 && done == n ? 0 : -1;
}

int
main(int argc, char **argv)
{
	long rest = argc == 3 ? strtol(argv[1], NULL, 10) << 20 : 0;
	long lines = 0;
	size_t len = 0;

	if (rest <= 0)
		return 64;
	while (rest > 0) {
		int n = snprintf(out + len, sizeof(out) - len,
			"\033[32m[%4ld/9999]\033[0m cc -O2 -Wall -c src/module_%06ld.c -o "
			"build/module_%06ld.o \xe2\x9c\x93 done\n",
			lines % 10000, lines, lines);

		lines++;
		rest -= n;
		len += (size_t)n;
		if (len >= FLUSH_BYTES || rest <= 0) {
			if (put(len) < 0)
				return 74;
			len = 0;
		}
	}
	return tell(argv[2], lines) < 0 ? 74 : 0;
}
