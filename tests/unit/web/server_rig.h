/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_rig - door, guard, library and site in a child; a test is its client over real sockets.
 *
 * Its backend accepts the signature "good" and stores everything.
 */
#ifndef TESTS_UNIT_WEB_SERVER_RIG_H
#define TESTS_UNIT_WEB_SERVER_RIG_H

#include "base/buf.h"
#include "base/limits.h"

#define ANSWER_BYTES_MAX KIB(64)
#define WAIT_S           60
#define ROOM             8 /* connections at once */

#define POST_GH "POST /hook/gh HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: issues\r\n"
#define GOOD    "X-Hub-Signature-256: good\r\n"

/* For cmocka. */
int server_rig_start(void **state);
int server_rig_stop(void **state);

int server_rig_dial(void);
/* False: the server closed; its answer tells why. */
bool server_rig_put(int fd, const void *data, size_t len);
/* Everything until the server closes. */
void server_rig_get(int fd, struct buf *out);
int server_rig_status_of(const struct buf *answer);

#endif
