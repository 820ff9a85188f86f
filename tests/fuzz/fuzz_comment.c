/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A comment's text: commands are found in bounded time and number, and what is quoted back stays
 * in its fence and on its line.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"
#include "forge/markdown.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strn((const char *)data, size);
	struct forge_event ev = { 0 };
	struct buf out = BUF_INIT(LIMIT_DELIVERY_BYTES);
	size_t removed;

	markdown_commands(text, &ev.commands);
	assert(ev.commands.n <= LIMIT_COMMANDS);
	forge_event_finish(&ev);

	markdown_inline(&out, text, LIMIT_TITLE_BYTES);
	markdown_plain(&out, text, LIMIT_TITLE_BYTES);
	markdown_code(&out, text, LIMIT_TITLE_BYTES);
	assert(!memchr(out.data ? out.data : "", '\n', out.len));
	markdown_fence(&out, (const char *)data, size, LIMIT_TAIL_BYTES);
	markdown_visible(&out, (const char *)data, size, &removed);
	buf_finish(&out);
	free(text);
	return 0;
}
