/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS client's first bytes, right or wrong.
 */
#ifndef TESTS_UNIT_BOT_TLS_HELLO_H
#define TESTS_UNIT_BOT_TLS_HELLO_H

#include "base/buf.h"

#include <stdint.h>
#include <string.h>

/* An extension's head; the bytes follow. */
static inline void
hello_extension(struct buf *b, unsigned type, size_t len)
{
	const uint8_t head[4] = { (uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(len >> 8),
		(uint8_t)len };

	(void)buf_add(b, head, sizeof(head));
}

static inline void
hello_name(struct buf *b, const char *name, size_t len)
{
	const uint8_t head[5] = { (uint8_t)((len + 3) >> 8), (uint8_t)(len + 3), 0,
		(uint8_t)(len >> 8), (uint8_t)len };

	hello_extension(b, 0, len + 5);
	(void)buf_add(b, head, sizeof(head));
	(void)buf_add(b, name, len);
}

/* The handshake message with these extensions. */
static inline void
hello_message(struct buf *out, const struct buf *extensions)
{
	size_t n = extensions->len;
	size_t all = 2 + 32 + 1 + 2 + 2 + 2 + 2 + n;
	const uint8_t head[6] = { 1, 0, (uint8_t)(all >> 8), (uint8_t)all, 3, 3 };
	const uint8_t rest[9] = { 0, 0, 2, 0x13, 1, 1, 0, (uint8_t)(n >> 8), (uint8_t)n };
	char random[32] = "random";

	(void)buf_add(out, head, sizeof(head));
	(void)buf_add(out, random, sizeof(random));
	(void)buf_add(out, rest, sizeof(rest));
	(void)buf_add(out, buf_str(extensions), n);
}

/* In records of at most so many bytes. */
static inline void
hello_records(struct buf *out, const struct buf *message, size_t size)
{
	for (size_t at = 0; at < message->len; at += size) {
		size_t n = message->len - at < size ? message->len - at : size;
		const uint8_t head[5] = { 22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n };

		(void)buf_add(out, head, sizeof(head));
		(void)buf_add(out, message->data + at, n);
	}
}

/* The usual one. */
static inline void
hello_for(struct buf *out, const char *name)
{
	struct buf extensions = BUF_INIT(1000);
	struct buf message = BUF_INIT(2000);

	hello_extension(&extensions, 43, 3);
	(void)buf_add(&extensions, "\2\3\4", 3);
	hello_name(&extensions, name, strlen(name));
	hello_message(&message, &extensions);
	hello_records(out, &message, 16384);
	buf_finish(&extensions);
	buf_finish(&message);
}

#endif
