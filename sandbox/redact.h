/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact - takes secrets out of a stream of terminal output, without knowing them.
 *
 * Who holds the secrets makes a table of them (redact_maker): of each encoded form the length,
 * a rolling hash of its beginning and a keyed hash of the whole, under keys of that table alone.
 * Nothing can be read back from it, and to guess at it is to guess the secret's first sixteen
 * bytes, so it may be given to a process that stands beside hostile code.
 *
 * Who has a table finds the forms wherever they stand: across reads, and broken up by line ends,
 * control characters and escape sequences. Forms: as it is, reversed, hex, base64 and url-safe
 * base64 in three alignments, base64 of base64, percent-encoded, escaped for JSON and for XML. A
 * secret of several lines is found line by line. Besides, what has the shape of a well-known token
 * is taken out whether or not it is in the table.
 */
#ifndef SANDBOX_REDACT_H
#define SANDBOX_REDACT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define REDACT_SECRET_MIN                                                                          \
	16 /* bytes; a shorter one, or a shorter line of one, is not looked for                    \
	    */
#define REDACT_MARK        "[redacted]"
#define REDACT_TABLE_BYTES ((size_t)1 << 20) /* no table is larger */

struct redact_maker;

/* A table with fresh keys, empty. */
struct redact_maker *redact_maker_create(void);
void redact_maker_destroy(struct redact_maker *m); /* NULL is accepted */

/* Adds a secret; its bytes are not kept. */
void redact_maker_add(struct redact_maker *m, const void *secret, size_t len);

/* Adds the table to `out`. ERR_LIMIT when it does not fit there or into REDACT_TABLE_BYTES. */
int redact_maker_end(struct redact_maker *m, struct buf *out, struct err *e);

struct redact;

/* A piece of the stream that may be kept. */
typedef void redact_cb(void *ctx, const char *data, size_t len);

/* table: borrowed for the call; len 0: only shapes are sought. ERR_INVALID: not a table. */
int redact_create(const void *table, size_t len, redact_cb *cb, void *ctx, struct redact **out,
	struct err *e);
void redact_destroy(struct redact *r); /* what is held back is lost; NULL is accepted */

/* Some last bytes are held back while they may be the beginning of a secret. */
void redact_feed(struct redact *r, const char *data, size_t len);

/* Is something held back, and does it end with a line's end? */
bool redact_holds_line(const struct redact *r);

/* Gives out what is held back, though more may come: a form that is under way is still known, and
 * its rest will be taken out. */
void redact_release(struct redact *r);

/* A text that is no stream, cleaned: the caller frees it. NULL for NULL, and for what is no table.
 */
char *redact_text(const void *table, size_t len, const char *text);

/* The stream ended: gives out what is held back; what comes next is another stream. */
void redact_flush(struct redact *r);

#endif
