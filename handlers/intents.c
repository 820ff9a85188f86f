/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intents - building the answer of a handler.
 */
#include "handlers/intents.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REASON_BYTES_MAX 512

static struct intent *
add(struct intents *out, enum intent_kind kind)
{
	struct intent *i;

	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	i = &out->v[out->n++];
	*i = (struct intent){ .kind = kind };
	return i;
}

void
intents_finish(struct intents *list)
{
	for (size_t n = 0; n < list->n; n++) {
		struct intent *i = &list->v[n];

		free(i->key);
		free(i->text);
		free(i->reason);
		task_finish(&i->task);
		forge_op_finish(&i->op);
	}
	free(list->v);
	*list = (struct intents){ 0 };
}

void
facts_finish(struct facts *f)
{
	for (size_t n = 0; n < f->n; n++) {
		free(f->v[n].user);
		forge_answer_finish(&f->v[n].answer);
	}
	free(f->v);
	*f = (struct facts){ 0 };
}

bool
intents_want_facts(const struct intents *list)
{
	for (size_t n = 0; n < list->n; n++) {
		if (list->v[n].kind == INTENT_FACT)
			return true;
	}
	return false;
}

void
intent_op_target(const struct handler_in *in, struct forge_op *op, enum forge_op_kind kind)
{
	const struct forge_event *ev = in->event;

	op->kind = kind;
	op->forge = mem_str(in->forge);
	op->installation_id = ev->installation_id;
	op->repo_id = ev->repo_id;
	op->repo = mem_str(ev->repo);
	op->number = ev->number;
	op->is_pull = ev->is_pull;
}

const struct fact *
intent_need(
	const struct handler_in *in, struct intents *out, enum forge_op_kind kind, const char *user)
{
	struct forge_op *op;

	for (size_t n = 0; n < in->facts->n; n++) {
		const struct fact *f = &in->facts->v[n];

		if (f->kind == (int64_t)kind && str_eq(f->user, user))
			return f;
	}
	op = &add(out, INTENT_FACT)->op;
	intent_op_target(in, op, kind);
	op->user = mem_str(user);
	if (user)
		op->user_id = in->event->actor_id;
	op->label = mem_str(in->conf->label);
	return NULL;
}

void
intent_ignore(struct intents *out, const char *fmt, ...)
{
	char text[REASON_BYTES_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(out, INTENT_IGNORE)->text = mem_str(text);
}

void
intent_generation(struct intents *out, bool on)
{
	add(out, INTENT_GENERATION)->on = on;
}

void
intent_stop(struct intents *out, int64_t task, const char *by, const char *reason)
{
	struct intent *i = add(out, INTENT_STOP);

	i->id = task;
	i->text = mem_str(by);
	i->reason = mem_str(reason);
}

struct forge_op *
intent_effect(
	const struct handler_in *in, struct intents *out, enum forge_op_kind kind, const char *key)
{
	struct intent *i = add(out, INTENT_EFFECT);

	i->key = mem_str(key);
	intent_op_target(in, &i->op, kind);
	return &i->op;
}

void
intent_ack(const struct handler_in *in, struct intents *out)
{
	const struct forge_event *ev = in->event;
	auto_free char *key = NULL;
	struct forge_op *op;

	if (ev->comment_id > 0)
		key = mem_fmt(
			"ack:%s:%" PRId64 ":c%" PRId64, in->forge, ev->repo_id, ev->comment_id);
	else
		key = mem_fmt("ack:%s:%" PRId64 ":i%" PRId64, in->forge, ev->repo_id, ev->number);
	op = intent_effect(in, out, OP_REACT, key);
	op->id = ev->comment_id;
}

void
intent_reply(const struct handler_in *in, struct intents *out, size_t n, const char *text)
{
	const struct forge_event *ev = in->event;
	auto_free char *key = mem_fmt(
		"%s:%" PRId64 ":%" PRId64 ".%zu", in->forge, ev->repo_id, ev->comment_id, n);

	intent_reply_to(in, out, key, text);
}

void
intent_reply_to(
	const struct handler_in *in, struct intents *out, const char *cause, const char *text)
{
	auto_free char *key = mem_fmt("reply:%s", cause);
	const char *name = strrchr(key, ':') + 1;
	struct forge_op *op = intent_effect(in, out, OP_COMMENT_CREATE, key);

	op->body = mem_str(text);
	op->marker = mem_fmt("reply=%s", name);
}

struct task *
intent_task(const struct handler_in *in, struct intents *out, const char *key)
{
	const struct forge_event *ev = in->event;
	struct intent *i = add(out, INTENT_TASK);
	struct task *t = &i->task;
	char hash[65];

	i->key = mem_str(key);
	input_hash(ev->title, ev->body, ev->comment_body, hash);
	t->forge = mem_str(in->forge);
	t->installation_id = ev->installation_id;
	t->repo_id = ev->repo_id;
	t->repo = mem_str(ev->repo);
	t->number = ev->number;
	t->is_pull = ev->is_pull;
	t->title = mem_str(ev->title);
	t->input_hash = mem_str(hash);
	t->actor = mem_str(ev->actor);
	t->actor_id = ev->actor_id;
	t->comment_id = ev->comment_id;
	t->created_ms = in->world->now_ms;
	t->gate_exit = -1;
	return t;
}
