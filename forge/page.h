/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - the next page of a list. Pure.
 */
#ifndef FORGE_PAGE_H
#define FORGE_PAGE_H

#include "forge/forge.h"

/* The Link header's rel="next" (RFC 8288). 1: *out is its address, the caller's. 0: there is none.
 * ERR_PROTOCOL: it leads to another scheme, host or port than api_url; we would carry a token
 * there, and to stop silently would be to take half a list for the whole. */
int page_next(const struct forge_conf *f, const struct http_reply *r, char **out, struct err *e);

/* True if there is a rel="next", wherever it leads. */
bool page_has_next(const struct http_reply *r);

#endif
