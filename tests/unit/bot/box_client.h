/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a box, as the gateway sees it: a connection to the box's listener.
 */
#ifndef TESTS_UNIT_BOT_BOX_CLIENT_H
#define TESTS_UNIT_BOT_BOX_CLIENT_H

#include "base/buf.h"
#include "base/loop.h"

struct box_client {
	struct loop *l;
	int fd;
	struct loop_io *io;
	struct buf in; /* all that came */
	int done;      /* 1: the other side closed, -1: it reset */
};

/* A listener as the shim makes it; the test has no network namespace, so the port is the kernel's.
 */
int box_listener(int *port);

/* Connects and sends; what comes is collected on the loop, which is stopped at the end. */
void box_client_open(struct box_client *c, struct loop *l, int port, const char *request);
void box_client_close(struct box_client *c);

#endif
