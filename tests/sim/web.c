/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web - takes webhooks and says 202 when the queue has stored them, as the core sees it.
 */
#include "tests/sim/sim.h"

#include "base/clock.h"
#include "base/mem.h"

#define STORE_MS_MAX 8000

struct hook {
	char *guid, *event;
	struct buf body;
};

static const char **acked;
static size_t n_acked;

size_t
web_acked(const char *const **guids)
{
	*guids = acked;
	return n_acked;
}

void
web_wipe(void)
{
	for (size_t i = 0; i < n_acked; i++)
		free((char *)(uintptr_t)acked[i]);
	free(acked);
	acked = NULL;
	n_acked = 0;
}

static void
on_stored(void *ctx, struct msg *m, const struct err *e)
{
	struct hook *h = ctx;
	const struct wire_stored *s = m ? m->obj : NULL;

	(void)e;
	sim_note("  hook %s: %s", h->guid, s && s->ok ? "202" : "503");
	if (s && s->ok) {
		acked = mem_grow(acked, n_acked + 1, sizeof(*acked));
		acked[n_acked++] = mem_str(h->guid);
	} else {
		web_refuses(h->guid, h->event, &h->body);
	}
	free(h->guid);
	free(h->event);
	buf_finish(&h->body);
	free(h);
}

void
web_receive(const char *guid, const char *event, const struct buf *body)
{
	struct actor *a = actor_of(ROLE_WEB);
	struct hook *h;

	if (!a->is_up || a->must_die) {
		sim_note("  hook %s: nobody is there", guid);
		web_refuses(guid, event, body);
		return;
	}
	auto_free char *own_guid = mem_str(guid);
	auto_free char *own_event = mem_str(event);
	char forge[] = SIM_FORGE, type[] = "application/json";
	const struct forge_delivery d = {
		.forge = forge,
		.guid = own_guid,
		.event = own_event,
		.content_type = type,
		.received_ms = clock_wall_ms(),
	};
	const struct msg_out out = {
		.type = WIRE_DELIVERY, .obj = &d, .blob = body->data, .blob_len = body->len
	};

	h = mem_zero(sizeof(*h));
	h->guid = mem_str(guid);
	h->event = mem_str(event);
	buf_init(&h->body, body->len + 1);
	(void)buf_add(&h->body, body->data, body->len);
	(void)msg_call(role_link(&a->ctx, ROLE_QUEUE), &out, STORE_MS_MAX, on_stored, h);
}

static int
start(struct role_ctx *r, struct err *e)
{
	(void)r, (void)e;
	return 0;
}

static void
on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	(void)r, (void)from, (void)m;
}

const struct role_spec SIM_WEB = { .role = ROLE_WEB, .start = start, .on_msg = on_msg };
