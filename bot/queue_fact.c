/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_fact - a question to a forge, asked until there is an answer.
 *
 * Asking changes nothing, so a lost answer is asked for again. What a forge refuses to say, or has
 * not said after the last try, is an answer, too: handlers deny then, they never guess.
 *
 * Twenty labels put on in one moment ask for the same person's permission twenty times. One that is
 * asked while the same question is under way waits for its end and then goes with all that wait:
 * nobody is told what was asked before he came.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "forge/retry.h"

#define ANSWER_MS (5 * 60 * 1000) /* the courier has deadlines of its own */

struct queue_fact {
	struct queue *q;
	struct queue_fact *next;
	struct queue_fact *leader; /* whose answer is ours, too */
	bool waits;                /* for the same question, which is under way */
	struct forge_op op;
	int64_t tries;
	int64_t tries_max;
	uint64_t call;
	struct loop_timer *timer;
	queue_fact_cb *cb;
	void *ctx;
};

bool
queue_is_transient(int64_t code)
{
	return code == ERR_BUSY || code == ERR_TIMEOUT || code == ERR_PROTOCOL ||
	       code == ERR_SYSTEM;
}

int64_t
queue_backoff_ms(const struct queue *q, int64_t tries)
{
	uint32_t random = 0;

	crypto_random(&random, sizeof(random));
	if (BUGGIFY("backoff.long"))
		tries += 4;
	return queue_wait_ms(q, retry_backoff_ms(tries, random % 1024));
}

static void
unlink_fact(struct queue_fact *f)
{
	struct queue_fact **at = &f->q->facts;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

static void
fact_destroy(struct queue_fact *f)
{
	unlink_fact(f);
	loop_timer_remove(f->timer);
	forge_op_finish(&f->op);
	free(f);
}

static void ask(void *ctx);

/* ---- the same question ---- */

/* Only of permissions: other answers are lists, and are asked for one issue at a time. */
static bool
is_same(const struct queue_fact *f, const struct queue_fact *o)
{
	const struct forge_op *a = &f->op, *b = &o->op;

	return a->kind == OP_PERMISSION && b->kind == OP_PERMISSION && a->repo_id == b->repo_id &&
	       a->installation_id == b->installation_id && str_eq(a->forge, b->forge) &&
	       str_eq(a->repo, b->repo) && str_eq(a->user, b->user);
}

static bool
is_under_way(const struct queue_fact *f)
{
	bool found = BUGGIFY("fact.alone");

	if (found)
		return false;
	for (const struct queue_fact *o = f->q->facts; o; o = o->next)
		found |= o != f && (o->call || o->timer) && is_same(f, o);
	return found;
}

/* Those that waited go with the one that is asked now. */
static void
lead(struct queue_fact *f)
{
	for (struct queue_fact *o = f->q->facts; o; o = o->next) {
		if (o != f && o->waits && is_same(f, o)) {
			o->waits = false;
			o->leader = f;
		}
	}
}

static void
ask_waiting(struct queue_fact *f)
{
	for (struct queue_fact *o = f->q->facts; o; o = o->next) {
		if (o->waits && is_same(f, o)) {
			o->waits = false;
			ask(o);
			return;
		}
	}
}

static struct queue_fact *
follower_of(const struct queue_fact *f)
{
	struct queue_fact *o = f->q->facts;

	while (o && o->leader != f)
		o = o->next;
	return o;
}

static void
count_try(struct queue_fact *f)
{
	f->tries++;
	for (struct queue_fact *o = f->q->facts; o; o = o->next)
		o->tries += o->leader == f;
}

/* Who has more patience than the one he went with goes on without him. */
static void
let_patient_go(struct queue_fact *f)
{
	for (struct queue_fact *o = f->q->facts; o; o = o->next) {
		if (o->leader == f && o->tries < o->tries_max) {
			o->leader = NULL;
			o->waits = true;
		}
	}
}

static bool
has_another_try(struct queue_fact *f, int64_t code)
{
	if (!queue_is_transient(code))
		return false;
	count_try(f);
	if (f->tries < f->tries_max)
		return true;
	let_patient_go(f);
	return false;
}

/* ---- answers ---- */

static void
tell(struct queue_fact *f, int64_t code, struct forge_answer *take_a)
{
	struct fact fact = { .kind = f->op.kind, .user = mem_str(f->op.user), .code = code };

	if (take_a) {
		fact.answer = *take_a;
		*take_a = (struct forge_answer){ 0 };
	}
	f->cb(f->q, f->ctx, &fact);
	free(fact.user);
	forge_answer_finish(&fact.answer);
	fact_destroy(f);
}

static void
tell_all(struct queue_fact *f, int64_t code, struct forge_answer *take_a)
{
	struct queue_fact *o;

	ask_waiting(f);
	while ((o = follower_of(f))) {
		struct forge_answer copy = { 0 };

		if (take_a)
			row_copy(FORGE_ANSWER_ROWS, &copy, take_a);
		o->leader = NULL;
		tell(o, code, take_a ? &copy : NULL);
	}
	tell(f, code, take_a);
}

/* Not for this question alone, and also for a courier that is started anew. */
static void
note_peace(const struct queue_fact *f, int64_t wait_ms)
{
	auto_free char *scope = mem_fmt(
		"%s/%lld", f->op.forge ? f->op.forge : "", (long long)f->op.installation_id);

	if (queue_begin(f->q) == 0)
		queue_bucket_close(f->q, scope, clock_boot_ms() + wait_ms);
}

static void
ask_again(struct queue_fact *f, const char *why, int64_t told_ms)
{
	struct log_ctx log = { .repo = f->op.repo };
	int64_t wait =
		told_ms > 0 ? queue_wait_ms(f->q, told_ms) : queue_backoff_ms(f->q, f->tries);

	log_warn(&log, "fact.again", "op=%s tries=%lld error=\"%s\"", forge_op_name(f->op.kind),
		(long long)f->tries, why);
	if (told_ms > 0)
		note_peace(f, wait);
	f->timer = loop_timer_add(f->q->role->loop, wait, ask, f);
}

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct queue_fact *f = ctx;
	struct wire_answer *a = m ? m->obj : NULL;
	int64_t code = a ? a->code : e->code;
	struct forge_answer *answer = a && a->answer.n == 1 ? a->answer.v : NULL;

	f->call = 0;
	if (BUGGIFY("fact.lost"))
		code = ERR_TIMEOUT;
	if (code == 0 && !answer)
		code = ERR_PROTOCOL;
	if (has_another_try(f, code)) {
		ask_again(
			f, a && a->text ? a->text : err_name((int)code), a ? a->retry_after_ms : 0);
		return;
	}
	if (answer && a->items.n > 0) {
		answer->items = a->items;
		a->items = (struct row_list){ 0 };
	}
	tell_all(f, code, answer);
}

static void
ask(void *ctx)
{
	struct queue_fact *f = ctx;
	const struct msg_out out = { .type = WIRE_FACT, .obj = &f->op };

	f->timer = NULL;
	lead(f);
	f->call = msg_call(role_link(f->q->role, ROLE_COURIER), &out, ANSWER_MS, on_answer, f);
}

void
queue_fact_ask(
	struct queue *q, const struct forge_op *op, int64_t tries, queue_fact_cb *cb, void *ctx)
{
	struct queue_fact *f = mem_zero(sizeof(*f));

	f->q = q;
	row_copy(FORGE_OP_ROWS, &f->op, op);
	f->tries_max = tries;
	f->cb = cb;
	f->ctx = ctx;
	f->next = q->facts;
	q->facts = f;
	f->waits = is_under_way(f);
	if (!f->waits && BUGGIFY("fact.slow"))
		f->timer = loop_timer_add(q->role->loop, 5000, ask, f);
	else if (!f->waits)
		ask(f);
}

void
queue_fact_finish(struct queue *q)
{
	while (q->facts) {
		struct queue_fact *f = q->facts;

		if (f->call)
			msg_call_cancel(role_link(q->role, ROLE_COURIER), f->call);
		f->cb(q, f->ctx, NULL);
		fact_destroy(f);
	}
}
