/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backlog - what the queue asks every second, with a million tasks waiting.
 *
 *	bench_backlog DIR COUNT REPOS
 *
 * Opened as bot/queue.c opens it. Every task has its trigger, prompt and page and one comment that
 * is due. Prints one line of JSON: fill_s; claim_ms, due_ms, place_ms and page_ms, medians of 101;
 * pss_mib, of this process, at the end.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUNDS 101
#define BATCH  1000

struct bench {
	struct store *s;
	int64_t count;
	int64_t repos;
};

static const struct store_driver *const db = &STORE_SQLITE;

static void
must(int rc, const char *what, const struct err *e)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "bench_backlog: %s: %s\n", what, e->text);
	exit(70);
}

/* ---- a million that wait ---- */

static void
add(struct bench *b, int64_t n)
{
	auto_free char *trigger = mem_fmt("t%" PRId64, n);
	auto_free char *text = mem_fmt("{\"n\":%" PRId64 "}", n);
	char purpose[] = "sticky", scope[] = "gh/1", digest[] = "0123456789abcdef";
	struct task t = {
		.page = mem_fmt("%032" PRId64, n),
		.forge = mem_str("gh"),
		.repo_id = n % b->repos + 1,
		.repo = mem_fmt("acme/repo-%" PRId64, n % b->repos),
		.number = n,
		.prompt = mem_str("Mend it, and add a test."),
		.gate_exit = -1,
	};
	bool was_seen = false;
	struct err e = { 0 };

	must(db->task_add(b->s, trigger, 0, &t, &was_seen, &e), "task", &e);
	struct effect f = {
		.task = t.id,
		.purpose = purpose,
		.lane = purpose,
		.scope = scope,
		.op = text,
		.digest = digest,
		.is_latest = true,
		.not_before_ms = n,
	};
	must(db->effect_add(b->s, &f, &e), "effect", &e);
	task_finish(&t);
}

static void
fill(struct bench *b)
{
	struct err e = { 0 };

	for (int64_t n = 1; n <= b->count; n++) {
		if (n % BATCH == 1)
			must(db->begin(b->s, &e), "begin", &e);
		add(b, n);
		if (n % BATCH == 0 || n == b->count)
			must(db->commit(b->s, &e), "commit", &e);
	}
}

/* ---- what is asked every second ---- */

static void
claim(struct bench *b)
{
	const struct task_claim c = {
		.now_ms = INT32_MAX, .lease_ms = 1, .running_max = INT32_MAX, .lane_max = INT32_MAX
	};
	struct task t = { 0 };
	struct err e = { 0 };

	must(db->begin(b->s, &e), "begin", &e);
	must(db->task_claim(b->s, &c, &t, &e), "claim", &e);
	must(db->commit(b->s, &e), "commit", &e);
	task_finish(&t);
}

static void
due(struct bench *b)
{
	const struct effect_ask ask = { .scope = "gh/1", .now_ms = INT32_MAX };
	int64_t ids[16];
	size_t n = 0;
	struct err e = { 0 };

	must(db->effect_due(b->s, &ask, ids, 16, &n, &e), "due", &e);
}

static void
place(struct bench *b)
{
	struct err e = { 0 };
	int64_t n = 0;

	must(db->task_place(b->s, b->count, &n, &e), "place", &e);
}

static void
page(struct bench *b)
{
	const struct task_filter f = {
		.states = TASK_BIT(TASK_QUEUED), .after_id = b->count / 2, .limit = 50
	};
	struct row_list list = { 0 };
	struct err e = { 0 };

	must(db->task_list(b->s, &f, &list, &e), "page", &e);
	struct task *v = list.v;
	for (size_t i = 0; i < list.n; i++)
		task_finish(&v[i]);
	free(v);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median_ms(struct bench *b, void (*ask)(struct bench *b))
{
	double took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double begun = bench_ms(CLOCK_MONOTONIC);

		ask(b);
		took[i] = bench_ms(CLOCK_MONOTONIC) - begun;
	}
	qsort(took, ROUNDS, sizeof(*took), by_size);
	return took[ROUNDS / 2];
}

static double
pss_mib(void)
{
	auto_buf struct buf text = BUF_INIT(65536);
	struct err e = { 0 };
	int64_t kib = 0;

	must(fs_read("/proc/self/smaps_rollup", &text, &e), "memory", &e);
	const char *line = strstr(buf_str(&text), "\nPss:");
	if (line)
		kib = strtoll(line + strlen("\nPss:"), NULL, 10);
	return (double)kib / 1024;
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct err e = { 0 };

	if (argc != 4) {
		(void)fprintf(stderr, "bench_backlog DIR COUNT REPOS\n");
		return 64;
	}
	const struct store_conf c = { .dir = argv[1], .is_durable = true };
	must(str_i64(argv[2], ROUNDS, INT32_MAX, &b.count, &e), argv[2], &e);
	must(str_i64(argv[3], 1, INT32_MAX, &b.repos, &e), argv[3], &e);
	must(db->open(&c, &b.s, &e), argv[1], &e);

	double begun = bench_ms(CLOCK_MONOTONIC);
	fill(&b);
	double fill_s = (bench_ms(CLOCK_MONOTONIC) - begun) / 1e3;
	double claim_ms = median_ms(&b, claim), due_ms = median_ms(&b, due);
	double place_ms = median_ms(&b, place), page_ms = median_ms(&b, page);
	printf("{\"fill_s\":%.1f,\"claim_ms\":%.3f,\"due_ms\":%.3f,\"place_ms\":%.3f,"
	       "\"page_ms\":%.3f,\"pss_mib\":%.1f}\n",
		fill_s, claim_ms, due_ms, place_ms, page_ms, pss_mib());
	db->close(b.s);
	return 0;
}
