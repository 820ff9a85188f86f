/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_rig - see gateway_rig.h.
 */
#include "tests/unit/bot/gateway_rig.h"

#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/bot/box_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PLACE "UPSTREAM"

static void
on_keeper_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct gateway_rig *r = ctx;
	struct wire_verdict v = { .ok = !r->keeper_refuses };
	struct msg_out out = { .type = WIRE_SECRET,
		.obj = &v,
		.blob = r->key,
		.blob_len = v.ok ? strlen(r->key) : 0 };

	assert_int_equal(m->type, WIRE_KEY);
	r->keys_asked++;
	assert_int_equal(msg_reply(link, m->id, &out, NULL), 0);
}

/* The configuration, with the upstream's address where it is meant. */
static char *
complete(const struct gateway_rig *r, const char *yaml)
{
	struct buf out = BUF_INIT(KIB(8));

	(void)buf_adds(&out, "forges:\n  gh: { kind: github, url: \"http://f.example\", "
			     "token_file: /k, webhook_secret_file: /k }\n");
	for (const char *p = yaml; *p;) {
		size_t len = strstr(p, PLACE) ? (size_t)(strstr(p, PLACE) - p) : strlen(p);

		(void)buf_add(&out, p, len);
		p += len;
		if (*p) {
			(void)buf_addf(&out, "http://127.0.0.1:%d", http_server_port(r->upstream));
			p += strlen(PLACE);
		}
	}
	return buf_steal(&out);
}

void
gateway_rig_new_keeper(struct gateway_rig *r)
{
	msg_link_destroy(r->keeper);
	r->keeper = role_case_add_peer(&r->c, ROLE_KEEPER, on_keeper_msg, r);
}

void
gateway_rig_init(struct gateway_rig *r, http_server_cb *handler, void *ctx, const char *yaml)
{
	*r = (struct gateway_rig){ .key = GATEWAY_RIG_KEY };
	role_case_init(&r->c, ROLE_GATEWAY);
	if (handler)
		r->upstream = http_server_create(r->c.loop, handler, ctx);
	auto_free char *whole = complete(r, yaml);
	role_case_start(&r->c, whole, ROLE_RUNNER);
	gateway_rig_new_keeper(r);
	r->listener = box_listener(&r->port);
}

void
gateway_rig_finish(struct gateway_rig *r)
{
	if (r->upstream)
		http_server_destroy(r->upstream);
	msg_link_destroy(r->keeper);
	(void)close(r->listener);
	role_case_finish(&r->c);
}

void
gateway_rig_open(struct gateway_rig *r, const struct wire_box *b)
{
	role_case_ask(
		&r->c, &(struct msg_out){
			       .type = WIRE_BOX_OPEN, .obj = b, .fds = &r->listener, .n_fds = 1 });
	assert_int_equal(r->c.type, WIRE_BOX_OPENED);
	assert_true(r->c.verdict.ok);
}

char *
gateway_rig_ask(struct gateway_rig *r, const char *request)
{
	struct box_client cl;

	box_client_open(&cl, r->c.loop, r->port, request);
	role_case_until(&r->c, &cl.done);
	char *answer = buf_steal(&cl.in);
	box_client_close(&cl);
	assert_non_null(answer);
	return answer;
}
