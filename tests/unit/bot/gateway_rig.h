/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_rig - the gateway, running and confined, with what the test plays around it: a box, a
 * keeper with one key, and a server that is provider and registry.
 */
#ifndef TESTS_UNIT_BOT_GATEWAY_RIG_H
#define TESTS_UNIT_BOT_GATEWAY_RIG_H

#include "tests/unit/base/http_server.h"
#include "tests/unit/bot/role_case.h"

#define GATEWAY_RIG_KEY "sk-real-0123456789"

struct gateway_rig {
	struct role_case c;
	struct http_server *upstream; /* NULL: none */
	struct msg_link *keeper;
	const char *key; /* that it has */
	int keys_asked;
	bool keeper_refuses;
	int listener;
	int port; /* of the listener */
};

/* yaml goes behind a forge; each "UPSTREAM" in it becomes the upstream's "http://127.0.0.1:port".
 * handler NULL: no upstream. */
void gateway_rig_init(struct gateway_rig *r, http_server_cb *handler, void *ctx, const char *yaml);
void gateway_rig_finish(struct gateway_rig *r);

/* Another keeper takes over the place of the old one. */
void gateway_rig_new_keeper(struct gateway_rig *r);

/* Opens the box, which is taken; the listener goes along. */
void gateway_rig_open(struct gateway_rig *r, const struct wire_box *b);

/* One request from its first byte to the end of the answer, which is the caller's to free. */
char *gateway_rig_ask(struct gateway_rig *r, const char *request);

#endif
