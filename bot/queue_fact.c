/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_fact - a question to a forge, asked until there is an answer.
 *
 * Asking changes nothing, so a lost answer is asked for again. What a forge refuses to say, or has
 * not said after the last try, is an answer, too: handlers deny then, they never guess.
 */
#include "bot/queue.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "forge/retry.h"

#define ANSWER_MS (5 * 60 * 1000) /* the courier has deadlines of its own */

struct queue_fact {
	struct queue *q;
	struct queue_fact *next;
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
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct queue_fact *f = ctx;
	struct wire_answer *a = m ? m->obj : NULL;
	int64_t code = a ? a->code : e->code;
	struct forge_answer *answer = a && a->answer.n == 1 ? a->answer.v : NULL;

	f->call = 0;
	if (code == 0 && !answer)
		code = ERR_PROTOCOL;
	if (queue_is_transient(code) && ++f->tries < f->tries_max) {
		struct log_ctx log = { .repo = f->op.repo };
		int64_t wait = a ? a->retry_after_ms : 0;

		log_warn(&log, "fact.again", "op=%s tries=%lld error=\"%s\"",
			forge_op_name(f->op.kind), (long long)f->tries,
			a && a->text ? a->text : err_name((int)code));
		wait = wait > 0 ? queue_wait_ms(f->q, wait) : queue_backoff_ms(f->q, f->tries);
		f->timer = loop_timer_add(f->q->role->loop, wait, ask, f);
		return;
	}
	if (answer && a->items.n > 0) {
		answer->items = a->items;
		a->items = (struct row_list){ 0 };
	}
	tell(f, code, answer);
}

static void
ask(void *ctx)
{
	struct queue_fact *f = ctx;
	const struct msg_out out = { .type = WIRE_FACT, .obj = &f->op };

	f->timer = NULL;
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
