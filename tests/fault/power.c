/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power - `fault_power --count N --seed S`: power cuts. Before them, that a lost promise would be
 * seen: with a store that syncs nothing, and with a disk that only says it had synced.
 */
#include "tests/fault/chain.h"

#include "base/str.h"

#include <inttypes.h>
#include <time.h>

#define LIVES    5
#define CONTROLS 12

struct args {
	int64_t count;
	int64_t seed;
	int64_t round; /* 0: all of them */
};

static int
args_read(int argc, char **argv, struct args *a)
{
	for (int i = 1; i < argc; i += 2) {
		int64_t *to = strcmp(argv[i], "--count") == 0   ? &a->count
			      : strcmp(argv[i], "--seed") == 0  ? &a->seed
			      : strcmp(argv[i], "--round") == 0 ? &a->round
								: NULL;
		char *end = NULL;

		if (!to || i + 1 == argc)
			return -1;
		*to = strtoll(argv[i + 1], &end, 10);
		if (*end || *to < 0)
			return -1;
	}
	return 0;
}

/* How many of CONTROLS chains lost something. */
static int
control(int64_t seed, bool is_durable, bool is_liar)
{
	int lost = 0;

	for (int i = 0; i < CONTROLS; i++) {
		struct chain c;
		int rc = 0;

		chain_init(&c, (uint64_t)seed + (uint64_t)i);
		c.is_durable = is_durable;
		c.is_liar = is_liar;
		for (int life = 0; life < LIVES && rc == 0; life++)
			rc = chain_live(&c, NULL);
		lost += rc < 0;
		chain_finish(&c);
	}
	return lost;
}

/* -> how many of its cuts went well, of `lives`. */
static int
round_play(int64_t seed, int lives)
{
	struct err e = { 0 };
	struct chain c;
	int n = 0;

	chain_init(&c, (uint64_t)seed);
	while (n < lives && chain_live(&c, &e) == 0)
		n++;
	if (n < lives)
		(void)printf("power: round %" PRId64
			     " FAILED in life %d (again with --round %" PRId64 "): %s\n",
			seed, n + 1, seed, e.text);
	chain_finish(&c);
	return n;
}

int
main(int argc, char **argv)
{
	struct args a = { .count = 1000, .seed = time(NULL) % 1000000 };
	int64_t passed = 0, failed = 0;

	if (args_read(argc, argv, &a) < 0) {
		(void)fprintf(stderr, "usage: fault_power [--count N] [--seed S] [--round S]\n");
		return 64;
	}
	(void)printf("power: %" PRId64 " with seed %" PRId64 "\n", a.count, a.seed);
	int unsynced = control(a.seed, false, false);
	int lied = control(a.seed, true, true);
	(void)printf(
		"power: of %d stores that sync nothing %d lost something; of %d on a disk that "
		"lies, %d\n",
		CONTROLS, unsynced, CONTROLS, lied);
	for (int64_t seed = a.round ? a.round : a.seed; passed + failed < a.count; seed++) {
		int64_t left = a.count - passed - failed;
		int lives = left < LIVES ? (int)left : LIVES;
		int well = round_play(seed, lives);

		passed += well;
		failed += lives - well;
		if (a.round)
			break;
	}
	(void)printf("%" PRId64 " passed, %" PRId64 " failed\n", passed, failed);
	return failed > 0 || unsynced == 0 || lied == 0;
}
