/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_host - which names a box may reach through a tunnel. Pure: names only; addresses are
 * checked where they are connected to (base/http_connect).
 */
#ifndef SANDBOX_EGRESS_HOST_H
#define SANDBOX_EGRESS_HOST_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define EGRESS_HOST_BYTES 254 /* 253 and the NUL */
#define EGRESS_PORT       443

/* Reads a host name into its one form: lower case, without the dot at the end. Refused
 * (ERR_DENIED): addresses in any notation, among them those that only some resolvers take for one
 * (0x7f.1, 2130706433, 127.1); names without a dot; names that are no public ones (localhost,
 * *.internal, ...); and what no host name has, a user before an @ included. */
int egress_host_parse(const char *s, size_t len, char out[EGRESS_HOST_BYTES], struct err *e);

/* "host:443", as CONNECT has it. */
int egress_authority_parse(const char *s, size_t len, char out[EGRESS_HOST_BYTES], struct err *e);

/* host, in its one form, is one of names: itself, or something below a "*.domain". */
bool egress_host_listed(const struct strs *names, const char *host);

#endif
