/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench - what the programs of the benchmarks share: clocks, and the stamp of agent/stamp.c.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline double
bench_ms(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Reads to the end; when the program says it began, by CLOCK_REALTIME in ms. Below 0: it said
 * nothing of the kind. */
static inline double
bench_stamp(int fd)
{
	char text[256];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	const char *at = strstr(text, "stamp=");
	return at ? strtod(at + strlen("stamp="), NULL) * 1e3 : -1;
}

#endif
