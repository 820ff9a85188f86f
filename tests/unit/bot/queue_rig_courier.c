/* SPDX-License-Identifier: Apache-2.0 */
/* queue_rig_courier - a courier with a forge in its head. */
#include "queue_rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void
rig_note(struct rig *r, const char *fmt, ...)
{
	size_t len = strlen(r->log);
	va_list ap;

	if (len == 0)
		len = (size_t)snprintf(r->log, sizeof(r->log), " ");
	va_start(ap, fmt);
	(void)vsnprintf(r->log + len, sizeof(r->log) - len, fmt, ap);
	va_end(ap);
	len = strlen(r->log);
	(void)snprintf(r->log + len, sizeof(r->log) - len, " ");
}

static struct rig_thing *
thing_find(struct rig_thing *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(v[i].name, name))
			return &v[i];
	}
	return NULL;
}

static struct rig_thing *
thing_add(struct rig_thing *v, size_t *n, const char *name, int64_t id)
{
	assert_true(*n < RIG_THINGS);
	v[*n] = (struct rig_thing){ .name = mem_str(name), .id = id };
	return &v[(*n)++];
}

static void
do_comment(struct rig *r, const struct wire_effect *w, const struct forge_op *op,
	struct forge_answer *a)
{
	auto_free char *marker = mem_strn(op->body, strcspn(op->body, "\n"));
	struct rig_thing *c =
		w->was_unknown ? thing_find(r->comments, r->n_comments, marker) : NULL;

	if (!c) {
		c = thing_add(r->comments, &r->n_comments, marker, 500 + (int64_t)r->n_comments);
		c->number = op->number;
		rig_note(r, "comment");
	}
	mem_set(&c->body, op->body);
	a->id = c->id;
}

static int64_t
do_edit(struct rig *r, const struct forge_op *op)
{
	for (size_t i = 0; i < r->n_comments; i++) {
		if (r->comments[i].id == op->id) {
			mem_set(&r->comments[i].body, op->body);
			r->comments[i].edits++;
			rig_note(r, "edit");
			return 0;
		}
	}
	return ERR_MISSING;
}

static void
do_pull(struct rig *r, const struct wire_effect *w, const struct forge_op *op,
	struct forge_answer *a)
{
	struct rig_thing *p = w->was_unknown ? thing_find(r->pulls, r->n_pulls, op->ref) : NULL;

	if (!p) {
		p = thing_add(r->pulls, &r->n_pulls, op->ref, 900 + (int64_t)r->n_pulls);
		rig_note(r, "pull");
	}
	a->number = p->id;
	a->url = mem_fmt("https://forge.example/acme/widget/pull/%lld", (long long)p->id);
}

static int64_t
do_effect(struct rig *r, const struct wire_effect *w, const struct forge_op *op,
	struct forge_answer *a)
{
	if (op->kind == r->fail_kind && r->fail_times > 0) {
		r->fail_times--;
		rig_note(r, "fail");
		return r->fail_code;
	}
	switch (op->kind) {
	case OP_COMMENT_CREATE:
		do_comment(r, w, op, a);
		return 0;
	case OP_COMMENT_EDIT:
		return do_edit(r, op);
	case OP_PULL_CREATE:
		do_pull(r, w, op, a);
		return 0;
	case OP_LABEL_ADD:
		rig_note(r, "+%s", op->label);
		return 0;
	case OP_LABEL_REMOVE:
		rig_note(r, "-%s", op->label);
		return 0;
	default:
		rig_note(r, "%s", forge_op_name(op->kind));
		a->id = 4;
		return 0;
	}
}

static void
answer(struct rig *r, struct msg *m, int64_t code, struct forge_answer *a)
{
	char text[] = "scripted";
	const struct wire_answer w = { .code = code, .text = text, .answer = { a, 1 } };

	(void)msg_reply(r->peers[ROLE_COURIER], m->id,
		&(struct msg_out){ .type = WIRE_ANSWER, .obj = &w }, NULL);
}

static void
courier_effect(struct rig *r, struct msg *m)
{
	const struct wire_effect *w = m->obj;
	const struct forge_op *op = w->op.v;
	struct forge_answer a = { 0 };

	assert_int_equal(w->op.n, 1);
	int64_t code = do_effect(r, w, op, &a);
	if (op->kind == r->die_after_kind) {
		r->die_after_kind = -1;
		rig_note(r, "died");
		rig_reconnect(r, ROLE_COURIER);
	} else {
		answer(r, m, code, &a);
	}
	forge_answer_finish(&a);
}

static void
answer_items(struct rig *r, struct msg *m, struct forge_item *item)
{
	struct forge_answer none = { 0 };
	const struct wire_answer w = { .answer = { &none, 1 },
		.items = { item, item->number > 0 ? 1 : 0 } };

	(void)msg_reply(r->peers[ROLE_COURIER], m->id,
		&(struct msg_out){ .type = WIRE_ANSWER, .obj = &w }, NULL);
}

/* Our newest comment in an issue; our pull request of a branch. */
static void
answer_found(struct rig *r, struct msg *m, const struct forge_op *op)
{
	struct forge_answer a = { 0 };
	int64_t code = ERR_MISSING;

	for (size_t i = 0; op->kind == OP_COMMENT_LAST && i < r->n_comments; i++) {
		const struct rig_thing *c = &r->comments[i];

		if (c->number != op->number || !str_starts(c->body, op->marker))
			continue;
		a.id = c->id;
		mem_set(&a.body, c->body);
		a.updated_ms = r->last_ms;
		code = 0;
	}
	const struct rig_thing *p = op->kind == OP_PULL_FIND && !r->pull_is_closed
					    ? thing_find(r->pulls, r->n_pulls, op->ref)
					    : NULL;
	if (p) {
		a.number = p->id;
		a.url = mem_str("https://forge.example/acme/widget/pull/found");
		code = 0;
	}
	answer(r, m, code, &a);
	forge_answer_finish(&a);
}

/* What is looked for. */
static bool
answer_looked(struct rig *r, struct msg *m, const struct forge_op *op)
{
	switch (op->kind) {
	case OP_ISSUES_LABELED:
		answer_items(r, m, str_eq(op->label, "agent") ? &r->items[0] : &r->orphan);
		return true;
	case OP_COMMENTS_SINCE:
		answer_items(r, m, &r->items[1]);
		return true;
	case OP_COMMENT_LAST:
	case OP_PULL_FIND:
		answer_found(r, m, op);
		return true;
	default:
		return false;
	}
}

static void
fill_issue(const struct rig *r, const struct forge_op *op, struct forge_answer *a)
{
	a->title = mem_str(r->title);
	a->body = mem_str(r->body);
	a->author = mem_str("stranger");
	a->author_id = 6;
	a->updated_ms = 5;
	if (r->label_is_there)
		strs_add(&a->labels, "agent");
	if (r->orphan.number == op->number)
		strs_add(&a->labels, "agent:running");
}

static void
courier_fact(struct rig *r, struct msg *m)
{
	const struct forge_op *op = m->obj;
	struct forge_answer a = { 0 };

	if (answer_looked(r, m, op))
		return;
	switch (op->kind) {
	case OP_WHOAMI:
		a.user = mem_str("nightshift[bot]");
		a.user_id = 99;
		answer(r, m, 0, &a);
		forge_answer_finish(&a);
		return;
	case OP_PERMISSION:
		a.user = mem_str(op->user);
		a.user_id = op->user_id;
		a.permission = str_eq(op->user, "stranger") ? r->author_permission : r->permission;
		break;
	case OP_ISSUE:
		fill_issue(r, op, &a);
		break;
	case OP_LABEL_EVENT:
		if (r->label_code) {
			answer(r, m, r->label_code, &a);
			return;
		}
		a.id = r->label_event;
		a.user = mem_str("writer");
		a.user_id = 5;
		break;
	case OP_COMMENT:
		a.body = mem_str(r->comment);
		a.author = mem_str("writer");
		answer(r, m, r->comment ? 0 : ERR_MISSING, &a);
		forge_answer_finish(&a);
		return;
	case OP_PULL:
		a.head_repo_id = RIG_REPO;
		a.ref = mem_str("agent/1-x");
		a.sha = mem_str("feed");
		a.is_closed = r->pull_is_closed;
		break;
	case OP_REPO:
		a.repo_id = RIG_REPO;
		a.ref = mem_str("main");
		break;
	default:
		break;
	}
	answer(r, m, r->fact_code, &a);
	forge_answer_finish(&a);
}

static void
courier_push(struct rig *r, struct msg *m)
{
	const struct wire_push *p = m->obj;
	char sha[] = "feed", text[] = "scripted";
	const struct wire_pushed w = {
		.code = m->type == WIRE_PUSH ? r->push_code : 0, .text = text, .sha = sha
	};

	r->pushes += m->type == WIRE_PUSH ? 1 : 0;
	rig_note(r, "%s", m->type == WIRE_PUSH ? "push" : "logs");
	assert_int_equal(p->repo_id, RIG_REPO);
	(void)msg_reply(r->peers[ROLE_COURIER], m->id,
		&(struct msg_out){ .type = WIRE_PUSHED, .obj = &w }, NULL);
}

void
rig_on_courier(void *ctx, struct msg_link *link, struct msg *m)
{
	(void)link;
	if (m->type == WIRE_FACT)
		courier_fact(ctx, m);
	else if (m->type == WIRE_EFFECT)
		courier_effect(ctx, m);
	else
		courier_push(ctx, m);
}
