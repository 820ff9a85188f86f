/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal's output on its way through the redactor: cut in whatever way, nothing is changed but
 * for what is taken out, and a secret printed in the middle of it is gone.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/limits.h"
#include "sandbox/redact.h"

#include <string.h>

#define SECRET "correct-horse-battery-staple"

static void
on_data(void *ctx, const char *data, size_t len)
{
	(void)buf_add(ctx, data, len);
}

static void
run(const struct buf *table, const char *in, size_t len, size_t piece, struct buf *out)
{
	struct redact *r = NULL;

	assert(redact_create(table->data, table->len, on_data, out, &r, NULL) == 0);
	for (size_t at = 0; at < len; at += piece)
		redact_feed(r, in + at, len - at < piece ? len - at : piece);
	redact_flush(r);
	redact_destroy(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct buf table = BUF_INIT(REDACT_TABLE_BYTES);
	struct buf in = BUF_INIT(MIB(4)), whole = BUF_INIT(MIB(4)), cut = BUF_INIT(MIB(4));
	struct redact *r = NULL;
	size_t half = size / 2;

	if (table.len == 0) {
		struct redact_maker *m = redact_maker_create();

		redact_maker_add(m, SECRET, sizeof(SECRET) - 1);
		assert(redact_maker_end(m, &table, NULL) == 0);
		redact_maker_destroy(m);
	}
	(void)buf_add(&in, data, half);
	(void)buf_adds(&in, "\033\\\n" SECRET "\n"); /* out of whatever sequence came before */
	(void)buf_add(&in, data + half, size - half);
	run(&table, in.data, in.len, in.len, &whole);
	run(&table, in.data, in.len, size % 7 + 1, &cut);
	assert(whole.len == cut.len && memcmp(whole.data, cut.data, cut.len) == 0);
	assert(!memmem(buf_str(&whole), whole.len, SECRET, sizeof(SECRET) - 1));
	/* As a table it is refused or taken, never more. */
	if (redact_create(data, size, on_data, &cut, &r, NULL) == 0)
		redact_feed(r, SECRET, sizeof(SECRET) - 1);
	redact_destroy(r);
	buf_finish(&in);
	buf_finish(&whole);
	buf_finish(&cut);
	return 0;
}
