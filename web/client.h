/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - whose request is it? Pure.
 *
 * X-Forwarded-For is what anybody may write; only the part that a trusted proxy appended counts.
 */
#ifndef WEB_CLIENT_H
#define WEB_CLIENT_H

#include "base/str.h"

#include <stdbool.h>
#include <sys/socket.h>

#define CLIENT_BYTES 64

/* True if the address is in one of the networks ("10.0.0.0/8", "::1", "127.0.0.1"). A v4-mapped v6
 * address counts as v4. */
bool client_in(const struct strs *networks, const char *address);

/* The peer's address, or, if the peer is a trusted proxy, the last address in forwarded_for that is
 * not one. "unix" for a unix socket, whose peer is trusted if "unix" is among the networks. */
void client_name(const struct sockaddr *peer, const struct strs *trusted, const char *forwarded_for,
	char out[CLIENT_BYTES]);

#endif
