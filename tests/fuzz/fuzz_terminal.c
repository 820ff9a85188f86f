/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent writes to its terminal: its events, the screen, the transcript. The shim reads it
 * and may be root.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "sandbox/agent.h"
#include "sandbox/recorder.h"

#include <fcntl.h>

/* Whoever it is: all must be able to say anything. */
static const struct agent_row *
any_row(size_t size)
{
	const struct agent_row *row = &AGENT_ROWS[size % AGENT_ROWS_COUNT];

	return row->rules ? row : &AGENT_ROWS[0];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recorder_spec spec = {
		.cast_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
		.text_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
		.bytes_max = KIB(64),
	};
	struct agent_reader *reader = agent_reader_create(any_row(size));
	struct recorder *r = NULL;
	struct buf show = BUF_INIT(MIB(8));
	struct buf tail = BUF_INIT(LIMIT_TAIL_BYTES);
	size_t half = size / 2;

	assert(recorder_create(&spec, 0, &r, NULL) == 0);
	agent_reader_feed(reader, (const char *)data, half, &show);
	agent_reader_feed(reader, (const char *)data + half, size - half, &show);
	agent_reader_end(reader, &show);
	recorder_write(r, buf_str(&show), show.len, 0);
	recorder_write(r, (const char *)data, half, 10);
	recorder_tick(r, 100);
	recorder_write(r, (const char *)data + half, size - half, 100);
	recorder_tail(r, LIMIT_TAIL_BYTES, &tail);
	assert(str_utf8_ok(buf_str(&tail), tail.len));
	for (size_t i = 0; i < tail.len; i++)
		assert((unsigned char)tail.data[i] >= ' ' || tail.data[i] == '\n');
	assert(recorder_finish(r, NULL) == 0);
	agent_reader_destroy(reader);
	buf_finish(&show);
	buf_finish(&tail);
	return 0;
}
