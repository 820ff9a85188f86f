/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_push - may this work still be handed over?
 *
 * Hours may lie between the trigger and the push. So the same questions are asked again, of the
 * forge and not of our memory: may the person who asked still write here, and is the text still the
 * one that was asked for? Texts are compared by their hash. An edit by somebody who may write does
 * not void the work (the handlers saw it and let it pass), nor does one by an author who may write
 * himself: who may write could have asked for anything.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define FACT_TRIES 3     /* then the outbox waits and begins anew */
#define FRESH_MS   60000 /* an answer is good for so long */

struct check {
	struct queue *q;
	int64_t effect;
	struct task task;
	struct facts facts;
	int64_t began_ms; /* boot clock */
	size_t n_missing;
	bool asked_author;
	queue_push_cb *cb;
};

static void
note_key(int64_t task, struct buf *out)
{
	(void)buf_addf(out, "edited:%" PRId64, task);
}

int
queue_push_note_edit(struct queue *q, int64_t task, struct err *e)
{
	auto_buf struct buf key = BUF_INIT(64);

	note_key(task, &key);
	return q->db->kv_put(q->store, buf_str(&key), "by somebody who may", e);
}

/* ---- a push of somebody who is gone ---- */

static void
late_key(int64_t task, struct buf *out)
{
	(void)buf_addf(out, "late:%" PRId64, task);
}

int
queue_push_note_late(struct queue *q, const struct task *t, struct err *e)
{
	auto_buf struct buf key = BUF_INIT(64);

	if (str_is_empty(t->head_sha))
		return 0;
	late_key(t->id, &key);
	return q->db->kv_put(q->store, buf_str(&key), t->head_sha, e);
}

int
queue_push_late(struct queue *q, struct effect *f, struct err *e)
{
	auto_buf struct buf key = BUF_INIT(64), sha = BUF_INIT(65),
			    text = BUF_INIT(LIMIT_BLOB_BYTES);
	struct forge_op op = { 0 };

	late_key(f->task, &key);
	if (q->db->kv_get(q->store, buf_str(&key), &sha, NULL) < 0)
		return 0;
	int rc = queue_op_read(f->op, &op, e);
	if (rc == 0 && !str_eq(op.base, buf_str(&sha))) {
		mem_set(&op.base, buf_str(&sha));
		rc = queue_op_write(&op, &text, e);
		mem_set(&f->op, buf_str(&text));
		rc = rc < 0 ? rc : 1;
	}
	forge_op_finish(&op);
	return rc;
}

/* ---- what was edited ---- */

static bool
was_edited_rightly(struct queue *q, int64_t task)
{
	auto_buf struct buf key = BUF_INIT(64), value = BUF_INIT(64);

	note_key(task, &key);
	return q->db->kv_get(q->store, buf_str(&key), &value, NULL) == 0;
}

static const struct fact *
fact_of(const struct check *c, int64_t kind, const char *user)
{
	for (size_t i = 0; i < c->facts.n; i++) {
		if (c->facts.v[i].kind == kind && (!user || str_eq(c->facts.v[i].user, user)))
			return &c->facts.v[i];
	}
	return NULL;
}

static void on_fact(struct queue *q, void *ctx, struct fact *f);

static void
ask(struct check *c, enum forge_op_kind kind, const char *user, int64_t user_id)
{
	const struct task *t = &c->task;
	struct forge_op op = {
		.kind = kind,
		.forge = t->forge,
		.installation_id = t->installation_id,
		.repo_id = t->repo_id,
		.repo = t->repo,
		.number = t->number,
		.is_pull = t->is_pull,
		.id = kind == OP_COMMENT ? t->comment_id : 0,
		.user_id = user_id,
	};
	auto_free char *name = mem_str(user);

	op.user = name;
	c->n_missing++;
	queue_fact_ask(c->q, &op, FACT_TRIES, on_fact, c);
}

static bool
may_write(const struct fact *f, int64_t user_id)
{
	return f && f->code == 0 && f->answer.permission >= PERMISSION_WRITE &&
	       (user_id == 0 || f->answer.user_id == 0 || f->answer.user_id == user_id);
}

static bool
is_same_text(const struct check *c)
{
	const struct fact *issue = fact_of(c, OP_ISSUE, NULL),
			  *comment = fact_of(c, OP_COMMENT, NULL);
	char hash[65];

	if (str_is_empty(c->task.input_hash))
		return true;
	input_hash(issue->answer.title, issue->answer.body, comment ? comment->answer.body : NULL,
		hash);
	return str_eq(hash, c->task.input_hash);
}

static void
check_destroy(struct check *c)
{
	facts_finish(&c->facts);
	task_finish(&c->task);
	free(c);
}

static void
finish(struct check *c, int64_t code, const char *text)
{
	struct log_ctx log = { .task = c->task.id, .repo = c->task.repo };

	if (code != 0)
		log_warn(&log, "push.refused", "code=%s why=\"%s\"", err_name((int)code), text);
	c->cb(c->q, c->effect, code, text);
	check_destroy(c);
}

/* A question without an answer, or one that took so long that the others' are old: ask all again
 * later. */
static bool
is_unanswered(const struct check *c)
{
	if (clock_boot_ms() - c->began_ms > FRESH_MS)
		return true;
	for (size_t i = 0; i < c->facts.n; i++) {
		if (queue_is_transient(c->facts.v[i].code))
			return true;
	}
	return BUGGIFY("push.unanswered");
}

/* The order is the configuration: it has to say so still, and the pull request has to be open. */
static void
judge_chore(struct check *c)
{
	const struct task *t = &c->task;
	const struct config_chore *chore = config_chore_find(c->q->role->config, t->actor);
	const struct fact *pull = fact_of(c, OP_ISSUE, NULL);

	if (is_unanswered(c))
		finish(c, ERR_BUSY, "the forge could not be asked");
	else if (!chore || !str_glob_list(&chore->repos, t->repo))
		finish(c, ERR_DENIED, "the configuration has no such chore here any more");
	else if (pull && (pull->code != 0 || pull->answer.is_closed))
		finish(c, ERR_DENIED, "its pull request was closed meanwhile");
	else
		finish(c, 0, NULL);
}

static void
judge(struct check *c)
{
	const struct task *t = &c->task;
	const struct fact *issue = fact_of(c, OP_ISSUE, NULL),
			  *comment = fact_of(c, OP_COMMENT, NULL);

	if (is_unanswered(c)) {
		finish(c, ERR_BUSY, "the forge could not be asked");
		return;
	}
	if (!may_write(fact_of(c, OP_PERMISSION, t->actor), t->actor_id)) {
		finish(c, ERR_DENIED, "who asked for it may not write here any more");
		return;
	}
	if (issue->code != 0) {
		finish(c, ERR_DENIED, "its issue is gone");
		return;
	}
	if ((!comment || comment->code == 0) && is_same_text(c)) {
		finish(c, 0, NULL);
		return;
	}
	if (was_edited_rightly(c->q, t->id)) {
		finish(c, 0, NULL);
		return;
	}
	if (comment && comment->code != 0) {
		finish(c, ERR_DENIED, "the comment that asked for it is gone");
		return;
	}
	if (!c->asked_author && !str_is_empty(issue->answer.author)) {
		c->asked_author = true;
		ask(c, OP_PERMISSION, issue->answer.author, issue->answer.author_id);
		return;
	}
	if (may_write(fact_of(c, OP_PERMISSION, issue->answer.author), issue->answer.author_id))
		finish(c, 0, NULL);
	else
		finish(c, ERR_DENIED,
			"the text was changed after it was asked for, perhaps by somebody without"
			" write permission");
}

static void
on_fact(struct queue *q, void *ctx, struct fact *f)
{
	struct check *c = ctx;

	(void)q;
	if (!f) {
		if (--c->n_missing == 0)
			check_destroy(c);
		return;
	}
	c->facts.v = mem_grow(c->facts.v, c->facts.n + 1, sizeof(*c->facts.v));
	c->facts.v[c->facts.n++] = *f;
	f->user = NULL;
	f->answer = (struct forge_answer){ 0 };
	if (--c->n_missing > 0)
		return;
	if (c->task.verb == VERB_CHORE)
		judge_chore(c);
	else
		judge(c);
}

void
queue_push_check(struct queue *q, const struct task *t, int64_t effect, queue_push_cb *cb)
{
	struct check *c = mem_zero(sizeof(*c));

	c->q = q;
	c->effect = effect;
	c->began_ms = clock_boot_ms();
	c->cb = cb;
	row_copy(TASK_ROWS, &c->task, t);
	if (t->verb == VERB_CHORE) {
		ask(c, t->is_pull ? OP_ISSUE : OP_REPO, NULL, 0);
		return;
	}
	ask(c, OP_PERMISSION, t->actor, t->actor_id);
	ask(c, OP_ISSUE, NULL, 0);
	if (t->comment_id != 0)
		ask(c, OP_COMMENT, NULL, 0);
}
