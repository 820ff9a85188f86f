/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_etag - answers that have not changed cost no quota.
 *
 * A GET is sent with the ETag of its last answer; a 304 is that answer again. GitHub does not count
 * it (docs.github.com, "Best practices for using the REST API"), and it is as live as any other:
 * the forge itself says that nothing changed.
 */
#ifndef BOT_COURIER_ETAG_H
#define BOT_COURIER_ETAG_H

#include "base/http.h"

struct etags;

/* scope keeps apart what different credentials may see. */
struct etag_key {
	const void *forge;
	int64_t scope;
	const char *url;
	uint64_t asked; /* what etag_ask said, for the answer */
};

/* *all is made when it is first needed. */
void etags_destroy(struct etags *all);

/* Adds If-None-Match if there is an answer, and says which: another request's answer may take its
 * place before ours comes. 0: there is none. */
uint64_t etag_ask(struct etags *all, const struct etag_key *key, struct http_request *q);

/* Remembers a 200 with an ETag; turns a 304 into what it stands for, if that is still known. */
void etag_answer(struct etags **all, const struct etag_key *key, struct http_reply *r);

/* The answer was of no use, say cut off: it is asked for whole the next time. */
void etag_forget(struct etags *all, const struct etag_key *key);

#endif
