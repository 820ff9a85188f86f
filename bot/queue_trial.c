/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_trial - what ends us each time we think about it is put aside.
 *
 * A delivery or a task on which this process dies would be met again by the next one, for ever. So
 * what is thought about is written into a file before, with the place on the forge where it
 * belongs, and out of it afterwards. Memory of the kernel is enough: the file tells of a process
 * that died, not of a machine. Who starts next and finds something there counts a strike against
 * it; at the third it is put aside, and said so where people are.
 */
#include "bot/queue.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME   "trial"
#define TEXT_BYTES  8192
#define REASON      "it ended the queue each time it was looked at"
#define STRIKES_KEY "strikes:task:%" PRId64
#define ASIDE_KEY   "aside:task:%" PRId64

/* Found at the start. */
struct found {
	char text[TEXT_BYTES];
	bool is_task;
	int64_t id;
	struct forge_op where;
};

/* ---- while it is thought about ---- */

static void
put(const struct queue *q, const char *text, size_t len)
{
	if (q->trial_fd > 0 && pwrite(q->trial_fd, text, len, 0) != (ssize_t)len)
		log_warn(NULL, "trial.unwritten", "errno=%d", errno);
}

void
queue_trial_begin(struct queue *q, const char *what, int64_t id, const struct forge_op *where)
{
	auto_buf struct buf text = BUF_INIT(TEXT_BYTES - 1);

	if (q->trials++ > 0)
		return;
	(void)buf_addf(&text, "%s %" PRId64 "\n", what, id);
	if (where)
		(void)queue_op_write(where, &text, NULL);
	put(q, buf_str(&text), text.len + 1);
}

void
queue_trial_end(struct queue *q)
{
	if (--q->trials == 0)
		put(q, "", 1);
}

/* ---- what the last one died of ---- */

static int
parse(struct found *f)
{
	char *rest = strchr(f->text, '\n');

	if (!rest)
		return ERR_INVALID;
	*rest++ = '\0';
	f->is_task = str_starts(f->text, "task ");
	const char *number = strchr(f->text, ' ');
	if (!number || str_i64(number + 1, 1, INT64_MAX, &f->id, NULL) < 0)
		return ERR_INVALID;
	return *rest ? queue_op_read(rest, &f->where, NULL) : 0;
}

static int
count_task(struct queue *q, int64_t id, int64_t *strikes, struct err *e)
{
	auto_free char *key = mem_fmt(STRIKES_KEY, id);
	auto_buf struct buf value = BUF_INIT(32);

	*strikes = 0;
	if (q->db->kv_get(q->store, key, &value, NULL) == 0)
		(void)str_i64(buf_str(&value), 0, INT64_MAX, strikes, NULL);
	buf_reset(&value);
	(void)buf_addf(&value, "%" PRId64, ++*strikes);
	return q->db->kv_put(q->store, key, buf_str(&value), e);
}

/* Without a plan: to make one may be what ends us. */
static int
quarantine_task(struct queue *q, int64_t id, struct err *e)
{
	auto_free char *key = mem_fmt(ASIDE_KEY, id);
	struct task t = { 0 };
	int rc = q->db->task_get(q->store, id, &t, e);

	if (rc == 0 && (TASKS_LIVE & TASK_BIT(t.state)) != 0) {
		t.outcome = OUTCOME_INFRA;
		mem_set(&t.reason, REASON);
		rc = queue_task_event(q, &t, TASK_EV_POISON, e);
		if (rc == 0)
			rc = q->db->task_save(q->store, &t, e);
	}
	if (rc == 0)
		rc = q->db->kv_put(q->store, key, REASON, e);
	task_finish(&t);
	return rc;
}

static int
tell(struct queue *q, struct found *f, struct err *e)
{
	auto_free char *key = mem_fmt("aside:%s", f->text);
	struct forge_op *op = &f->where;

	if (op->number == 0)
		return 0;
	op->kind = OP_COMMENT_CREATE;
	op->marker = mem_fmt("aside=%s%" PRId64, f->is_task ? "t" : "d", f->id);
	op->body = mem_fmt("I have ended each of the %d times I looked at %s %" PRId64
			   ", so it is put aside. Whoever runs me finds it in the log.",
		LIMIT_DELIVERY_STRIKES, f->is_task ? "task" : "delivery", f->id);
	int rc = queue_plan_one(q, key, op, e);
	return rc == ERR_CONFLICT ? 0 : rc;
}

static int
put_aside(struct queue *q, struct found *f, struct err *e)
{
	struct log_ctx log = { .task = f->is_task ? f->id : 0, .delivery = f->is_task ? 0 : f->id };
	int rc = f->is_task ? quarantine_task(q, f->id, e)
			    : q->db->delivery_end(q->store, f->id, DELIVERY_QUARANTINED, REASON, e);

	log_error(&log, f->is_task ? "task.quarantined" : "delivery.quarantined", "why=\"%s\"",
		REASON);
	return rc < 0 ? rc : tell(q, f, e);
}

static int
strike(struct queue *q, struct found *f, struct err *e)
{
	struct log_ctx log = { .task = f->is_task ? f->id : 0, .delivery = f->is_task ? 0 : f->id };
	int64_t strikes = 0;
	int rc = f->is_task ? count_task(q, f->id, &strikes, e)
			    : q->db->delivery_strike(q->store, f->id, &strikes, e);

	if (rc < 0)
		return rc;
	log_warn(&log, "queue.struck", "strikes=%" PRId64 " why=\"the queue ended over it\"",
		strikes);
	return strikes >= LIMIT_DELIVERY_STRIKES ? put_aside(q, f, e) : 0;
}

static int
judge(struct queue *q, struct found *f, struct err *e)
{
	int rc = q->db->begin(q->store, e);

	if (rc < 0)
		return rc;
	rc = strike(q, f, e);
	/* It was over before, or its row is gone: then it will not come again. */
	if (rc < 0) {
		q->db->rollback(q->store);
		return rc == ERR_MISSING || rc == ERR_CONFLICT ? 0 : rc;
	}
	return q->db->commit(q->store, e);
}

int
queue_trial_start(struct queue *q, struct err *e)
{
	auto_free char *dir = role_path(q->role->config, "store");
	auto_free char *path = mem_fmt("%s/" FILE_NAME, dir);
	struct found f = { .text = "" };

	q->trial_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (q->trial_fd < 0) {
		log_warn(NULL, "trial.unopened", "path=%s errno=%d", path, errno);
		return 0;
	}
	ssize_t n = pread(q->trial_fd, f.text, sizeof(f.text) - 1, 0);
	int rc = n > 0 && f.text[0] && parse(&f) == 0 ? judge(q, &f, e) : 0;
	forge_op_finish(&f.where);
	if (rc == 0)
		put(q, "", 1);
	return rc;
}

void
queue_trial_finish(struct queue *q)
{
	if (q->trial_fd > 0)
		clean_fd(&q->trial_fd);
}

bool
queue_trial_is_aside(struct queue *q, const struct task *t)
{
	auto_free char *key = mem_fmt(ASIDE_KEY, t->id);
	auto_buf struct buf value = BUF_INIT(sizeof(REASON));

	return (TASKS_OVER & TASK_BIT(t->state)) != 0 &&
	       q->db->kv_get(q->store, key, &value, NULL) == 0;
}
