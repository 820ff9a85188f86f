/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress - what may leave a box, as rules. Pure.
 *
 * The box's only way out is the gateway, and the gateway asks here: which headers of a request go
 * on, which endpoints of a model's API may be called, and whether a body asks the provider to reach
 * the network for the box (hosted tools: web search, URL fetch, remote MCP servers), which would be
 * a way out around the gateway.
 */
#ifndef SANDBOX_EGRESS_H
#define SANDBOX_EGRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum egress_api { EGRESS_ANTHROPIC, EGRESS_GEMINI, EGRESS_OPENAI, EGRESS_API_COUNT };

/* -1: unknown. */
int egress_api_parse(const char *kind);

/* The header that the provider reads its key from, and what stands before the key in it. */
const char *egress_key_header(enum egress_api api);
const char *egress_key_prefix(enum egress_api api);

/* What an agent needs of an API; files, batches, stored answers and the like are EGRESS_CLOSED. The
 * four that ask the model differ in what makes their clients stop. */
enum egress_endpoint {
	EGRESS_CLOSED,
	EGRESS_HELLO, /* is anybody there: answered by the gateway itself, without a key */
	EGRESS_FREE,  /* lists models, counts tokens */
	EGRESS_CHAT,
	EGRESS_GENERATE, /* Gemini */
	EGRESS_MESSAGES, /* Anthropic */
	EGRESS_RESPONSES,
};

/* path is below the API's base, without a query. */
enum egress_endpoint egress_endpoint(enum egress_api api, const char *method, const char *path);

static inline bool
egress_asks_model(enum egress_endpoint e)
{
	return e >= EGRESS_CHAT;
}

/* Adds "?a=b&c=d" to out without the parameters that are credentials; adds nothing if none is left.
 */
void egress_query(const char *query, size_t len, struct buf *out);

/* False for credentials, hop-by-hop headers, what selects an account, and what we set ourselves. */
bool egress_header_passes(const char *name, size_t len);

/* The same the other way. */
bool egress_reply_header_passes(const char *name, size_t len);

/* An absolute path without dot segments, backslashes or control characters, whether written out or
 * as %XX; "%2f" counts as a slash. ERR_INVALID says which rule. */
int egress_path_check(const char *path, size_t len, struct err *e);

/* Reads a JSON body without believing it: ERR_DENIED if it asks for a hosted tool, for a remote
 * file, which the provider would fetch, or for work in the background; ERR_INVALID if it is not
 * JSON to the letter (a lenient reader at the other end might see what we do not). Fills in what
 * its top says, which the caller finishes in any case. */
struct egress_body {
	struct strs models; /* every one that it names */
	bool wants_stream;
};
int egress_body_check(const char *data, size_t len, struct egress_body *out, struct err *e);

static inline void
clean_egress_body(struct egress_body *b)
{
	strs_finish(&b->models);
}

#define auto_egress_body auto_cleanup(clean_egress_body)

/* Every one of models is allowed; an empty allow-list allows all, else there must be a model.
 * Models that search the web by themselves never are. */
bool egress_models_ok(const struct strs *allow, const struct strs *models);

/* Gemini names the model in the path: ".../models/NAME:verb". Adds it to models. */
void egress_path_model(const char *path, struct strs *models);

#endif
