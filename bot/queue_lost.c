/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_lost - what a store that is lost has done.
 *
 * A comment of ours that tells of a task which is not in the store: the store is a new one, or an
 * older one. Anybody may write down a mark; so it is believed when the keeper makes the same.
 */
#include "bot/queue.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define MARK_START "<!-- nightshift:task="

/* The number in the mark, or 0. */
static int64_t
number_of(const char *body)
{
	int64_t n = 0;

	if (!body || !str_starts(body, MARK_START))
		return 0;
	body += strlen(MARK_START);
	auto_free char *digits = mem_strn(body, strcspn(body, ":\n"));
	return str_i64(digits, 1, INT64_MAX, &n, NULL) == 0 ? n : 0;
}

static void
judge(struct queue *q, const struct forge_event *ev, const char *forge, struct fact *f)
{
	struct log_ctx log = { .task = f->answer.number, .repo = ev->repo };
	struct task t = { 0 };
	struct err e = { 0 };
	int rc = q->db->task_get(q->store, f->answer.number, &t, &e);
	bool is_here = rc == 0 && t.repo_id == ev->repo_id && t.number == ev->number &&
		       str_eq(t.forge, forge);

	if (rc < 0 && rc != ERR_MISSING)
		queue_fatal(q, "task.read", &e);
	if (is_here && task_is_found(&t) && t.state == TASK_FAILED)
		mem_set(&f->answer.body, NULL); /* its comment is not the last word */
	else if (is_here)
		f->code = ERR_MISSING;
	else
		log_warn(&log, "task.lost", "number=%" PRId64 " comment=%" PRId64, ev->number,
			f->answer.id);
	task_finish(&t);
}

bool
queue_lost_judge(struct queue *q, const struct forge_event *ev, const char *forge, struct fact *f)
{
	int64_t number = f->code == 0 ? number_of(f->answer.body) : 0;

	if (f->code != 0 || f->answer.number > 0)
		return true;

	auto_free char *name = mem_fmt("task=%" PRId64, number);
	const char *mark = number > 0 ? queue_marker(q, name) : NULL;
	if (number > 0 && !mark)
		return false;
	if (!mark || !str_starts(f->answer.body, mark)) {
		f->code = ERR_MISSING;
		return true;
	}
	f->answer.number = number;
	judge(q, ev, forge, f);
	return true;
}
