/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a forge answers to each operation, of both dialects: the operation as JSON on the first
 * line, then status, headers, an empty line, body. An operation ends, and what it learned can
 * travel.
 */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"
#include "forge/retry.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX   8 /* the same reply again and again; some operations page as long as it says */
#define HEADERS_MAX 16

static const struct forge_conf *
conf_of(enum forge_kind kind)
{
	static struct forge_conf conf;

	conf = (struct forge_conf){
		.kind = kind, .name = "f", .url = "https://f.test", .api_url = "https://f.test/api"
	};
	return &conf;
}

/* Up to the next newline; *text moves behind it. */
static size_t
line(const char **text, const char *end)
{
	const char *from = *text, *newline = memchr(from, '\n', (size_t)(end - from));

	*text = newline ? newline + 1 : end;
	return (size_t)((newline ? newline : end) - from);
}

static void
read_reply(const char *text, const char *end, struct http_reply *r)
{
	const char *from = text;
	size_t n = line(&text, end);
	auto_free char *status = mem_strn(from, n < 3 ? n : 3);

	r->status = (int)strtol(status, NULL, 10);
	for (int i = 0; i < HEADERS_MAX; i++) {
		from = text;
		n = line(&text, end);
		if (n == 0)
			break;
		auto_free char *header = mem_strn(from, n);
		strs_add(&r->headers, header);
	}
	r->body = (struct buf)BUF_INIT(LIMIT_DELIVERY_BYTES);
	(void)buf_add(&r->body, text, (size_t)(end - text));
}

static void
travels(const struct forge_answer *a)
{
	auto_buf struct buf packed = BUF_INIT(LIMIT_DELIVERY_BYTES);
	struct forge_answer copy = { 0 };

	assert(a->retry_after_ms >= 0);
	if (row_pack(FORGE_ANSWER_ROWS, a, &packed, NULL) < 0)
		return;
	int rc = row_unpack(FORGE_ANSWER_ROWS, &copy, packed.data, packed.len, NULL);
	assert(rc == 0);
	forge_answer_finish(&copy);
}

static void
play(const struct forge_driver *d, const struct forge_conf *f, struct forge_op *op,
	const struct http_reply *r)
{
	struct forge_answer a = { 0 };
	int rc = 1;

	for (int i = 0; i < STEPS_MAX && rc == 1; i++) {
		struct http_request request = { 0 };

		rc = forge_build(d, f, op, &request, NULL);
		http_request_finish(&request);
		if (rc == 0)
			rc = forge_read(d, f, op, r, &a, NULL);
	}
	travels(&a);
	forge_answer_finish(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size, *from = text;
	size_t n = line(&text, end);
	struct http_reply r = { 0 };
	struct json *j = NULL;
	int64_t after_ms = 0;

	if (json_parse(from, n, &JSON_LIMITS_REPLY, &j, NULL) < 0)
		return 0;
	read_reply(text, end, &r);
	(void)retry_classify(&r, 0, &after_ms, NULL);
	for (int kind = 0; kind < FORGE_KIND_COUNT; kind++) {
		const struct forge_driver *d = forge_driver_get((enum forge_kind)kind);
		struct forge_lacks lacks = { 0 };
		struct forge_op op = { 0 };

		json_decode(j, FORGE_OP_ROWS, &op);
		op.kind = (op.kind < 0 ? 0 : op.kind) % OP_KIND_COUNT;
		play(d, conf_of((enum forge_kind)kind), &op, &r);
		if (d->lacks)
			d->lacks(&r, &lacks);
		forge_lacks_finish(&lacks);
		forge_op_finish(&op);
	}
	http_reply_finish(&r);
	json_destroy(j);
	return 0;
}
