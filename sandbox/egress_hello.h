/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_hello - the name that a TLS client asks for, read strictly off its first bytes. Pure.
 *
 * A tunnel is opened for one name. Who then says another one to the server (domain fronting), none,
 * or one that only the server can read (Encrypted Client Hello), is refused.
 */
#ifndef SANDBOX_EGRESS_HELLO_H
#define SANDBOX_EGRESS_HELLO_H

#include "base/err.h"
#include "sandbox/egress_host.h"

#include <stddef.h>
#include <stdint.h>

#define EGRESS_HELLO_BYTES_MAX 16384

/* 1: the whole hello is there and host is its server name in the one form. 0: more is needed.
 * ERR_PROTOCOL: no TLS hello; ERR_DENIED: one without a name, with two, or with a hidden one;
 * ERR_LIMIT: larger than any. */
int egress_hello_read(const uint8_t *data, size_t len, char host[EGRESS_HOST_BYTES], struct err *e);

#endif
