/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - histories, one a seed: a minute of peace, a time of faults, and peace again, in which
 * everything must come to its end. Arguments: FIRST COUNT [loud|twice]. It stops at the first that
 * is broken; script/sim reads what it counts.
 */
#include "tests/sim/forge.h"
#include "tests/sim/rows.h"

#include "base/fs.h"
#include "base/mem.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEACE_MS     (1 * MINUTE)
#define FAULTS_LEAST (3 * MINUTE)
#define FAULTS_MOST  (24 * MINUTE)
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

struct sum {
	int64_t passed, failed, simulated_ms, rounds, tasks, deliveries, deaths;
};

/* While the queue is up. */
static void
count(struct sum *s)
{
	s->tasks += rows_count("SELECT count(*) FROM task");
	s->deliveries += rows_count("SELECT count(*) FROM delivery");
}

/* The history of a seed; its trace. */
static uint64_t
play(uint64_t seed, struct sum *s)
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
	if (SIM.n_violations == 0) {
		truth_check();
		count(s);
	}
	destroy();
	s->simulated_ms += SIM.now_ms;
	s->rounds += SIM.n_rounds;
	s->deaths += SIM.n_deaths;
	return SIM.trace;
}

static void
play_all(uint64_t first, uint64_t n, bool twice, struct sum *s)
{
	for (uint64_t seed = first; seed < first + n && s->failed == 0; seed++) {
		uint64_t trace = play(seed, s);
		bool ok = SIM.n_violations == 0;

		if (ok && twice) {
			ok = play(seed, s) == trace;
			(void)printf("%sseed=%" PRIu64 " trace=%016" PRIx64 "%s\n",
				ok ? "" : "VIOLATION ", seed, trace,
				ok ? "" : " is not the same twice");
		}
		s->passed += ok;
		s->failed += !ok;
		(void)fflush(stdout);
	}
}

static void
report(const struct sum *s)
{
	const struct {
		const char *name;
		int64_t n;
	} sums[] = {
		{ "simulated_ms", s->simulated_ms },
		{ "rounds", s->rounds },
		{ "tasks", s->tasks },
		{ "deliveries", s->deliveries },
		{ "deaths", s->deaths },
		{ "passed", s->passed },
		{ "failed", s->failed },
	};

	buggify_report();
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		(void)printf("sum %s %" PRId64 "\n", sums[i].name, sums[i].n);
}

int
main(int argc, char **argv)
{
	int64_t first = 1, n = 1;
	const char *how = argc > 3 ? argv[3] : "";
	struct sum s = { 0 };
	struct err e = { 0 };

	if (argc < 3 || str_i64(argv[1], 0, INT64_MAX, &first, &e) < 0 ||
		str_i64(argv[2], 1, INT64_MAX, &n, &e) < 0) {
		(void)fprintf(stderr, "sim FIRST COUNT [loud|twice]\n");
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
	/* What a role gives back the next one takes: the kernel need not hear of it. */
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	disk_create();

	play_all((uint64_t)first, (uint64_t)n, str_eq(how, "twice"), &s);
	report(&s);
	(void)fs_remove_tree(SIM.dir, NULL);
	config_finish(&SIM.config);
	return s.failed > 0;
}
