/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - whose request is it? Pure.
 *
 * X-Forwarded-For is what anybody may write; only the part that a trusted proxy appended counts.
 */
#ifndef WEB_CLIENT_H
#define WEB_CLIENT_H

#include "base/str.h"

#include <sys/socket.h>

#define CLIENT_BYTES 64

/* The peer's address, or, if the peer is a trusted proxy, the last address in forwarded_for that is
 * not one. "unix" for a unix socket, whose peer is trusted if "unix" is among the networks. */
void client_name(const struct sockaddr *peer, const struct strs *trusted, const char *forwarded_for,
	char out[CLIENT_BYTES]);

#endif
