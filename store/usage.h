/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - what a task took at the models, by model.
 *
 * Between roles and in the store it is a text, one line a model; here is how it is read, added up
 * and said. Pure. A model's name comes out of a box, so it is cut down to what a name may have.
 */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include "base/row.h"

#include <stdint.h>

#define USAGE_MODELS_MAX      16 /* what comes after that is "other" */
#define USAGE_MODEL_BYTES_MAX 80
#define USAGE_COST_UNKNOWN    (-1)

struct usage {
	char *model;
	int64_t requests;
	int64_t in; /* tokens; none of them is in two of these */
	int64_t cached;
	int64_t written;
	int64_t out;
	int64_t cost_micro; /* millionths of a US dollar, or USAGE_COST_UNKNOWN */
};

/* Lists are of struct usage. */
void usage_add(struct row_list *list, const struct usage *u);
void usage_finish(struct row_list *list);

/* What cannot be read is passed over; NULL is empty. */
void usage_parse(const char *text, struct row_list *out);
int usage_print(const struct row_list *list, struct buf *out);

/* Adds more to the owned text *text. */
void usage_merge(char **text, const char *more);

/* All models together; model is NULL. An unknown cost makes the whole unknown. */
void usage_total(const struct row_list *list, struct usage *out);

static inline int64_t
usage_tokens(const struct usage *u)
{
	return u->in + u->cached + u->written + u->out;
}

/* "12 requests, 34,567 tokens in (30,000 of them cached), 4,321 out, $0.12" */
void usage_say(const struct usage *u, struct buf *out);

#endif
