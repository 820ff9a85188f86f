/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_tunnel - CONNECT: a box's own TLS to a host that is open to it.
 *
 * The name must be on the operator's list and on the repository's. It is looked up once, here, and
 * connected to where it is a public address; then the first bytes of the box must be a TLS hello
 * for that same name. After that the bytes are nobody's business but their number.
 */
#ifndef BOT_GATEWAY_TUNNEL_H
#define BOT_GATEWAY_TUNNEL_H

struct gateway_conn;
struct gateway_tunnel;

/* The request was a CONNECT to an open host: c->route.host. */
void tunnel_begin(struct gateway_conn *c);

/* What the box sends before it is told that the tunnel is there. */
void tunnel_early(struct gateway_conn *c, const char *data, unsigned long len);

void tunnel_destroy(struct gateway_tunnel *t); /* NULL is fine */

#endif
