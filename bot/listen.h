/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen - the sockets that web accepts on, opened by the master: an address, a unix socket, or
 * what systemd hands over (sd_listen_fds(3)).
 */
#ifndef BOT_LISTEN_H
#define BOT_LISTEN_H

#include "base/err.h"
#include "base/msg.h"

struct listen {
	int fds[MSG_FDS_MAX];
	size_t n;
	char address[160]; /* of the first: "127.0.0.1:8080", "[::1]:8080", "unix:/path" */
};

/* text as in the configuration's `listen`. ERR_CONFLICT: somebody else listens there. */
int listen_open(const char *text, struct listen *out, struct err *e);
void listen_close(struct listen *l);

#endif
