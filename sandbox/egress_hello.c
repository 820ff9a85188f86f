/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_hello - the name that a TLS client asks for. Structures are RFC 8446's, 4.1.2 and 5.1, and
 * RFC 6066's, 3; nothing may be left over in any of them.
 */
#include "sandbox/egress_hello.h"

#include <string.h>

#define RECORD_HEAD       5
#define RECORD_HANDSHAKE  22
#define RECORD_BYTES_MAX  16384
#define HELLO_HEAD        4
#define CLIENT_HELLO      1
#define RANDOM_BYTES      32
#define SESSION_BYTES_MAX 32
#define EXT_SERVER_NAME   0
#define EXT_HIDDEN_HELLO  0xfe0d
#define NAME_IS_HOST      0

/* What is left to read; is_bad once something was wrong. */
struct bytes {
	const uint8_t *p;
	size_t len;
	bool is_bad;
};

static struct bytes
take(struct bytes *b, size_t n)
{
	struct bytes out = { b->p, n, b->is_bad };

	if (b->is_bad || n > b->len) {
		b->is_bad = true;
		return (struct bytes){ b->p, 0, true };
	}
	b->p += n;
	b->len -= n;
	return out;
}

static size_t
take_number(struct bytes *b, size_t n_bytes)
{
	struct bytes raw = take(b, n_bytes);
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++)
		n = n << 8 | raw.p[i];
	return n;
}

/* A vector: its length in n_bytes, then so much. */
static struct bytes
take_vector(struct bytes *b, size_t n_bytes)
{
	return take(b, take_number(b, n_bytes));
}

static int
malformed(struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "not the beginning of TLS");
}

/* ---- extensions ---- */

static int
read_server_name(struct bytes ext, char host[EGRESS_HOST_BYTES], struct err *e)
{
	struct bytes list = take_vector(&ext, 2);
	size_t type = take_number(&list, 1);
	struct bytes name = take_vector(&list, 2);

	if (list.is_bad || name.is_bad || ext.len || list.len || type != NAME_IS_HOST)
		return malformed(e);
	/* A dot at the end is not allowed here, and two readers might see two names. */
	if (name.len > 0 && name.p[name.len - 1] == '.')
		return malformed(e);
	return egress_host_parse((const char *)name.p, name.len, host, e);
}

static int
read_extensions(struct bytes all, char host[EGRESS_HOST_BYTES], struct err *e)
{
	int names = 0;

	while (all.len > 0) {
		size_t type = take_number(&all, 2);
		struct bytes ext = take_vector(&all, 2);
		int rc = 0;

		if (all.is_bad || ext.is_bad)
			return malformed(e);
		if (type == EXT_HIDDEN_HELLO)
			return err_set(e, ERR_DENIED, "the TLS name is hidden");
		if (type == EXT_SERVER_NAME)
			rc = ++names > 1 ? malformed(e) : read_server_name(ext, host, e);
		if (rc < 0)
			return rc;
	}
	return names == 1 ? 0 : err_set(e, ERR_DENIED, "no TLS name");
}

static int
read_hello(struct bytes b, char host[EGRESS_HOST_BYTES], struct err *e)
{
	struct bytes session, suites, methods, extensions;

	(void)take(&b, 2 + RANDOM_BYTES); /* version and random */
	session = take_vector(&b, 1);
	suites = take_vector(&b, 2);
	methods = take_vector(&b, 1);
	if (b.is_bad || session.len > SESSION_BYTES_MAX || suites.len < 2 || suites.len % 2 ||
		methods.len == 0)
		return malformed(e);
	if (b.len == 0)
		return err_set(e, ERR_DENIED, "no TLS name");
	extensions = take_vector(&b, 2);
	if (b.is_bad || b.len > 0)
		return malformed(e);
	return read_extensions(extensions, host, e);
}

/* ---- records ---- */

/* The next record's payload. 1, 0 for more, ERR_PROTOCOL. */
static int
next_record(struct bytes *b, struct bytes *out, struct err *e)
{
	struct bytes head = *b;
	size_t type = take_number(&head, 1);
	size_t major = take_number(&head, 1);
	size_t len;

	if ((b->len > 0 && type != RECORD_HANDSHAKE) || (b->len > 1 && major != 3))
		return malformed(e);
	if (b->len < RECORD_HEAD)
		return 0;
	(void)take(&head, 1);
	len = take_number(&head, 2);
	if (len == 0 || len > RECORD_BYTES_MAX)
		return malformed(e);
	if (head.len < len)
		return 0;
	*out = take(&head, len);
	*b = head;
	return 1;
}

int
egress_hello_read(const uint8_t *data, size_t len, char host[EGRESS_HOST_BYTES], struct err *e)
{
	uint8_t whole[EGRESS_HELLO_BYTES_MAX];
	struct bytes b = { data, len, false };
	size_t have = 0;

	for (;;) {
		struct bytes record = { 0 };
		int rc = next_record(&b, &record, e);

		if (rc == 0 && len > EGRESS_HELLO_BYTES_MAX)
			return err_set(e, ERR_LIMIT, "the TLS hello is too large");
		if (rc <= 0)
			return rc;
		if (record.len > sizeof(whole) - have)
			return err_set(e, ERR_LIMIT, "the TLS hello is too large");
		memcpy(whole + have, record.p, record.len);
		have += record.len;

		if (have < HELLO_HEAD)
			continue;
		struct bytes message = { whole, have, false };
		size_t type = take_number(&message, 1);
		size_t need = take_number(&message, 3);
		if (type != CLIENT_HELLO)
			return malformed(e);
		if (message.len < need)
			continue;
		if (message.len > need)
			return malformed(e);
		rc = read_hello(message, host, e);
		return rc < 0 ? rc : 1;
	}
}
