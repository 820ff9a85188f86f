/* SPDX-License-Identifier: Apache-2.0 */
/* queue_rig_peers - the fakes at the other ends, but for the courier. */
#include "queue_rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define RUNNER_MS 5

/* ---- runner ---- */

static void
on_taken(void *ctx, struct msg *m, const struct err *e)
{
	struct rig *r = ctx;

	(void)e;
	if (m)
		r->taken++;
}

static void
say_done(struct rig *r, const struct wire_alive *who)
{
	char reason[] = "because", sha[] = "c0ffee", base[] = "main", command[] = "make check";
	char cast[] = "[0,\"o\",\"hello\"]", text[] = "hello";
	auto_buf struct buf logs = BUF_INIT(4096);
	const struct wire_logs as_sent = { .cast = cast, .text = text };
	const struct wire_done d = {
		.task = who->task,
		.fence = who->fence,
		.outcome = r->outcome,
		.reason = reason,
		.head_sha = r->outcome == OUTCOME_EMPTY ? NULL : sha,
		.base_sha = sha,
		.base_ref = base,
		.gate_command = command,
	};

	if (r->new_body)
		mem_set(&r->body, r->new_body);
	if (r->new_permission >= 0)
		r->permission = r->new_permission;
	assert_int_equal(row_pack(WIRE_LOGS_ROWS, &as_sent, &logs, NULL), 0);
	(void)msg_call(r->peers[ROLE_RUNNER],
		&(struct msg_out){
			.type = WIRE_DONE, .obj = &d, .blob = logs.data, .blob_len = logs.len },
		0, on_taken, r);
}

static void
runner_turn(void *ctx)
{
	struct rig *r = ctx;
	const struct wire_claim c = { .free_slots = r->slots - (int64_t)r->n_alive,
		.alive = { r->alive, r->n_alive } };

	r->runner_timer = loop_timer_add(r->loop, RUNNER_MS, runner_turn, r);
	if (!r->is_silent)
		(void)msg_send(r->peers[ROLE_RUNNER],
			&(struct msg_out){ .type = WIRE_CLAIM, .obj = &c }, NULL);
}

static void
runner_start(struct rig *r, const struct wire_start *s)
{
	const struct task *t = s->task.v;
	struct wire_alive who = { .task = t->id, .fence = t->fence };
	struct wire_progress p = { .task = t->id, .fence = t->fence, .state = TASK_RUNNING };
	char name[] = "agent", tail[] = "last words";
	struct task_step step = { .name = name, .started_ms = 1, .exit_code = -1 };

	/* It may be said again before our CLAIM told that we have it, or before our DONE was read.
	 */
	for (size_t i = 0; i < r->n_begun; i++) {
		if (r->begun[i].task == t->id && r->begun[i].fence == t->fence)
			return;
	}
	r->last_fence = t->fence;
	r->starts++;
	assert_non_null(s->marker);
	assert_true(str_starts(s->marker, "<!-- nightshift:task="));
	if (r->forgets)
		return;
	assert_true(r->n_begun < RIG_THINGS);
	r->begun[r->n_begun++] = who;
	p.step = (struct row_list){ &step, 1 };
	p.tail = tail;
	(void)msg_send(
		r->peers[ROLE_RUNNER], &(struct msg_out){ .type = WIRE_PROGRESS, .obj = &p }, NULL);
	if (r->outcome == OUTCOME_NONE) {
		r->alive[r->n_alive++] = who; /* works until it is told to stop */
		return;
	}
	say_done(r, &who);
}

static void
runner_stop(struct rig *r, const struct wire_stop *s)
{
	for (size_t i = 0; i < r->n_alive; i++) {
		if (r->alive[i].task != s->task || r->alive[i].fence != s->fence)
			continue;
		struct wire_alive who = r->alive[i];

		r->stops++;
		r->alive[i] = r->alive[--r->n_alive];
		r->outcome = OUTCOME_STOPPED;
		say_done(r, &who);
		return;
	}
}

static void
on_runner(void *ctx, struct msg_link *link, struct msg *m)
{
	(void)link;
	if (m->type == WIRE_START)
		runner_start(ctx, m->obj);
	else if (m->type == WIRE_STOP)
		runner_stop(ctx, m->obj);
}

/* ---- decoder, keeper, master, web ---- */

static void
on_decoder(void *ctx, struct msg_link *link, struct msg *m)
{
	struct rig *r = ctx;
	const struct wire_verdict v = { .ok = true };

	r->decodes++;
	if (r->decoder_dies) {
		rig_reconnect(r, ROLE_DECODER);
		return;
	}
	(void)msg_reply(link, m->id,
		&(struct msg_out){
			.type = WIRE_EVENT, .obj = &v, .blob = m->blob, .blob_len = m->blob_len },
		NULL);
}

static void
on_keeper(void *ctx, struct msg_link *link, struct msg *m)
{
	const struct wire_verdict v = { .ok = true };

	(void)ctx;
	assert_int_equal(m->type, WIRE_MARKER);
	(void)msg_reply(link, m->id,
		&(struct msg_out){
			.type = WIRE_SECRET, .obj = &v, .blob = "deadbeef", .blob_len = 8 },
		NULL);
}

static void
on_master(void *ctx, struct msg_link *link, struct msg *m)
{
	struct rig *r = ctx;

	(void)link;
	r->cuts += m->type == WIRE_CUT ? 1 : 0;
}

static void
on_web(void *ctx, struct msg_link *link, struct msg *m)
{
	(void)ctx;
	(void)link;
	fail_msg("the queue said %u to the web", m->type);
}

static struct msg_link *
peer_create(struct rig *r, enum role peer, msg_cb *cb)
{
	const struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = peer,
		.peer = ROLE_QUEUE,
		.on_msg = cb,
		.ctx = r,
	};

	return msg_link_create(r->loop, &spec);
}

void
rig_peers_create(struct rig *r)
{
	r->peers[ROLE_COURIER] = peer_create(r, ROLE_COURIER, rig_on_courier);
	r->peers[ROLE_RUNNER] = peer_create(r, ROLE_RUNNER, on_runner);
	r->peers[ROLE_DECODER] = peer_create(r, ROLE_DECODER, on_decoder);
	r->peers[ROLE_KEEPER] = peer_create(r, ROLE_KEEPER, on_keeper);
	r->peers[ROLE_MASTER] = peer_create(r, ROLE_MASTER, on_master);
	r->peers[ROLE_WEB] = peer_create(r, ROLE_WEB, on_web);
	runner_turn(r);
}

/* ---- what the web says ---- */

static void
on_stored(void *ctx, struct msg *m, const struct err *e)
{
	struct rig *r = ctx;
	const struct wire_stored *s = m ? m->obj : NULL;

	(void)e;
	r->stored += s && s->ok && !s->is_duplicate ? 1 : 0;
	r->duplicates += s && s->ok && s->is_duplicate ? 1 : 0;
	r->refused += s && s->ok ? 0 : 1;
}

struct forge_event
rig_event(int64_t kind, int64_t number)
{
	return (struct forge_event){
		.kind = kind,
		.name = mem_str("scripted"),
		.repo_id = RIG_REPO,
		.repo = mem_str("acme/widget"),
		.number = number,
		.title = mem_str("It crashes"),
		.body = mem_str("On empty input."),
		.author = mem_str("stranger"),
		.author_id = 6,
		.actor = mem_str("writer"),
		.actor_id = 5,
	};
}

void
rig_deliver(struct rig *r, const char *guid, struct forge_event *take_ev)
{
	auto_buf struct buf body = BUF_INIT(1 << 20);
	auto_free char *id = mem_str(guid);
	char forge[] = "gh", event[] = "scripted";
	const struct forge_delivery d = { .forge = forge, .guid = id, .event = event };

	assert_int_equal(row_pack(FORGE_EVENT_ROWS, take_ev, &body, NULL), 0);
	(void)msg_call(r->peers[ROLE_WEB],
		&(struct msg_out){
			.type = WIRE_DELIVERY, .obj = &d, .blob = body.data, .blob_len = body.len },
		0, on_stored, r);
	forge_event_finish(take_ev);
}

void
rig_label(struct rig *r, const char *guid, int64_t number)
{
	struct forge_event ev = rig_event(EVENT_LABELS, number);

	ev.label = mem_str("agent");
	ev.label_added = true;
	rig_deliver(r, guid, &ev);
}

void
rig_command(struct rig *r, const char *guid, int64_t number, int64_t comment, const char *verb)
{
	struct forge_event ev = rig_event(EVENT_COMMENT, number);
	struct forge_command *c = row_list_add(&ev.commands, sizeof(*c));

	c->verb = mem_str(verb);
	c->args = mem_str("");
	ev.comment_id = comment;
	ev.comment_body = mem_fmt("/agent %s", verb);
	rig_deliver(r, guid, &ev);
}

static void
on_page(void *ctx, struct msg *m, const struct err *e)
{
	struct rig *r = ctx;

	(void)e;
	row_finish(WIRE_PAGE_ROWS, &r->page);
	free(r->page_blob);
	r->page_blob = NULL;
	if (m) {
		r->page = *(struct wire_page *)m->obj;
		*(struct wire_page *)m->obj = (struct wire_page){ 0 };
		r->page_blob = mem_strn(m->blob ? m->blob : "", m->blob_len);
	}
}

void
rig_query(struct rig *r, int64_t kind, const char *page)
{
	auto_free char *name = mem_str(page);
	const struct wire_query q = { .kind = kind, .page = name };

	(void)msg_call(r->peers[ROLE_WEB], &(struct msg_out){ .type = WIRE_QUERY, .obj = &q }, 0,
		on_page, r);
}
