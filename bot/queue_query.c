/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_query - what pages show.
 *
 * The page's number is the only key: who knows it may read the page. The prompt stays here.
 */
#include "bot/queue.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

/* Before the attempt has ended there are its last lines: as the file, and in the task for the page.
 */
static int
fill_text(struct queue *q, const struct task *t, int64_t kind, struct buf *blob, struct err *e)
{
	bool is_cast = kind == QUERY_CAST;
	int rc = q->db->transcript_get(
		q->store, t->id, is_cast ? blob : NULL, is_cast ? NULL : blob, e);

	if (rc != ERR_MISSING)
		return rc;
	if (kind == QUERY_TEXT)
		(void)buf_adds(blob, t->tail);
	return 0;
}

static int
fill(struct queue *q, const struct wire_query *ask, struct wire_page *page, struct buf *blob,
	struct err *e)
{
	struct task t = { 0 };
	int rc = q->db->task_get_page(q->store, ask->page ? ask->page : "", &t, e);

	if (rc < 0)
		return rc;
	if (ask->kind == QUERY_TASK)
		rc = q->db->step_list(q->store, t.id, &page->steps, e);
	if (rc == 0)
		rc = fill_text(q, &t, ask->kind, blob, e);
	if (page->steps.n > LIMIT_STEPS)
		page->steps.n = LIMIT_STEPS;
	page->found = rc == 0;
	mem_set(&t.prompt, NULL);
	*(struct task *)row_list_add(&page->tasks, sizeof(t)) = t;
	return rc;
}

/* In the text format of Prometheus. What is counted by looking at whole tables is as of the last
 * backup, and says when that was. */
static int
fill_metrics(struct queue *q, struct buf *out, struct err *e)
{
	int64_t live = 0;
	int rc = q->db->task_count(q->store, TASKS_LIVE, &live, e);

	if (rc < 0)
		return rc;
	(void)buf_addf(out, "nightshift_tasks_live %" PRId64 "\n", live);
	(void)buf_addf(out, "nightshift_slots_free %" PRId64 "\n", q->free_slots);
	(void)buf_addf(out, "nightshift_slots_held %" PRId64 "\n", q->held_slots);
	(void)buf_addf(out, "nightshift_disk_low %d\n", q->is_disk_low);
	if (q->tally_ms == 0)
		return 0;
	(void)buf_addf(
		out, "nightshift_store_backup_time_seconds %" PRId64 "\n", q->tally_ms / 1000);
	(void)buf_addf(
		out, "nightshift_store_adds_up %d\n", store_tally_check(&q->tally, NULL) == 0);
	for (const struct row *r = STORE_TALLY_ROWS; r->type != ROW_END; r++)
		(void)buf_addf(out, "nightshift_store_%s %" PRId64 "\n", r->name,
			*(const int64_t *)(const void *)((const char *)&q->tally + r->offset));
	return 0;
}

void
queue_query(struct queue *q, struct msg *m)
{
	const struct wire_query *ask = m->obj;
	struct wire_page page = { 0 };
	auto_buf struct buf blob = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	struct err e = { 0 };
	int rc = 0;

	if (ask->kind == QUERY_HEALTH)
		page.found = true;
	else if (ask->kind == QUERY_METRICS)
		rc = fill_metrics(q, &blob, &e);
	else
		rc = fill(q, ask, &page, &blob, &e);
	if (rc < 0 && rc != ERR_MISSING)
		log_err(LOG_LEVEL_ERROR, NULL, "page.read", &e);

	const struct msg_out out = {
		.type = WIRE_PAGE, .obj = &page, .blob = blob.data, .blob_len = blob.len
	};
	if (msg_reply(role_link(q->role, ROLE_WEB), m->id, &out, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "page.unanswered", &e);
	row_finish(WIRE_PAGE_ROWS, &page);
}
