/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - histories, one a seed: a minute of peace, a time of faults, and peace again, in which
 * everything must come to its end. Arguments: FIRST COUNT [loud|twice|points].
 */
#include "tests/sim/forge.h"

#include "base/fs.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEACE_MS     (1 * MINUTE)
#define FAULTS_LEAST (3 * MINUTE)
#define FAULTS_MOST  (24 * MINUTE)
#define SWEEPS_MS    (5 * MINUTE) /* two looks at what nobody told us */
#define LOOK_MS      (30 * SECOND)
#define BOUND_MS     (4 * HOUR) /* by then everything is done */

struct sim SIM;

static const char CONFIG[] = "listen: 127.0.0.1:0\n"
			     "public_url: https://bot.example\n"
			     "forges:\n"
			     "  gh:\n"
			     "    kind: github\n"
			     "    url: https://forge.example\n"
			     "    api_url: https://api.forge.example\n"
			     "    app_id: 4711\n"
			     "    app_key_file: /nowhere/key\n"
			     "    webhook_secret_file: /nowhere/hook\n"
			     "    repos: [acme/one, acme/two]\n"
			     "reconcile_every: 2m\n"
			     "boxes: 4\n";

static void
create(uint64_t seed)
{
	struct config kept = SIM.config;
	bool is_loud = SIM.is_loud;
	char dir[sizeof(SIM.dir)];

	memcpy(dir, SIM.dir, sizeof(dir));
	SIM = (struct sim){ .seed = seed, .config = kept, .is_loud = is_loud, .is_calm = true };
	memcpy(SIM.dir, dir, sizeof(dir));
	SIM.trace = 14695981039346656037U;
	SIM.now_ms = 1000000;
	SIM.wall_ms = INT64_C(1790000000000);
	chance_seed(seed);
	disk_wipe();
	place_wipe();
	people_wipe();
	web_wipe();
	machine_wipe();
}

static void
destroy(void)
{
	auto_free char *store = mem_fmt("%s/store", SIM.dir);

	roles_finish();
	(void)fs_remove_tree(store, NULL);
}

static void
wait_for_end(void)
{
	int64_t until = SIM.now_ms + BOUND_MS;

	sim_run(SIM.now_ms + SWEEPS_MS);
	while (SIM.n_violations == 0 && !truth_is_quiet()) {
		if (SIM.now_ms > until) {
			sim_violation("I12: not done %" PRId64 " minutes after the last fault",
				BOUND_MS / MINUTE);
			return;
		}
		sim_run(SIM.now_ms + LOOK_MS);
	}
}

/* The history of a seed; its trace. */
static uint64_t
play(uint64_t seed)
{
	create(seed);
	roles_start();
	sim_run(SIM.now_ms + PEACE_MS);
	SIM.is_calm = false;
	chaos_start();
	people_start();
	sim_run(SIM.now_ms + chance_in(FAULTS_LEAST, FAULTS_MOST));
	SIM.is_calm = true;
	disk_fill(false);
	sim_note("peace");
	wait_for_end();
	if (SIM.n_violations == 0)
		truth_check();
	destroy();
	return SIM.trace;
}

static double
seconds(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct sum {
	int64_t passed, failed, simulated_ms, rounds;
};

static void
play_all(uint64_t first, uint64_t count, bool twice, struct sum *s)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		uint64_t trace = play(seed);
		bool ok = SIM.n_violations == 0;

		s->simulated_ms += SIM.now_ms;
		s->rounds += SIM.n_rounds;
		if (twice && play(seed) != trace) {
			(void)printf("VIOLATION seed=%" PRIu64 " is not the same twice\n", seed);
			ok = false;
		}
		s->passed += ok;
		s->failed += !ok;
		if (twice)
			(void)printf("seed %" PRIu64 " trace %016" PRIx64 "\n", seed, trace);
		(void)fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	int64_t first = 1, count = 1;
	const char *how = argc > 3 ? argv[3] : "";
	struct sum s = { 0 };
	struct err e = { 0 };

	if (argc < 3 || str_i64(argv[1], 0, INT64_MAX, &first, &e) < 0 ||
		str_i64(argv[2], 1, INT64_MAX, &count, &e) < 0) {
		(void)fprintf(stderr, "sim FIRST COUNT [loud|twice|points]\n");
		return 64;
	}
	/* Lock files and directories are real; fsync costs nothing in memory. */
	(void)snprintf(SIM.dir, sizeof(SIM.dir), "%s/ns-sim-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(SIM.dir) ||
		config_parse(CONFIG, sizeof(CONFIG) - 1, "sim.yaml", &SIM.config, &e) < 0) {
		(void)fprintf(stderr, "sim: %s\n", e.text);
		return 70;
	}
	mem_set(&SIM.config.state_dir, SIM.dir);
	SIM.config.backup_every_ms = 0; /* a thread of its own does that, see bot/queue_care.c */
	SIM.is_loud = str_eq(how, "loud");
	disk_create();

	double from = seconds();
	play_all((uint64_t)first, (uint64_t)count, str_eq(how, "twice"), &s);
	double took = seconds() - from;
	size_t n_fired, n = buggify_points(&n_fired);
	double days = (double)s.simulated_ms / (24.0 * 3600000.0);
	if (str_eq(how, "points"))
		buggify_report();
	(void)printf("%.1f simulated days in %.1f s: %.2f s a day, %" PRId64
		     " rounds; %zu of %zu points fired\n",
		days, took, took / days, s.rounds, n_fired, n);
	(void)printf("%" PRId64 " passed, %" PRId64 " failed\n", s.passed, s.failed);
	(void)fs_remove_tree(SIM.dir, NULL);
	config_finish(&SIM.config);
	return s.failed > 0;
}
