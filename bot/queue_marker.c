/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_marker - the first line of a comment that only we can have written.
 *
 * The keeper makes it: whoever could forge markers could make us adopt his comment as ours. The
 * texts are kept, they never change.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/log.h"
#include "base/mem.h"

#define MARKERS_MAX 256
#define ANSWER_MS   10000

struct queue_asking {
	struct queue *q;
	char *name;
	uint64_t call;
};

static struct queue_marker *
find(struct queue *q, const char *name)
{
	for (size_t i = 0; i < q->n_markers; i++) {
		if (str_eq(q->markers[i].name, name))
			return &q->markers[i];
	}
	return NULL;
}

static void
asking_end(struct queue_asking *a)
{
	if (!a)
		return;
	msg_call_cancel(role_link(a->q->role, ROLE_KEEPER), a->call);
	free(a->name);
	free(a);
}

static void
forget(struct queue *q, size_t i)
{
	asking_end(q->markers[i].asking);
	free(q->markers[i].name);
	free(q->markers[i].text);
	q->markers[i] = q->markers[--q->n_markers];
}

static void
on_secret(void *ctx, struct msg *m, const struct err *e)
{
	struct queue_asking *a = ctx;
	struct queue *q = a->q;
	struct queue_marker *marker = find(q, a->name);
	const struct wire_verdict *v = m ? m->obj : NULL;

	if (v && v->ok && !BUGGIFY("marker.refused")) {
		marker->text = mem_fmt("<!-- nightshift:%s:%.*s -->", a->name, (int)m->blob_len,
			m->blob_len ? m->blob : "");
		asking_end(steal_ptr(&marker->asking));
		queue_wake(q, WAKE_OUTBOX | WAKE_DISPATCH | WAKE_CASES);
	} else {
		log_warn(NULL, "marker.unknown", "name=%s error=\"%s\"", a->name,
			v && v->text ? v->text
			: e          ? e->text
				     : "refused");
		forget(q, (size_t)(marker - q->markers));
	}
}

const char *
queue_marker(struct queue *q, const char *name)
{
	struct queue_marker *marker = find(q, name);

	if (marker && marker->text && BUGGIFY("marker.forget")) {
		forget(q, (size_t)(marker - q->markers));
		marker = NULL;
	}
	if (marker)
		return marker->text;
	if (q->n_markers == MARKERS_MAX)
		forget(q, 0);

	struct queue_asking *a = mem_zero(sizeof(*a));
	struct wire_name ask = { .name = mem_str(name) };
	q->markers = mem_grow(q->markers, q->n_markers + 1, sizeof(*q->markers));
	q->markers[q->n_markers++] = (struct queue_marker){ .name = mem_str(name), .asking = a };
	a->q = q;
	a->name = ask.name;
	a->call = msg_call(role_link(q->role, ROLE_KEEPER),
		&(struct msg_out){ .type = WIRE_MARKER, .obj = &ask }, ANSWER_MS, on_secret, a);
	return NULL;
}

void
queue_marker_finish(struct queue *q)
{
	while (q->n_markers > 0)
		forget(q, q->n_markers - 1);
	free(q->markers);
	q->markers = NULL;
}
