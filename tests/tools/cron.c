/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron - the schedules of base/cron for tests that have another to compare with.
 *
 * Each line of input is "ZONE AFTER COUNT FIELDS": a zone, seconds since 1970, and how many times
 * to tell. Each line of output is those times, or "error" and what is wrong.
 */
#include "base/clean.h"
#include "base/cron.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int
answer(char *line)
{
	auto_zone struct zone *z = NULL;
	char *at[3];
	char *rest = line;
	struct cron c;
	struct err e = { 0 };
	int64_t after, count;

	for (int i = 0; i < 3; i++) {
		at[i] = strsep(&rest, " ");
		if (!rest)
			return err_set(NULL, ERR_INVALID, "words");
	}
	if (str_i64(at[1], 0, INT32_MAX * INT64_C(4), &after, &e) < 0 ||
		str_i64(at[2], 1, 1000, &count, &e) < 0)
		return ERR_INVALID;
	if (zone_open(at[0], &z, &e) < 0 || cron_parse(rest, &c, &e) < 0) {
		(void)printf("error %s\n", e.text);
		return 0;
	}
	for (after *= 1000; count > 0; count--) {
		after = cron_next(&c, z, after);
		(void)printf("%" PRId64 "%c", after / 1000, count == 1 ? '\n' : ' ');
	}
	return 0;
}

int
main(void)
{
	auto_free char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (answer(line) < 0)
			return 1;
	}
	return ferror(stdin) ? 1 : 0;
}
