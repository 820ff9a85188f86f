/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect - operations as tables.
 *
 * A dialect is an array of rows: which method and path, which members of the operation make the
 * body, which members of the reply make the answer. One small engine walks it; only what rows
 * cannot say is a function. An operation that takes several requests has a row for each step.
 */
#ifndef FORGE_DIALECT_H
#define FORGE_DIALECT_H

#include "base/json.h"
#include "forge/forge.h"

/* Pages of a list are walked up to here: 100 items each on GitHub, 50 on Gitea. */
#define DIALECT_PAGES_MAX 50

/* What a reader gets: the reply beside what it belongs to. */
struct dialect_reply {
	const struct forge_conf *f;
	struct forge_op *op;
	const struct http_reply *r;
	const struct json *j; /* NULL: the body is empty or not JSON */
	struct forge_answer *a;
	struct err *e;
};

/* 0: done. 1: op was advanced. Or an error. */
typedef int dialect_read(const struct dialect_reply *x);

/* The same for a reply whose status is an error, rc by forge/retry.h; return rc if it is one. */
typedef int dialect_refused(const struct dialect_reply *x, int rc);

typedef int dialect_make(const struct forge_op *op, struct http_request *out, struct err *e);

struct dialect_op {
	enum forge_op_kind kind;
	int step;
	const char *method;
	/* {name} is a member of the operation, percent-encoded; [...] is left out if a member in
	 * it is absent. */
	const char *path;
	const struct row *body; /* of struct forge_op: the JSON to send; or else make */
	dialect_make *make;
	const struct row *answer; /* of struct forge_answer: read from the reply's JSON */
	dialect_read *read;       /* called after answer was filled; NULL: done */
	dialect_refused *refused; /* NULL: the error stands */
};

struct dialect {
	const char *name;
	const struct dialect_op *ops;
	size_t n_ops;
	/* Which row an operation is at: a new one starts with the form that fits it. */
	int (*step_of)(const struct forge_op *op);
	const char *const *headers; /* of each request, NULL-terminated */
	size_t body_bytes_max;      /* of op.body */
};

/* Leads to the next page of a list: by the Link header's address, or by number where that address
 * may name another host than the one we ask (Gitea writes its ROOT_URL there). 1: there is one, op
 * was advanced. 0: that was the last. ERR_LIMIT after DIALECT_PAGES_MAX. */
int dialect_next_link(const struct dialect_reply *x);
int dialect_next_number(const struct dialect_reply *x);

/* For operations of one page: the member of the next page's address that leads there ("page",
 * "cursor") becomes the answer's ref; NULL after the last. */
int dialect_tell_next(const struct dialect_reply *x, const char *member);

/* Leads to the given step; the cursor starts anew. */
int dialect_goto(struct forge_op *op, int step);

/* Sends an object of rows as the JSON body. */
int dialect_json(const struct row *rows, const void *obj, struct http_request *out, struct err *e);

/* Makes a form with one file of the bytes that wait in out->body. */
int dialect_multipart(const char *field, const char *name, struct http_request *out, struct err *e);

/* A copy of at most max bytes of s that ends with a whole character; NULL for NULL. */
char *dialect_cut(const char *s, size_t max);

#endif
