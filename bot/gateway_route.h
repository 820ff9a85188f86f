/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_route - from the head of a box's request to the request that goes out, or the refusal.
 *Pure.
 *
 *	/llm/NAME/...       the model provider NAME of the configuration, with our key
 *	/npm/... /go/...    the package registry of that name, GET and HEAD
 *	/registry/NAME/...  the same for any name
 *	CONNECT host:443    a host that both the operator and the repository have listed
 *	/pypi-files/...     where its index says that the packages are
 *	GET http://host/... a registry by its own address
 */
#ifndef BOT_GATEWAY_ROUTE_H
#define BOT_GATEWAY_ROUTE_H

#include "base/http1.h"
#include "base/str.h"
#include "config/config.h"
#include "sandbox/egress.h"
#include "sandbox/egress_host.h"

enum route_kind { ROUTE_REFUSED, ROUTE_HELLO, ROUTE_MODEL, ROUTE_REGISTRY, ROUTE_TUNNEL };

/* How an answer's addresses are turned so that they lead to the gateway again. */
struct route_rewrite {
	char *from; /* what the registry writes, "https://host/"; NULL: nothing to do */
	char *to;
};

struct route {
	enum route_kind kind;
	int status;      /* REFUSED: what the box is told */
	const char *why; /* REFUSED: a literal, or said */
	char *blocked;   /* REFUSED: the host that was asked for, if it is one to report */
	char *said;
	const char *method; /* a literal */
	char *url;
	char *host;                    /* TUNNEL: in its one form */
	char *provider;                /* MODEL */
	enum egress_api api;           /* MODEL */
	enum egress_endpoint endpoint; /* MODEL */
	char *path;                    /* MODEL: below the API's base, without the query */
	struct strs headers;           /* "name: value" */
	struct route_rewrite rewrites[2];
	int64_t keep_ms; /* REGISTRY: how old an answer may be; 0: not kept */
};

struct route_rights {
	bool models;
	bool registries;          /* all of them */
	const struct strs *hosts; /* and registries by name, that the repository wants; NULL: none
				   */
};

void gateway_route(const struct config *c, struct route_rights rights,
	const struct http1_head *head, struct route *out);
void route_finish(struct route *r);

/* Turns an answer piece by piece: every address of from becomes to where it follows `"`, `'` or `>`
 * and so starts a string: integrity hashes and texts stay as they are. What could be the beginning
 * of an address waits in pending for the next piece; is_last lets it go. ERR_LIMIT: out is full. */
int route_rewrite(const struct route *r, struct buf *pending, bool is_last, struct buf *out);

#endif
