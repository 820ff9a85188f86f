/* SPDX-License-Identifier: Apache-2.0 */
/* queue_each - tasks, one after the other. */
#include "bot/queue.h"

#include <stdlib.h>

int
queue_each_of(
	struct queue *q, struct row_list *take_list, queue_each_cb *cb, void *ctx, struct err *e)
{
	struct task *v = take_list->v;
	int rc = 0;

	for (size_t i = 0; i < take_list->n; i++) {
		if (rc == 0)
			rc = cb(q, &v[i], ctx, e);
		task_finish(&v[i]);
	}
	free(v);
	*take_list = (struct row_list){ 0 };
	return rc;
}

int
queue_each_task(
	struct queue *q, const struct task_filter *f, queue_each_cb *cb, void *ctx, struct err *e)
{
	struct row_list list = { 0 };
	int rc = q->db->task_list(q->store, f, &list, e);

	return rc < 0 ? rc : queue_each_of(q, &list, cb, ctx, e);
}
