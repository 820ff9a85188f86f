/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_work - what a life writes, and whether it is there.
 *
 * Transactions are numbered in the store itself, in the same transaction. So the store says how far
 * it came, and everything up to there must be in it, byte for byte, and nothing else.
 */
#include "tests/fault/chain.h"

#include "base/buf.h"
#include "base/mem.h"

#include <inttypes.h>

#define KEY         "power.last"
#define BODY_BYTES  6000
#define BIG_BYTES   300000 /* a few of these, and the log is written back */
#define EACH_MAX    4
#define REPOS_COUNT 3

/* ---- what is in a transaction, by its seed ---- */

struct plan {
	struct dice dice;
	int n;
	bool has_task;
	bool is_big;
};

static struct plan
plan_of(uint64_t seed, bool is_big)
{
	struct plan p = { .dice = { seed }, .is_big = is_big };

	p.n = 1 + (int)dice_below(&p.dice, EACH_MAX);
	p.has_task = dice_hits(&p.dice, 40);
	return p;
}

/* Nothing that a compressor could make small. */
static char *
body(struct plan *p, size_t *len)
{
	*len = 1 + dice_below(&p->dice, p->is_big ? BIG_BYTES : BODY_BYTES);

	char *data = mem_array(*len, 1);
	for (size_t i = 0; i < *len; i++)
		data[i] = (char)dice_next(&p->dice);
	return data;
}

static char *
guid(const struct chain_tx *tx, int i)
{
	return mem_fmt("%016" PRIx64 "-%d", tx->seed, i);
}

/* ---- writing ---- */

static int
add_deliveries(struct store *s, struct chain_tx *tx, struct plan *p, struct err *e)
{
	char forge[] = "gh", event[] = "issues";
	int rc = 0;

	for (int i = 0; i < p->n && rc == 0; i++) {
		auto_free char *id_text = guid(tx, i);
		const struct delivery d = {
			.forge = forge, .guid = id_text, .event = event, .received_ms = i + 1
		};
		size_t len;
		auto_free char *data = body(p, &len);
		int64_t id = 0;

		rc = s->driver->delivery_add(s, &d, data, len, &id, e);
		if (i == 0)
			tx->first = id;
	}
	return rc;
}

static int
add_effect(struct store *s, int64_t task, struct err *e)
{
	char purpose[] = "sticky", lane[] = "comment", scope[] = "gh:1", op[] = "{}",
	     digest[] = "d";
	struct effect f = { .task = task,
		.purpose = purpose,
		.lane = lane,
		.scope = scope,
		.op = op,
		.digest = digest };

	return s->driver->effect_add(s, &f, e);
}

/* The first delivery of the transaction becomes a task, with what belongs to one. */
static int
add_task(struct store *s, struct chain_tx *tx, struct err *e)
{
	auto_free char *key = mem_fmt("trigger-%016" PRIx64, tx->seed);
	const struct transcript log = { .cast = key, .text = key };
	struct task t = { .repo_id = 1 + (int64_t)(tx->seed % REPOS_COUNT),
		.number = tx->first,
		.gate_exit = -1,
		.state = TASK_FAILED };
	bool was_seen;

	t.page = mem_fmt("%032" PRIx64, tx->seed);
	t.forge = mem_str("gh");
	t.repo = mem_fmt("acme/r%" PRId64, t.repo_id);
	t.prompt = mem_str("Do it");
	int rc = s->driver->task_add(s, key, tx->first, &t, &was_seen, e);
	tx->task = t.id;
	task_finish(&t);
	if (rc == 0)
		rc = s->driver->delivery_end(s, tx->first, DELIVERY_HANDLED, NULL, e);
	if (rc == 0)
		rc = add_effect(s, tx->task, e);
	return rc == 0 ? s->driver->transcript_put(s, tx->task, 1, &log, e) : rc;
}

int
chain_write(struct chain *c, struct store *s, bool is_big, struct err *e)
{
	struct chain_tx tx = { .seed = dice_next(&c->dice) & ~(uint64_t)1 };

	tx.seed |= is_big; /* so that the judge knows */
	struct plan p = plan_of(tx.seed, is_big);
	auto_free char *number = mem_fmt("%" PRId64, c->n_txs + 1);
	int rc = s->driver->begin(s, e);

	tx.n = p.n;
	if (rc == 0)
		rc = add_deliveries(s, &tx, &p, e);
	if (rc == 0 && p.has_task)
		rc = add_task(s, &tx, e);
	if (rc == 0)
		rc = s->driver->kv_put(s, KEY, number, e);
	if (rc == 0)
		rc = s->driver->commit(s, e);
	if (rc < 0)
		return rc;
	c->txs = mem_grow(c->txs, (size_t)c->n_txs + 1, sizeof(*c->txs));
	c->txs[c->n_txs++] = tx;
	return 0;
}

/* ---- judging ---- */

static int
judge_delivery(struct store *s, const struct chain_tx *tx, int i, struct plan *p, struct err *e)
{
	auto_free char *want = guid(tx, i);
	size_t len;
	auto_free char *data = body(p, &len);
	auto_buf struct buf is = BUF_INIT(BIG_BYTES + 1);
	struct delivery d = { 0 };
	int rc = s->driver->delivery_get(s, tx->first + i, &d, e);

	if (rc < 0)
		return err_wrap(e, rc, "delivery %s", want);
	bool is_ours = d.guid && strcmp(d.guid, want) == 0;
	delivery_finish(&d);
	rc = s->driver->delivery_body(s, tx->first + i, &is, e);
	if (rc == 0 && (!is_ours || is.len != len || memcmp(is.data, data, len) != 0))
		return err_set(e, ERR_INVALID, "delivery %s is another one", want);
	return rc;
}

static int
judge_task(struct store *s, const struct chain_tx *tx, struct err *e)
{
	auto_free char *page = mem_fmt("%032" PRIx64, tx->seed);
	auto_free char *key = mem_fmt("trigger-%016" PRIx64, tx->seed);
	auto_buf struct buf text = BUF_INIT(64);
	struct task t = { 0 };
	struct effect f = { 0 };
	int rc = s->driver->task_get_page(s, page, &t, e);

	if (rc == 0 && t.id != tx->task)
		rc = err_set(e, ERR_INVALID, "it has another number");
	task_finish(&t);
	if (rc == 0)
		rc = s->driver->effect_find(s, tx->task, "sticky", &f, e);
	effect_finish(&f);
	if (rc == 0)
		rc = s->driver->transcript_get(s, tx->task, NULL, &text, e);
	if (rc == 0 && strcmp(buf_str(&text), key) != 0)
		rc = err_set(e, ERR_INVALID, "its transcript is another one");
	return rc < 0 ? err_wrap(e, rc, "task %" PRId64, tx->task) : 0;
}

static int
judge_tx(struct store *s, const struct chain_tx *tx, struct err *e)
{
	struct plan p = plan_of(tx->seed, tx->seed & 1);
	int rc = 0;

	for (int i = 0; i < tx->n && rc == 0; i++)
		rc = judge_delivery(s, tx, i, &p, e);
	return rc == 0 && p.has_task ? judge_task(s, tx, e) : rc;
}

static int
judge_counts(const struct chain *c, struct store *s, int64_t last, struct err *e)
{
	struct store_tally t = { 0 };
	int64_t deliveries = 0, tasks = 0;
	int rc = s->driver->tally(s, &t, e);

	for (int64_t i = 0; i < last; i++) {
		deliveries += c->txs[i].n;
		tasks += c->txs[i].task > 0;
	}
	if (rc == 0)
		rc = store_tally_check(&t, e);
	if (rc == 0 && (t.fresh + t.handled != deliveries || t.final != tasks))
		rc = err_set(e, ERR_INVALID,
			"%" PRId64 " deliveries and %" PRId64 " tasks are there, of %" PRId64
			" and %" PRId64,
			t.fresh + t.handled, t.final, deliveries, tasks);
	return rc;
}

int
chain_judge(const struct chain *c, struct store *s, int64_t *last, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(64);
	int rc = s->driver->kv_get(s, KEY, &text, e);

	*last = 0;
	if (rc == ERR_MISSING)
		rc = 0;
	else if (rc == 0)
		*last = strtoll(buf_str(&text), NULL, 10);
	if (rc == 0 && (*last < 0 || *last > c->n_txs))
		rc = err_set(e, ERR_INVALID, "number %" PRId64 " of %" PRId64, *last, c->n_txs);
	for (int64_t i = 0; i < *last && rc == 0; i++) {
		rc = judge_tx(s, &c->txs[i], e);
		if (rc < 0)
			rc = err_wrap(e, rc, "transaction %" PRId64, i + 1);
	}
	return rc == 0 ? judge_counts(c, s, *last, e) : rc;
}
