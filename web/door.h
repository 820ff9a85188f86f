/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - accepts connections and lets in those whose head passes the guard.
 *
 * The head is only looked at (MSG_PEEK), so who serves the connection reads it again from its
 * beginning. A head must be complete in 10 seconds and 16 KiB.
 */
#ifndef WEB_DOOR_H
#define WEB_DOOR_H

#include "base/err.h"
#include "base/loop.h"

#include <stddef.h>
#include <sys/socket.h>

struct door;

typedef void door_cb(void *ctx, int take_fd, const struct sockaddr *peer, socklen_t peer_len);

struct door *door_create(struct loop *l, door_cb *cb, void *ctx, size_t waiting_max);
void door_destroy(struct door *d);

/* Takes a listening socket. */
int door_listen(struct door *d, int take_fd, struct err *e);

/* Stops listening; connections that wait for their head go on. */
void door_close(struct door *d);
size_t door_waiting(const struct door *d);

#endif
