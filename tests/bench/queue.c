/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue - tasks through the store, as the queue role takes them through: enqueued, claimed,
 * completed. Without a role, a forge or a box around it.
 *
 *	bench_queue DIR|URL BODY_FILE COUNT BATCH REPOS
 *
 * DIR: SQLite. URL: PostgreSQL, as one of several nodes; the password is PGPASSWORD. Opened as
 * bot/queue.c opens it. Rounds are those of bot/queue_round.c: BATCH deliveries that came together
 * are one transaction and then acknowledged; the tasks that they ask for are a second one; and who
 * completes his task frees a place for the next, which is claimed in the same transaction.
 *
 * Every delivery has its body, every task its trigger, prompt, page and attempt. Prints one line of
 * JSON: enqueue_s, work_s, cpu_ms; and nothing if at the end not every task is over, once.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

#define NODE      "00000000000000000000000000000001"
#define LEASE_MS  30000
#define BATCH_MAX 1024

struct bench {
	const struct store_driver *db;
	struct store *s;
	struct buf body;
	int64_t count;
	int64_t batch;
	int64_t repos;
	int64_t now_ms; /* of the wall, as it was at the start: time is not what is measured */
};

static _Noreturn void
die(const char *what, const struct err *e)
{
	(void)fprintf(stderr, "bench_queue: %s: %s\n", what, e->text);
	exit(70);
}

static void
must(int rc, const char *what, const struct err *e)
{
	if (rc < 0)
		die(what, e);
}

/* ---- enqueue ---- */

static int64_t
add_delivery(struct bench *b, int64_t n)
{
	auto_free char *guid = mem_fmt("%08" PRId64 "-0000-4000-8000-%012" PRId64, n, n);
	char forge[] = "gh", event[] = "issues", type[] = "application/json";
	const struct delivery d = {
		.forge = forge,
		.guid = guid,
		.event = event,
		.content_type = type,
		.received_ms = b->now_ms,
	};
	struct err e = { 0 };
	int64_t id = 0;

	must(b->db->delivery_add(b->s, &d, b->body.data, b->body.len, &id, &e), "delivery", &e);
	return id;
}

static void
add_task(struct bench *b, int64_t n, int64_t delivery)
{
	int64_t repo = n % b->repos;
	auto_free char *trigger = mem_fmt("gh:%" PRId64 ":%" PRId64 ":agent:1", repo, n);
	struct task t = {
		.page = mem_fmt("%032" PRId64, n),
		.forge = mem_str("gh"),
		.installation_id = 1,
		.repo_id = repo + 1,
		.repo = mem_fmt("acme/repo-%" PRId64, repo),
		.number = n + 1,
		.title = mem_str("The sum of two numbers is wrong"),
		.prompt = mem_str("The sum of two numbers is wrong. Mend it, and add a test."),
		.input_hash = mem_fmt("%064" PRId64, n),
		.actor = mem_str("a-person"),
		.actor_id = 7,
		.agent = mem_str("codex"),
		.base_ref = mem_str("main"),
		.branch = mem_fmt("agent/%" PRId64 "-the-sum-of-two-numbers", n),
		.gate_exit = -1,
		.created_ms = b->now_ms,
		.changed_ms = b->now_ms,
	};
	bool was_seen = false;
	struct err e = { 0 };

	must(b->db->task_add(b->s, trigger, delivery, &t, &was_seen, &e), "task", &e);
	must(b->db->delivery_end(b->s, delivery, DELIVERY_HANDLED, NULL, &e), "delivery end", &e);
	task_finish(&t);
}

static void
enqueue(struct bench *b)
{
	int64_t ids[BATCH_MAX];
	struct err e = { 0 };

	for (int64_t at = 0; at < b->count; at += b->batch) {
		int64_t n = b->count - at < b->batch ? b->count - at : b->batch;

		must(b->db->begin(b->s, &e), "begin", &e);
		for (int64_t i = 0; i < n; i++)
			ids[i] = add_delivery(b, at + i);
		must(b->db->commit(b->s, &e), "commit", &e);
		must(b->db->begin(b->s, &e), "begin", &e);
		for (int64_t i = 0; i < n; i++)
			add_task(b, at + i, ids[i]);
		must(b->db->commit(b->s, &e), "commit", &e);
		b->db->rest(b->s);
	}
}

/* ---- claim and complete ---- */

static bool
claim(struct bench *b, int64_t *id)
{
	const struct task_claim c = {
		.now_ms = b->now_ms,
		.lease_ms = LEASE_MS,
		.running_max = b->batch,
		.lane_max = b->batch,
	};
	struct task t = { 0 };
	struct err e = { 0 };
	int rc = b->db->task_claim(b->s, &c, &t, &e);

	if (rc == ERR_MISSING)
		return false;
	must(rc, "claim", &e);
	*id = t.id;
	task_finish(&t);
	return true;
}

static void
complete(struct bench *b, int64_t id)
{
	struct task t = { 0 };
	struct err e = { 0 };

	must(b->db->task_get(b->s, id, &t, &e), "task", &e);

	const struct attempt a = {
		.task = id,
		.number = t.attempt,
		.ended_ms = b->now_ms,
		.outcome = OUTCOME_GREEN,
	};
	must(b->db->attempt_end(b->s, &a, &e), "attempt", &e);
	t.state = TASK_SUCCEEDED;
	t.outcome = OUTCOME_GREEN;
	must(b->db->task_save(b->s, &t, &e), "save", &e);
	task_finish(&t);
}

static void
work(struct bench *b)
{
	int64_t held[BATCH_MAX];
	int64_t n = 0;
	struct err e = { 0 };

	do {
		must(b->db->begin(b->s, &e), "begin", &e);
		for (int64_t i = 0; i < n; i++)
			complete(b, held[i]);
		for (n = 0; n < b->batch && claim(b, &held[n]); n++)
			continue;
		must(b->db->commit(b->s, &e), "commit", &e);
		b->db->rest(b->s);
	} while (n > 0);
}

/* ---- the whole ---- */

static void
open_store(struct bench *b, const char *where)
{
	bool is_remote = strncmp(where, "postgres", strlen("postgres")) == 0;
	const struct store_conf c = {
		.dir = where,
		.url = where,
		.password = getenv("PGPASSWORD"),
		.is_durable = true,
		.node = NODE,
		.lease_ms = LEASE_MS,
	};
	struct err e = { 0 };

	b->db = is_remote ? &STORE_POSTGRES : &STORE_SQLITE;
	must(b->db->open(&c, &b->s, &e), where, &e);
}

static void
check(struct bench *b)
{
	struct err e = { 0 };
	int64_t n = 0;

	must(b->db->task_count(b->s, TASK_BIT(TASK_SUCCEEDED), &n, &e), "count", &e);
	if (n == b->count)
		return;
	(void)fprintf(stderr, "bench_queue: %" PRId64 " tasks are over\n", n);
	exit(70);
}

static int64_t
number(const char *text, int64_t max)
{
	struct err e = { 0 };
	int64_t n = 0;

	must(str_i64(text, 1, max, &n, &e), text, &e);
	return n;
}

int
main(int argc, char **argv)
{
	struct bench b = { .body = BUF_INIT(LIMIT_DELIVERY_BYTES) };
	struct err e = { 0 };

	if (argc != 6) {
		(void)fprintf(stderr, "bench_queue DIR|URL BODY_FILE COUNT BATCH REPOS\n");
		return 64;
	}
	must(fs_read(argv[2], &b.body, &e), argv[2], &e);
	b.count = number(argv[3], INT32_MAX);
	b.batch = number(argv[4], BATCH_MAX);
	b.repos = number(argv[5], INT32_MAX);
	b.now_ms = (int64_t)bench_ms(CLOCK_REALTIME);
	open_store(&b, argv[1]);

	double begun = bench_ms(CLOCK_MONOTONIC), cpu = bench_ms(CLOCK_PROCESS_CPUTIME_ID);
	enqueue(&b);
	double between = bench_ms(CLOCK_MONOTONIC);
	work(&b);
	double ended = bench_ms(CLOCK_MONOTONIC);
	cpu = bench_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	check(&b);
	b.db->close(b.s);
	buf_finish(&b.body);
	printf("{\"enqueue_s\":%.3f,\"work_s\":%.3f,\"cpu_ms\":%.0f}\n", (between - begun) / 1e3,
		(ended - between) / 1e3, cpu);
	return 0;
}
