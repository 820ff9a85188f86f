/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transcript from a box's bytes to the page that shows it: whatever a terminal was sent, each
 * line of the cast is JSON and the text is UTF-8 without a control character; what was kept of it
 * in the store comes back, and a row that is not what was kept is refused.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/clean.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "sandbox/recorder.h"
#include "store/pack.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define FILE_BYTES MIB(16)

static int
empty_file(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

static void
content(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		(void)buf_add(out, chunk, (size_t)n);
		at += n;
	}
}

static void
each_line_is_json(const struct buf *cast)
{
	const char *p = buf_str(cast), *end = p + cast->len;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		struct json *j = NULL;

		assert(newline);
		int rc = json_parse(p, (size_t)(newline - p), &JSON_LIMITS_REPLY, &j, NULL);
		assert(rc == 0);
		json_destroy(j);
		p = newline + 1;
	}
}

static void
is_plain(const struct buf *text)
{
	assert(str_utf8_ok(buf_str(text), text->len));
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		assert((c >= ' ' && c != 0x7f) || c == '\n' || c == '\t');
	}
}

static void
comes_back(struct pack *p, const struct buf *b)
{
	auto_buf struct buf small = BUF_INIT(FILE_BYTES + 4096), same = BUF_INIT(FILE_BYTES);
	int rc = pack_squeeze(p, PACK_SMALL, buf_str(b), b->len, &small, NULL);

	assert(rc == 0);
	rc = pack_expand(p, small.data, small.len, b->len, &same, NULL);
	assert(rc == 0 && same.len == b->len);
	assert(memcmp(buf_str(&same), buf_str(b), b->len) == 0);
}

static void
record(const char *data, size_t size, struct buf *cast, struct buf *text)
{
	auto_fd int kept_cast = empty_file(), kept_text = empty_file();
	const struct recorder_spec spec = { .cast_fd = fcntl(kept_cast, F_DUPFD_CLOEXEC, 3),
		.text_fd = fcntl(kept_text, F_DUPFD_CLOEXEC, 3),
		.bytes_max = MIB(4),
		.title = "fuzz" };
	struct recorder *r = NULL;
	size_t third = size / 3;
	int rc = recorder_create(&spec, 0, &r, NULL);

	assert(rc == 0);
	recorder_write(r, data, third, 0);
	recorder_note(r, "agent", 20);
	recorder_write(r, data + third, third, 2000);
	(void)recorder_tick(r, 4000);
	recorder_cut(r, 4010);
	recorder_write(r, data + 2 * third, size - 2 * third, 4020);
	rc = recorder_finish(r, NULL);
	assert(rc == 0);
	content(kept_cast, cast);
	content(kept_text, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf cast = BUF_INIT(FILE_BYTES), text = BUF_INIT(FILE_BYTES);
	auto_buf struct buf out = BUF_INIT(FILE_BYTES);
	struct pack *p = pack_create();

	record((const char *)data, size, &cast, &text);
	each_line_is_json(&cast);
	is_plain(&text);
	comes_back(p, &cast);
	if (pack_expand(p, data, size, size * 3, &out, NULL) == 0)
		assert(out.len == size * 3);
	pack_destroy(p);
	return 0;
}
