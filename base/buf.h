/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - bytes that grow up to a ceiling.
 *
 * A buffer is born with its limit. Adding past it adds nothing, marks the buffer as full and
 * returns ERR_LIMIT; the mark stays, so a builder may add twenty times and ask once. data always
 * has a NUL behind len.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/clean.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* never NULL after the first add; use buf_str() before */
	size_t len;
	size_t cap;
	size_t limit; /* bytes, without the NUL */
	bool is_full; /* an add was refused since init or reset */
};

#define BUF_INIT(bytes_max)                                                                        \
	{                                                                                          \
		.limit = (bytes_max)                                                               \
	}

void buf_init(struct buf *b, size_t limit);
void buf_finish(struct buf *b); /* frees; the limit stays, so the buffer may be used again */
void buf_reset(struct buf *b);  /* keeps the memory, empties, clears is_full */

int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s); /* NULL adds nothing */
int buf_addc(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_addv(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Removes n bytes from the front (n <= len). */
void buf_drop(struct buf *b, size_t n);

/* Cuts back to len bytes (len <= b->len): a builder's undo. is_full stays. */
void buf_cut(struct buf *b, size_t len);

/* The contents as a string, "" when empty; borrowed until the next change. */
const char *buf_str(const struct buf *b);

/* Takes the contents out as a heap string; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);

static inline void
clean_buf(struct buf *b)
{
	buf_finish(b);
}

#define auto_buf auto_cleanup(clean_buf)

#endif
