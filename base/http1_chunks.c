/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_chunks - the chunked coding (RFC 9112, 7.1) as a state machine over bytes.
 *
 * As strict as the head: hexadecimal digits, at most 15 of them; an extension is only skipped, but
 * its line is bounded; every line ends with CRLF; trailers are read, bounded and thrown away.
 */
#include "base/http1.h"

#include "base/buf.h"
#include "base/str.h"

#include <string.h>

#define SIZE_DIGITS_MAX   15
#define LINE_BYTES_MAX    256
#define TRAILER_BYTES_MAX 4096

enum state {
	SIZE, /* zero: where a zeroed struct starts */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,
	TRAILER,
	TRAILER_LF,
	END_LF,
	DONE,
};

static int
refuse(struct err *e, const char *rule)
{
	return err_set(e, ERR_PROTOCOL, "HTTP chunk refused: %s", rule);
}

static int
step_size(struct http1_chunks *c, char in, struct err *e)
{
	int v = str_hex_digit(in);

	if (v >= 0) {
		if (++c->line_len > SIZE_DIGITS_MAX)
			return refuse(e, "size of too many digits");
		c->left = c->left << 4 | (unsigned)v;
		return 0;
	}
	if (c->line_len == 0)
		return refuse(e, "no size");
	if (in == '\r')
		c->state = SIZE_LF;
	else if (in == ';')
		c->state = EXTENSION;
	else
		return refuse(e, "size is no hexadecimal number");
	return 0;
}

/* A line that is skipped up to its CR. */
static int
step_skipped(struct http1_chunks *c, char in, int next, size_t max, struct err *e)
{
	if (in == '\r') {
		c->state = next;
		return 0;
	}
	if (((unsigned char)in < ' ' && in != '\t') || in == 0x7f)
		return refuse(e, "control character");
	if (++c->line_len > max)
		return refuse(e, "line too long");
	return 0;
}

/* The LF that a CR announced. */
static int
step_lf(struct http1_chunks *c, char in, struct err *e)
{
	if (in != '\n')
		return refuse(e, "CR without LF");
	if (c->state == SIZE_LF) {
		c->state = c->left ? DATA : TRAILER_START;
		c->line_len = 0;
	} else if (c->state == DATA_LF) {
		c->state = SIZE;
	} else {
		c->state = c->state == END_LF ? DONE
					      : TRAILER_START; /* all trailers share one line_len */
	}
	return 0;
}

/* One byte of framing. */
static int
step(struct http1_chunks *c, char in, struct err *e)
{
	switch ((enum state)c->state) {
	case SIZE:
		return step_size(c, in, e);
	case EXTENSION:
		return step_skipped(c, in, SIZE_LF, LINE_BYTES_MAX, e);
	case TRAILER_START:
		c->state = in == '\r' ? END_LF : TRAILER;
		return in == '\r' ? 0 : step_skipped(c, in, TRAILER_LF, TRAILER_BYTES_MAX, e);
	case TRAILER:
		return step_skipped(c, in, TRAILER_LF, TRAILER_BYTES_MAX, e);
	case DATA_CR:
		c->state = DATA_LF;
		return in == '\r' ? 0 : refuse(e, "data longer than its size");
	case SIZE_LF:
	case DATA_LF:
	case TRAILER_LF:
	case END_LF:
		return step_lf(c, in, e);
	case DATA:
	case DONE:
		break;
	}
	return refuse(e, "bytes behind the end");
}

int
http1_chunks_feed(struct http1_chunks *c, const char *in, size_t len, size_t *used, struct buf *out,
	struct err *e)
{
	size_t i = 0;
	int rc = 0;

	while (i < len && c->state != DONE && rc == 0) {
		size_t n;

		if (c->state != DATA) {
			rc = step(c, in[i++], e);
			continue;
		}
		n = len - i < c->left ? len - i : (size_t)c->left;
		if (buf_add(out, in + i, n) < 0)
			rc = err_set(e, ERR_LIMIT, "HTTP body of more than %zu bytes", out->limit);
		i += n;
		c->left -= n;
		if (c->left == 0)
			c->state = DATA_CR;
	}
	*used = i;
	if (rc < 0)
		return rc;
	return c->state == DONE;
}
