/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request from the network before anybody knows who sent it. What the guard lets through has one
 * meaning: our own parser reads it too, with at most one length.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/http1.h"
#include "base/limits.h"
#include "web/guard.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	static struct http1_head head;
	struct http1_chunks chunks = { 0 };
	struct buf body = BUF_INIT(LIMIT_DRAIN_BYTES);
	size_t used = 0;
	int rc = http1_head_parse(text, size, &head, NULL);

	if (guard_head(text, size, NULL) == GUARD_PASS) {
		assert(rc == 1);
		assert(head.head_len <= size);
		assert(!(head.is_chunked && head.content_length >= 0));
	}
	rc = http1_chunks_feed(&chunks, text, size, &used, &body, NULL);
	assert(used <= size && body.len <= size);
	(void)rc; /* what is wrong with it does not matter, what it costs does */
	buf_finish(&body);
	return 0;
}
